"""Forsaken: where the mean answer goes."""

from __future__ import annotations

import copy

import pytest
import torch
from plain import apart
from small import MODEL, SPLIT
from torch.nn.functional import cross_entropy

from vestige.unlearning import unlearn


def test_forsaken_moves_the_mean_answer_to_that_of_unseen_samples():
    def gap(model):
        with torch.no_grad():
            f, u = (
                torch.softmax(model(torch.from_numpy(r.x)), 1).mean(0)
                for r in (SPLIT.rows("forget"), SPLIT.rows("shadow"))
            )
        return float((u * (u / f).log()).sum())

    made = unlearn("forsaken", MODEL, SPLIT, iterations=60, lr=1e-2, penalty=0.0).model
    assert gap(made) < 0.2 * gap(MODEL)
    far, near = (
        sum(float((a - b).abs().sum()) for a, b in zip(m.parameters(), MODEL.parameters(), strict=True))
        for m in (made, unlearn("forsaken", MODEL, SPLIT, iterations=60, lr=1e-2, penalty=10.0).model)
    )
    assert near < far


@pytest.mark.parametrize(("preset", "steps"), [("paper", 1), ("recommended", 100)])
def test_all_steps_have_one_adam(preset, steps):
    """By hand, each set in one batch: KL of the mean answers + 0.01 * retained loss * |update|_1."""
    rows = {role: SPLIT.rows(role) for role in ("forget", "retain", "shadow")}
    x = {role: torch.from_numpy(r.x) for role, r in rows.items()}
    plain = copy.deepcopy(MODEL)
    optimizer = torch.optim.Adam(plain.parameters(), 1e-3)
    for _ in range(steps):
        with torch.no_grad():
            target = torch.softmax(plain(x["shadow"]), 1).mean(0)
            weight = cross_entropy(plain(x["retain"]), torch.from_numpy(rows["retain"].y))
        own = torch.softmax(plain(x["forget"]), 1).mean(0)
        moved = sum(
            (p - q.detach()).abs().sum() for p, q in zip(plain.parameters(), MODEL.parameters(), strict=True)
        )
        optimizer.zero_grad()
        ((target * (target / own).log()).sum() + 0.01 * weight * moved).backward()
        optimizer.step()
    made = unlearn("forsaken", MODEL, SPLIT, preset=preset)
    assert made.gradient_steps == steps
    assert apart(made.model, plain) < 0.01 * apart(MODEL, plain)  # |update| has a corner at 0
