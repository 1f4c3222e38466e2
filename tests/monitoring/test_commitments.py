"""Commitments against versions: decided once, by the group, and, where asked for, by records."""

from __future__ import annotations

import pytest

import oracles
from vestige import InputError, audit
from vestige.monitoring import Test, decide, open_pairs, start

pytest.importorskip("online_fdr")
NOTHING = {"p": 0.6, "e": 0.5}
TRACE = {"p": 0.001, "e": 1e12}


def test_a_trace_re_opens_and_nothing_does_not():
    tests = [Test("a", "v1", **NOTHING), Test("b", "v1", **TRACE), Test("a", "v2", **NOTHING)]
    state, decisions = decide(start(), tests)
    assert [(one.outcome, one.by) for one in decisions] == [("kept", ""), ("reopened", "group"), ("kept", "")]
    assert state["tests"] == 3 and state["reopened"] == 1
    assert decisions[1].sentence.startswith("Re-opened: p 1e-12") and decisions[0].sentence.startswith(
        "Kept: p 1"
    )


def test_what_was_decided_costs_nothing_again():
    tests = [Test("a", "v1", **TRACE), Test("a", "v2", **NOTHING)]
    state, decisions = decide(start(), tests)
    known = {(one.commitment, one.digest): one for one in decisions}
    again, same = decide(state, [*tests, Test("a", "v1", **NOTHING)], known)
    assert again == state and same == [*decisions, decisions[0]]
    assert decide(start(), [tests[0], tests[0]])[0]["tests"] == 1  # within one call as well


def test_in_steps_or_at_once_is_the_same():
    tests = [Test(name, version, **NOTHING) for version in ("v1", "v2") for name in "abc"]
    state, decisions = start(), []
    for test in tests:
        state, more = decide(state, [test], {(one.commitment, one.digest): one for one in decisions})
        decisions += more
    assert (state, decisions) == decide(start(), tests)


def test_what_could_not_be_audited_is_not_tested():
    state, (decision,) = decide(start(), [Test("a", "v1", None, reason="no shadow model")])
    assert (
        decision.outcome == "untested"
        and decision.sentence == "Not tested: no shadow model"
        and state["tests"] == 0
    )


@pytest.mark.parametrize("by_records", [False, True])
def test_a_record_that_stands_out_twice(by_records):
    tests = [Test("a", "v1", **NOTHING, records=("r1", "r2")), Test("b", "v2", **NOTHING, records=("r2",)),
             Test("a", "v2", **NOTHING, records=("r2", "r3"))]  # fmt: skip
    _, decisions = decide(start(), tests, by_records=by_records)
    assert [one.twice for one in decisions] == [(), (), ("r2",)]
    assert [one.outcome for one in decisions] == ["kept", "kept", "reopened" if by_records else "kept"]
    assert (
        decisions[2].by == ("records" if by_records else "")
        and "1 record(s) stood out" in decisions[2].sentence
    )


def test_what_is_still_to_be_audited():
    assert open_pairs(["a", "b"], ["v1", "v2"], {("a", "v1"): 0}) == [("a", "v2"), ("b", "v1"), ("b", "v2")]


def test_from_audits():
    worlds = {kind: oracles.gaussian_world(3, kind, forget=60, retain=100, holdout=200, fit=8.0)
              for kind in ("retrain", "nothing")}  # fmt: skip
    audits = {kind: audit(world, ["random"]) for kind, world in worlds.items()}
    names = {str(name): f"r-{name}" for name in worlds["retrain"].names}
    tests = [Test.of(audits[kind], "a", kind, names) for kind in ("retrain", "nothing")]
    _, decisions = decide(start(), tests)
    assert [one.outcome for one in decisions] == ["kept", "reopened"]
    assert decisions[1].records and all(record.startswith("r-") for record in decisions[1].records)
    with pytest.raises(InputError, match="no pseudonym"):
        Test.of(audits["nothing"], "a", "v", {})
    silent = audit(worlds["retrain"].without("shadow_out", "calibration"), ["random"])
    assert (
        Test.of(silent, "a", "v", names).p is None and "no shadow" in Test.of(silent, "a", "v", names).reason
    )
