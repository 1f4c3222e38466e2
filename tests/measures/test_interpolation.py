from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

import oracles
import vestige
from vestige.errors import InputError, MissingArray
from vestige.measures.interpolation import Family, Moments, interpolate
from vestige.signals import Signals
from vestige.signals.transforms import SIGNALS

RNG = np.random.default_rng(3)
N, C, S = 200, 6, 4
LABELS = RNG.integers(0, C, N)


def logits(fit, rng=RNG):
    values = rng.normal(size=(N, C))
    values[np.arange(N), LABELS] += fit
    return values


SIGNALS_FULL = Signals(
    LABELS, logits(1), logits(3), np.stack([logits(1) for _ in range(S)]), shadow_fit=RNG.uniform(0.5, 1, 99)
)


def signal_arrays(signals, name="logloss", original=True):
    of = SIGNALS[name]
    u, s = of(signals.unlearned, signals.labels), of(signals.shadow_out, signals.labels)
    o = (
        of(signals.original, signals.labels)
        if original
        else np.full(len(u), oracles.bounded_gumbel(signals.shadow_fit).mean())
    )
    return u, s, o


@pytest.mark.parametrize("family", get_args(Family))
@pytest.mark.parametrize("shadows", [1, S])
def test_paper_preset_equals_the_materialised_reference(family, shadows):
    signals = SIGNALS_FULL.with_(shadow_out=SIGNALS_FULL.shadow_out[:shadows])
    ours = vestige.measure("iam", signals, preset="paper", family=family)
    assert np.allclose(
        ours, oracles.iam_materialised(*signal_arrays(signals), family=family), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("family", get_args(Family))
def test_paper_preset_offline(family):
    ours = vestige.measure("iam", SIGNALS_FULL.without("original"), preset="paper", family=family)
    assert np.allclose(
        ours, oracles.iam_materialised(*signal_arrays(SIGNALS_FULL, original=False), family=family), atol=1e-6
    )


@pytest.mark.parametrize("family", ["gumbel", "norm"])
def test_per_sample_scale(family):
    ours = vestige.measure("iam", SIGNALS_FULL, scale="per_sample", steps=100, family=family)
    assert np.allclose(
        ours,
        oracles.iam_materialised(*signal_arrays(SIGNALS_FULL), family=family, per_sample=True),
        atol=1e-6,
    )


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal(name):
    ours = vestige.measure("iam", SIGNALS_FULL, preset="paper", family="norm", signal=name)
    assert np.allclose(
        ours, oracles.iam_materialised(*signal_arrays(SIGNALS_FULL, name), family="norm"), atol=1e-6
    )


def test_golden_value_of_one_sample_by_adaptive_integration():
    # S = 0.4, O = 0.8, u = 0.55, Var S = 0.01, Var O = 0.04, Cov = 0.005: 1 - 2 * integral of a F_a(u) da
    moments = Moments(0.01, 0.04, 0.005)

    def integrand(a):
        beta = np.sqrt(6 * (0.01 * (1 - a) ** 2 + 0.04 * a * a + 0.01 * a * (1 - a))) / np.pi
        mu = 0.4 + 0.4 * a - 0.5772 * beta
        return 2 * a * np.exp(-np.exp(-(0.55 - mu) / beta))

    wanted = 1 - integrate.quad(integrand, 0, 1, epsabs=1e-13)[0]
    ours = interpolate(np.array([0.55]), np.array([[0.4]]), np.array([0.8]), moments=moments)
    assert ours[0] == pytest.approx(wanted, abs=1e-12)
    assert ours[0] == pytest.approx(0.72732824100673, abs=1e-12)


def test_ecdf_integral_is_the_limit_of_many_steps():
    u, s, o = signal_arrays(SIGNALS_FULL)
    assert np.allclose(
        interpolate(u, s, o, family="ecdf"), oracles.iam_materialised(u, s, o, "ecdf", 20_000), atol=2e-4
    )


@pytest.mark.parametrize("family", ["gumbel", "norm"])
def test_log_odds_agree_with_the_score_and_do_not_saturate(family):
    score = vestige.measure("iam", SIGNALS_FULL, family=family)
    odds = vestige.measure("iam", SIGNALS_FULL, family=family, output="log_odds")
    assert np.allclose(1 / (1 + np.exp(-odds)), score, atol=1e-12)
    u = np.array([-4.0, -3.0, 5.0, 6.0])
    flat = np.zeros(4)
    far = interpolate(
        u, flat[None], flat + 0.1, family=family, moments=Moments(0.01, 0.01, 0), output="log_odds"
    )
    assert (np.diff(far) < 0).all() and np.isfinite(far).all()


@pytest.mark.parametrize("family", ["gumbel", "norm"])
@given(st.floats(0.01, 100), st.floats(-50, 50))
@settings(max_examples=20)
def test_location_and_scale_of_the_signal_do_not_matter(family, a, b):
    u, s, o = signal_arrays(SIGNALS_FULL)

    def score(u, s, o):
        moments = Moments(float(s.var()), float(o.var()), float(np.cov(s.mean(axis=0), o, ddof=0)[0, 1]))
        return interpolate(u, s, o, family=family, moments=moments, steps=100)

    assert np.allclose(score(u, s, o), score(a * u + b, a * s + b, a * o + b), atol=1e-7)


def test_calibrated_score_does_not_depend_on_neighbours_and_pooled_does():
    role = np.where(np.arange(N) < 100, "retain", "forget")
    whole = SIGNALS_FULL.with_(role=role)
    rows = np.append(np.arange(100), 150)
    alone = whole.take(rows)
    assert vestige.measure("iam", alone)[-1] == vestige.measure("iam", whole)[150]
    pooled = vestige.measure("iam", alone, preset="paper")[-1]
    assert pooled != pytest.approx(vestige.measure("iam", whole, preset="paper")[150], abs=1e-6)


def test_two_steps_are_the_never_seen_distribution_alone():
    u, s, o = signal_arrays(SIGNALS_FULL)
    beta = np.sqrt(6) * s.std() / np.pi
    wanted = 1 - np.exp(-np.exp(-((u - s.mean(axis=0)) / beta + 0.5772)))
    assert np.allclose(vestige.measure("iam", SIGNALS_FULL, scale="pooled", steps=2), wanted, atol=1e-12)


def test_what_cannot_be_scored_says_why():
    one = SIGNALS_FULL.with_(shadow_out=SIGNALS_FULL.shadow_out[:1])
    with pytest.raises(InputError, match="at least two shadow"):
        vestige.measure("iam", one, scale="per_sample")
    with pytest.raises(MissingArray, match="shadow_out"):
        vestige.measure("iam", SIGNALS_FULL.without("shadow_out"))
    with pytest.raises(MissingArray, match="shadow_fit"):
        vestige.measure("iam", SIGNALS_FULL.without("original", "shadow_fit"))
    with pytest.raises(InputError, match="Did you mean 'gumbel'"):
        vestige.measure("iam", SIGNALS_FULL, family="gumble")
    with pytest.raises(InputError, match="Did you mean 'family'"):
        vestige.measure("iam", SIGNALS_FULL, famly="norm")
    single = one.take(np.array([0]))
    with pytest.raises(InputError, match="two samples"):
        vestige.measure("iam", single)
    with pytest.raises(InputError, match="same shadow signal"):
        vestige.measure("iam", single, preset="paper")


@pytest.mark.parametrize("preset", ["paper", "recommended"])
@pytest.mark.parametrize("shadows", [1, 2, 3, 7])
def test_where_all_models_agree_the_ecdf_is_one_at_every_step(preset, shadows):
    """(1 - a) S + a O rounds above u for about every second sample and step; S + a (O - S) does not."""
    same = logits(2, np.random.default_rng(5))
    signals = Signals(LABELS, same, same, np.stack([same] * shadows), role=["retain"] * N)
    assert (vestige.measure("iam", signals, preset=preset, family="ecdf") == 0).all()


def test_options_outside_their_range_are_refused_by_name():
    for options, message in (
        ({"steps": 0}, "steps is 0"),
        ({"steps": 1}, "steps is 1"),
        ({"steps": -5}, "steps is -5"),
        ({"eps1": 0.0}, "eps1 is 0.0"),
        ({"eps2": 0.0}, "eps2 is 0.0"),
        ({"eps1": float("nan")}, "eps1 is nan"),
    ):
        with pytest.raises(InputError, match=message):
            vestige.measure("iam", SIGNALS_FULL, **options)
