"""SCRUB's max and min steps on softmax regression, in turns, with gradients written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small import clusters, softmax, softmax_regression, split_of, weights_of

from vestige.unlearning import unlearn
from vestige.unlearning.distances import distance

SPLIT = split_of(clusters(80), train=60)
LR = 0.5


def by_hand(turns, *, alpha, gamma, t):
    """Weights [3, 6], biases last, after steps "max" and "min".

    Of t^2 KL(teacher || student) at temperature t, the slope in the student's logits is t (q - p).
    """
    w = weights_of(softmax_regression())
    teacher = w.copy()
    for turn in turns:
        rows = SPLIT.rows("forget" if turn == "max" else "retain")
        x = np.c_[rows.x, np.ones(len(rows))]
        apart = t * (softmax(x @ w.T / t) - softmax(x @ teacher.T / t))
        wrong = softmax(x @ w.T) - np.eye(3)[rows.y]
        slope = -apart if turn == "max" else gamma * wrong + alpha * apart
        w = w - LR * slope.T @ x / len(rows)
    return w


def by_scrub(**options):
    made = unlearn(
        "scrub", softmax_regression(), SPLIT, lr=LR, momentum=0, weight_decay=0, batch_size=256, **options
    )
    return weights_of(made.model), made.gradient_steps


@pytest.mark.parametrize(
    "knobs", [{"alpha": 0.5, "gamma": 1.0, "t": 2.0}, {"alpha": 2.0, "gamma": 0.3, "t": 3.0}]
)
def test_max_and_min_steps_in_turns(knobs):
    """Two epochs with a max step and two without: max, min, max, min, min, min. The first max step is of length 0."""
    options = {"alpha": knobs["alpha"], "gamma": knobs["gamma"], "temperature": knobs["t"]}
    found, steps = by_scrub(epochs=4, msteps=2, **options)
    wanted = by_hand(["max", "min", "max", "min", "min", "min"], **knobs)
    assert steps == 6
    assert np.allclose(found, wanted, atol=1e-5)
    for other in (["min", "max", "min", "max", "min", "min"], ["min"] * 4):
        assert np.abs(by_hand(other, **knobs) - wanted).max() > 1e-3


def test_settings_that_are_not_given_are_the_published_ones():
    """alpha 0.5, gamma 1, temperature 2, and three of five epochs with a max step."""
    found, steps = by_scrub()
    assert steps == 8
    assert np.allclose(found, by_hand(["max", "min"] * 3 + ["min"] * 2, alpha=0.5, gamma=1, t=2), atol=1e-5)


def test_without_max_steps_and_teacher_it_is_finetuning():
    found, _ = by_scrub(epochs=3, msteps=0, alpha=0.0)
    tuned = unlearn(
        "finetune", softmax_regression(), SPLIT, epochs=3, lr=LR, momentum=0, weight_decay=0, batch_size=256
    )
    assert np.allclose(found[:, :5], tuned.model.weight.detach().numpy(), atol=1e-6)


def test_no_sample_is_driven_above_the_ceiling():
    """Below any step's divergence the max steps do nothing; a climb without end stays finite."""
    steps = {"lr": LR, "momentum": 0, "weight_decay": 0, "batch_size": 256}
    held, free = (
        weights_of(
            unlearn("scrub", softmax_regression(), SPLIT, epochs=3, msteps=m, ceiling=c, **steps).model
        )
        for m, c in ((3, 1e-12), (0, None))
    )
    assert np.allclose(held, free, atol=1e-6)
    far = {"lr": 50.0, "epochs": 40, "msteps": 40, "alpha": 0.0, "gamma": 0.0, "batch_size": 8}
    reached = [
        np.abs(weights_of(unlearn("scrub", softmax_regression(), SPLIT, ceiling=c, **far).model)).max()
        for c in (10.0, None)
    ]
    assert reached[0] < 0.1 * reached[1]


def test_distance_is_the_divergence_from_the_teacher():
    student, teacher = torch.tensor([[0.2, 1.0, -1.0]]), torch.tensor([[1.5, 0.0, 0.3]])
    p, q = torch.softmax(teacher / 2, 1), torch.softmax(student / 2, 1)
    assert float(distance(student, teacher, 2.0)) == pytest.approx(
        4 * float((p * (p / q).log()).sum()), rel=1e-5
    )
    assert float(distance(student, student, 3.0)) == pytest.approx(0, abs=1e-6)
