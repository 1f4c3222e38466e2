"""Shadows without training records, records that overlap, one class, ten records: each has its sentence."""

from __future__ import annotations

import numpy as np
import pytest

import vestige
from vestige.errors import InputError, MissingArray

RNG = np.random.default_rng(0)
POOL = 200


def outputs(margins):
    return np.stack([margins, np.zeros_like(margins)], axis=-1)


def world(forget=100, retain=300, holdout=300):
    role = np.repeat(["forget", "retain", "holdout"], [forget, retain, holdout])
    ease, n = RNG.normal(1, 2, len(role)), len(role)
    u, a, b = (
        outputs(ease + RNG.normal(size=n) + 3 * np.isin(role, seen))
        for seen in (["retain"], ["retain", "forget"], [])
    )
    return vestige.Signals(np.zeros(n, int), u, a, b, role=role)


def shadow_records(count=POOL, **changed):
    one = {name: outputs(RNG.normal(size=count)) for name in ("logits", "original", "unlearned")}
    fields = {"labels": np.zeros(count, int), "member": np.ones(count), **one} | changed
    return vestige.exchanged_deletions(**fields)


WORLD = world()
FEW = WORLD.take(np.flatnonzero(WORLD.roles != "holdout"))


def reasons(signals, *measures):
    """Return why each figure of the measures is missing, in one text."""
    return " ".join(vestige.audit(signals, measures or ["iam"]).metrics["reason"].dropna())


def test_a_shadow_without_its_training_records_says_what_would_calibrate():
    assert "it takes at least 20 holdout and 20 retained samples" in reasons(FEW)
    assert "the shadow models' own training records (`shadow_train`)" in reasons(FEW)
    assert "nothing to be calibrated by" not in reasons(FEW.with_(shadow_train=shadow_records()))
    with pytest.raises(InputError, match="No record was seen by exactly one shadow model"):
        shadow_records(member=np.zeros(POOL))


def test_shadow_records_that_lack_an_output_are_named():
    with pytest.raises(InputError, match=r"shadow_train lacks `original`.* the shadow that saw them"):
        FEW.with_(shadow_train=shadow_records().with_(original=None))


def test_training_records_that_overlap_the_request_are_refused():
    known = shadow_records(ids=np.arange(POOL))
    with pytest.raises(InputError, match=r"shadow_train holds 200 of the queried samples, among them '0'"):
        FEW.with_(shadow_train=known)
    with pytest.raises(InputError, match=r"models trained on 2 of the queried samples, among them '3'"):
        FEW.with_(shadow_ids=[3, 4, 9999])


def test_shadow_records_of_one_class_calibrate_that_class_alone():
    two_classes = FEW.with_(labels=np.arange(len(FEW)) % 2, shadow_train=shadow_records())
    assert "of 100 forget samples 50 are of classes that none of them has" in reasons(two_classes)
    assert "nothing to be calibrated by" not in reasons(FEW.with_(shadow_train=shadow_records()))


@pytest.mark.parametrize("name", ["iam", "monotone", "quantile"])
def test_records_of_one_class_alone_are_measured(name):
    audit = vestige.audit(WORLD, [name])
    assert audit.scores["score"].notna().all() and audit.verdict.p_under > 0.001
    assert not any(control.passed is False for control in audit.controls if "classes" in control.name)


def test_a_request_of_one_class_without_never_seen_records_of_it_is_blocked():
    other = WORLD.with_(labels=(WORLD.roles != "holdout").astype(int))
    audit = vestige.audit(other, ["iam"])
    assert audit.verdict.outcome == "undecided" and "classes are matched" in audit.verdict.blocked_by
    assert audit.verdict.power == ()
    trace = audit.scores[(audit.scores["measure"] == "iam") & (audit.scores["role"] == "forget")]
    assert (trace["p_under"] == 1).all()  # there is nothing to compare them with


def test_one_column_of_outputs_is_refused():
    with pytest.raises(InputError, match=r"\[N, C\] with at least two classes is wanted"):
        vestige.Signals(np.zeros(50, int), np.zeros((50, 1)))


def test_ten_records_calibrate_nothing():
    assert "at least 20 training records of the shadow models; there are 10" in reasons(
        FEW.with_(shadow_train=shadow_records(10))
    )
    audit = vestige.audit(world(10, 10, 10), ["iam", "monotone", "quantile", "loss_difference"])
    assert (
        audit.verdict.outcome == "undecided" and "10 never-seen records are given" in audit.verdict.sentence
    )
    why = {run.label: run.reason for run in audit.measures}
    assert "20 retained and 20 holdout samples; there are 10 and 10" in why["monotone"]
    assert "20 holdout samples" in why["quantile"] and why["iam"] is None
    assert audit.scores["p_under"].isna().all()
    with pytest.raises(MissingArray, match="there are 10 and 10"):
        vestige.measure("monotone", world(10, 10, 10))


def test_an_audit_says_by_itself_where_a_promised_rate_may_not_hold():
    hard = WORLD.of_role("forget").scaled_logits("shadow_out").mean(axis=0)
    rows = np.flatnonzero(WORLD.roles == "forget")[np.argsort(hard)[:40]]
    one = WORLD.take(np.concatenate([rows, np.flatnonzero(WORLD.roles != "forget")]))
    limits = " ".join(vestige.audit(one, ["iam"]).limits)
    assert "harder or easier, than never-seen records are: p-values" in limits
    assert "the interval of what is left can lie beside the truth" in limits
    assert "harder or easier" not in " ".join(vestige.audit(WORLD, ["iam"]).limits)
    exchanged = vestige.audit(FEW.with_(shadow_train=shadow_records()), ["iam"]).limits
    assert any("a promised 5 % was 32 % with lira_online" in limit for limit in exchanged)
    few = vestige.audit(FEW.with_(calibration=shadow_records()), ["iam"]).limits
    assert any("simulated deletions, whose models are not the audited one" in limit for limit in few)


def test_never_seen_records_are_compared_within_strata():
    """Easy records are fitted by every model; against all never-seen ones most would look like traces."""
    easy = np.argsort(-WORLD.scaled_logits("shadow_out").mean(axis=0))
    rows = easy[np.isin(easy, np.flatnonzero(WORLD.roles == "forget"))][:40]
    one = WORLD.take(np.concatenate([rows, np.flatnonzero(WORLD.roles != "forget")]))
    for name in ("confidence", "quantile"):
        scores = vestige.audit(one, [name]).scores.query("measure == @name and role == 'forget'")
        holdout = vestige.measure(name, one)[one.roles == "holdout"]
        against_all = (1 + (holdout[None] <= scores["score"].to_numpy()[:, None]).sum(axis=1)) / 301
        assert (scores["p_under"] <= 0.05).mean() <= 0.125
        assert name == "quantile" or (against_all <= 0.05).mean() > (scores["p_under"] <= 0.05).mean()
