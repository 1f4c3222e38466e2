import numpy as np
import pytest

import oracles
import vestige
from vestige.evaluation.calibration import deletions_of, p_values
from vestige.evaluation.degree import DEGREES, Scale, scales
from vestige.measures import MEASURES, measure


def normal_scale(spread=0.2, n=2000):
    """Scores at degree c are N(c, spread)."""
    noise = np.sort(np.random.default_rng(0).normal(0, spread, n))
    return Scale(DEGREES, DEGREES[:, None] + noise)


def test_degrees_of_a_known_scale():
    value, low, high = normal_scale().degree(np.array([0.0, 0.5, 1.0, 1.5]))
    assert value == pytest.approx([0, 0.5, 1, 1.5], abs=0.02)
    assert high - value == pytest.approx([1.96 * 0.2] * 4, abs=0.03)
    assert value - low == pytest.approx([1.96 * 0.2] * 4, abs=0.03)


def test_power_of_a_known_scale():
    # null N(1, 0.2): flagged below 1 - 1.645 * 0.2; 80 % flagged once the mean is 0.842 * 0.2 below that
    made = normal_scale()
    null = np.random.default_rng(1).normal(1, 0.2, 5000)
    assert made.detectable(null, 0.05) == pytest.approx((1.645 + 0.842) * 0.2, abs=0.02)
    left, share = made.power(null, 0.05)
    assert left[0] == 0 and left[-1] == 1 and share[0] == pytest.approx(0.05, abs=0.01) and share[-1] == 1


def test_a_blind_measure_detects_nothing():
    flat = Scale(DEGREES, np.tile(np.sort(np.random.default_rng(0).normal(size=300)), (len(DEGREES), 1)))
    assert flat.detectable(flat.scores[0], 0.05) is None
    value, low, high = flat.degree(np.array([0.0]))
    assert low[0] <= DEGREES[0] + 0.5 or high[0] >= DEGREES[-1] - 0.5 or low[0] <= value[0] <= high[0]


@pytest.mark.parametrize("kind,degree", [("retrain", 1.0), ("nothing", 0.0)])
def test_intervals_cover_the_truth_as_promised(kind, degree):
    covered = []
    for seed in range(25):
        world = oracles.gaussian_world(seed, kind)
        (made,) = scales(world, [("lira_online", MEASURES["lira_online"].options)])
        _, low, high = made.degree(measure("lira_online", world)[world.roles == "forget"])
        covered.append(((low <= degree) & (degree <= high)).mean())
    assert np.mean(covered) > 0.92  # 0.932 where all was unlearned, 0.926 where nothing was


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("iam", "lira_online")]


@pytest.mark.parametrize("name", ["scaled_logit_difference", *SLOW])
def test_over_200_worlds_the_promised_rate_holds_and_the_stated_power_is_reached(name):
    flagged, recognised, stated = [], [], []
    for seed in range(200):
        exact = oracles.gaussian_world(seed, forget=60, retain=100, holdout=0, pool=400, shadows=1)
        untouched = exact.with_(unlearned=exact.original)
        known = measure(name, exact.calibration)
        null = known[exact.calibration.roles == "forget"]
        forget = exact.roles == "forget"
        flagged.append((p_values(measure(name, exact)[forget], null)[0] <= 0.05).mean())
        recognised.append((p_values(measure(name, untouched)[forget], null)[0] <= 0.05).mean())
        (made,) = scales(exact, [(name, MEASURES[name].options)])
        stated.append(made.power(null, 0.05)[1][-1])
    error = np.std(flagged) / np.sqrt(200)
    assert np.mean(flagged) <= 0.05 + 3 * error
    assert np.mean(recognised) >= np.mean(stated) - 0.03


def test_an_audit_states_what_it_could_have_seen():
    result = vestige.audit(oracles.gaussian_world(0), ["iam"])
    seen = result.metric("iam", "detectable_influence")
    assert seen is not None and seen.value is not None and 0 < seen.value <= 1
    table = result.scores[(result.scores["role"] == "forget") & (result.scores["measure"] == "iam")]
    assert {"degree", "degree_low", "degree_high"} <= set(table)
    assert (table["degree_low"] <= table["degree"]).all()
    assert (table["degree"] <= table["degree_high"]).all()
    assert table["degree"].median() == pytest.approx(1.0, abs=0.35)


def test_without_simulated_deletions_the_reason_is_stated():
    world = oracles.gaussian_world(0).without("calibration")
    world = world.take(np.flatnonzero((world.roles != "retain") | (np.cumsum(world.roles == "retain") <= 10)))
    assert "no simulated deletions" in scales(world, [("iam", {})])[0]
    seen = vestige.audit(world, ["lira_offline"]).metric("lira_offline", "detectable_influence")
    assert seen.value is None and "no simulated deletions" in seen.reason


def test_a_scale_is_that_of_partial_deletions_beside_the_kept_records_they_are_scored_with():
    """Also of a measure that looks at its neighbours: the published scale of `iam` is pooled over all that is asked."""
    world = oracles.gaussian_world(0, "retrain")
    known = deletions_of(world).signals
    gone = known.roles == "forget"
    for options in ({}, {"scale": "pooled"}):
        resolved = MEASURES["iam"].resolve(options, "recommended")
        (scale,) = scales(world, [("iam", resolved)])
        for place in (0, 10, 25):
            degree = DEGREES[place]
            mixed = degree * known.unlearned + (1 - degree) * known.original
            partly = known.with_(unlearned=np.where(gone[:, None], mixed, known.unlearned))
            by_hand = np.sort(measure("iam", partly, **options)[gone])
            assert scale.scores[place] == pytest.approx(by_hand, abs=1e-12), (options, degree)
