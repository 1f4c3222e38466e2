"""One-shot magnitude pruning: how many, which, and that they stay."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import vestige
from vestige.errors import InputError
from vestige.models import build_model
from vestige.models.sparsity import masks_of, prunable, prune, sparsity_of
from vestige.training import Recipe, load_model, save_model, train_sparse


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
        (lambda: prune(model, 1.0), "below 1"),
        (lambda: prune(model, -0.1), "from 0"),
        (lambda: prune(nn.Linear(3, 2), 0.5), "nothing to prune"),
    ):
        with pytest.raises(InputError, match=message):
            call()
