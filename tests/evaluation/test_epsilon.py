import numpy as np
import pytest
from scipy import stats

import oracles
from vestige.errors import InputError
from vestige.evaluation import epsilon
from vestige.evaluation.epsilon import _lower, _upper


def logits(margins):
    """Two classes, label 0: the logit margin is the first logit."""
    margins = np.asarray(margins, float)
    return np.stack([margins, np.zeros_like(margins)], axis=-1)


def draw(rng, shift, models=40, samples=30, spread=1.0):
    return logits(rng.normal(shift, spread, (models, samples)))


LABELS = np.zeros(30, int)


@pytest.mark.parametrize("shift,spread", [(0, 1), (1, 1), (-2, 0.5), (0.3, 2), (9, 1)])
def test_published_estimator_equals_the_loop_over_thresholds(shift, spread):
    rng = np.random.default_rng(0)
    retrained, unlearned = draw(rng, 0), draw(rng, shift, models=30, spread=spread)
    ours = epsilon(retrained, unlearned, LABELS, preset="eth2023").values
    slow = [oracles.epsilon_slow(retrained[:, i, 0], unlearned[:, i, 0]) for i in range(30)]
    assert np.allclose(ours, slow, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("models", [4, 6, 8])
def test_the_direction_is_by_medians_of_likelihood_ratios(models):
    """At even counts a median is a mean of two, of ratios as published: some rows at few models turn by it."""
    rng = np.random.default_rng(models)
    retrained, unlearned = draw(rng, 0, models, 2000), draw(rng, 0.5, models, 2000, spread=2.0)
    labels = np.zeros(2000, int)
    ours = epsilon(retrained, unlearned, labels, preset="eth2023").values
    slow = [oracles.epsilon_slow(retrained[:, i, 0], unlearned[:, i, 0]) for i in range(2000)]
    assert np.allclose(ours, slow, atol=1e-9, equal_nan=True)


def test_ties_do_not_make_thresholds():
    rng = np.random.default_rng(1)
    retrained, unlearned = (logits(rng.integers(0, 4, (20, 30))) for _ in range(2))
    ours = epsilon(retrained, unlearned, LABELS, preset="eth2023").values
    slow = [oracles.epsilon_slow(retrained[:, i, 0], unlearned[:, i, 0]) for i in range(30)]
    assert np.allclose(ours, slow, atol=1e-9, equal_nan=True)


PUBLISHED = {"finetune": 3.738, "poison": 4.159, "prune": 3.219, "prune_last_layer": 2.303}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_medians_to_every_digit(reference, name):
    folder = reference / "forget_with_precision"
    stack = np.load(folder / "logits_retain.npy")
    labels, retrained = stack[:, 0].argmax(axis=1), stack[:, 1:].transpose(1, 0, 2)
    unlearned = np.load(folder / name / "logits_unlearn.npy")[:, 1:].transpose(1, 0, 2)
    found = epsilon(retrained, unlearned, labels, preset="eth2023")
    assert round(found.median, 3) == PUBLISHED[name]
    assert round(found.null, 4) == 0.8755  # the published baseline, 40 retrained against 40
    assert found.largest == pytest.approx(np.log(75))


def test_largest_value_of_the_counts():
    rng = np.random.default_rng(0)
    for count, wanted in ((40, 3.611), (80, 4.3175)):
        found = epsilon(draw(rng, 0, count), draw(rng, 3, count), LABELS, preset="eth2023")
        assert found.largest == pytest.approx(wanted, abs=5e-4)
        finite = found.values[np.isfinite(found.values)]
        assert (finite <= found.largest + 1e-9).all()


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_error_rates_have_clopper_and_pearsons_interval(level):
    exact = [stats.binomtest(k, 12).proportion_ci(level, method="exact") for k in range(13)]
    errors = np.arange(13.0)
    assert _lower(errors, 12, level) == pytest.approx([interval.low for interval in exact])
    assert _upper(errors, 12, level) == pytest.approx([interval.high for interval in exact])


def test_under_the_null_the_published_estimate_is_biased_up_and_the_cross_fitted_is_not():
    rng = np.random.default_rng(3)
    retrained, same = draw(rng, 0, 80, 300), draw(rng, 0, 80, 300)
    labels = np.zeros(300, int)
    assert epsilon(retrained, same, labels, preset="eth2023").median > 0.4
    found = epsilon(retrained, same, labels)
    assert found.median < 0.1 and found.null < 0.1 and found.median_low == 0


def test_lower_bounds_hold_as_often_as_they_promise():
    # N(0, 1) against N(2, 1): the best test of the family errs by Phi(-1) on either side
    rng = np.random.default_rng(4)
    from scipy import stats

    truth = max(
        max(np.log((0.95 - a) / b), np.log((0.95 - b) / a))
        for t in np.linspace(-4, 6, 2001)
        for a, b in [(stats.norm.sf(t), stats.norm.cdf(t - 2))]
        if a < 0.95 and b < 0.95
    )
    found = epsilon(draw(rng, 0, 60, 400), draw(rng, 2, 60, 400), np.zeros(400, int))
    assert (found.low <= truth).mean() >= 0.95
    assert np.median(found.values) < truth + 0.3


def test_perfect_separation_is_infinite_as_published_and_bounded_below_otherwise():
    rng = np.random.default_rng(5)
    retrained, unlearned = draw(rng, 0), draw(rng, 50)
    assert np.isinf(epsilon(retrained, unlearned, LABELS, preset="eth2023").values).all()
    found = epsilon(retrained, unlearned, LABELS)
    assert np.isfinite(found.values).all() and found.low == pytest.approx(found.largest)


def test_constant_and_extreme_logits_have_a_stated_result():
    flat = logits(np.zeros((10, 30)))
    assert np.isnan(epsilon(flat, flat, LABELS, preset="eth2023").values).all()
    assert (epsilon(flat, flat, LABELS).values >= 0).all()
    huge = logits(np.full((10, 30), 1e30))
    assert not np.isnan(epsilon(flat, huge, LABELS).values).any()


def test_bad_arrays():
    rng = np.random.default_rng(0)
    good = draw(rng, 0)
    broken = good.copy()
    broken[3, 2, 1] = np.nan
    for arguments, message in (
        ((good[:3], good, LABELS), "at least 4 models"), ((good, good[:, :5], LABELS), "unlearned has shape"),
        ((broken, good, LABELS), "NaN or an infinity"), ((good, good, LABELS + 2), "0 to 1"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            epsilon(*arguments)
    with pytest.raises(InputError, match="Did you mean 'eth2023'"):
        epsilon(good, good, LABELS, preset="eth2022")
    with pytest.raises(InputError, match="delta is 1"):
        epsilon(good, good, LABELS, delta=1)
