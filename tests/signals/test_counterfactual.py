"""What the original would have said of records that no model saw."""

import numpy as np
import pytest
from scipy import stats

from vestige.errors import InputError
from vestige.evaluation.audits import audit_signals
from vestige.evaluation.calibration import Reference, deletions_of, reference_scores
from vestige.measures import MEASURES, measure
from vestige.signals import Signals
from vestige.signals.counterfactual import Agreement, agreement, counterfactual_deletions


def two(margins):
    return np.stack([np.asarray(margins, float), np.zeros_like(np.asarray(margins, float))], -1)


def world(seed, *, forget=100, retain=400, holdout=400, effect=2.0, shadows=1, left=0.0):
    """Scaled logits of records with their own ease; training moves one by `effect`, and keeps its rank.

    Original and unlearned model share half of their noise, as models do that share training records.
    """
    rng = np.random.default_rng(seed)
    role = np.repeat(["forget", "retain", "holdout"], [forget, retain, holdout])
    n = len(role)
    ease, shared = rng.normal(1, 2, n), rng.normal(0, 0.7, n)
    trained = role != "holdout"
    original = ease + shared + rng.normal(0, 0.7, n) + effect * trained
    unlearned = (
        ease + shared + rng.normal(0, 0.7, n) + effect * ((role == "retain") + left * (role == "forget"))
    )
    out = ease + rng.normal(0, 1, (shadows, n))
    return Signals(np.zeros(n, int), two(unlearned), two(original), two(out), role=role)


def test_the_imputed_original_is_moved_by_what_training_moves():
    signals = world(0, retain=4000, holdout=4000, effect=2.0)
    known = counterfactual_deletions(signals)
    gone = known.roles == "forget"
    before = signals.of_role("holdout").scaled_logits("original")
    moved = known.scaled_logits("original")[gone] - before
    assert np.median(moved) == pytest.approx(2.0, abs=0.1) and moved.std() < 0.5
    assert np.array_equal(known.of_role("retain").original, signals.of_role("retain").original)
    assert np.array_equal(known.unlearned[gone], signals.of_role("holdout").unlearned)


def test_ranks_are_kept_by_hand():
    ease = np.zeros(40)  # all equally difficult: one bin
    before, trained = np.arange(20.0), 100 + 10 * np.arange(20.0)
    role = np.repeat(["holdout", "retain"], 20)
    original = np.concatenate([before[::-1], trained])
    known = counterfactual_deletions(
        Signals(np.zeros(40, int), two(ease), two(original), two(ease), role=role)
    )
    wanted = np.quantile(trained, (np.arange(20)[::-1] + 0.5) / 20)
    assert known.scaled_logits("original")[known.roles == "forget"] == pytest.approx(wanted)


def test_only_the_logit_of_the_truth_is_moved():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 60, 4))
    labels, role = rng.integers(0, 4, 60), np.repeat(["holdout", "retain"], 30)
    known = counterfactual_deletions(Signals(labels, *logits, role=role))
    gone = known.roles == "forget"
    other = np.arange(4)[None] != labels[:30, None]
    assert np.array_equal(known.original[gone][other], logits[1][:30][other])


def saturated(signals):
    """Return a world in which what is said of training records does not depend on how difficult they are."""
    margins, trained = signals.scaled_logits("original").copy(), signals.roles != "holdout"
    margins[trained] = np.random.default_rng(1).normal(4, 1, trained.sum())
    return signals.with_(original=two(margins))


def test_where_memory_saturates_the_order_is_lost():
    signals = world(0, retain=1000, holdout=1000)
    kept, lost = agreement(signals), agreement(saturated(signals))
    assert not kept.lost and kept.trained == pytest.approx(kept.never_seen, abs=0.05)
    assert lost.lost and abs(lost.trained) < 0.1 and lost.never_seen == kept.never_seen
    rows = signals.roles == "holdout"
    by_hand = stats.spearmanr(signals.original[rows, 0], signals.shadow_out[0, rows, 0]).statistic
    assert kept.never_seen == pytest.approx(by_hand) and kept.records == 1100


@pytest.mark.parametrize(
    ("trained", "records", "lost"), [(0.3, 1000, True), (0.3, 20, False), (0.45, 1000, False)]
)
def test_it_is_lost_where_that_is_sure(trained, records, lost):
    assert Agreement(0.8, trained, records).lost is lost  # 1.64 standard errors below half of 0.8


def test_answers_that_are_all_alike_have_no_order_to_lose():
    signals = world(0)
    answers = np.where(
        (signals.roles == "holdout")[:, None], signals.original, two(np.full(len(signals), 9.0))
    )
    assert not agreement(signals.with_(original=answers)).lost


@pytest.mark.parametrize("change", [lambda signals: signals, saturated])
def test_an_audit_says_where_the_order_is_lost(change):
    limits = audit_signals(change(world(0)), ["random"], describe=False).limits
    assert ("Training does not keep the order of records here" in " ".join(limits)) is (change is saturated)


@pytest.mark.parametrize(("retain", "holdout"), [(400, 10), (10, 400)])
def test_ten_records_are_refused(retain, holdout):
    with pytest.raises(InputError, match="at least 20 of each"):
        counterfactual_deletions(world(0, forget=5, retain=retain, holdout=holdout))


@pytest.mark.parametrize(
    ("name", "shadows"), [("iam", 1), ("rmia_ratio", 2), ("lira_online", 3), ("monotone", 1)]
)
def test_the_promised_rate_is_kept_and_traces_are_found(name, shadows):
    wrong, power, group = [], [], []
    for seed in range(6):
        for left, shares in ((0.0, wrong), (1.0, power)):
            signals = world(100 * shadows + seed, left=left, shadows=shadows, effect=4.0).remembering()
            scores = measure(name, signals)
            known = reference_scores(name, signals, scores, MEASURES[name].resolve({}))
            assert isinstance(known, Reference) and "no model saw" in known.text
            forget = signals.roles == "forget"
            shares.append((known.p_values(scores)[0][forget] <= 0.05).mean())
            if not left:
                group.append(stats.mannwhitneyu(scores[forget], known.null).pvalue)
    assert np.mean(wrong) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600) + 0.01
    assert np.mean(power) > 3 * np.mean(wrong)
    assert np.mean(np.array(group) < 0.01) <= 0.2


EXACT = Signals(
    np.zeros(50, int),
    two(np.zeros(50)),
    two(np.full(50, 3.0)),
    two(np.zeros((1, 50))),
    ids=np.arange(50) + 5000,
)


def test_what_calibrates_is_chosen_by_what_there_is():
    signals = world(0)
    assert deletions_of(signals).kind == "counterfactual"
    assert deletions_of(signals.with_(shadow_train=EXACT)).kind == "counterfactual"
    few = signals.take(np.flatnonzero(signals.roles == "forget"))
    assert "shadow_train" in deletions_of(few)
    assert deletions_of(few.with_(shadow_train=EXACT)).kind == "exchanged"
    assert "there are 10" in deletions_of(few.with_(shadow_train=EXACT.take(np.arange(10))))
    assert deletions_of(signals.with_(calibration=EXACT)).kind == "counterfactual"
    assert deletions_of(few.with_(calibration=EXACT)).kind == "simulated"


def test_shadow_records_of_one_class_do_not_calibrate_another():
    few = world(0).take(np.arange(100)).with_(labels=np.arange(100) % 2)
    assert "50 are of classes that none of them has" in deletions_of(few.with_(shadow_train=EXACT))


def test_a_request_of_one_class_is_compared_within_it():
    signals = world(3, retain=400, holdout=400)
    labels = np.arange(len(signals)) % 2
    labels[signals.roles == "forget"] = 1
    hard = np.where(labels == 1, -4.0, 0.0)[:, None] * np.array([1.0, 0.0])
    flip = np.where(labels == 1, -1.0, 1.0)[:, None]
    one = Signals(
        labels, *(flip * (array + hard) for array in (signals.unlearned, signals.original)),
        flip * (signals.shadow_out + hard), role=signals.roles,
    )  # fmt: skip
    own, null = deletions_of(one).strata
    known = counterfactual_deletions(one)
    of_null = known.labels[known.roles == "forget"]
    for stratum in np.unique(own[one.roles == "forget"]):
        assert set(of_null[null == stratum]) == {1}
