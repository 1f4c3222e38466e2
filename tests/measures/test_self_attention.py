"""The transformer attack: its published size, its rows, what it finds and does not find."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import vestige
from vestige.errors import InputError, MissingArray
from vestige.evaluation import auc
from vestige.models.samia import Samia, all_digits, samia_rows, sensitivity_of
from vestige.signals import Signals, collect_sensitivity


@pytest.mark.parametrize("classes,parameters", [(10, 141_886), (100, 511_066)])
def test_published_number_of_parameters(classes, parameters):
    assert sum(p.numel() for p in Samia(classes).parameters()) == parameters


def test_rows_and_tokens():
    p, s = torch.tensor([[0.7, 0.3]]), torch.tensor([[5.0, 6.0]])
    rows = samia_rows(p, s, torch.tensor([1]))
    assert rows.tolist() == [pytest.approx([0.7, 0.3, 5, 6, 0, 1])]
    assert rows.reshape(1, 3, 2).transpose(1, 2)[0, 1].tolist() == pytest.approx([0.3, 6, 1])  # class 1
    assert samia_rows(p, s, None).tolist() == [pytest.approx([0.7, 0.3, 5, 6, 0, 0])]


def test_sensitivity_of_a_linear_model_is_known():
    """|a u| / 1 over standard normal u has the mean a sqrt(2 / pi)."""
    slope = torch.tensor([[1.0, -3.0]])
    x = torch.zeros(2000, 1)
    found = sensitivity_of(
        lambda v: v @ slope, x, x @ slope, copies=10, sigma=0.5, generator=torch.Generator().manual_seed(0)
    )
    assert found.mean(0).tolist() == pytest.approx([0.798, 3 * 0.798], rel=0.02)


def test_noisy_copies_in_one_batch_are_those_one_after_another():
    """A model in training mode normalises them together then; any other answers alike."""
    x, slope = torch.randn(6, 2, generator=torch.Generator().manual_seed(1)), torch.randn(2, 3)
    apart, together = (
        sensitivity_of(
            lambda v: (v @ slope).relu(), x, (x @ slope).relu(), copies=4, sigma=0.1,
            generator=torch.Generator().manual_seed(0), at_once=at_once,
        )
        for at_once in (False, True)
    )  # fmt: skip
    assert torch.allclose(apart, together, atol=1e-5) and together.shape == (6, 3)
    sizes = []
    sensitivity_of(
        lambda v: sizes.append(len(v)) or v,
        x,
        x,
        copies=4,
        sigma=0.1,
        generator=torch.Generator(),
        at_once=True,
    )
    assert sizes == [24]


def test_all_digits_are_computed_and_what_was_set_comes_back():
    """bfloat16 has 8 bits: small noise moves nothing, or a whole step."""
    cudnn, cuda = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, cuda.allow_tf32
    cudnn.allow_tf32 = cuda.allow_tf32 = True
    try:
        with torch.autocast("cpu", torch.bfloat16):
            with pytest.raises(KeyError), all_digits(torch.device("cpu")):
                assert cudnn.conv.fp32_precision == cuda.fp32_precision == "ieee"
                assert (torch.eye(2) @ torch.eye(2)).dtype == torch.float32
                raise KeyError
            assert (torch.eye(2) @ torch.eye(2)).dtype == torch.bfloat16
        assert cudnn.allow_tf32 and cuda.allow_tf32
    finally:
        cudnn.allow_tf32, cuda.allow_tf32 = before


def world(n=600, gap=0.0, classes=3, seed=0):
    """Members have larger logits and smaller sensitivity by `gap`."""
    rng = np.random.default_rng(seed)
    role = np.where(np.arange(n) % 3 == 0, "forget", np.where(np.arange(n) % 3 == 1, "retain", "holdout"))
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), labels] += gap * (role == "retain")
    sensitivity = rng.gamma(2, 1, (n, classes)) * np.where(role == "retain", np.exp(-gap), 1)[:, None]
    return Signals(labels, logits, role=role, sensitivity=sensitivity)


def test_it_finds_members_and_nothing_in_noise():
    known = world(gap=1.0)
    scores = vestige.measure("samia", known, epochs=8)
    members, others = (scores[known.roles == role] for role in ("retain", "holdout"))
    assert auc(others, members) > 0.85
    noise = world()
    scores = vestige.measure("samia", noise, epochs=8)
    assert abs(auc(scores[noise.roles == "holdout"], scores[noise.roles == "retain"]) - 0.5) < 0.09


@pytest.mark.slow
def test_published_preset_scores_what_it_was_trained_on():
    """One attacker, no folds: on noise it fits its own rows better than chance."""
    noise = world(n=150, seed=3)
    state = torch.random.get_rng_state()
    scores = vestige.measure("samia", noise, preset="paper", epochs=60, optimiser="adam")
    assert auc(scores[noise.roles == "holdout"], scores[noise.roles == "retain"]) > 0.6
    assert torch.equal(state, torch.random.get_rng_state())
    again = vestige.measure("samia", noise, preset="paper", epochs=60, optimiser="adam")
    assert np.array_equal(scores, again)


def test_collecting_sensitivity_changes_nothing():
    data = vestige.load_dataset("digits").take(np.arange(64))
    model = vestige.build_model("cnn", data.shape, 10, width=4).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.random.get_rng_state()
    one = collect_sensitivity(model, data, copies=3, batch_size=64)
    assert one.shape == (64, 10) and (one >= 0).all() and one.max() > 0 and model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.equal(state, torch.random.get_rng_state())
    assert np.array_equal(one, collect_sensitivity(model, data, copies=3, batch_size=64))


def test_bad_input():
    known = world(30)
    with pytest.raises(MissingArray, match="collect_sensitivity"):
        vestige.measure("samia", known.without("sensitivity"))
    with pytest.raises(MissingArray, match="retained and 5 holdout"):
        vestige.measure("samia", known.with_(role=None))
    with pytest.raises(InputError, match="'adam' or 'sgd'"):
        vestige.measure("samia", known, optimiser="rmsprop")
    with pytest.raises(InputError, match="sensitivity has shape"):
        known.with_(sensitivity=np.zeros((2, 3)))
    data = vestige.load_dataset("digits").take(np.arange(8))
    model = vestige.build_model("logistic", data.shape, 10)
    for options, message in (({"copies": 0}, "copies is 0"), ({"sigma": 0.0}, "sigma is 0")):
        with pytest.raises(InputError, match=message):
            collect_sensitivity(model, data, **options)
