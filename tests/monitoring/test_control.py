"""Error control over time: known levels, a state that is continued, and what it refuses."""

from __future__ import annotations

import json

import pytest

from vestige import InputError
from vestige.monitoring import PROCEDURES, budget, judge, next_level, start
from vestige.monitoring.control import fine

pytest.importorskip("online_fdr")
PAIRS = [(0.5, 0.1), (0.001, 1e6), (0.3, 0.2), (0.001, 1e9), (1.0, 0.0), (0.02, 3.0)]


def test_the_first_level_of_lond_is_known():
    """alpha x 0.07720838 x log(2): Javanmard and Montanari, 2018."""
    assert next_level(start("lond", 0.05)) == pytest.approx(0.05 * 0.07720838 * 0.6931471805599453)
    assert next_level(start("elond", 0.05)) == pytest.approx(next_level(start("lond", 0.05)))


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_the_state_is_plain_and_continues(procedure):
    """Through JSON and back, after each test, the decisions are those of one procedure that was never stopped."""
    name, make = PROCEDURES[procedure]
    whole, state, decisions = make(0.05), start(procedure), []
    for p, e in PAIRS:
        before = json.loads(json.dumps(state))
        expected = next_level(state)
        after, judged = judge(state, p, e)
        assert state == before and judged.level == pytest.approx(expected)
        state = json.loads(json.dumps(after))
        decisions.append(judged.rejected)
    values = [e if procedure == "elond" else fine(p, e) for p, e in PAIRS]
    assert decisions == [whole.test_one(value) for value in values]
    assert decisions[1] and decisions[3] and not decisions[0]
    known = budget(state)
    assert known.tests == len(PAIRS) and known.reopened == sum(decisions) and known.left >= 0


def test_a_rejection_earns_budget():
    state = start("elond")
    kept, _ = judge(state, 1.0, 0.0)
    reopened, _ = judge(state, 0.001, 1e9)
    assert next_level(reopened) == pytest.approx(2 * next_level(kept))
    assert budget(kept).left < budget(state).left < budget(reopened).left


def test_small_p_values_of_permutations_are_told_by_e():
    assert fine(0.3, 1e9) == 0.3 and fine(0.001, 1e9) == 1e-9 and fine(0.001, 2.0) == 0.01
    assert fine(0.001, None) == 0.001 and fine(0.005, 0.0) == 0.01 and fine(0.001, float("inf")) == 0.0


@pytest.mark.parametrize(("call", "told"), [
    (lambda: start("bonferroni"), "procedure 'bonferroni'"), (lambda: start(alpha=0), "alpha is 0"),
    (lambda: start(alpha=True), "alpha is True"), (lambda: judge(start("lond"), 1.5), "p is 1.5"),
    (lambda: judge(start("lond"), float("nan")), "p is nan"), (lambda: judge(start(), 0.5), "e is None"),
    (lambda: judge(start(), 0.5, -1.0), "e is -1.0"), (lambda: next_level({}), "no state"),
    (lambda: next_level({**start("lond"), "snapshot": {}}), "cannot be read"),
    (lambda: next_level({**start("lond"), "procedure": "addis"}), "cannot be read"),
])  # fmt: skip
def test_what_is_refused(call, told):
    with pytest.raises(InputError, match=told):
        call()
