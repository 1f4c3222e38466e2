"""Known answers of the measures that weigh what is known of all records: bavaria, informia, quantile, monotone."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

import oracles
import vestige
from vestige.errors import InputError
from vestige.measures.monotone_ratio import fitted
from vestige.signals import Signals

WORLD = oracles.gaussian_world(8, classes=4)


def two(margins):
    margins = np.asarray(margins, float)
    return np.stack([margins, np.zeros_like(margins)], -1)


def small(u, o, s, **fields):
    return Signals(np.zeros(len(u), int), two(u), two(o), two(s), **fields)


def test_bavaria_by_hand():
    u, o, s = (
        np.array([0.5, 2.0, 1.0]),
        np.array([3.0, 2.5, 1.5]),
        np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 4.0]]),
    )
    pooled = np.mean(s.var(axis=0, ddof=1))
    own = ((s - s.mean(axis=0)) ** 2).sum(axis=0)
    out = stats.t.logpdf(u - s.mean(axis=0), 5, scale=np.sqrt(1.5 * (4 * pooled + own) / 5))
    inside = stats.t.logpdf(u - o, 4, scale=np.sqrt(2 * pooled))
    assert vestige.measure("bavaria", small(u, o, s)) == pytest.approx(out - inside)


def test_bavaria_pools_as_lira_does_where_the_prior_weighs_all():
    one, other = (
        vestige.measure("bavaria", WORLD, weight=1e9, predictive=predictive) for predictive in ("t", "normal")
    )
    assert one == pytest.approx(other, abs=1e-4)
    sd = vestige.measure("lira_online", WORLD)
    assert stats.spearmanr(one, sd).statistic > 0.98


def test_informia_by_hand():
    u, s = np.array([0.0, 1.0, -1.0]), np.array([[0.5, 0.0, 2.0]])
    signals = small(u, u, s, role=["forget", "holdout", "holdout"])
    own = np.log(1 / (1 + np.exp(-u / 2))) - np.log(1.33 / 2 / (1 + np.exp(-s[0] / 2)) + 0.67 / 2)
    assert vestige.measure("informia", signals) == pytest.approx(own[1:].mean() - own)


def test_informia_wants_a_population():
    with pytest.raises(InputError, match="population"):
        vestige.measure("informia", small(np.zeros(3), np.zeros(3), np.full((1, 3), 2.0)))


def test_quantile_is_a_standardised_distance_from_the_median_of_the_class():
    rng = np.random.default_rng(0)
    n, m = 4000, 3
    labels = np.concatenate([rng.integers(0, 2, n), [0, 0, 1]])
    margin = np.concatenate(
        [np.where(labels[:n] == 0, 1 + rng.normal(size=n), 5 + 3 * rng.normal(size=n)), [1, 4, 5]]
    )
    logits = np.where(labels[:, None] == np.arange(2), margin[:, None], 0.0)
    scores = vestige.measure("quantile", Signals(labels, logits, role=["holdout"] * n + ["forget"] * m))[n:]
    spread = stats.norm.ppf(0.84)
    assert scores == pytest.approx([0, -3 / spread, 0], abs=0.15)


def test_quantile_needs_no_shadow_and_twenty_records():
    bare = WORLD.without("shadow_out", "original", "calibration", "population", "population_in")
    known = bare.roles != "holdout"
    assert roc_auc_score(bare.roles[known] == "forget", vestige.measure("quantile", bare)[known]) > 0.8
    few = bare.take(np.flatnonzero((bare.roles != "holdout") | (np.cumsum(bare.roles == "holdout") <= 10)))
    with pytest.raises(InputError, match="20 holdout samples"):
        vestige.measure("quantile", few)


def monotone_world(n=300, seed=0):
    rng = np.random.default_rng(seed)
    role = np.repeat(["forget", "retain", "holdout"], n)
    ease = rng.normal(1, 2, 3 * n)
    o, u = (
        ease + rng.normal(size=3 * n) + 3 * np.isin(role, seen) for seen in (["forget", "retain"], ["retain"])
    )
    return small(u, o, ease + rng.normal(size=(1, 3 * n)), role=role)


@pytest.mark.parametrize(("field", "sign"), [("unlearned", -1), ("original", 1), ("shadow_out", 1)])
def test_monotone_rises_and_falls_as_iam_does(field, sign):
    world = monotone_world()
    score = fitted(world)
    asked = world.of_role("forget")
    grid = []
    for step in np.linspace(-4, 4, 9):
        moved = getattr(asked, field) + np.array([step, 0.0])
        grid.append(score(asked.with_(**{field: moved})))
    assert (sign * np.diff(grid, axis=0) >= -1e-9).all()


def test_monotone_is_iam_where_records_are_few():
    world = monotone_world(n=40)
    known = world.without("calibration")
    assert np.array_equal(
        vestige.measure("monotone", world), vestige.measure("iam", known, output="log_odds")
    )


def test_monotone_finds_no_less_than_iam_and_is_near_the_true_ratio():
    world = monotone_world(n=1500, seed=1)
    known = world.roles != "holdout"
    truth = world.roles[known] == "forget"
    auc = {name: roc_auc_score(truth, vestige.measure(name, world)[known]) for name in ("monotone", "iam")}
    assert auc["monotone"] >= auc["iam"] - 0.005
    scores = vestige.measure("monotone", world)[known]
    share = np.array([truth[(scores > low) & (scores <= low + 1)].mean() for low in (-2, -1, 0, 1)])
    assert share == pytest.approx(1 / (1 + np.exp(-np.array([-1.5, -0.5, 0.5, 1.5]))), abs=0.12)


def test_monotone_says_what_it_needs():
    world = monotone_world()
    with pytest.raises(InputError, match="20 retained and 20 holdout"):
        vestige.measure("monotone", world.of_role("forget"))
