"""Values computed by hand from the formulas, on samples small enough to check with a pocket calculator."""

import numpy as np
import pytest

import vestige
from vestige.signals import Signals

# two classes; the scaled logit of (v, 0) with label 0 is v itself
U, O, S1, S2 = [0.0, 1.0, 2.0], [2.0, 2.0, 3.0], [0.0, -1.0, 1.0], [1.0, 1.0, 3.0]


def column(values):
    return np.stack([np.array(values), np.zeros(len(values))], axis=1)


SIGNALS = Signals(
    np.zeros(3, int),
    column(U),
    column(O),
    np.stack([column(S1), column(S2)]),
    role=["forget", "retain", "retain"],
)
ONE = SIGNALS.with_(shadow_out=SIGNALS.shadow_out[:1])


def p(v):
    return 1 / (1 + np.exp(-np.array(v)))


GOLDEN = {
    ("confidence", "paper"): -p(U),
    ("confidence_difference", "paper"): p(O) - p(U),
    ("loss_difference", "paper"): np.log1p(np.exp(-np.array(U))) - np.log1p(np.exp(-np.array(O))),
    ("scaled_logit_difference", "paper"): np.array([2.0, 1.0, 1.0]),
    # (loss_u - loss_o) / (mean loss_s - loss_o)
    ("linear_gap", "paper"): [
        (np.log1p(np.exp(-u)) - np.log1p(np.exp(-o)))
        / ((np.log1p(np.exp(-a)) + np.log1p(np.exp(-b))) / 2 - np.log1p(np.exp(-o)))
        for u, o, a, b in zip(U, O, S1, S2, strict=True)
    ],
    # ways O - mean S = 1.5, 2, 1; mean squared way of the two retained (4 + 1) / 2
    ("linear_gap", "recommended"): [2 * 1.5 / (2.25 + 2.5), 1 * 2 / (4 + 2.5), 1 * 1 / (1 + 2.5)],
    # two-sided log-density; means 0.5, 0, 2, deviations 0.5, 1, 1
    ("lira_offline", "paper"): [
        -0.5 * ((u - m) / s) ** 2 - np.log(s * np.sqrt(2 * np.pi))
        for u, m, s in zip(U, [0.5, 0.0, 2.0], [0.5, 1.0, 1.0], strict=True)
    ],
    # pooled variance of the two retained: 1 * 2/(2-1) * (1 + 1/2) = 3
    ("lira_offline", "recommended"): [0.5 / np.sqrt(3), -1 / np.sqrt(3), 0.0],
    ("lira_online", "recommended"): [((0 - 2) ** 2 - 0.5**2) / 6, ((1 - 2) ** 2 - 1) / 6, ((2 - 3) ** 2 - 0) / 6],
}  # fmt: skip


@pytest.mark.parametrize("name,preset", GOLDEN)
def test_by_hand(name, preset):
    assert vestige.measure(name, SIGNALS, preset=preset) == pytest.approx(
        np.array(GOLDEN[name, preset]), rel=1e-12
    )


def test_published_lira_online_is_dominated_by_its_tiny_variance():
    # from two shadows on: half the squared distance to the original over 1e-60, whatever the shadows say
    scores = vestige.measure("lira_online", SIGNALS, preset="paper")
    assert scores == pytest.approx(np.array([4.0, 1.0, 1.0]) / 2e-60, rel=1e-12)
    one = vestige.measure("lira_online", ONE, preset="paper")
    assert one == pytest.approx(np.array([4.0 - 0.0, 1.0 - 4.0, 1.0 - 1.0]) / 2e-60, rel=1e-9, abs=1e45)


def test_emia_population_by_hand():
    population = Signals(np.zeros(4, int), column([-1.0, 0.0, 1.0, 3.0]), role=["holdout"] * 4)
    signals = SIGNALS.with_(population=population)
    # losses fall with the logit: of (-1, 0, 1, 3), those with a smaller loss have a larger logit
    assert vestige.measure("emia_population", signals, preset="paper").tolist() == [0.5, 0.25, 0.25]
    assert vestige.measure("emia_population", signals).tolist() == [0.625, 0.375, 0.25]
    # the published loss reads the true-label logit alone, and so sees a shift that softmax does not
    shifted = signals.with_(unlearned=column(U) + 10)
    assert vestige.measure("emia_population", shifted, preset="paper").tolist() == [0, 0, 0]
    assert vestige.measure("emia_population", shifted).tolist() == [0.625, 0.375, 0.25]
