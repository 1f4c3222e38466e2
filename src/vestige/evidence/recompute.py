"""Compute again what was signed, from the signals, and compare.

What is compared, and how far it may lie apart: another machine rounds in another way.

    scores                   by 1e-4 of their standard deviation
    p-values                 by 0.005: five of 999 permutations; those of retained records by one rank more
    other figures            by 1e-4 of their size, and 1e-4
    outcomes, counts, which control held     exactly

Beyond that a figure "differs". An array, or a score, that is not bit for bit what was signed is "tampered", unless it
holds real numbers and all that is computed from it agrees within these tolerances: then it was rounded, and "differs".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige import __version__
from vestige.errors import InputError, MissingExtra
from vestige.evaluation import Audit, audit_signals
from vestige.evidence import disclosure
from vestige.evidence.findings import Finding
from vestige.evidence.statement import OUTPUTS, Audited, Measured, Statement
from vestige.signals import Signals
from vestige.store import array_hash

SCORES, P_VALUES, FIGURES = 1e-4, 0.005, 1e-4
NAMED = ("id", "exposed", "damaged")
"""Columns of the table of retained records that have no digits to round."""
DISCRETE = ("labels", "role", "ids", "shadow_ids", "source", "cluster", *NAMED, "effects")
"""Arrays that have no digits to round."""
COMPARED = (
    "completeness", "low", "high", "could_be_whole", "at_least", "n", "null", "kept", "allowed", "effective_null"
)  # fmt: skip


def recompute(statement: Statement, folder: Path, salt: bytes) -> list[Finding]:
    """Return what does not fit between a statement and the folder of its audit, or of its signals.

    Raises `InputError` where the folder holds neither.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; the folder of an audit, or of its signals, is wanted.")
    whole = (folder / "audit.json").is_file()
    if not whole and not (folder / "signals.json").is_file():
        raise InputError(f"{folder} holds neither an audit nor signals.")
    try:
        kept = Audit.load(folder) if whole else None
        signals = kept.signals if kept is not None else Signals.load(folder)
    except InputError as error:
        return [Finding("tampered", folder.name, str(error))]
    audit = statement.predicate.audit
    own = disclosure.of_signals(signals, salt) if kept is None else disclosure.commitments(kept, salt)
    beyond = () if kept is not None else ("scores/", disclosure.VERDICTS, disclosure.RETAINED)
    covered = any(name.startswith(disclosure.RETAINED) for name in audit.arrays)
    if not covered:
        own = {name: digest for name, digest in own.items() if not name.startswith(disclosure.RETAINED)}
    wanted = {name: digest for name, digest in audit.arrays.items() if not name.startswith(beyond)}
    changed = sorted(name for name in {*own, *wanted} if own.get(name) != wanted.get(name))
    if (
        statement.subject[0].name == OUTPUTS
        and array_hash(signals.unlearned) != statement.subject[0].digest.sha256
    ):
        changed.append("unlearned")
    lost = [name for name in changed if name not in own or name not in wanted or _discrete(name)]
    if lost:
        return [Finding("tampered", name, _lost(name, own, wanted)) for name in dict.fromkeys(lost)]
    try:
        again = audit_signals(
            signals, [_spec(run) for run in audit.measures if run.measure != "trace"], name=audit.name,
            alpha=audit.verdict.alpha, tolerance=audit.verdict.tolerance, seed=audit.seed,
        )  # fmt: skip
    except (InputError, MissingExtra) as error:
        return [Finding("tampered" if changed else "unusable", "signals", str(error))]
    findings = _compared(audit, again, salt) + ([] if kept is None else _by_record(kept, again))
    findings += _retained(kept, again) if covered else []
    if not changed:
        unsure = _unchecked(kept, again, covered, audit.arrays, salt)
        return findings + unsure + (_other_version(statement) if findings else [])
    if findings:
        what = "it is not what was signed, and other figures follow from it"
        return [Finding("tampered", name, what) for name in dict.fromkeys(changed)] + findings
    what = "it is not bit for bit what was signed; all that follows from it agrees within the tolerance"
    return [Finding("differs", name, what) for name in dict.fromkeys(changed)]


def _other_version(statement: Statement) -> list[Finding]:
    """Say that another version of vestige measured, which may be why figures differ."""
    signed = statement.predicate.software.get("vestige")
    if signed == __version__:
        return []
    return [
        Finding("unchecked", "predicate.software.vestige", f"{signed} measured, {__version__} computed again")
    ]


def _discrete(name: str) -> bool:
    return name.rpartition("/")[2] in DISCRETE or name == disclosure.VERDICTS


def _lost(name: str, own: dict[str, str], wanted: dict[str, str]) -> str:
    if name not in own:
        return "it is missing"
    return "it is not what was signed" if name in wanted else "it was added after the audit was signed"


def _spec(run: Measured) -> dict[str, Any]:
    return {"name": run.measure, "preset": run.preset, "label": run.label, **run.options}


def _compared(signed: Audited, again: Audit, salt: bytes) -> list[Finding]:
    """Compare every figure of the statement with the one that was computed again."""
    where, findings = "predicate.audit", []
    one, other = signed.verdict, again.verdict
    findings += _unequal(f"{where}.verdict.outcome", one.outcome, other.outcome)
    findings += _unequal(f"{where}.verdict.counts", one.counts, other.counts)
    findings += _unequal(f"{where}.verdict.blocked_by", one.blocked_by, other.blocked_by)
    for name in ("p_under", "p_over"):
        findings += _apart(f"{where}.verdict.{name}", getattr(one, name), getattr(other, name), P_VALUES)
    for name in COMPARED:
        a, b = getattr(one, name), getattr(other, name)
        findings += _apart(f"{where}.verdict.{name}", a, b, _reach(a))
    held = [{check.name: check.passed for check in checks} for checks in (signed.controls, again.controls)]
    findings += _unequal(f"{where}.controls", *held)
    root = disclosure.summed(disclosure.answers(again), salt)
    if signed.records != root and one.counts == other.counts:
        findings.append(
            Finding("differs", f"{where}.records", "computed again, the records' answers are others")
        )
    states = [{run.label: run.status for run in runs} for runs in (signed.measures, again.measures)]
    findings += _unequal(f"{where}.measures", *states)
    for run in signed.measures:
        if run.scores is not None and states[1].get(run.label) == "scored":
            findings += _scores(f"{where}.measures.{run.label}", run, disclosure.summary(again, run.label))
    return findings


def _scores(where: str, signed: Measured, again: dict[str, Any]) -> list[Finding]:
    assert signed.scores is not None
    findings = _unequal(f"{where}.count", signed.scores.count, again["count"])
    reach = SCORES * (signed.scores.deviation or 1.0)
    for name in ("mean", "deviation", "least", "most"):
        findings += _apart(f"{where}.{name}", getattr(signed.scores, name), again[name], reach)
    return findings


def _by_record(kept: Audit, again: Audit) -> list[Finding]:
    """Compare every score and answer of the folder's table with those that were computed again."""
    findings = []
    for run in again.measures:
        one, other = disclosure.scores_of(kept, run.label), disclosure.scores_of(again, run.label)
        if len(one) != len(other) or run.status != "scored":
            continue  # the measures as a whole differ, and are told above
        far = _far(one, other)
        if len(far):
            first, name = int(far[0]), str(kept.signals.names[far[0]])
            what = f"{len(far):,} scores, the first of record {name!r}: {one[first]:g} signed, {other[first]:g} again"
            findings.append(Finding("differs", f"scores.parquet: {run.label}", what))
    mine, theirs = disclosure.answers(kept), disclosure.answers(again)
    others = [name for name in mine if mine[name] != theirs.get(name)]
    if others:
        what = f"{len(others):,} answers, the first of record {others[0]!r}: {mine[others[0]]} signed"
        findings.append(Finding("differs", "scores.parquet: verdict", what))
    return findings


def _retained(kept: Audit | None, again: Audit) -> list[Finding]:
    """Compare what the deletion did to retained records, of the folder, with what was computed again."""
    if kept is None or kept.retained is None or again.retained is None:
        return []  # signals alone have no table; one that was there and is gone is missed above
    one, other = kept.retained, again.retained
    findings = []
    for name, value in one.record().items():
        if name != "sentence":
            findings += _alike(f"metrics.json: retained.{name}", value, other.record()[name])
    mine, theirs = disclosure.columns(one), disclosure.columns(other)
    if not np.array_equal(mine["id"], theirs["id"]):
        return [*findings, Finding("differs", "retained.parquet: id", "other records are retained")]
    reach = P_VALUES + 1 / (1 + min(one.n, one.null))
    for name, values in mine.items():
        if name in NAMED:
            far = np.flatnonzero(values != theirs[name])
        else:
            far = _far(values, theirs[name], None if name == "fall" else reach)
        if len(far):
            first = int(far[0])
            what = f"{len(far):,} values, the first of record {str(mine['id'][first])!r}: {values[first]} signed, "
            findings.append(
                Finding("differs", f"retained.parquet: {name}", f"{what}{theirs[name][first]} again")
            )
    return findings


def _alike(where: str, one: Any, other: Any) -> list[Finding]:
    """Compare a figure, or the figures of an effect by their names: counts exactly, others within the tolerance."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [finding for name in one for finding in _alike(f"{where}.{name}", one[name], other.get(name))]
    if isinstance(one, float) and isinstance(other, float):
        return _apart(where, one, other, _reach(one))
    return _unequal(where, one, other)


def _unchecked(
    kept: Audit | None, again: Audit, covered: bool, signed: Mapping[str, str], salt: bytes
) -> list[Finding]:
    """Say where the table of retained records could not be compared."""
    if not covered:
        there = kept is not None and kept.retained is not None
        what = "the statement does not cover what the deletion did to retained records"
        return [Finding("unchecked", "retained.parquet", what)] if there else []
    if kept is not None:
        return []
    own = disclosure.commitments(again, salt)
    if all(own.get(name) == signed[name] for name in signed if name.startswith(disclosure.RETAINED)):
        return []
    what = "signals alone hold no table of retained records; computed again it is not bit for bit what was signed"
    return [Finding("unchecked", "retained.parquet", what)]


def _far(
    one: NDArray[np.float64], other: NDArray[np.float64], reach: float | None = None
) -> NDArray[np.int64]:
    """Return where two columns lie further apart than `reach`; default: that of scores."""
    known = one[np.isfinite(one)]
    reach = reach or SCORES * (float(known.std()) if len(known) else 1.0) or SCORES
    same = (np.isnan(one) & np.isnan(other)) | (np.abs(one - other) <= reach)
    return np.flatnonzero(~same)


def _reach(value: float | None) -> float:
    return FIGURES * (1 + abs(value or 0.0))


def _unequal(where: str, one: Any, other: Any) -> list[Finding]:
    if one == other:
        return []
    return [Finding("differs", where, f"{one} is signed, {other} was computed again")]


def _apart(where: str, one: float | None, other: float | None, reach: float) -> list[Finding]:
    if one is None or other is None:
        return _unequal(where, one, other)
    if abs(one - other) <= reach:
        return []
    what = f"{one:.6g} is signed, {other:.6g} was computed again; {reach:.2g} apart is allowed"
    return [Finding("differs", where, what)]
