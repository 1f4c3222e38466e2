"""`vestige.audit`: from signals to scores, figures, controls and a verdict."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vestige.arguments import checked
from vestige.errors import InputError, every
from vestige.evaluation import figures
from vestige.evaluation.calibration import Deletions, Nulls, Reference, nulls_of, reference_scores
from vestige.evaluation.degree import Scale, scales
from vestige.evaluation.features import OUTPUTS_ALONE, Features, Probed, feature_figures
from vestige.evaluation.result import SCORE_COLUMNS, Audit, MeasureRun
from vestige.evaluation.retained import retained_effects
from vestige.evaluation.verdict import LEAST_ALPHA, RECORD_OUTCOMES, Judgement, judge_signals
from vestige.measures import MEASURES, measure
from vestige.signals import Signals
from vestige.signals.counterfactual import agreement

Floats = NDArray[np.float64]
Interval = tuple[Floats, Floats]
MeasureSpec = str | Mapping[str, Any]

DEFAULT_MEASURES: tuple[str, ...] = (
    "iam", "lira_online", "lira_offline", "emia_population", "linear_gap",
    "scaled_logit_difference", "confidence_difference", "loss_difference", "random",
)  # fmt: skip
JACKKNIFE_GROUPS = 8
VERDICTS = pd.CategoricalDtype(["", *RECORD_OUTCOMES])
TEXT_COLUMNS = ("id", "role", "label", "measure", "verdict")
DEGREE = ("degree", "degree_low", "degree_high")
ASSUMED = {
    "counterfactual": (
        "p-values and degrees of measures that compare with the original rest on records that no model saw, and on "
        "what the original would have said of them: training is taken to keep a record's rank among equally difficult "
        "ones. On exact retrains of random requests a promised 5 % was at most 8.1 % for p_under, with "
        "loss_difference, and 8.9 % for p_over, with confidence_difference and update_lira "
        "(docs/labbook/calibration.md)."
    ),
    "exchanged": (
        "p-values and degrees of measures that compare with the original rest on the shadows' training records; "
        "original and audited model share theirs, so that a promised 5 % was 32 % with lira_online and bavaria, 21 % "
        "with dratio, 13 % with rmia_ratio and 10 % with loss_difference at worst for p_under, and 12 % with iam, 11 % "
        "with lira_online and monotone, 10 % with update_lira and 9 % with bavaria for p_over "
        "(docs/labbook/calibration.md)."
    ),
    "simulated": (
        "p-values and degrees of measures that compare with the original rest on simulated deletions, whose models are "
        "not the audited one: a promised 5 % was 23 % with bavaria, 22 % with lira_online, 10 % with rmia_ratio, 9 % "
        "with loss_difference and 8 % with dratio at worst for p_under, and more for harder, easier and one-class "
        "requests, for p_over up to all of the records (docs/labbook/calibration.md)."
    ),
}
"""What a calibration takes for granted, for the limits of an audit."""
SATURATED = (
    "In simulated worlds of that kind a promised 5 % was up to 9 % for p_under and for p_over "
    "(docs/labbook/calibration.md)."
)
OTHER_KIND = (
    "The request is of other classes, or harder or easier, than never-seen records are: p-values of measures are taken "
    "within strata of class and difficulty. On exact retrains of such requests a promised 5 % was up to 12 % for "
    "p_under (rmia_ratio of harder, emia_population and quantile of easier ones; 9 % with differences and linear_gap "
    "of easier ones), and for p_over 19 % of harder, 11 % of other classes and 8 % of easier ones "
    "(docs/labbook/calibration.md)."
)
TRACE = "trace"
"""The name under which the score that the verdict rests on stands beside the measures."""


@dataclass(frozen=True, eq=False)
class Scored:
    """One measure's scores, its reference scores and its scale of degrees, or the reason why there are none."""

    run: MeasureRun
    scores: Floats
    reference: Reference | str
    scale: Scale | str = ""


@checked
def audit_signals(
    signals: Signals,
    measures: Iterable[MeasureSpec] = DEFAULT_MEASURES,
    *,
    name: str = "unlearned",
    preset: str = "recommended",
    alpha: float = 0.05,
    tolerance: float = 0.1,
    seed: int = 0,
    features: Features | Probed | None = None,
    describe: bool = True,
) -> Audit:
    """Measure every sample of `signals` and say how completely the forget samples were unlearned.

    It is `vestige.audit` without its door for two models, and takes, returns and raises the same. Without `describe`
    scores, controls and verdict are all: no figures, and no word on retained records; it takes a third of the time.

    Parameters
    ----------
    features : Features, Probed or None
        Of the audited model and of models that never saw the records, such as what their last linear layers
        read. The verdict is one of outputs all the same; what features hold stands in the figures and limits.
    """
    start = time.perf_counter()
    for option, value in (("alpha", alpha), ("tolerance", tolerance)):
        if not 0 < value < 1:
            raise InputError(f"{option} is {value}; a number above 0 and below 1 is wanted.")
    if alpha < LEAST_ALPHA:
        raise InputError(
            f"alpha is {alpha}; at least {LEAST_ALPHA} is wanted, the smallest that permutations can show."
        )
    if seed < 0:
        raise InputError(f"seed is {seed}; a whole number from 0 is wanted.")
    if isinstance(measures, Mapping):
        raise InputError(f"measures is {measures!r}; a list of measures is wanted, such as ['iam'].")
    if not (signals.roles == "forget").any():
        raise InputError("No sample has the role 'forget'; there is nothing to audit.")
    requested = every("measures", measures, lambda spec: _spec(spec, preset))
    if not requested:
        raise InputError(f"No measure was asked for. Known: {', '.join(MEASURES)}.")
    own = signals.remembering()
    runs: list[MeasureRun] = []
    scored: list[Scored] = []
    nulls = nulls_of(own)
    for (measure_name, measure_preset, options, _), label in zip(requested, _labels(requested), strict=True):
        outcome = _score(measure_name, measure_preset, options, label, own, nulls)
        runs.append(outcome if isinstance(outcome, MeasureRun) else outcome.run)
        if isinstance(outcome, Scored):
            scored.append(outcome)
    if not scored:
        raise InputError("No measure could run. " + " ".join(run.reason or "" for run in runs))
    scored = _with_scales(own, scored, nulls.deletions)
    before = time.perf_counter()
    judged = judge_signals(own, alpha=alpha, tolerance=tolerance, seed=seed)
    runs.insert(0, _trace_run(judged, time.perf_counter() - before))
    held, said = (
        ([], OUTPUTS_ALONE)
        if features is None
        else feature_figures(own, features, alpha=alpha, tolerance=tolerance, seed=seed)
    )
    return Audit(
        name=name,
        signals=signals,
        scores=_table(own, scored, judged),
        figures=tuple(figures.model_figures(own) + held + figures.measure_figures(own, scored, alpha, seed))
        if describe
        else (),
        controls=judged.controls,
        measures=tuple(runs),
        verdict=judged.verdict,
        limits=tuple(_limits(own, judged, nulls, said)),
        seconds=time.perf_counter() - start,
        seed=seed,
        retained=retained_effects(own, alpha=alpha) if describe else None,
    )


def _same_models(signals: Signals) -> list[str]:
    """Name the shadows that are a model of another place by all they say: they saw the records, or count twice."""
    names = ["unlearned", *(["original"] if signals.original is not None else [])]
    outputs = [getattr(signals, name) for name in names]
    sentences = []
    for number, shadow in enumerate(signals.shadow_out if signals.shadow_out is not None else ()):
        twins = [name for name, other in zip(names, outputs, strict=True) if np.array_equal(shadow, other)]
        if twins:
            sentences.append(
                f"shadow_out[{number}] says of every record exactly what {' and '.join(twins)} says; a shadow is a "
                "model of its own that never saw the audited records: was a file given twice?"
            )
        names.append(f"shadow_out[{number}]")
        outputs.append(shadow)
    return sentences


def _trace_run(judged: Judgement, seconds: float) -> MeasureRun:
    """Return the entry of the score that the verdict rests on, beside those of the measures."""
    verdict = judged.verdict
    silent = judged.score is None
    return MeasureRun(
        TRACE, "recommended", {"alpha": verdict.alpha, "tolerance": verdict.tolerance},
        "failed" if silent else "scored", seconds, verdict.sentence if silent else None,
        None if silent else f"{verdict.null:,} never-seen {verdict.unit}s, by the audited model itself",
        "standard deviations of never-seen records", "docs/labbook/claims.md",
    )  # fmt: skip


def _spec(spec: MeasureSpec, preset: str) -> tuple[str, str, dict[str, Any], str]:
    """Return name, preset, options and wished label of a requested measure."""
    entry, options, beside = MEASURES.chosen(spec)
    chosen = beside.get("preset", preset)
    entry.resolve(options, chosen)
    return entry.name, chosen, options, str(beside.get("label") or entry.name)


def _labels(requested: list[tuple[str, str, dict[str, Any], str]]) -> list[str]:
    """Return a label for each requested measure; repeated ones are numbered, as "iam", "iam (2)"."""
    wished = [TRACE, *(label for *_, label in requested)]  # the verdict's own score comes first
    return [f"{w} ({wished[: i + 1].count(w)})" if w in wished[:i] else w for i, w in enumerate(wished)][1:]


def _score(
    name: str,
    preset: str,
    options: dict[str, Any],
    label: str,
    signals: Signals,
    nulls: Nulls,
) -> Scored | MeasureRun:
    entry, start = MEASURES[name], time.perf_counter()
    values = entry.resolve(options, preset)
    unit = entry.unit_of(values)
    try:
        scores = measure(name, signals, preset=preset, **options)
    except InputError as error:
        seconds = time.perf_counter() - start
        reason = str(error)
        return MeasureRun(name, preset, values, "failed", seconds, reason, None, unit, entry.cites, label)
    seconds = time.perf_counter() - start
    known = reference_scores(name, signals, scores, values, nulls)
    text = known.text if isinstance(known, Reference) else None
    run = MeasureRun(name, preset, values, "scored", seconds, None, text, unit, entry.cites, label)
    return Scored(run, scores, known)


def _with_scales(signals: Signals, scored: list[Scored], deletions: Deletions | str) -> list[Scored]:
    """Return the scored measures with their scales of degrees; one without a reference keeps the reason for that."""
    known = [one for one in scored if isinstance(one.reference, Reference)]
    every = iter(scales(signals, [(one.run.measure, one.run.options) for one in known], deletions))
    return [
        replace(one, scale=next(every) if isinstance(one.reference, Reference) else one.reference)
        for one in scored
    ]


def _table(signals: Signals, scored: list[Scored], judged: Judgement) -> pd.DataFrame:
    """Build the scores table, one block of rows per measure; text columns are categories to stay small."""
    blocks = [_trace_rows(signals, judged)] if judged.score is not None else []
    intervals = _intervals(signals, scored)
    blocks += [_measure_rows(signals, one, ends) for one, ends in zip(scored, intervals, strict=True)]
    n, labels = len(signals), [*([TRACE] if judged.score is not None else []), *(s.run.label for s in scored)]
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    rows_of = np.tile(np.arange(n), len(blocks))
    role = pd.Categorical(signals.roles)
    table: dict[str, Any] = {
        **columns,
        "id": pd.Categorical.from_codes(rows_of, categories=pd.Index(signals.names)),
        "role": pd.Categorical.from_codes(np.tile(role.codes, len(blocks)), dtype=role.dtype),
        "label": pd.concat([_classes(signals)] * len(blocks), ignore_index=True),
        "measure": pd.Categorical.from_codes(
            np.repeat(np.arange(len(blocks)), n), categories=pd.Index(labels)
        ),
        "verdict": pd.Categorical.from_codes(columns["verdict"], dtype=VERDICTS),
    }
    return pd.DataFrame({name: table[name] for name in SCORE_COLUMNS})


def _classes(signals: Signals) -> pd.Series[Any]:
    """Return the true class of every sample; missing where outputs of the truth alone came without it."""
    if signals.kind == "logits":
        return pd.Series(signals.labels)
    known = signals.group is not None and bool(np.char.isdigit(signals.group).all())
    return pd.Series(signals.group if known else [None] * len(signals)).astype("Int64")


def _empty_rows(n: int) -> dict[str, Any]:
    rows: dict[str, Any] = {c: np.full(n, np.nan) for c in SCORE_COLUMNS if c not in TEXT_COLUMNS}
    return rows | {"verdict": np.zeros(n, np.int8)}


def _trace_rows(signals: Signals, judged: Judgement) -> dict[str, Any]:
    rows = _empty_rows(len(signals))
    assert judged.score is not None
    rows["score"], rows["p_under"], rows["p_over"] = judged.score, judged.p_under, judged.p_over
    rows["verdict"][signals.roles == "forget"] = pd.Categorical(judged.outcomes, dtype=VERDICTS).codes
    return rows


def _measure_rows(signals: Signals, one: Scored, interval: Interval | None) -> dict[str, Any]:
    rows = _empty_rows(len(signals))
    rows["score"] = one.scores
    if interval is not None:
        rows["low"], rows["high"] = interval
    if isinstance(one.reference, Reference):
        rows["p_under"], rows["p_over"] = one.reference.p_values(one.scores)
    if isinstance(one.scale, Scale):
        seen = np.flatnonzero(signals.roles != "holdout")
        for name, values in zip(DEGREE, one.scale.degree(one.scores[seen]), strict=True):
            rows[name][seen] = values
    return rows


def _intervals(signals: Signals, scored: list[Scored]) -> list[Interval | None]:
    """Return each measure's 95 % interval over shadow models by the grouped jackknife.

    None with fewer than two shadows, for a measure that reads none, and where it cannot score without some of them.
    """
    groups = min(signals.shadows, JACKKNIFE_GROUPS)
    asked = [groups > 1 and "shadow_out" in MEASURES[one.run.measure].needs for one in scored]
    total, square = ([np.zeros(len(signals)) for _ in scored] for _ in range(2))
    for group in range(groups if any(asked) else 0):
        part = signals.with_shadows(np.arange(signals.shadows) % groups != group)
        for place, one in enumerate(scored):
            if asked[place]:
                try:
                    left = MEASURES[one.run.measure].score(part, one.run.options)
                except InputError:
                    asked[place] = False
                    continue
                total[place] += left
                square[place] += np.square(left)
    intervals: list[Interval | None] = []
    for place, one in enumerate(scored):
        variance = np.maximum(square[place] - np.square(total[place]) / max(groups, 1), 0) * (groups - 1)
        reach = 1.96 * np.sqrt(variance / max(groups, 1))
        lowest, highest = MEASURES[one.run.measure].range_of(one.run.options)
        ends = np.clip(one.scores - reach, lowest, None), np.clip(one.scores + reach, None, highest)
        intervals.append(ends if asked[place] else None)
    return intervals


def _order_limit(signals: Signals, deletions: Deletions) -> list[str]:
    """Return the sentence that training does not keep the order of records, where that is taken for granted."""
    if deletions.kind != "counterfactual" or not (known := agreement(signals)).lost:
        return []
    return [
        "Training does not keep the order of records here: the original agrees with the shadows by a rank correlation "
        f"of {known.never_seen:.2f} on never-seen records and of {known.trained:.2f} on those that it was trained on. "
        f"{SATURATED}"
    ]


def _limits(signals: Signals, judged: Judgement, nulls: Nulls, features: str) -> list[str]:
    """Return what this audit cannot say, in sentences; `features`: what these hold, or that there were none."""
    limits = [*_same_models(signals), *signals.notes, *judged.notes]
    if isinstance(nulls.deletions, Deletions):
        limits += [ASSUMED[nulls.deletions.kind], *_order_limit(signals, nulls.deletions)]
    else:
        limits.append(
            "Measures that compare with the original have no p-values and no degrees here; that takes "
            f"{nulls.deletions}."
        )
    if nulls.strata is not None:
        limits.append(OTHER_KIND)
    if signals.shadows == 1:
        limits.append(
            "There is one shadow model: the spread of the measures' scores between training runs is unknown."
        )
    if not (signals.roles == "retain").any():
        limits.append("There are no retained samples: nothing shows what a sample that was kept would score.")
    open_checks = [c for c in judged.controls if c.passed is None]
    limits += [f"Not checked: {c.name} ({c.reason})." for c in open_checks]
    if signals.cluster is None:
        limits.append(
            "Records are taken as independent of each other; where several are one person's or copies, name them by "
            "`cluster`, or the error rate is not kept."
        )
    limits += [
        features,
        "The verdict speaks of the outputs of these models on these records, not of every attack on their weights.",
    ]
    return limits
