"""One-shot magnitude pruning: how many, which, and that they stay."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils import prune as torch_prune

import vestige
from vestige.errors import InputError
from vestige.models import build_model
from vestige.models.sparsity import masks_of, prunable, prune, sparsity_of
from vestige.training import Recipe, load_model, save_model, train, train_sparse


def test_the_smallest_of_all_convolutions_together_go():
    model = build_model("cnn", (3, 8, 8), 4, width=8)
    sizes = torch.cat(
        [m.weight.detach().abs().flatten() for m in model.modules() if isinstance(m, nn.Conv2d)]
    )
    head = model.head.weight.detach().clone()
    prune(model, 0.95)
    left = torch.cat([m.weight.detach().flatten() for m in model.modules() if isinstance(m, nn.Conv2d)])
    assert int((left == 0).sum()) == round(0.95 * len(sizes))
    assert left[left != 0].abs().min() >= sizes.sort().values[round(0.95 * len(sizes)) - 1]
    assert torch.equal(model.head.weight, head) and sparsity_of(model) == pytest.approx(0.95, abs=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_linear_networks_keep_their_last_layer(share):
    model = prune(build_model("mlp", (20,), 3, hidden=(30, 10)), share)
    assert len(masks_of(model)) == 2
    total = sum(m.weight.numel() for m in prunable(model))
    assert sum(int((w == 0).sum()) for w, _ in masks_of(model)) == round(share * total)


def test_copies_and_files_keep_the_mask(tmp_path):
    model = prune(build_model("mlp", (20,), 3), 0.7)
    assert sparsity_of(copy.deepcopy(model)) == pytest.approx(0.7, abs=1e-3)
    save_model(tmp_path / "m.safetensors", model)
    read = load_model(tmp_path / "m.safetensors", build_model("mlp", (20,), 3))
    assert all(torch.equal(a[1], b[1]) for a, b in zip(masks_of(model), masks_of(read), strict=True))


def test_training_rewinds_and_keeps_zeros():
    rows = vestige.load_dataset("digits").take(np.arange(300))
    fresh = build_model("cnn", rows.shape, 10, width=4)
    recipe = Recipe(epochs=4, batch_size=64, lr=0.05)
    made = train_sparse(fresh, rows, recipe, 0.9, rewind=2)
    for weight, mask in masks_of(made.model):
        assert (weight[~mask] == 0).all()
    assert sparsity_of(made.model) == pytest.approx(0.9, abs=1e-3)
    assert made.epochs == 4 + 2 and not masks_of(fresh)  # trained again from epoch 2 on


def test_refusals():
    model = build_model("mlp", (4,), 3)
    for call, message in (
        (lambda: prune(model, 1.0), "less than 1"),
        (lambda: prune(model, -0.1), "equal to 0"),
        (lambda: prune(nn.Linear(3, 2), 0.5), "nothing to prune"),
        (lambda: prune(nn.Sequential(nn.LazyConv1d(2, 1)), 0.5), "0 is lazy"),
    ):
        with pytest.raises(InputError, match=message):
            call()


@pytest.mark.parametrize(
    "computed",
    [
        parametrizations.weight_norm,
        torch.nn.utils.spectral_norm,
        lambda layer: torch_prune.l1_unstructured(layer, "weight", 0.5),
    ],
)
def test_weights_computed_from_others_are_refused(computed):
    model = nn.Sequential(computed(nn.Linear(6, 5)), nn.ReLU(), nn.Linear(5, 3))
    with pytest.raises(InputError, match="The weight of 0 is computed .*parametrize.remove_parametrizations"):
        prune(model, 0.5)
    assert not masks_of(model)


def features(n):
    rows = vestige.load_dataset("digits").take(np.arange(n))
    return dataclasses.replace(rows, x=rows.x.reshape(n, 64).astype(np.float32) / 255)


class HeadFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, 10)
        self.body = nn.Linear(64, 12)

    def forward(self, x):
        return self.head(torch.relu(self.body(x)))


def test_the_last_layer_is_the_one_that_a_sample_meets_last():
    with pytest.raises(InputError, match="pass prune"):
        prune(HeadFirst(), 0.5)
    model = HeadFirst()
    prune(model, 0.5, sample=torch.zeros(2, 64))
    assert [w is model.body.weight for w, _ in masks_of(model)] == [True] and model.training
    assert not model.head._forward_hooks and sparsity_of(model) == pytest.approx(0.5)
    made = train_sparse(HeadFirst(), features(100), Recipe(epochs=1, lr=0.05), 0.5).model
    assert [w is made.body.weight for w, _ in masks_of(made)] == [True]


@pytest.mark.parametrize("hidden", [(30, 10), (10, 3), (3,)])
def test_a_sample_changes_nothing_where_the_last_layer_is_last(hidden):
    plain, shown = (build_model("mlp", (20,), 3, hidden=hidden) for _ in range(2))
    prune(plain, 0.5)
    prune(shown, 0.5, sample=torch.zeros(2, 20))
    assert all(
        torch.equal(a, b)
        for a, b in zip(plain.state_dict().values(), shown.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("layer", [nn.Conv1d(1, 4, 3), nn.Conv3d(1, 4, 3), nn.ConvTranspose2d(1, 4, 3)])
def test_every_convolution_is_pruned(layer):
    model = prune(nn.Sequential(layer, nn.Flatten(), nn.Linear(8, 3)), 0.5)
    assert [w is layer.weight for w, _ in masks_of(model)] == [True]


def test_rewinding_to_the_start_and_no_further_than_the_end():
    rows = features(100)
    fresh, recipe = build_model("mlp", rows.shape, 10, hidden=(12,)), Recipe(epochs=3, batch_size=25, lr=0.1)
    dense = train(fresh, rows, recipe)
    made = train_sparse(fresh, rows, recipe, 0.0, rewind=0)  # nothing is pruned: both trainings are the same
    assert made.loss == dense.loss * 2
    ended = train_sparse(fresh, rows, recipe, 0.0, rewind=3)
    assert ended.loss[:3] == dense.loss and ended.epochs == 4
    for rewind in (-1, 4):
        with pytest.raises(InputError, match=f"rewind is {rewind}; an epoch from 0 to 3 is wanted"):
            train_sparse(fresh, rows, recipe, 0.5, rewind=rewind)
    with pytest.raises(InputError, match="no first weights to rewind to"):
        train_sparse(nn.Sequential(nn.LazyLinear(5), nn.Linear(5, 10)), rows, recipe, 0.5, rewind=0)
    sparser = train_sparse(made.model, rows, recipe, 0.9, rewind=0).model
    assert sparsity_of(sparser) == pytest.approx(0.9, abs=1e-3)


class Counted(nn.Linear):
    """A layer with a state that is no tensor."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x)

    def get_extra_state(self):
        return {"calls": self.calls}

    def set_extra_state(self, state):
        self.calls = state["calls"]


def test_rewinding_brings_a_state_that_is_no_tensor_back():
    rows = features(40)
    recipe = Recipe(epochs=1, batch_size=20, lr=0.1)
    first = nn.Sequential(Counted(64, 6), nn.Linear(6, 10))
    calls = [train_sparse(first, rows, recipe, 0.5, rewind=epoch).model[0].calls for epoch in (0, 1)]
    assert calls == [4, 8]  # in each training two passes to try the model, and two steps
