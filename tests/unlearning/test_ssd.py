"""SSD: the factor of every weight, by samples and by the batches of the published codes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from plain import apart
from small import MODEL, SPLIT, values
from torch import nn
from torch.nn.functional import cross_entropy

from vestige.errors import InputError
from vestige.unlearning import unlearn
from vestige.unlearning.gradients import fisher_diagonal
from vestige.unlearning.work import Steps, Work


def test_ssd_formula():
    job = Work("t", Steps(), None, 0, "cpu", False, 1)
    f, r = (fisher_diagonal(MODEL, SPLIT.rows(role), job, labels="true") for role in ("forget", "retain"))
    made = values(unlearn("ssd", MODEL, SPLIT, alpha=1.5, dampening=0.7).model)
    for name, before in values(MODEL).items():
        everyone = 0.1 * f[name] + 0.9 * r[name]
        factor = torch.where(
            f[name] > 1.5 * everyone, (0.7 * everyone / f[name]).clamp(max=1), torch.ones(())
        )
        assert torch.allclose(made[name], before * factor, atol=1e-6)
    with pytest.raises(InputError, match="Above 10"):
        unlearn("ssd", MODEL, SPLIT, alpha=11.0)


def importances(model, x, y, size, clip=None):
    """Mean over batches, the last one short, of the squared gradient of each one's mean loss."""
    total, batches = [torch.zeros_like(p) for p in model.parameters()], 0
    for start in range(0, len(x), size):
        model.zero_grad()
        cross_entropy(model(x[start : start + size]), y[start : start + size]).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        for part, p in zip(total, model.parameters(), strict=True):
            part += p.grad.square()
        batches += 1
    return [part / batches for part in total]


def dampened(model, own, everyone, alpha):
    with torch.no_grad():
        for p, f, d in zip(model.parameters(), own, everyone, strict=True):
            p.mul_(torch.where(f > alpha * d, (d / f.clamp(min=1e-30)).clamp(max=1), torch.ones(())))
    return model


def rows_of(*roles):
    parts = [SPLIT.rows(role) for role in roles]
    return tuple(torch.from_numpy(np.concatenate([getattr(p, field) for p in parts])) for field in ("x", "y"))


def test_paper_weighs_all_data_in_mixed_batches():
    """One batch holds all data, another all to forget; gradients that cancel there let alpha be above N / N_f."""
    model = copy.deepcopy(MODEL)
    own, everyone = importances(model, *rows_of("forget"), 128), importances(model, *rows_of("train"), 128)
    for alpha in (1.5, 12.0):
        made = unlearn("ssd", MODEL, SPLIT, preset="paper", alpha=alpha, batch_size=128).model
        assert apart(made, dampened(copy.deepcopy(MODEL), own, everyone, alpha)) < 1e-6
        assert apart(made, MODEL) > 1e-3
    retained = importances(model, *rows_of("retain"), 128)
    unmixed = [0.1 * f + 0.9 * r for f, r in zip(own, retained, strict=True)]
    assert apart(made, dampened(copy.deepcopy(MODEL), own, unmixed, 12.0)) > 1e-3


def test_the_last_of_the_published_batches_is_short():
    """12 to forget in batches of 5, 5 and 2; unmixed, the retained samples come first."""
    model = copy.deepcopy(MODEL)
    own, everyone = (
        importances(model, *rows_of("forget"), 5),
        importances(model, *rows_of("retain", "forget"), 5),
    )
    wanted = dampened(copy.deepcopy(MODEL), own, everyone, 1.2)
    short, even = (
        unlearn(
            "ssd", MODEL, SPLIT, preset="paper", alpha=1.2, batch_size=5, mixed=False, short_last=last
        ).model
        for last in (True, False)
    )
    assert apart(short, wanted) < 1e-6 and apart(even, wanted) > 1e-4


@pytest.mark.parametrize("size", [128, 16])
def test_the_copy_in_iam_clips_and_runs_in_training_mode(size):
    """Running statistics are those of the passes: forget set, then retained samples and forget set."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    model.eval()
    plain = copy.deepcopy(model).train()
    own = importances(plain, *rows_of("forget"), size, 1.0)
    everyone = importances(plain, *rows_of("retain", "forget"), size, 1.0)
    dampened(plain, own, everyone, 2.0)
    made = unlearn("ssd", model, SPLIT, preset="iam", alpha=2.0, batch_size=size).model
    assert apart(made, plain) < 1e-6 and apart(made, model) > 1e-3
    assert torch.allclose(made[1].running_mean, plain[1].running_mean, atol=1e-6)
    assert torch.allclose(made[1].running_var, plain[1].running_var, atol=1e-6)
    kept = unlearn("ssd", model, SPLIT, preset="paper", alpha=2.0).model
    assert torch.equal(kept[1].running_mean, model[1].running_mean)


def test_presets_of_a_method_are_known_by_name():
    with pytest.raises(InputError, match="iam, paper, recommended"):
        unlearn("ssd", MODEL, SPLIT, preset="chen")
    with pytest.raises(InputError, match="Known: paper, recommended"):
        unlearn("finetune", MODEL, SPLIT, preset="iam")
