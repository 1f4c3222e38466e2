"""DeltaGrad: against the recording itself, dense BFGS, and retraining on the same batches."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from small import clusters, network, split_of
from torch import nn
from torch.nn.utils import parameters_to_vector

from vestige.errors import InputError
from vestige.unlearning import unlearn
from vestige.unlearning.deltagrad import curvature, record

SPLIT = split_of(clusters(300, noise=1.5), forget=6, train=240)
ROWS = SPLIT.data.take(SPLIT.train)
OPTIONS = {"epochs": 40, "batch_size": 60, "lr": 0.3, "weight_decay": 0.02}


def test_curvature_is_the_dense_bfgs_matrix():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(7, 7))
    a = torch.from_numpy(a @ a.T + np.eye(7))
    steps = [torch.from_numpy(rng.normal(size=7)) for _ in range(3)]
    pairs = [(s, a @ s) for s in steps]
    s, d = pairs[-1]
    q = (d @ s) / (s @ s) * torch.eye(7, dtype=a.dtype)
    for s, d in pairs:
        q = q - torch.outer(q @ s, q @ s) / (s @ q @ s) + torch.outer(d, d) / (d @ s)
    v = torch.from_numpy(rng.normal(size=7))
    assert torch.allclose(curvature(pairs, v), q @ v)
    assert torch.allclose(q @ steps[-1], a @ steps[-1])  # the secant equation
    assert curvature([], v).abs().sum() == 0


def free(model):
    return [p for p in model.parameters() if p.requires_grad]


def exact(start, rows, removed):
    """Plain SGD on the recorded batches without the removed samples."""
    from vestige.unlearning.deltagrad import _gradient

    recorded = record(start, rows, **OPTIONS)
    model, where = recorded.model, {str(n): i for i, n in enumerate(SPLIT.data.ids)}
    nn.utils.vector_to_parameters(recorded.weights[0], free(model))
    for names in recorded.batches:
        part = np.array([where[str(n)] for n in names if str(n) not in removed])
        g = _gradient(
            model, torch.from_numpy(SPLIT.data.x[part]), torch.from_numpy(SPLIT.data.y[part]), recorded.decay
        )
        now = parameters_to_vector(free(model)).detach()
        nn.utils.vector_to_parameters(now - recorded.lr * g, free(model))
    return parameters_to_vector(free(model)).detach()


def test_every_true_gradient_is_retraining():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        start = nn.Linear(5, 3)
    model = record(start, ROWS, **OPTIONS)
    found = parameters_to_vector(unlearn("deltagrad", model, SPLIT, period=1).model.parameters()).detach()
    wanted = exact(start, ROWS, set(SPLIT.data.ids[SPLIT.forget].tolist()))
    assert torch.allclose(found, wanted, atol=1e-5)


def test_few_true_gradients_come_close():
    """On a regularised linear model, an order of magnitude nearer to retraining than the original is."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        start = nn.Linear(5, 3)
    model = record(start, ROWS, **OPTIONS)
    made = unlearn("deltagrad", model, SPLIT)
    found = parameters_to_vector(made.model.parameters()).detach()
    wanted = exact(start, ROWS, set(SPLIT.data.ids[SPLIT.forget].tolist()))
    original = parameters_to_vector(model.model.parameters()).detach()
    assert (found - wanted).norm() < 0.1 * (original - wanted).norm()
    assert made.gradient_steps < 0.35 * len(model.batches)


def by_the_paper(recording, split, period, burn_in, m):
    """The whole replay on softmax regression in double precision, Q by Byrd, Nocedal and Schnabel's compact form."""
    x, y = np.c_[split.data.x, np.ones(len(split.data))].astype(float), np.eye(3)[split.data.y]
    where = {str(n): i for i, n in enumerate(split.data.ids)}
    gone = set(split.data.ids[split.forget].tolist())

    def matrix(flat):
        return np.c_[flat[:15].reshape(3, 5), flat[15:]]

    def gradient(flat, part):
        w = matrix(flat)
        odds = np.exp(x[part] @ w.T)
        g = (odds / odds.sum(1, keepdims=True) - y[part]).T @ x[part] / len(part) + recording.decay * w
        return np.r_[g[:, :5].ravel(), g[:, 5]]

    def product(pairs, v):
        s, d = (np.stack(side, axis=1) for side in zip(*pairs, strict=True))
        sigma, inner = d[:, -1] @ s[:, -1] / (s[:, -1] @ s[:, -1]), s.T @ d
        low = np.tril(inner, -1)
        middle = np.block([[-np.diag(np.diag(inner)), low.T], [low, sigma * s.T @ s]])
        ends = np.c_[d, sigma * s]
        return sigma * v - ends @ np.linalg.solve(middle, ends.T @ v)

    now, pairs = recording.weights[0].double().numpy(), []
    for t, names in enumerate(recording.batches):
        was, slope = (values[t].double().numpy() for values in (recording.weights, recording.gradients))
        part = np.array([where[str(n)] for n in names])
        kept = np.array([where[str(n)] for n in names if str(n) not in gone])
        out = np.setdiff1d(part, kept)
        if t < burn_in or (t - burn_in) % period == 0:
            if t:
                pairs = [*pairs, (now - was, gradient(now, part) - slope)][-m:]
            g = gradient(now, kept)
        else:
            g = len(part) * (slope + product(pairs, now - was))
            g = (g - (len(out) * gradient(now, out) if len(out) else 0)) / len(kept)
        now = now - recording.lr * g
    return now


@pytest.mark.parametrize("options", [{}, {"period": 3, "burn_in": 5, "pairs": 3}])
def test_the_whole_replay_is_the_papers(options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        start = nn.Linear(5, 3)
    recording = record(start, ROWS, **OPTIONS)
    made = unlearn("deltagrad", recording, SPLIT, **options).model
    found = parameters_to_vector(made.parameters()).detach().numpy()
    wanted = by_the_paper(
        recording, SPLIT, options.get("period", 5), options.get("burn_in", 10), options.get("pairs", 2)
    )
    moved = np.linalg.norm(parameters_to_vector(recording.model.parameters()).detach().numpy() - wanted)
    assert np.linalg.norm(found - wanted) < 1e-3 * moved


def test_frozen_parameters_stay_and_the_rest_is_replayed():
    start = network()
    start[0].requires_grad_(False)
    model = record(start, ROWS, **OPTIONS)
    made = unlearn("deltagrad", model, SPLIT, period=1).model
    for one in (model.model, made):
        assert torch.equal(one[0].weight, start[0].weight) and not torch.equal(one[2].weight, start[2].weight)
    wanted = exact(start, ROWS, set(SPLIT.data.ids[SPLIT.forget].tolist()))
    assert model.weights.shape[1] == len(wanted) == 3 * 8 + 3
    assert torch.allclose(parameters_to_vector(free(made)).detach(), wanted, atol=1e-5)
    model.model[0].requires_grad_(True)
    with pytest.raises(InputError, match="27 weights were recorded, and 75 are not frozen"):
        unlearn("deltagrad", model, SPLIT)


def test_a_layer_that_no_sample_meets_only_decays():
    class Spare(nn.Linear):
        def __init__(self):
            super().__init__(5, 3)
            self.spare = nn.Linear(2, 2)

    start = Spare()
    made = unlearn("deltagrad", record(start, ROWS, **OPTIONS), SPLIT).model
    decay = (1 - OPTIONS["lr"] * OPTIONS["weight_decay"]) ** (40 * 4)
    assert torch.allclose(made.spare.weight, decay * start.spare.weight, atol=1e-5)


def test_masked_weights_have_no_part_in_the_replay():
    """A model blind to a feature by its mask is replayed as one that has never been shown the feature."""
    dark = SPLIT.data.x.copy()
    dark[:, 2] = 0
    unseen = dataclasses.replace(SPLIT, data=dataclasses.replace(SPLIT.data, x=dark))
    start = nn.Linear(5, 3)
    with torch.no_grad():
        start.weight[:, 2] = 0
    blind = copy.deepcopy(start)
    blind.register_buffer("weight_mask", torch.arange(5).expand(3, 5) != 2)
    by_mask, by_data = (
        unlearn("deltagrad", record(model, request.data.take(request.train), **OPTIONS), request).model
        for model, request in ((blind, SPLIT), (start, unseen))
    )
    assert not by_mask.weight[:, 2].any() and (by_mask.weight[:, 0] != start.weight[:, 0]).all()
    assert torch.allclose(by_mask.weight, by_data.weight, atol=1e-5)


def test_refusals():
    others = dataclasses.replace(SPLIT.data, ids=np.char.add("other ", SPLIT.data.ids))
    elsewhere = dataclasses.replace(SPLIT, data=others)
    for call, message in (
        (lambda: unlearn("deltagrad", record(network(), ROWS, epochs=1), elsewhere), "is not in clusters"),
        (lambda: record(network().requires_grad_(False), ROWS), "no training to record"),
        (lambda: record(network().half(), ROWS), "single precision, not torch.float16"),
        (lambda: unlearn("deltagrad", network(), SPLIT), "deltagrad.record"),
        (
            lambda: unlearn("deltagrad", record(network(), ROWS, epochs=1), SPLIT, period=0),
            "period is 0; greater than or equal to 1",
        ),
        (lambda: record(nn.Linear(5, 3), ROWS, epochs=10**8, batch_size=1), "GiB"),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_integer_ids_are_deleted_as_text_is():
    numbered = dataclasses.replace(SPLIT.data, ids=SPLIT.data.ids.astype(int))
    start = network()
    by_text, by_number = (
        parameters_to_vector(
            unlearn(
                "deltagrad", record(start, split.data.take(split.train), **OPTIONS), split
            ).model.parameters()
        ).detach()
        for split in (SPLIT, dataclasses.replace(SPLIT, data=numbered))
    )
    kept = parameters_to_vector(record(start, ROWS, **OPTIONS).model.parameters()).detach()
    assert torch.equal(by_text, by_number) and (by_number - kept).norm() > 1e-3
