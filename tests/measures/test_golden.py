"""Values computed by hand from the formulas, on samples small enough to check with a pocket calculator."""

import numpy as np
import pytest
from scipy import stats

import oracles
import vestige
from vestige.errors import InputError
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


def g(v):
    return float(oracles.bounded_gumbel(p(v)))


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
    # means 0.5, 0, 2, deviations 0.5, 1, 1
    ("update_lira", "paper"): [
        stats.norm.cdf((o - m) / s) - stats.norm.cdf((u - m) / s)
        for u, o, m, s in zip(U, O, [0.5, 0.0, 2.0], [0.5, 1.0, 1.0], strict=True)
    ],
    ("update_lira", "recommended"): [
        stats.norm.cdf((o - m) / np.sqrt(3)) - stats.norm.cdf((u - m) / np.sqrt(3))
        for u, o, m in zip(U, O, [0.5, 0.0, 2.0], strict=True)
    ],
    # losses log(1 + exp(-v)) of u, between those of the two shadows, 0 and 1000, at levels 0, 1/3, 2/3, 1
    ("emia_reference", "paper"): [
        np.interp(np.log1p(np.exp(-u)), [0, *sorted([np.log1p(np.exp(-a)), np.log1p(np.exp(-b))]), 1000], [0, 1 / 3, 2 / 3, 1])
        for u, a, b in zip(U, S1, S2, strict=True)
    ],
    ("dratio", "paper"): [
        min(1, (1e-3 + max(g(o) - g(u), 1e-10)) / (1e-3 + max(g(o) - (g(a) + g(b)) / 2, 1e-10)))
        for u, o, a, b in zip(U, O, S1, S2, strict=True)
    ],
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


def test_published_update_lira_with_one_shadow_is_a_step():
    assert set(vestige.measure("update_lira", ONE, preset="paper")) <= {-1.0, -0.5, 0.0, 0.5, 1.0}


def test_published_reference_loss_reads_the_true_logit_alone():
    shifted = SIGNALS.with_(unlearned=column(U) + 10)
    assert vestige.measure("emia_reference", shifted) == pytest.approx(
        vestige.measure("emia_reference", SIGNALS)
    )
    assert (vestige.measure("emia_reference", shifted, preset="paper") < 1e-3).all()


def test_a_loss_that_shadows_share_has_the_quantile_of_the_last_of_them():
    shadows = np.stack([column([0.0]), column([1.0]), column([1.0]), column([2.0])])
    alike = Signals(np.zeros(1, int), column([1.0]), shadow_out=shadows)
    # losses fall with the logit: in ascending order that of 2, twice that of 1, that of 0
    for preset in ("paper", "recommended"):
        assert vestige.measure("emia_reference", alike, preset=preset) == pytest.approx([3 / 5])


def test_ldiff_by_hand():
    population = Signals(np.zeros(3, int), column([0, 1, 2]), column([0, 2, 4]), role=["holdout"] * 3)
    signals = SIGNALS.with_(population=population)
    # lambda_u over the population: mean 1, deviation 1 (ddof 1); changes 0, -1, -2: median -1, mean deviation 2/3
    u, o = np.array(U), np.array(O)
    a = (1 + stats.norm.cdf(o - 1) - stats.norm.cdf(u - 1)) / 2
    b = 1 - stats.laplace.cdf(u - o, -1, 2 / 3)
    assert vestige.measure("ldiff", signals) == pytest.approx((a + b) / 2)


def test_ldiff_wants_a_population():
    one = Signals(np.zeros(1, int), column([0]), column([1]), role=["holdout"])
    with pytest.raises(InputError, match="at least two samples"):
        vestige.measure("ldiff", SIGNALS.with_(population=one))
