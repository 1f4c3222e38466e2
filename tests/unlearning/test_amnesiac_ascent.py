"""Amnesiac ascent: one step by hand."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from small import MODEL, SPLIT

from vestige.unlearning import unlearn


def test_amnesiac_ascent_adds_the_stand_ins_gradients():
    """One step, no decay: theta + lr * gradient of the fresh network on the forget samples."""
    from vestige.models import reinitialise

    made = unlearn("amnesiac_ascent", MODEL, SPLIT, epochs=1, lr=0.1, seed=4).model
    fresh, rows = reinitialise(MODEL, 4), SPLIT.rows("forget")
    loss = F.cross_entropy(fresh(torch.from_numpy(rows.x)), torch.from_numpy(rows.y))
    gradients = torch.autograd.grad(loss, list(fresh.parameters()))
    for own, before, g in zip(made.parameters(), MODEL.parameters(), gradients, strict=True):
        assert torch.allclose(own, before + 0.1 * g, atol=1e-6)
