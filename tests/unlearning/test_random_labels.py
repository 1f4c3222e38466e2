"""Random labels: which labels are drawn, and the steps of poison and hybrid by hand on softmax regression."""

from __future__ import annotations

import numpy as np
import pytest
from small import DATA, SPLIT, softmax, softmax_regression, weights_of

from vestige.data.dataset import joined
from vestige.unlearning import unlearn
from vestige.unlearning.labels import relabelled


def descended(w, rows, lr, steps):
    """Weights after Nesterov steps on all of `rows` at once: v = 0.9 v + g, w - lr (g + 0.9 v); decay 5e-4."""
    x, velocity = np.c_[rows.x, np.ones(len(rows))], 0.0
    for _ in range(steps):
        wrong = softmax(x @ w.T) - np.eye(3)[rows.y]
        g = wrong.T @ x / len(rows) + 5e-4 * w
        velocity = 0.9 * velocity + g
        w = w - lr * (g + 0.9 * velocity)
    return w


def test_drawn_labels():
    rows = DATA
    for epoch in range(50):
        assert (relabelled(rows, 0, epoch).y != rows.y).all()
    drawn = np.concatenate([relabelled(rows, 0, e, true_label=True).y == rows.y for e in range(200)])
    assert abs(drawn.mean() - 1 / 3) < 0.01  # published: the true label one time in C
    assert not np.array_equal(relabelled(rows, 0, 1).y, relabelled(rows, 0, 2).y)
    both = joined(SPLIT.rows("forget"), SPLIT.rows("retain"))
    assert len(both) == 120 and both.ids[0] == DATA.ids[SPLIT.forget[0]]


@pytest.mark.parametrize("given, lr", [({}, 7e-4), ({"lr": 0.5}, 0.5)])
def test_poison_is_one_step_on_relabelled_forget_samples_alone(given, lr):
    made = unlearn("poison", softmax_regression(), SPLIT, **given)
    forget, start = SPLIT.rows("forget"), weights_of(softmax_regression())
    wanted = descended(start, relabelled(forget, 0), lr, 1)
    assert made.gradient_steps == 1
    assert np.allclose(weights_of(made.model), wanted, atol=1e-6)
    for other in (forget, joined(relabelled(forget, 0), SPLIT.rows("retain"))):
        assert np.abs(descended(start, other, lr, 1) - wanted).max() > 0.1 * lr


@pytest.mark.parametrize(
    "given, poison_lr, lr, epochs",
    [({}, 0.01, 0.001, 5), ({"poison_lr": 0.5, "lr": 0.2, "epochs": 2}, 0.5, 0.2, 2)],
)
def test_hybrid_poisons_once_and_then_repairs(given, poison_lr, lr, epochs):
    """One step on the relabelled forget samples, then as many as epochs on the retained, at rest when they begin."""
    made = unlearn("hybrid", softmax_regression(), SPLIT, **given)
    wrong, retain, start = (
        relabelled(SPLIT.rows("forget"), 0),
        SPLIT.rows("retain"),
        weights_of(softmax_regression()),
    )
    wanted = descended(descended(start, wrong, poison_lr, 1), retain, lr, epochs)
    assert made.gradient_steps == 1 + epochs
    assert np.allclose(weights_of(made.model), wanted, atol=1e-6)
    other = descended(descended(start, retain, lr, epochs), wrong, poison_lr, 1)
    assert np.abs(other - wanted).max() > 1e-5
