"""What a deletion did to others: retained records that it exposed, and retained records that it damaged.

*Newly exposed.* Fu, Naderloui, Zhong, Hong and Wang 2026 (TC-UMIA, arXiv 2605.01129) show that a model before and after
an unlearning, taken together, tell retained records from unseen ones better than a model alone does. Theirs is an
attack on populations, with an attack model that shadow models train; its text was at hand in its abstract only. Here
it is asked of each record, and the never-seen records of the same two models take the place of the attack's training:

    exposure   log-odds of "retained, not never seen" by a quadratic logistic regression in two folds of three, of
               (a, b) for the version before, (u, b) for the one after, (a, u, b) for both
    p          share of never-seen records with an exposure at least as large: the false-positive rate at which an
               adversary would call the record a training record
    newly      before: p > 2 alpha, not exposed; both versions: named by Benjamini and Hochberg at alpha, among these

a, u, b: scaled logits of the true label by the original, by the audited model, and by the shadows on average. The p of
the naming is the larger of that among all never-seen records and of that among those which the version before does not
expose either: valid for a record of which both versions say what they say of never-seen ones.

*Damaged.* The original tells the record from never-seen ones better than the audited model does, and the audited model
treats it as one of these:

    fall  W = t(original) - t(audited)      t: the verdict's trace score, regression; larger = more fitted
    p     (1 + #{-W_j >= W_i}) / (1 + n)    among the retained records whose lower t lies where never-seen ones lie

Under exact retraining original and retrained model are exchangeable for retained records, so falls and rises are as
often as large: what rises is the null of what falls, and Benjamini and Hochberg on this p is the filter of Barber and
Candes (2015), which needs no other model.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.linear_model import LogisticRegression

from vestige.evaluation.calibration import p_values
from vestige.evaluation.verdict.adjustment import ADJUSTMENTS, trace_scores
from vestige.evaluation.verdict.margins import FORGET, HOLDOUT, RETAIN, Floats, Margins, Mask
from vestige.evaluation.verdict.signals import judged_margins
from vestige.report.words import percent, plural
from vestige.signals import Signals

FEWEST = 50  # retained and never-seen records from which on others are looked at
FOLDS = 3
APART = 2  # times alpha: the false-positive rate up to which the version before exposes a record
MOST_SHADOWS_ASIDE = 2  # shadows that take the places of both versions in the control
SCORE = ADJUSTMENTS.index("regression")
COLUMNS = ("id", "p_before", "p_after", "p_exposed", "exposed", "fall", "p_damaged", "damaged")


@dataclass(frozen=True)
class Effect:
    """How many retained records a deletion exposed, or damaged.

    Attributes
    ----------
    named : int
        Records that are named; on average at most `alpha` of them are false alarms.
    share, low, high : float
        named / n, from 0 to 1; smaller = less was done to others; with its 95 % interval (Clopper and Pearson).
    least : int
        The smallest number of records that could have been named, all at once.
    control : int or None
        How many are named where nothing was done to them, see `control_is`; None where there is nothing to take.
    """

    named: int
    share: float
    low: float
    high: float
    least: int
    control: int | None = None


@dataclass(frozen=True, eq=False)
class Retained:
    """What a deletion did to the records that were kept.

    Attributes
    ----------
    alpha : float
        Share of the named records that are false alarms, on average at most.
    n, null : int
        Retained and never-seen records (clusters, where they were named) that were looked at.
    unit : "record" or "cluster"
    exposed, damaged : Effect or None
        None where they were not looked at, and `reason` says what that takes.
    control_is : str
        What stands in the place of the audited model in the control, in words.
    reason : str or None
    table : DataFrame
        A row for each retained record: `id`; `p_before`, `p_after`, false-positive rates at which one version exposes
        it; `p_exposed` of being newly exposed by both; `exposed`; `fall`, in standard deviations of never-seen records,
        larger = fell more; `p_damaged`; `damaged`. The p-values are in (0, 1], small = it was done.
    """

    alpha: float
    n: int = 0
    null: int = 0
    unit: str = "record"
    exposed: Effect | None = None
    damaged: Effect | None = None
    control_is: str = ""
    reason: str | None = None
    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(COLUMNS)), repr=False)

    @property
    def sentence(self) -> str:
        """What was found, in a sentence or two."""
        if self.exposed is None or self.damaged is None:
            return f"What the deletion did to retained records was not looked at: it takes {self.reason}."
        of = plural(self.n, f"retained {self.unit}")
        parts = [
            _words(self.exposed, "newly exposed by both versions together"),
            _words(self.damaged, "damaged, as if the audited model had never seen them"),
        ]
        text = f"Of {of}, {parts[0]}, and {parts[1]}"
        if self.exposed.named or self.damaged.named:
            text += f"; on average at most {percent(self.alpha)} of them are false alarms"
        if self.exposed.control is None or self.damaged.control is None:
            return f"{text}."
        return f"{text}. With {self.control_is}: {self.exposed.control:,} and {self.damaged.control:,}."

    def record(self) -> dict[str, Any]:
        """Return everything but the table as plain values for JSON, with the sentence."""
        values = {
            name: getattr(self, name) for name in ("alpha", "n", "null", "unit", "control_is", "reason")
        }
        effects = {"exposed": self.exposed, "damaged": self.damaged}
        plain = {name: None if effect is None else asdict(effect) for name, effect in effects.items()}
        return values | plain | {"sentence": self.sentence}

    @classmethod
    def of_record(cls, record: dict[str, Any], table: pd.DataFrame) -> Retained:
        """Return what `record` and the table were made of."""
        known = {name: value for name, value in record.items() if name != "sentence"}
        for name in ("exposed", "damaged"):
            known[name] = None if known[name] is None else Effect(**known[name])
        return cls(**known, table=table)


def _words(effect: Effect, what: str) -> str:
    if not effect.named:
        return f"none can be named as {what} (it takes {effect.least:,} at once)"
    interval = f"{percent(effect.share)} [{percent(effect.low)}, {percent(effect.high)}]"
    return f"{effect.named:,} {'is' if effect.named == 1 else 'are'} {what} ({interval})"


def retained_effects(signals: Signals, *, alpha: float = 0.05) -> Retained:
    """Say which retained records the deletion newly exposed, and which it damaged.

    Parameters
    ----------
    signals : Signals
        With `original`, at least one shadow, and 50 retained and 50 holdout records (clusters); `retrained`, or three
        shadows, give the control.
    alpha : float
        Share of the named records that may be false alarms, between 0 and 0.5.

    Returns
    -------
    Retained
        With its `reason` where one of these is missing.

    References
    ----------
    Fu et al. 2026 (TC-UMIA), arXiv 2605.01129. Barber and Candes 2015, Annals of Statistics 43. docs/guide/retained.md.

    Examples
    --------
    >>> import numpy as np, vestige
    >>> from vestige.evaluation import retained_effects
    >>> rng, role = np.random.default_rng(0), np.repeat(["forget", "retain", "holdout"], [50, 400, 400])
    >>> def outputs(seen):
    ...     return rng.normal(size=(850, 2)) + 6 * np.isin(role, seen)[:, None] * [1, 0]
    >>> original, audited = outputs(["forget", "retain"]), outputs(["retain"])
    >>> audited[50:110] -= [6, 0]
    >>> signals = vestige.Signals(np.zeros(850, int), audited, original, outputs([]), role=role)
    >>> effects = retained_effects(signals)
    >>> 40 < effects.damaged.named < 65, effects.exposed.named
    (True, 0)
    """
    own = judged_margins(signals)
    margins = own.margins.take(own.rows)
    counts = {role: int(margins.of(role).sum()) for role in (RETAIN, HOLDOUT)}
    result = Retained(alpha, counts[RETAIN], counts[HOLDOUT], own.unit)
    reason = _lacking(margins, counts, own.unit)
    if reason:
        return _without(result, reason)
    margins = margins.take(~margins.of(FORGET))
    columns = _looked_at(margins, alpha)
    if columns is None:
        return _without(
            result, "answers of the original and of the audited model that differ between never-seen records"
        )
    controls, control_is = _controls(margins, alpha)
    kept = np.flatnonzero(own.margins.role[own.rows] == RETAIN)
    place = np.full(len(own.margins), -1)
    place[own.rows[kept]] = np.arange(len(kept))
    records = np.flatnonzero(place[own.group] >= 0)  # a cluster's row stands for all of its records
    rows = place[own.group[records]]
    table = pd.DataFrame(
        {"id": signals.names[own.position[records]]} | {k: v[rows] for k, v in columns.items()}
    )
    exposed, damaged = (
        _effect(columns, name, result.n, result.null, alpha, [control[name] for control in controls])
        for name in ("exposed", "damaged")
    )
    return Retained(
        alpha, result.n, result.null, own.unit, exposed, damaged, control_is, table=table[list(COLUMNS)]
    )


def _lacking(margins: Margins, counts: dict[str, int], unit: str) -> str:
    """Return what is missing, in words that follow "it takes"; empty where all is there."""
    lacking = []
    if margins.original is None:
        lacking.append("the outputs of the model before the deletion")
    if not len(margins.shadows):
        lacking.append("those of a model that never saw the records (a shadow)")
    few = [f"{FEWEST} {word} {unit}s, not {counts[role]:,}"
           for role, word in ((RETAIN, "retained"), (HOLDOUT, "never-seen")) if counts[role] < FEWEST]  # fmt: skip
    return " and ".join(lacking + few)


def _without(result: Retained, reason: str) -> Retained:
    return Retained(result.alpha, result.n, result.null, result.unit, reason=reason)


def _looked_at(margins: Margins, alpha: float) -> dict[str, NDArray[Any]] | None:
    """Return the columns of the table, of the retained rows; None where never-seen records have no spread."""
    null, kept, before = margins.of(HOLDOUT), margins.of(RETAIN), margins.original
    assert before is not None
    traces = [trace_scores(margins.with_(unlearned=model), null) for model in (before, margins.unlearned)]
    if traces[0] is None or traces[1] is None:
        return None
    columns = _exposures(margins, before, null, kept, alpha)
    return columns | _falls(traces[0].values[SCORE], traces[1].values[SCORE], null, kept, alpha)


def _exposures(
    margins: Margins, before: Floats, null: Mask, kept: Mask, alpha: float
) -> dict[str, NDArray[Any]]:
    ease, after = margins.difficulty, margins.unlearned
    fold = np.empty(len(margins), np.int64)
    for rows in (null, kept):  # rows stand in the order of their hashed ids
        fold[rows] = np.arange(rows.sum()) % FOLDS
    scores = [
        _exposure(np.stack(of), kept, fold) for of in ((before, ease), (after, ease), (before, after, ease))
    ]
    p_before, p_after, p_both = (p_values(-score, -score[null])[0] for score in scores)
    hidden = p_before > APART * alpha
    p = np.ones(len(margins))
    if (hidden & null).any():
        among = p_values(-scores[2][hidden], -scores[2][hidden & null])[0]
        p[hidden] = np.maximum(among, p_both[hidden])
    named = np.zeros(len(margins), bool)
    named[hidden & kept] = _named(p[hidden & kept], alpha)
    return {
        "p_before": p_before[kept],
        "p_after": p_after[kept],
        "p_exposed": p[kept],
        "exposed": named[kept],
    }


def _exposure(inputs: Floats, kept: Mask, fold: NDArray[np.int64]) -> Floats:
    """Return the log-odds of a retained record from inputs [D, N], each by a regression on the other folds."""
    score = np.empty(len(kept))
    model = LogisticRegression(solver="newton-cholesky", class_weight="balanced")
    for one in range(FOLDS):
        fitted = fold != one
        features = _standardised(_quadratic(_standardised(inputs, fitted)), fitted)
        model.fit(features[:, fitted].T, kept[fitted])
        terms = features[:, ~fitted] * model.coef_.T
        score[~fitted] = model.intercept_ + terms.sum(axis=0)  # a product of matrices tells equal records apart
    return score


def _standardised(x: Floats, rows: Mask) -> Floats:
    """Centre and scale inputs [D, N] by their mean and deviation over `rows`; a constant one is only centred."""
    chosen = x[:, rows]
    mean, deviation = chosen.mean(axis=1, keepdims=True), chosen.std(axis=1, keepdims=True)
    constant = deviation <= 1e-12 * np.abs(mean)
    return np.asarray((x - mean) / np.where(constant, 1, deviation))


def _quadratic(x: Floats) -> Floats:
    """Return the inputs [D, N], and the products of every two of them."""
    first, second = np.triu_indices(len(x))
    return np.vstack([x, x[first] * x[second]])


def _falls(before: Floats, after: Floats, null: Mask, kept: Mask, alpha: float) -> dict[str, NDArray[Any]]:
    fall = (before - after)[kept]
    like_unseen = [p_values(-t[kept], -t[null])[0] > alpha for t in (before, after)]
    candidates = like_unseen[0] | like_unseen[1]  # the same set where the two models change places
    p, named = np.ones(len(fall)), np.zeros(len(fall), bool)
    if candidates.any():
        own = fall[candidates]
        p[candidates] = p_values(-own, own)[0]
        named[candidates] = _named(p[candidates], alpha)
    return {"fall": fall, "p_damaged": p, "damaged": named}


def _named(p: Floats, alpha: float) -> Mask:
    return stats.false_discovery_control(p) <= alpha if len(p) else np.zeros(0, bool)


def _effect(
    columns: dict[str, NDArray[Any]], name: str, n: int, null: int, alpha: float, controls: list[int]
) -> Effect:
    named = int(columns[name].sum())
    interval = stats.binomtest(named, n).proportion_ci(0.95)
    tried = int((columns[f"p_{name}"] < 1).sum()) or n
    smallest = 1 / (1 + null) if name == "exposed" else 1 / (1 + tried)
    least = max(1, math.ceil(tried * smallest / alpha))
    control = max(controls) if controls else None
    return Effect(named, named / n, float(interval.low), float(interval.high), least, control)


def _controls(margins: Margins, alpha: float) -> tuple[list[dict[str, int]], str]:
    """Return how many records are named where nothing was done to them, and what was audited for it, in words."""
    aside = MOST_SHADOWS_ASIDE
    if len(margins.retrained):
        others = [margins.with_(unlearned=model) for model in margins.retrained]
        words = "an exactly retrained model in place of the audited one"
    elif len(margins.shadows) > aside:
        first, second = margins.shadows[-aside:]
        others = [margins.with_(original=first, unlearned=second, shadows=margins.shadows[:-aside])]
        words = "two shadows in place of both versions"
    else:
        return [], ""
    looks = [_looked_at(other, alpha) for other in others]
    counts = [
        {name: int(look[name].sum()) for name in ("exposed", "damaged")} for look in looks if look is not None
    ]
    return counts, words if counts else ""
