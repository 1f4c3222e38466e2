"""`vestige.audit`: from signals to scores, figures, controls and a verdict."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.evaluation import controls, figures
from vestige.evaluation.calibration import Reference, completeness, p_values, reference_scores, verdicts
from vestige.evaluation.completeness import Scale, scale
from vestige.evaluation.result import OUTCOMES, SCORE_COLUMNS, Audit, Control, MeasureRun, Outcome, Verdict
from vestige.measures import MEASURES, measure
from vestige.signals import Signals

Floats = NDArray[np.float64]
MeasureSpec = str | Mapping[str, Any]

DEFAULT_MEASURES: tuple[str, ...] = (
    "iam", "lira_online", "lira_offline", "emia_population", "linear_gap",
    "scaled_logit_difference", "confidence_difference", "loss_difference", "random",
)  # fmt: skip
JACKKNIFE_GROUPS = 8
TEXT_COLUMNS = ("id", "role", "label", "measure", "verdict")
COMPLETENESS = ("completeness", "completeness_low", "completeness_high")
TOLERANCE = 0.25


@dataclass(frozen=True, eq=False)
class Scored:
    """One measure's scores, its reference scores and its scale of completeness, or the reason why there are none."""

    run: MeasureRun
    scores: Floats
    reference: Reference | str
    scale: Scale | str


def audit(
    signals: Signals,
    measures: Iterable[MeasureSpec] = DEFAULT_MEASURES,
    *,
    name: str = "unlearned",
    preset: str = "recommended",
    alpha: float = 0.05,
    seed: int = 0,
) -> Audit:
    """Measure every sample of `signals` and say how completely the forget samples were unlearned.

    measures  names, or mappings with "name", "preset", "label" and options: {"name": "iam", "family": "norm"}.
              The first that can be calibrated carries the verdict
    name      what is audited, for the report
    preset    for measures that name none themselves
    alpha     false-discovery rate of the per-sample verdicts, between 0 and 1

    A measure that cannot run is an entry with its reason, never a missing row. Raises `InputError` for an
    unknown measure or option, and where no measure at all could run.
    """
    start = time.perf_counter()
    if not 0 < alpha < 1:
        raise InputError(f"alpha is {alpha}; a rate between 0 and 1 is wanted.")
    if not (signals.roles == "forget").any():
        raise InputError("No sample has the role 'forget'; there is nothing to audit.")
    requested = [_spec(spec, preset) for spec in measures]
    if not requested:
        raise InputError(f"No measure was asked for. Known: {', '.join(MEASURES)}.")
    runs: list[MeasureRun] = []
    scored: list[Scored] = []
    for (measure_name, measure_preset, options, _), label in zip(requested, _labels(requested), strict=True):
        outcome = _score(measure_name, measure_preset, options, label, signals)
        runs.append(outcome if isinstance(outcome, MeasureRun) else outcome.run)
        if isinstance(outcome, Scored):
            scored.append(outcome)
    if not scored:
        raise InputError("No measure could run. " + " ".join(run.reason or "" for run in runs))
    checks = {s.run.label: controls.run(s.run, signals, s.scores, s.reference, alpha) for s in scored}
    carrier = _carrier(scored, checks)
    verdict = _verdict(carrier, checks, scored, signals, alpha)
    shown = carrier or scored[0]
    return Audit(
        name=name,
        signals=signals,
        scores=_table(signals, scored, checks, alpha),
        metrics=tuple(figures.model_figures(signals) + figures.measure_figures(signals, scored, alpha, seed)),
        controls=tuple(checks[shown.run.label]),
        measures=tuple(runs),
        verdict=verdict,
        limits=tuple(_limits(signals, carrier, alpha)),
        seconds=time.perf_counter() - start,
    )


def _spec(spec: MeasureSpec, preset: str) -> tuple[str, str, dict[str, Any], str]:
    """Return name, preset, options and wished label of a requested measure."""
    options = {"name": spec} if isinstance(spec, str) else dict(spec)
    if "name" not in options:
        raise InputError(f"A measure is given as {options}; a 'name' is missing.")
    name, chosen, label = options.pop("name"), options.pop("preset", preset), options.pop("label", None)
    MEASURES[name].resolve(chosen, options)
    return name, chosen, options, str(label or name)


def _labels(requested: list[tuple[str, str, dict[str, Any], str]]) -> list[str]:
    """Return a label for each requested measure; repeated ones are numbered, as "iam", "iam (2)"."""
    wished = [label for *_, label in requested]
    return [f"{w} ({wished[: i + 1].count(w)})" if w in wished[:i] else w for i, w in enumerate(wished)]


def _score(
    name: str, preset: str, options: dict[str, Any], label: str, signals: Signals
) -> Scored | MeasureRun:
    entry, start = MEASURES[name], time.perf_counter()
    knobs = entry.resolve(preset, options)
    try:
        scores = measure(name, signals, preset=preset, **options)
    except InputError as error:
        seconds = time.perf_counter() - start
        reason = str(error)
        return MeasureRun(
            name, preset, knobs, "failed", seconds, reason, None, entry.unit, entry.cites, label
        )
    seconds = time.perf_counter() - start
    known = reference_scores(name, signals, scores, preset, options)
    text = known.text if isinstance(known, Reference) else None
    run = MeasureRun(name, preset, knobs, "scored", seconds, None, text, entry.unit, entry.cites, label)
    partial = scale(name, signals, preset, options) if isinstance(known, Reference) else known
    return Scored(run, scores, known, partial)


def _carrier(scored: list[Scored], checks: Mapping[str, list[Control]]) -> Scored | None:
    """Return the first calibrated measure whose negative controls held, else the first calibrated one."""
    calibrated = [s for s in scored if isinstance(s.reference, Reference) and s.run.measure != "random"]
    sound = [s for s in calibrated if not controls.failed(checks[s.run.label], "negative")]
    return next(iter(sound or calibrated), None)


def _verdict(
    carrier: Scored | None,
    checks: Mapping[str, list[Control]],
    scored: list[Scored],
    signals: Signals,
    alpha: float,
) -> Verdict:
    forget = signals.roles == "forget"
    n = int(forget.sum())
    if carrier is None or isinstance(carrier.reference, str):
        reason = scored[0].reference if isinstance(scored[0].reference, str) else "No measure is calibrated."
        sentence = f"Undecided: the scores of the {n:,} records cannot be calibrated. {reason}"
        return Verdict("undecided", sentence, None, {o: n * (o == "undecided") for o in OUTCOMES}, alpha)
    given = _answers(carrier, checks[carrier.run.label], forget, alpha)
    counts: dict[str, int] = {outcome: int((given == outcome).sum()) for outcome in OUTCOMES}
    share = completeness(carrier.scores[forget], carrier.reference)
    outcome, sentence = _decide(counts, n, share, checks[carrier.run.label])
    value, low, high = share or (None, None, None)
    return Verdict(outcome, sentence, carrier.run.label, counts, alpha, value, low, high)


def _answers(one: Scored, checks: list[Control], forget: NDArray[np.bool_], alpha: float) -> NDArray[np.str_]:
    """Return the verdict on each forget record, as far as the controls of its measure allow one.

    A failed negative control forbids every answer, a failed positive one forbids clearing a record.
    """
    if isinstance(one.reference, str) or controls.failed(checks, "negative"):
        return np.full(int(forget.sum()), "undecided")
    given = verdicts(one.scores[forget], one.reference, alpha)
    return (
        np.where(given == "unlearned", "undecided", given) if controls.failed(checks, "positive") else given
    )


def _decide(
    counts: dict[str, int], n: int, share: tuple[float, float, float] | None, checks: list[Control]
) -> tuple[Outcome, str]:
    """Return the answer for the request and its sentence. Findings need a sound ruler, an all-clear a sharp one."""
    blocked = controls.failed(checks, "negative")
    if blocked:
        return (
            "undecided",
            f"Undecided: the verdict is blocked, because a control failed. {blocked[0].statement}",
        )
    text = (
        ""
        if share is None
        else f" Completeness {share[0]:.2f} [{share[1]:.2f}, {share[2]:.2f}]; 1 is complete."
    )
    under, over = counts["under"], counts["over"]
    if under and under >= over:
        return "under", f"A vestige remains: {under:,} of {n:,} records still bear a trace of training.{text}"
    if over:
        return (
            "over",
            f"Over-unlearned: {over:,} of {n:,} records are further away than never-seen ones.{text}",
        )
    if share is not None and share[2] < 1 - TOLERANCE:
        return (
            "under",
            f"A vestige remains in the {n:,} records as a group, though no single one stands out.{text}",
        )
    if share is not None and share[1] > 1 + TOLERANCE:
        return (
            "over",
            f"Over-unlearned as a group: the {n:,} records lie further away than never-seen ones.{text}",
        )
    blunt = controls.failed(checks, "positive")
    if blunt:
        return "undecided", f"Undecided: no trace was found, but none could have been. {blunt[0].statement}"
    if share is None or share[1] < 1 - 2 * TOLERANCE or share[2] > 1 + 2 * TOLERANCE:
        return (
            "undecided",
            f"Undecided: no record is flagged, but the audit is too coarse to clear them.{text}",
        )
    return (
        "unlearned",
        f"Unlearned: none of {n:,} records shows a trace beyond what never-seen records show.{text}",
    )


def _table(
    signals: Signals, scored: list[Scored], checks: Mapping[str, list[Control]], alpha: float
) -> pd.DataFrame:
    """Build the scores table, one block of rows per measure; text columns are categories to stay small."""
    n, m = len(signals), len(scored)
    forget = signals.roles == "forget"
    columns: dict[str, Any] = {c: np.full(n * m, np.nan) for c in SCORE_COLUMNS if c not in TEXT_COLUMNS}
    seen = np.flatnonzero(signals.roles != "holdout")
    given = np.full(n * m, "", dtype="<U9")
    for k, one in enumerate(scored):
        rows = slice(k * n, (k + 1) * n)
        columns["score"][rows] = one.scores
        columns["low"][rows], columns["high"][rows] = _interval(one.run, signals, one.scores)
        if isinstance(one.reference, Reference):
            columns["p_under"][rows], columns["p_over"][rows] = p_values(one.scores, one.reference.null)
        given[rows][forget] = _answers(one, checks[one.run.label], forget, alpha)
        if isinstance(one.scale, Scale):
            for name, values in zip(COMPLETENESS, one.scale.completeness(one.scores[seen]), strict=True):
                columns[name][k * n + seen] = values
    rows_of = np.tile(np.arange(n), m)
    columns["id"] = pd.Categorical.from_codes(rows_of, categories=pd.Index(signals.names))
    columns["role"] = pd.Categorical(np.tile(signals.roles, m))
    columns["label"] = np.tile(signals.labels, m)
    labels = pd.Index([s.run.label for s in scored])
    columns["measure"] = pd.Categorical.from_codes(np.repeat(np.arange(m), n), categories=labels)
    columns["verdict"] = pd.Categorical(given, categories=["", *OUTCOMES])
    return pd.DataFrame({name: columns[name] for name in SCORE_COLUMNS})


def _interval(run: MeasureRun, signals: Signals, scores: Floats) -> tuple[Floats, Floats]:
    """Return a 95 % interval over shadow models by the grouped jackknife; NaN with fewer than two shadows."""
    groups = min(signals.shadows, JACKKNIFE_GROUPS)
    if groups < 2 or "shadow_out" not in MEASURES[run.measure].needs:
        return np.full_like(scores, np.nan), np.full_like(scores, np.nan)
    assert signals.shadow_out is not None
    total, square = np.zeros_like(scores), np.zeros_like(scores)
    for g in range(groups):
        kept = np.arange(signals.shadows) % groups != g
        try:
            left = measure(run.measure, _with_shadows(signals, kept), preset=run.preset, **run.options)
        except InputError:
            return np.full_like(scores, np.nan), np.full_like(scores, np.nan)
        total += left
        square += np.square(left)
    variance = np.maximum(square - np.square(total) / groups, 0) * (groups - 1) / groups
    reach = 1.96 * np.sqrt(variance)
    lowest, highest = MEASURES[run.measure].range
    return np.clip(scores - reach, lowest, None), np.clip(scores + reach, None, highest)


def _with_shadows(signals: Signals, kept: NDArray[np.bool_]) -> Signals:
    assert signals.shadow_out is not None
    return signals.with_(shadow_out=signals.shadow_out[kept], calibration=None)


def _limits(signals: Signals, carrier: Scored | None, alpha: float) -> list[str]:
    """Return what this audit cannot say, in sentences."""
    limits = []
    forget = signals.labels[signals.roles == "forget"]
    if signals.shadows == 1:
        limits.append(
            "There is one shadow model: the spread between training runs is unknown, scores carry no interval."
        )
    if not (signals.roles == "retain").any():
        limits.append("There are no retained samples: nothing shows what a sample that was kept would score.")
    if carrier is None:
        limits.append(
            "No measure could be calibrated, so scores rank the records but do not clear or accuse one."
        )
        return limits
    assert isinstance(carrier.reference, Reference)
    limits.append(_power(carrier, carrier.reference, alpha))
    if len(np.unique(forget)) < signals.classes / 2 and len(forget) >= 10:
        limits.append(
            "The forget samples cover few classes; the samples they are compared with are drawn over all classes, "
            "so the promised error rate is not assured for class-wise requests."
        )
    limits.append(
        "The verdict speaks of the attacks run here, on outputs of these models, not of every attack."
    )
    return limits


def _power(carrier: Scored, reference: Reference, alpha: float) -> str:
    """Return what the carrier of the verdict could have seen, record by record, as a sentence."""
    name = carrier.run.label
    if isinstance(carrier.scale, Scale):
        least = carrier.scale.detectable(reference.null, alpha)
        whole = carrier.scale.power(reference.null, alpha)[1][-1]
        if least is None:
            return (
                f"Looked at one by one, even an untouched record is recognised with a probability of {whole:.0%} only "
                f"(by {name}, at p_under <= {alpha:g}): single records may hide a trace that the group shows."
            )
        return (
            f"Looked at one by one, {name} flags a record that keeps {least:.0%} or more of its influence with a "
            f"probability of 80 % or more (at p_under <= {alpha:g}); a weaker trace would be missed more often."
        )
    if not len(reference.kept):
        return f"What {name} could have seen is not known: there are no samples that a model still has."
    found = float((p_values(reference.kept, reference.null)[0] <= alpha).mean())
    return (
        f"Looked at one by one, {found:.0%} of samples that the model still has are recognised at "
        f"p_under <= {alpha:g} by {name}; a weaker trace would be missed more often."
    )
