"""Error control over time: of all re-openings, how many may be false, however many versions are still to come?

Each audit of a new version gives a p-value; an online procedure says at which level it is judged. The procedures are
those of `online-fdr`. Their state is a plain mapping: whoever keeps it, continues the same budget after a restart.

    lond   LOND: valid where p-values of true nulls depend positively on each other (Zrnic et al. 2021)
    elond  e-LOND, on e-values: valid under any dependence (Xu and Ramdas 2024)
    lord   LORD++: independent p-values (Ramdas et al. 2017)
    addis  ADDIS: independent p-values, conservative ones cost less (Tian and Ramdas 2019)

e-LOND takes an audit's e-value (`vestige.monitoring.e_values`), the others its p-value. Permutations show no p-value as
small as later tests ask for, but 1 / e is one: where few of them lie beyond, it takes their place. Why `elond` is the
default: docs/labbook/monitoring.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from vestige.errors import InputError, need, unknown

State: TypeAlias = dict[str, Any]
"""What an online procedure knows, as plain values for JSON."""
VERSION = 1
DEFAULT = "elond"
CANDIDATE = 0.01
"""p-value of permutations up to which 1 / e says how small it is."""


def _p_values() -> Any:
    return need("online_fdr.p_values", "ledger", "Monitoring")


def _e_values() -> Any:
    return need("online_fdr.e_values", "ledger", "Monitoring")


PROCEDURES: dict[str, tuple[str, Callable[[float], Any]]] = {
    "lond": ("Lond", lambda alpha: _p_values().Lond(alpha)),
    "elond": ("ELond", lambda alpha: _e_values().ELond(alpha)),
    "lord": ("LordPlusPlus", lambda alpha: _p_values().LordPlusPlus(alpha, wealth=alpha / 2)),
    "addis": ("Addis", lambda alpha: _p_values().Addis(alpha, wealth=alpha / 2, lambda_=0.25, tau=0.5)),
}


@dataclass(frozen=True)
class Judged:
    """One test: its p-value, 1 / e for e-LOND; the level that it was judged at; and whether it was rejected."""

    p: float
    level: float
    rejected: bool


@dataclass(frozen=True)
class Budget:
    """How much of the error budget is spent.

    Attributes
    ----------
    procedure : str
    alpha : float
        Promised share of false re-openings.
    tests, reopened : int
    spent : float
        Sum of the levels so far.
    left : float
        What is not spent of alpha for each re-opening and one more.
    next_level : float
        Level of the next test: the p-value, or 1 / e, from which on a commitment is re-opened.
    """

    procedure: str
    alpha: float
    tests: int
    reopened: int
    spent: float
    left: float
    next_level: float


def start(procedure: str = DEFAULT, alpha: float = 0.05) -> State:
    """Return the state of a procedure that has tested nothing yet.

    Parameters
    ----------
    procedure : "lond", "elond", "lord" or "addis"
    alpha : float
        Promised share of false re-openings, between 0 and 1.
    """
    if procedure not in PROCEDURES:
        raise InputError(unknown("procedure", procedure, PROCEDURES))
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 < alpha < 1:
        raise InputError(f"alpha is {alpha}; a number above 0 and below 1 is wanted.")
    snapshot = PROCEDURES[procedure][1](float(alpha)).snapshot()
    return {
        "version": VERSION, "procedure": procedure, "alpha": float(alpha), "tests": 0, "reopened": 0, "spent": 0.0,
        "snapshot": snapshot,
    }  # fmt: skip


def judge(state: Mapping[str, Any], p: float, e: float | None = None) -> tuple[State, Judged]:
    """Judge the next audit; return the state after it, and the answer. The state that is given stays as it is.

    Parameters
    ----------
    state : mapping
    p : float
        The audit's p-value, of permutations, in (0, 1].
    e : float, optional
        Its e-value. Without one, e-LOND is refused, and the p-value is never below what permutations show.
    """
    own = fine(p, e) if state.get("procedure") != "elond" else _inverse(e)
    test = _restored(state)
    rejected = bool(test.test_one(_input(state, own)))
    level = float(test.last_test_level)
    after = {
        **state, "tests": state["tests"] + 1, "reopened": state["reopened"] + rejected,
        "spent": state["spent"] + level, "snapshot": test.snapshot(),
    }  # fmt: skip
    return after, Judged(own, level, rejected)


def fine(p: float, e: float | None) -> float:
    """Return the p-value of permutations, or where it is at most 0.01, the smaller of 0.01 and 1 / e.

    Which of them counts is decided by the permutations alone, and neither can leave its side of 0.01: so it is a
    p-value as they are.
    """
    if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0 <= p <= 1:
        raise InputError(f"p is {p}; a number from 0 to 1 is wanted.")
    return float(p) if e is None or p > CANDIDATE else min(_inverse(e), CANDIDATE)


def next_level(state: Mapping[str, Any]) -> float:
    """Return the level of the next test. It depends on what was tested before alone."""
    test = _restored(state)
    test.test_one(_input(state, 1.0))
    return float(test.last_test_level)


def budget(state: Mapping[str, Any]) -> Budget:
    """Return what is spent of the budget, and what is left."""
    level, spent, alpha = next_level(state), state["spent"], state["alpha"]
    left = max(alpha * (state["reopened"] + 1) - spent, 0.0)
    return Budget(state["procedure"], alpha, state["tests"], state["reopened"], spent, left, level)


def _inverse(e: float | None) -> float:
    """Return 1 / e, at most 1."""
    if e is None or isinstance(e, bool) or not isinstance(e, (int, float)) or not e >= 0:
        raise InputError(
            f"e is {e}; a number from 0 is wanted, `vestige.monitoring.group_e_value` computes it."
        )
    return 1.0 if e <= 1 else 1.0 / e


def _input(state: Mapping[str, Any], own: float) -> float:
    """Return what the procedure reads: e-LOND 1 / p, the others p."""
    if state.get("procedure") != "elond":
        return own
    return 1.0 / own if own else math.inf


def _restored(state: Mapping[str, Any]) -> Any:
    """Return the procedure in its state. Raises `InputError` where the state is none of ours."""
    known = (
        isinstance(state, Mapping)
        and state.get("version") == VERSION
        and state.get("procedure") in PROCEDURES
    )
    if not known:
        raise InputError("This is no state of a monitoring procedure; `vestige.monitoring.start` makes one.")
    name = PROCEDURES[state["procedure"]][0]
    kind = getattr(_e_values() if name == "ELond" else _p_values(), name)
    try:
        return kind.from_snapshot(state["snapshot"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"The state of the procedure {state['procedure']!r} cannot be read ({error})."
        ) from None
