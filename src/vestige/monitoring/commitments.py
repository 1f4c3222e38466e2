"""Commitments against versions: which are re-opened, by what, and what was decided before stays decided.

A commitment is re-opened by the group test, at the level that the error control gives it; or, where that is asked for,
by a record that stands out in the audits of two versions. The second rule has no error control of its own: a record
that is unusual by chance is so in every version, and in half of the simulated worlds or more there is one
(docs/labbook/monitoring.md). So it is off unless it is asked for, and what stands out twice is always told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from vestige.errors import InputError
from vestige.evaluation import Audit
from vestige.monitoring.control import State, judge
from vestige.monitoring.e_values import group_e_value

Pair: TypeAlias = tuple[str, str]
"""A commitment and the digest of a version."""


@dataclass(frozen=True)
class Test:
    """What the audit of one version says on one commitment.

    Attributes
    ----------
    commitment, digest : str
        Which commitment, and the digest of the version.
    p : float or None
        p-value of "no record bears a trace"; None where the audit could say nothing, and `reason` says why.
    e : float or None
        e-value of the same, see `vestige.monitoring.e_values`.
    records : tuple of str
        Pseudonyms of the records that stand out.
    reason : str
    """

    __test__: ClassVar[bool] = False  # no test of pytest

    commitment: str
    digest: str
    p: float | None
    e: float | None = None
    records: tuple[str, ...] = ()
    reason: str = ""

    @classmethod
    def of(cls, audit: Audit, commitment: str, digest: str, pseudonyms: Mapping[str, str]) -> Test:
        """Return what an audit says on a commitment, with its records by pseudonym.

        Parameters
        ----------
        audit : Audit
        commitment, digest : str
        pseudonyms : mapping of str to str
            The pseudonym of each forget record's id; ids are never kept.

        Raises
        ------
        InputError
            Where a record that stands out has no pseudonym.
        """
        verdict = audit.verdict
        failed = [
            control for control in audit.controls if control.kind == "reference" and control.passed is False
        ]
        if verdict.p_under is None or failed:
            why = verdict.sentence if verdict.p_under is None else f"the control “{failed[0].name}” failed"
            return cls(commitment, digest, None, reason=why)
        rows = audit.scores[(audit.scores["measure"] == "trace") & (audit.scores["verdict"] == "under")]
        names = rows["id"].astype(str).tolist()
        missing = [name for name in names if name not in pseudonyms]
        if missing:
            raise InputError(
                f"{len(missing)} records that stand out have no pseudonym; give one for each forget record."
            )
        e = group_e_value(audit.signals, seed=audit.seed)
        return cls(commitment, digest, verdict.p_under, e, tuple(sorted(pseudonyms[name] for name in names)))


@dataclass(frozen=True)
class Decision:
    """What follows for one commitment from one version.

    Attributes
    ----------
    commitment, digest : str
    outcome : "reopened", "kept" or "untested"
    by : "group", "records" or ""
        What re-opened it.
    p, level : float or None
        The p-value, or 1 / e, and the level that it was judged at; None where it was not tested.
    records : tuple of str
        Records that stand out in this audit.
    twice : tuple of str
        Those of them that stood out in another version's audit as well.
    reason : str
        Why it was not tested.
    """

    commitment: str
    digest: str
    outcome: Literal["reopened", "kept", "untested"]
    by: Literal["group", "records", ""] = ""
    p: float | None = None
    level: float | None = None
    records: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    reason: str = ""

    @property
    def sentence(self) -> str:
        """The decision in words."""
        if self.outcome == "untested":
            return f"Not tested: {self.reason}"
        told = f"p {self.p:.2g}, judged at {self.level:.2g}"
        also = f"; {len(self.twice):,} record(s) stood out in two audits" if self.twice else ""
        return f"{'Re-opened' if self.outcome == 'reopened' else 'Kept'}: {told}{also}."


def decide(
    state: State,
    tests: Iterable[Test],
    known: Mapping[Pair, Decision] | None = None,
    *,
    by_records: bool = False,
) -> tuple[State, list[Decision]]:
    """Decide on every test, in their order; return the state after them, and a decision for each.

    Parameters
    ----------
    state : mapping
        Of the error control of this model line, as `start` or the last call returned it. It stays as it is.
    tests : iterable of Test
    known : mapping of (commitment, digest) to Decision, optional
        What was decided before. A pair that is known is not tested again and costs nothing: its decision is returned.
    by_records : bool
        Whether a record that stands out in two versions' audits re-opens its commitment.

    Returns
    -------
    (dict, list of Decision)
    """
    decided = dict(known or {})
    decisions = []
    for test in tests:
        pair = (test.commitment, test.digest)
        if pair not in decided:
            state, decided[pair] = _decide(state, test, decided, by_records)
        decisions.append(decided[pair])
    return state, decisions


def _decide(
    state: State, test: Test, decided: Mapping[Pair, Decision], by_records: bool
) -> tuple[State, Decision]:
    if test.p is None:
        reason = test.reason or "the audit could say nothing"
        return state, Decision(test.commitment, test.digest, "untested", reason=reason)
    before = {
        record
        for (commitment, _), one in decided.items()
        if commitment == test.commitment
        for record in one.records
    }
    twice = tuple(sorted(before & set(test.records)))
    state, judged = judge(state, test.p, test.e)
    by: Literal["group", "records", ""] = (
        "group" if judged.rejected else "records" if by_records and twice else ""
    )
    decision = Decision(
        test.commitment,
        test.digest,
        "reopened" if by else "kept",
        by,
        judged.p,
        judged.level,
        test.records,
        twice,
    )
    return state, decision


def open_pairs(commitments: Iterable[str], digests: Iterable[str], known: Mapping[Pair, Any]) -> list[Pair]:
    """Return what is still to be audited: every commitment with every version, less what was decided."""
    versions = list(digests)
    return [(one, digest) for one in commitments for digest in versions if (one, digest) not in known]
