"""Forsaken: where the mean answer goes."""

from __future__ import annotations

import torch
from small import MODEL, SPLIT

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
