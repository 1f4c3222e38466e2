"""The gate: every row of its table, with the limits on either side, and what cannot be asked."""

from __future__ import annotations

import math

import pytest

from vestige.errors import InputError
from vestige.evaluation.gate import Gate
from vestige.evaluation.verdict import Verdict

ANSWER = "What was found."
EVERY = [{"require": "unlearned"}, {"fail_under": 0.1}, {"fail_over": 9.0}]


def verdict(outcome, *interval, blocked_by=()):
    low, value, high = interval or (None, None, None)
    counts = {"cleared": 0, "under": 0, "over": 0, "undecided": 3}
    return Verdict(outcome, ANSWER, "", blocked_by, 0.05, 0.1, counts, 0.4, 0.6, value, low, high)


@pytest.mark.parametrize("outcome", ["under", "over"])
@pytest.mark.parametrize("gate", EVERY, ids=str)
def test_damage_and_a_trace_fail_whatever_is_asked(gate, outcome):
    """Also where the completeness alone would pass."""
    state, reason = Gate(**gate).check(verdict(outcome, 0.5, 1.0, 1.5))
    assert state == "failed" and reason == f"the verdict is {outcome!r}: {ANSWER}"


@pytest.mark.parametrize("outcome", ["unlearned", "under", "over", "undecided"])
def test_nothing_is_asked_and_all_pass(outcome):
    assert not Gate().asks
    assert Gate().check(verdict(outcome)) == ("passed", "")


def test_unlearned_is_required():
    gate = Gate(require="unlearned")
    assert gate.asks
    assert gate.check(verdict("unlearned", 0.95, 1.0, 1.05)) == ("passed", "")
    assert gate.check(verdict("undecided", 0.95, 1.0, 1.05)) == ("undecided", ANSWER)
    assert gate.check(verdict("undecided", blocked_by=("classes are matched",))) == ("undecided", ANSWER)


LIMITS = [
    # the completeness, --fail-under, --fail-over, the answer
    ((0.90, 0.95, 1.00), 0.90, None, "passed"),  # the end itself is enough
    ((0.90, 0.95, 1.00), 0.91, None, "undecided"),
    ((0.90, 0.95, 1.00), 1.00, None, "undecided"),
    ((0.90, 0.95, 1.00), 1.01, None, "failed"),
    ((0.90, 0.95, 1.00), None, 1.00, "passed"),
    ((0.90, 0.95, 1.00), None, 0.99, "undecided"),
    ((0.90, 0.95, 1.00), None, 0.90, "undecided"),
    ((0.90, 0.95, 1.00), None, 0.89, "failed"),
    ((0.90, 0.95, 1.00), 0.80, 1.10, "passed"),
    ((0.90, 0.95, 1.00), 0.95, 0.95, "undecided"),
    ((0.90, 0.95, 1.00), 0.95, 1.10, "undecided"),
    ((0.90, 0.95, 1.00), 1.10, 1.20, "failed"),
    ((0.70, 0.95, 1.20), -1.0, 0.50, "failed"),
    ((-0.2, -0.1, 0.00), 0.00, None, "undecided"),
    ((-0.2, -0.1, 0.00), -0.2, None, "passed"),
]


@pytest.mark.parametrize("outcome", ["unlearned", "undecided"])
@pytest.mark.parametrize(("interval", "under", "over", "state"), LIMITS)
def test_limits_of_the_completeness(interval, under, over, state, outcome):
    assert Gate(fail_under=under, fail_over=over).check(verdict(outcome, *interval))[0] == state


def test_the_reason_has_the_figure_that_the_report_shows():
    gate = Gate(fail_under=1.01)
    assert gate.check(verdict("unlearned", 0.9, 0.95, 1.0)) == (
        "failed", "completeness is 0.95 [0.90, 1.00]; --fail-under asks for 1.01 or more"
    )  # fmt: skip
    gate = Gate(fail_over=0.95)
    assert gate.check(verdict("unlearned", 0.9, 0.95, 1.0)) == (
        "undecided", "completeness is 0.95 [0.90, 1.00]; --fail-over asks for 0.95 or less"
    )  # fmt: skip


def test_of_two_limits_the_failed_one_is_named():
    """The lower one is open, the upper one certainly missed."""
    state, reason = Gate(fail_under=0.55, fail_over=0.58).check(verdict("undecided", 0.6, 0.7, 0.8))
    assert state == "failed" and "--fail-over" in reason and "--fail-under" not in reason
    state, reason = Gate(fail_under=0.9, fail_over=0.95).check(verdict("undecided", 0.6, 0.7, 0.8))
    assert state == "failed" and "--fail-under" in reason


@pytest.mark.parametrize("gate", [{"fail_under": -100.0}, {"fail_over": 100.0}], ids=str)
@pytest.mark.parametrize("ends", [(None, None, None), (None, 1.0, None)])
def test_a_completeness_that_is_withheld_or_not_bounded_decides_nothing(gate, ends):
    state, reason = Gate(**gate).check(verdict("undecided", *ends, blocked_by=("x",)))
    assert state == "undecided" and reason == f"no completeness can be given. {ANSWER}"


def test_what_is_required_is_asked_beside_the_limits():
    gate = Gate(require="unlearned", fail_under=0.95)
    assert gate.check(verdict("unlearned", 0.96, 1.0, 1.04))[0] == "passed"
    assert gate.check(verdict("unlearned", 0.94, 1.0, 1.06))[0] == "undecided"
    assert gate.check(verdict("undecided", 0.96, 1.0, 1.04)) == ("undecided", ANSWER)
    # what is certainly below the limit is failed, however the verdict is left open
    assert gate.check(verdict("undecided", 0.5, 0.6, 0.7))[0] == "failed"
    assert gate.check(verdict("undecided"))[0] == "undecided"


@pytest.mark.parametrize("option", ["fail_under", "fail_over"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_limits_are_finite_numbers(option, value):
    name = "--" + option.replace("_", "-")
    with pytest.raises(InputError, match=rf"^{name} is {value}; a finite number is wanted"):
        Gate(**{option: value})


def test_limits_that_contradict_each_other_are_refused():
    with pytest.raises(InputError, match=r"--fail-under is 0\.9 and --fail-over 0\.8; nothing can pass both"):
        Gate(fail_under=0.9, fail_over=0.8)
    assert Gate(fail_under=0.9, fail_over=0.9).asks


@pytest.mark.parametrize("name", ["under", "over", "undecided", "blocked", "unlearnd", ""])
def test_only_unlearned_can_be_required(name):
    with pytest.raises(InputError, match=r"^--require: .*unlearned"):
        Gate(require=name)


@pytest.mark.parametrize("gate", [{"fail_under": 0.0}, {"fail_over": 0.0}], ids=str)
def test_a_limit_of_zero_asks_something(gate):
    assert Gate(**gate).asks
