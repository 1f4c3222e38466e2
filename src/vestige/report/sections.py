"""What the sections of the report say: plain dictionaries and sentences, made from `Audit` records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vestige.evaluation.verdict.answer import counted
from vestige.report.words import (
    DASH,
    OUTCOME_WORDS,
    RECORD_WORDS,
    completeness_words,
    is_missing,
    listed,
    number,
    plain_text,
    plural,
    range_words,
    seconds,
    unbroken,
    with_interval,
)

if TYPE_CHECKING:
    from vestige.evaluation.result import Audit, MeasureRun, Metric

ORDER = ("unlearned", "under", "over", "undecided")
RECORD_ORDER = ("cleared", "under", "over", "undecided")

GUARDS = {"reference": "every answer", "sharpness": "the all-clear, and “over”"}
FEW = 3
"""Methods of one outcome that the first sentence names."""

GLOSSARY = (
    ("Score", "One number per sample and measure. All point the same way: larger = more unlearned."),
    (
        "Under-unlearned",
        "The model still treats the sample more like one it was trained on than like one it never saw.",
    ),
    (
        "Over-unlearned",
        "The sample looks worse than it would to a model that never saw it. That is damage, and it also gives "
        "the deletion away.",
    ),
    (
        "p_under",
        "How often a sample that was truly unlearned would look at least as fitted as this one. Small = "
        "suspicion of a remaining trace.",
    ),
    (
        "p_over",
        "How often a sample that was truly unlearned would look at least as damaged as this one. Small = "
        "suspicion of over-unlearning.",
    ),
    (
        "Completeness",
        "Of the request: 0 = like records that the model still has, 1 = like records that it never saw, above 1 = "
        "further away. Its interval holds with the error rate of the verdict. What is left of the influence is "
        "1 minus the completeness.",
    ),
    (
        "Degree",
        "Of one record: the degree of unlearning at which its score would be usual, in brackets those at which it "
        "would not be surprising; 0 = untouched, 1 = exactly deleted. The ends of the scale say “or less”, “or more”.",
    ),
    (
        "Could be untouched unseen",
        "So many of the records could be as whole as kept ones, and this audit would not have seen it.",
    ),
    (
        "Trace",
        "The score that the verdict rests on: how much more the model fits a record than never-seen records of the "
        "same difficulty and class, with the sign turned, so that larger = more unlearned.",
    ),
    (
        "Controls",
        "Checks of the measurement itself. Where a control of the reference fails, the never-seen records are not "
        "comparable, and nothing is said. Where a control of the sharpness fails, traces that are there were not "
        "seen: nobody is cleared, and nothing is called over-unlearned.",
    ),
    (
        "Forget, retain, holdout",
        "Samples to be unlearned; samples the model keeps; samples no audited model was trained on.",
    ),
    ("Shadow model", "A model trained alike that never saw the samples: the reference for 'never saw it'."),
    (
        "Closer to retrain",
        "Neither higher nor lower is better: the best value is that of a model retrained without the forget samples.",
    ),
    ("Undecided", "Not an acquittal: the evidence at hand cannot answer. The limits say what is missing."),
)


def card(name: str, audit: Audit) -> dict[str, Any]:
    """Return what the verdict card of one method shows."""
    verdict = audit.verdict
    total = sum(verdict.counts.values())
    counts = [
        {
            "outcome": key, "word": RECORD_WORDS[key].word, "sign": RECORD_WORDS[key].sign,
            "count": f"{verdict.counts[key]:,}",
            "percent": round(100 * verdict.counts[key] / total, 2) if total else 0.0,
        }
        for key in RECORD_ORDER
    ]  # fmt: skip
    return {
        "name": name, "outcome": verdict.outcome, "sign": OUTCOME_WORDS[verdict.outcome].sign,
        "word": OUTCOME_WORDS[verdict.outcome].word + (", blocked" if verdict.blocked_by else ""),
        "counts": counts, "sentence": unbroken(verdict.sentence), "advice": verdict.advice, "total": total,
        "bar": completeness_bar(audit), "bounds": _bounds(audit), "blocked": bool(verdict.blocked_by),
        "sharpness": verdict.sharpness, "warnings": _control_warnings(audit), "basis": _basis(audit),
        "failed": failed_sentence(audit),
    }  # fmt: skip


def _bounds(audit: Audit) -> list[tuple[str, str]]:
    """Return what could be left unseen, as (term, text); nothing where none of it is known."""
    from vestige.report.tables import could_be_untouched, left_at_most

    bounds = [("Left at most", left_at_most(audit)), ("Could be untouched unseen", could_be_untouched(audit))]
    return [] if all(text.startswith(DASH) for _, text in bounds) else bounds


def overview(audits: Mapping[str, Audit]) -> str:
    """Return one sentence over all methods: how many have which outcome, by name where they are few."""
    found: dict[str, list[str]] = {}
    for name, audit in audits.items():
        found.setdefault(audit.verdict.outcome, []).append(name)
    parts = []
    for key in ORDER:
        names = found.get(key, [])
        word = OUTCOME_WORDS[key].word.lower()
        if names:
            parts.append(f"{len(names)} {word}" + (f" ({', '.join(names)})" if len(names) <= FEW else ""))
    return f"{plural(len(audits), 'method')} audited: {listed(parts)}."


def completeness_bar(audit: Audit) -> dict[str, Any] | None:
    """Return positions in percent on a scale from below 0 to above 1; None where there is no completeness."""
    verdict = audit.verdict
    if verdict.completeness is None or is_missing(verdict.completeness):
        return None
    ends = [verdict.completeness, *(end for end in (verdict.low, verdict.high) if end is not None)]
    low, high = max(-1.0, min(-0.1, *ends)), min(2.5, max(1.8, *ends))

    def place(value: float) -> float:
        return round(100 * (min(max(value, low), high) - low) / (high - low), 2)

    bar: dict[str, Any] = {
        "text": completeness_words(verdict.completeness, verdict.low, verdict.high),
        "value": place(verdict.completeness),
        "zero": place(0.0),
        "one": place(1.0),
        "beyond": verdict.completeness < low or verdict.completeness > high,
        "interval": None,
    }
    if verdict.low is not None and verdict.high is not None:
        start, end = place(verdict.low), place(verdict.high)
        bar["interval"] = {"start": start, "width": round(max(end - start, 0.6), 2)}
    return bar


def facts(audit: Audit) -> str:
    """Return what was audited: samples by role, classes, reference models."""
    signals = audit.signals
    roles = [(role, int((signals.roles == role).sum())) for role in ("forget", "retain", "holdout")]
    parts = [f"{count:,} {role}" for role, count in roles if count]
    shadows = plural(signals.shadows, "shadow model") if signals.shadows else "no shadow model"
    before = "" if signals.original is not None else ", no model from before unlearning"
    return f"{' + '.join(parts)} samples, {signals.classes:,} classes, {shadows}{before}"


def limits(audits: Mapping[str, Audit]) -> list[dict[str, Any]]:
    """Return the limits, once for methods that share them; "methods" is empty where all do."""
    shared: dict[tuple[str, ...], list[str]] = {}
    for name, audit in audits.items():
        shared.setdefault(audit.limits, []).append(name)
    return [
        {"methods": listed(names) if len(shared) > 1 else "", "sentences": list(sentences)}
        for sentences, names in shared.items()
    ]


def control_rows(audits: Mapping[str, Audit]) -> list[dict[str, Any]]:
    """Return every control of every audit, failed ones first."""
    rows = [
        {
            "method": name, "control": control.name.capitalize(), "guards": GUARDS[control.kind],
            "statement": control.statement, "value": number(control.value, 3), "wanted": control.wanted or DASH,
            "state": {True: "passed", False: "failed", None: "not run"}[control.passed],
            "reason": "" if control.passed is not None else f"Not run: {control.reason or 'no reason was given'}.",
        }
        for name, audit in audits.items()
        for control in audit.controls
    ]  # fmt: skip
    return sorted(rows, key=lambda row: ("failed", "not run", "passed").index(str(row["state"])))


def measure_rows(audit: Audit) -> list[dict[str, str]]:
    """Return every requested measure, failed ones included with their reason."""
    return [_measure_row(run, run.label, run.measure == "trace") for run in audit.measures]


def _measure_row(run: MeasureRun, name: str, carries: bool) -> dict[str, str]:
    failed = run.status == "failed"
    null = run.null or ("" if failed else "none")
    return {
        "measure": name, "status": run.status, "preset": run.preset, "seconds": seconds(run.seconds),
        "carries": "yes" if carries else "",
        "reason": (run.reason or "No reason was given.") if failed else "",
        "options": ", ".join(f"{key} = {plain_text(value)}" for key, value in run.options.items()) or "defaults",
        "null": null or DASH, "unit": run.unit or DASH, "cites": run.cites or DASH,
    }  # fmt: skip


def metric_rows(audit: Audit) -> list[dict[str, str]]:
    """Return every figure with direction, range, reference and interval; one that is missing with its reason."""
    return [_metric_row(metric) for metric in audit.metrics]


def _metric_row(metric: Metric) -> dict[str, str]:
    missing = is_missing(metric.value)
    reference = DASH
    if not is_missing(metric.reference):
        reference = number(metric.reference) + (f" ({metric.reference_is})" if metric.reference_is else "")
    elif metric.reference_is:
        reference = metric.reference_is
    return {
        "measure": metric.measure, "name": metric.name, "comparison": metric.comparison or DASH,
        "value": DASH if missing else with_interval(metric.value, metric.low, metric.high),
        "reason": (metric.reason or "No reason was given.") if missing else "",
        "direction": metric.direction, "range": range_words(*metric.range), "reference": reference,
        "n": f"{metric.n:,}" if metric.n else DASH,
    }  # fmt: skip


def failed_sentence(audit: Audit) -> str:
    """Return which requested measures have no scores, or nothing; what the verdict lacks is in its own sentence."""
    failed = [run.label for run in audit.measures if run.status == "failed" and run.measure != "trace"]
    return f"Could not be computed: {listed(failed)}; the reasons are under Measures." if failed else ""


def _basis(audit: Audit) -> str:
    verdict = audit.verdict
    if verdict.p_under is None:
        return ""
    null = counted(verdict.null, f"never-seen {verdict.unit}")
    amount = verdict.effective_null
    matched = "" if amount is None or amount > verdict.null - 0.5 else f" ({amount:,.0f} when matched)"
    return (
        f"{counted(verdict.n, verdict.unit)} of the request, {null}{matched}, {verdict.kept:,} kept. Each claim has an "
        f"error rate of {100 * verdict.alpha:g} %, half of it in each direction."
    )


def _control_warnings(audit: Audit) -> list[str]:
    """Return sentences on controls that failed without blocking the verdict, and on controls that were not run."""
    warnings = []
    blunt = any(c.passed is False and c.kind == "sharpness" for c in audit.controls)
    if blunt and not audit.verdict.blocked_by:
        warnings.append(
            "A control of the sharpness failed: what is flagged stands, but a sample that is not flagged is not "
            "cleared."
        )
    if not any(control.passed is not None for control in audit.controls):
        warnings.append("No control was run, so the measurement itself is untested.")
    return warnings
