"""Signals of a record's models: by hand, once in a record that remembers, and anew where what they are of changes."""

import numpy as np
import pytest

from vestige.signals import Signals
from vestige.signals.of_models import over_shadows, signal_of
from vestige.signals.transforms import SIGNALS

N, C, S = 40, 4, 3


def record(seed=0):
    rng = np.random.default_rng(seed)
    return Signals(
        rng.integers(0, C, N), rng.normal(size=(N, C)), original=rng.normal(size=(N, C)),
        shadow_out=rng.normal(size=(S, N, C)),
    )  # fmt: skip


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("remembers", [True, False])
def test_signals_and_their_moments_over_shadows_by_hand(name, remembers):
    signals = record().remembering() if remembers else record()
    for _ in range(2):
        for field in ("unlearned", "original"):
            assert signal_of(signals, field, name) == pytest.approx(
                SIGNALS[name](getattr(signals, field), signals.labels)
            )
        each = np.stack([SIGNALS[name](shadow, signals.labels) for shadow in signals.shadow_out])
        assert signal_of(signals, "shadow_out", name) == pytest.approx(each)
        mean, deviation = over_shadows(signals, name)
        assert mean == pytest.approx(each.mean(axis=0)) and deviation == pytest.approx(each.std(axis=0))


def test_bounds_are_told_apart():
    signals = record().remembering()
    narrow, wide = (over_shadows(signals, "logloss", eps1=eps1)[0] for eps1 in (1e-2, 1e-1))
    assert not np.allclose(narrow, wide)
    assert np.array_equal(over_shadows(signals, "logloss", eps1=1e-2)[0], narrow)


def test_a_record_that_remembers_computes_once_and_anew_where_something_changes(monkeypatch):
    from vestige.signals import of_models

    calls = []
    negative_loss = of_models.OF_SCALED_LOGIT["negative_loss"]
    monkeypatch.setitem(
        of_models.OF_SCALED_LOGIT,
        "negative_loss",
        lambda values: calls.append(values.shape) or negative_loss(values),
    )
    signals = record().remembering()

    def both(one):
        return signal_of(one, "original", "negative_loss"), over_shadows(one, "negative_loss")

    both(signals)
    count = len(calls)
    rows = np.array([7, 2, 30])
    kept = {
        "same": signals,
        "take": signals.take(rows),
        "unlearned": signals.with_(unlearned=signals.unlearned * 2),
    }
    for one in kept.values():
        both(one)
    assert len(calls) == count
    changed = {
        "fewer": signals.with_shadows(np.arange(S) != 0),
        "shadow_out": signals.with_(shadow_out=signals.shadow_out[:2] * 2),
        "original": signals.with_(original=signals.original * 3),
        "labels": signals.with_(labels=(signals.labels + 1) % C),
    }
    for what, one in {**kept, **changed}.items():
        fresh = Signals(one.labels, one.unlearned, original=one.original, shadow_out=one.shadow_out)
        for ours, theirs in zip(both(one), both(fresh), strict=True):
            assert np.array_equal(ours, theirs), what
    with pytest.raises(ValueError, match="read-only"):
        signal_of(signals, "original", "negative_loss")[0] = 0.0
