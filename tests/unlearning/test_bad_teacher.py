"""Bad teacher: what it does to the entropy of forget samples, and its steps by hand on softmax regression."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small import MODEL, SPLIT, softmax, softmax_regression, weights_of

from vestige.models import reinitialise
from vestige.unlearning import unlearn

LR = 0.5


def pull(w, taught, role, t):
    """Sum over a role's samples of the gradient of t^2 KL(teacher || student) at temperature t: t (q - p) x'."""
    rows = SPLIT.rows(role)
    x = np.c_[rows.x, np.ones(len(rows))]
    return t * (softmax(x @ w.T / t) - softmax(x @ taught.T / t)).T @ x


@pytest.mark.parametrize("t", [1.0, 3.0])
def test_forget_samples_follow_fresh_weights_and_retained_ones_the_original(t):
    """Three steps on all samples as one set; from the second on the retained ones pull back."""
    good, bad = weights_of(softmax_regression(1.5)), weights_of(reinitialise(softmax_regression(1.5), 0))
    w, count = good, len(SPLIT.forget) + len(SPLIT.retain)
    for _ in range(3):
        w = w - LR * (pull(w, bad, "forget", t) + pull(w, good, "retain", t)) / count
    made = unlearn(
        "bad_teacher",
        softmax_regression(1.5),
        SPLIT,
        epochs=3,
        share=1.0,
        temperature=t,
        lr=LR,
        optimizer="sgd",
        momentum=0,
    )
    assert made.gradient_steps == 3
    assert np.allclose(weights_of(made.model), w, atol=1e-5)


def test_the_share_of_retained_samples_counts_in_the_mean():
    """The first step is due to forget samples alone, for the student is still the original."""
    good, bad = weights_of(softmax_regression(1.5)), weights_of(reinitialise(softmax_regression(1.5), 0))
    count = len(SPLIT.forget) + round(0.3 * len(SPLIT.retain))
    made = unlearn("bad_teacher", softmax_regression(1.5), SPLIT, lr=LR, optimizer="sgd", momentum=0)
    assert np.allclose(weights_of(made.model), good - LR * pull(good, bad, "forget", 1.0) / count, atol=1e-5)


def test_settings_that_are_not_given_are_the_published_ones():
    """One step of Adam at 1e-4: its first is lr * g / (|g| + eps)."""
    good, bad = weights_of(softmax_regression(1.5)), weights_of(reinitialise(softmax_regression(1.5), 0))
    made = unlearn("bad_teacher", softmax_regression(1.5), SPLIT)
    assert made.gradient_steps == 1
    assert np.allclose(
        weights_of(made.model) - good, -1e-4 * np.sign(pull(good, bad, "forget", 1.0)), atol=1e-6
    )


def test_bad_teacher_makes_forget_samples_ignorant():
    rows = torch.from_numpy(SPLIT.rows("forget").x)
    made = unlearn("bad_teacher", MODEL, SPLIT, epochs=40, lr=5e-3).model
    entropy = [
        float(torch.distributions.Categorical(logits=m(rows).detach()).entropy().mean())
        for m in (MODEL, made)
    ]
    assert entropy[1] > 2 * entropy[0]
