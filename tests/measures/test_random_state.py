"""Measuring leaves the random state of NumPy, Python and torch where it was, and takes no number that means nothing."""

import random

import numpy as np
import pytest
import torch

import vestige
from vestige.errors import InputError
from vestige.measures import MEASURES

N, C = 120, 4
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, C, N)


def logits(*shape):
    return RNG.normal(size=(*shape, N, C))


def full():
    """Signals with every field that a measure may read."""
    known = vestige.Signals(LABELS, logits(), logits(), logits(2), role=np.resize(["forget", "retain"], N))
    population = vestige.Signals(LABELS, logits(), logits(), logits(2), role=np.repeat("holdout", N))
    return vestige.Signals(
        LABELS, logits(), logits(), logits(2), RNG.random(50), logits(1), population, logits(), known,
        np.abs(logits()), role=np.resize(["forget", "retain", "holdout"], N),
    )  # fmt: skip


SIGNALS = full()


def states():
    kind, keys, *rest = np.random.get_state()
    return kind, keys.tolist(), rest, random.getstate(), torch.get_rng_state().tolist()


@pytest.mark.parametrize("preset", ["recommended", "paper"])
@pytest.mark.parametrize("name", [name for name in MEASURES if MEASURES[name].of_samples])
def test_no_measure_moves_a_global_random_state(name, preset):
    options = {"epochs": 2} if name == "samia" else {}
    before = states()
    vestige.measure(name, SIGNALS, preset=preset, **options)
    assert states() == before


def test_an_audit_moves_no_global_random_state():
    before = states()
    vestige.audit(SIGNALS, ["confidence", "iam", "random"])
    assert states() == before


NUMBERS = [
    ("iam", {"steps": 0}, "steps is 0; .* 2 is"), ("iam", {"steps": 1}, "steps is 1; .* 2 is"), ("iam", {"steps": -5}, "steps is -5"), ("iam", {"steps": 10**30}, "less than or equal to 100000"), ("iam", {"steps": True}, "steps is True"),
    ("iam", {"eps1": -1.0}, "eps1"), ("random", {"seed": -1}, "seed is -1"), ("rmia_online", {"ties": -1.0}, "ties is -1.0; greater than or equal to 0"), ("rmia_online", {"gamma": float("inf")}, "finite"),
    ("samia", {"folds": 10**30}, "less than or equal to 2147483647"), ("dratio", {"c": float("nan")}, "finite"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "message"), NUMBERS)
def test_a_number_that_means_nothing_is_refused(name, options, message):
    with pytest.raises(InputError, match=message):
        vestige.measure(name, SIGNALS, **options)


def test_a_measure_reads_signals():
    with pytest.raises(InputError, match="signals is of type ndarray; Signals is wanted"):
        vestige.measure("iam", SIGNALS.unlearned)
