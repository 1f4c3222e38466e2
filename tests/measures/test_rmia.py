import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import vestige
from vestige.errors import InputError, MissingArray
from vestige.measures.rmia import exceeded, trimmed
from vestige.signals import Signals

VALUES = st.floats(-8, 8).map(lambda v: round(v, 1))


@given(
    arrays(np.float64, st.integers(1, 20), elements=VALUES),
    arrays(np.float64, st.integers(1, 20), elements=VALUES.filter(bool)),
    st.sampled_from([0.5, 1.0, 2.0]),
)
@settings(max_examples=200, deadline=None)
def test_searching_equals_all_pairs_also_for_negative_signals(own, others, gamma):
    limit = own[:, None] / gamma
    wins = np.where(others > 0, others < limit, others > limit)
    assert np.allclose(exceeded(own, others, gamma, 0.0), wins.mean(axis=1))
    halves = np.where(others == limit, 0.5, 0.0)
    assert np.allclose(exceeded(own, others, gamma, 0.5), (wins + halves).mean(axis=1))


def column(values):
    """Two classes, label 0: the confidence at temperature 1 is the sigmoid of the first logit."""
    return np.stack([np.asarray(values, float), np.zeros(len(values))], axis=1)


def sigmoid(v):
    return 1 / (1 + np.exp(-np.asarray(v, float)))


OWN = Signals(np.zeros(3, int), column([2, 0, -1]), column([3, 3, 3]), column([0, 0, 0])[None])
POPULATION = Signals(
    np.zeros(4, int), column([1, 0, -1, -3]), None, column([0, 1, 0, 0])[None], role=["holdout"] * 4
)
FULL = OWN.with_(population=POPULATION, population_in=column([2, 2, 2, 2]))


def test_offline_by_hand():
    # "cifar100": temperature 1, a = 0.6; pr = p / (0.8 * p_out + 0.2); gamma 1
    pr = sigmoid([2, 0, -1]) / (0.8 * 0.5 + 0.2)
    z = sigmoid([1, 0, -1, -3]) / (0.8 * sigmoid([0, 1, 0, 0]) + 0.2)
    wanted = [1 - np.mean([p > q for q in z]) for p in pr]
    found = vestige.measure("rmia_offline", FULL, parameters="cifar100", gamma=1.0, ties=0.0)
    assert found.tolist() == wanted == [0.0, 0.25, 0.75]


def test_the_bar_weighs_a_record_s_own_difficulty_more():
    # "cifar100": 0.8 p_out + 0.2; with the weights exchanged 0.5 / 0.8 would be below all of 0.9 / 0.9
    own = Signals(np.zeros(1, int), column([0]), None, column([-4])[None])
    others = Signals(np.zeros(1, int), column([2]), None, column([0])[None], role=["holdout"])
    ratio = 0.5 / (0.8 * sigmoid(-4) + 0.2)
    assert ratio > sigmoid(2) / (0.8 * 0.5 + 0.2) > 0.5 / (0.2 * sigmoid(-4) + 0.8)
    signals = own.with_(population=others)
    assert vestige.measure("rmia_offline", signals, parameters="cifar100", gamma=1.0).tolist() == [0.0]


def test_a_fifth_of_the_shadows_is_cut_off_on_either_side():
    assert trimmed(np.array([0.0, 1, 5, 6, 100])) == 4


def test_online_by_hand():
    pr = sigmoid([2, 0, -1]) / ((0.5 + sigmoid(3)) / 2)
    z = sigmoid([1, 0, -1, -3]) / ((sigmoid([0, 1, 0, 0]) + sigmoid(2)) / 2)
    wanted = [1 - np.mean([p > q for q in z]) for p in pr]
    found = vestige.measure("rmia_online", FULL, parameters="cifar100", gamma=1.0, ties=0.0)
    assert found.tolist() == wanted


def test_published_signal_by_hand():
    def taylor(v):
        z, cubic = np.asarray(v, float) / 2, lambda x: 1 + x + x * x / 2 + x**3 / 6
        return cubic(z - 0.6) / (cubic(z - 0.6) + 1)

    pr = taylor([2, 0, -1]) / (1.33 / 2 * taylor(0) + 0.67 / 2)
    z = taylor([1, 0, -1, -3]) / (1.33 / 2 * taylor([0, 1, 0, 0]) + 0.67 / 2)
    wanted = [1 - np.mean([p / q > 2 for q in z]) for p in pr]
    assert vestige.measure("rmia_offline", FULL, preset="paper").tolist() == wanted


def test_ratio_by_hand():
    wanted = np.log((sigmoid(3) + 0.5) / 2) - np.log(sigmoid([2, 0, -1]))
    assert vestige.measure("rmia_ratio", FULL) == pytest.approx(wanted)
    assert vestige.measure("rmia_ratio", OWN.without("original")) == pytest.approx(
        np.log(0.5 / sigmoid([2, 0, -1]))
    )


def test_memory_is_not_samples_times_population():
    rng = np.random.default_rng(0)
    own, others = rng.random(100_000), rng.random(5_000)
    tracemalloc.start()
    exceeded(own, others, 2.0, 0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (
        peak < 100_000 * 5_000 / 10
    )  # a tenth of one byte per pair; all pairs as float64 take 80 times as much


def test_what_is_missing_is_named():
    for signals, name, message in (
        (OWN, "rmia_offline", "`population`"),
        (OWN.with_(population=POPULATION), "rmia_online", "`population_in`"),
        (OWN.with_(population=POPULATION.without("shadow_out")), "rmia_offline", "population.shadow_out"),
    ):
        with pytest.raises(MissingArray, match=message):
            vestige.measure(name, signals)
    for options, message in (({"parameters": "cifar"}, "Did you mean 'cifar10'"), ({"gamma": 0.0}, "greater than 0"),
                             ({"signal": "softmx"}, "Did you mean 'softmax'")):  # fmt: skip
        with pytest.raises(InputError, match=message):
            vestige.measure("rmia_offline", FULL, **options)
