"""What features hold of a request: the audited model's penultimate layer, beside that of models that never saw it.

Outputs can look unlearned while the layer below them still tells the records (Gao et al. 2026, arXiv 2604.08271: a
linear probe recovers near-original accuracy). A probe by itself shows nothing, as models that never saw a record have
features of it too; it is compared with the probe of shadow or exactly retrained models:

    probe           logistic regression from features to the class, over all records, each left out of its own fit
    probe_accuracy  share of the forgotten records whose class it gives
    margin          its scaled logit of the true class: records that a network was trained on lie further inside
    influence_left  the mixture estimate: where the forgotten records' margins lie between those of never-seen (0) and
                    of retained records (1), allowing for what shadows' features say of them

Sun et al. 2026 (SMI, arXiv 2602.01150) estimate the proportion of non-members among the unlearned features, without a
reference; the abstract was at hand. Here the margins go through the verdict, with its tests, controls and intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vestige.errors import InputError
from vestige.evaluation.result import Metric
from vestige.evaluation.verdict.decision import judge
from vestige.evaluation.verdict.margins import Floats, Margins, by_cluster, margins_of
from vestige.measures.crossfit import folds_of
from vestige.report.words import percent
from vestige.signals import Signals
from vestige.values import as_floats, as_ids

NAME = "features"
FOLDS = 3
OUTPUTS_ALONE = (
    "The verdict is one from outputs alone: features of these records, which can hold what outputs do not show, were "
    "not given."
)


@dataclass(frozen=True, eq=False)
class Features:
    """Features of some records by the audited model and by others, such as what the last linear layer reads.

    Attributes
    ----------
    ids : text [N]
        Which of the records of the signals.
    unlearned : float [N, D]
        Of the model under audit.
    shadow_out, retrained : tuple of float [N, any]
        Of models that never saw the records, and of exact retrains, one for each; widths may differ.
    original : float [N, any] or None
        Of the model before unlearning.

    Raises
    ------
    InputError
        For ids that are repeated, and arrays that do not fit them or are not finite.
    """

    ids: NDArray[np.str_]
    unlearned: NDArray[np.floating[Any]]
    shadow_out: tuple[NDArray[np.floating[Any]], ...] = ()
    retrained: tuple[NDArray[np.floating[Any]], ...] = ()
    original: NDArray[np.floating[Any]] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", as_ids("ids", self.ids))
        for name in ("unlearned", "original"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, self._checked(name, getattr(self, name)))
        for name in ("shadow_out", "retrained"):
            values = tuple(self._checked(f"{name}[{k}]", one) for k, one in enumerate(getattr(self, name)))
            object.__setattr__(self, name, values)

    def _checked(self, name: str, value: Any) -> NDArray[np.floating[Any]]:
        array = as_floats(f"features: {name}", value)
        if array.ndim != 2 or len(array) != len(self.ids) or not array.shape[1]:
            raise InputError(
                f"features: {name} has shape {list(array.shape)}; [{len(self.ids)}, D], a row for each id, is wanted."
            )
        return array

    def probed(self, labels: NDArray[np.int64] | None) -> Probed:
        """Return what linear probes read; `labels` [N] are the true classes, None where there are none."""

        def read(model: NDArray[Any]) -> Floats:
            return probe_margins(model, labels, self.ids)

        return Probed(
            self.ids, read(self.unlearned), tuple(map(read, self.shadow_out)), tuple(map(read, self.retrained)),
            None if self.original is None else read(self.original),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Probed:
    """What linear probes read from `Features`: `probe_margins` [N] in the place of each model's features."""

    ids: NDArray[np.str_]
    unlearned: Floats
    shadow_out: tuple[Floats, ...] = ()
    retrained: tuple[Floats, ...] = ()
    original: Floats | None = None

    @property
    def models(self) -> tuple[Floats, ...]:
        """Those of every model, the audited one first."""
        before = () if self.original is None else (self.original,)
        return (self.unlearned, *self.shadow_out, *self.retrained, *before)


def feature_figures(
    signals: Signals, features: Features | Probed, *, alpha: float, tolerance: float, seed: int
) -> tuple[list[Metric], str]:
    """Return what features hold of the request, as figures and in a sentence.

    Parameters
    ----------
    signals : Signals
        The records, with their classes and roles.
    features : Features or Probed
        Of forgotten records, and of retained and holdout ones.
    alpha, tolerance, seed
        As of `vestige.audit`.

    Raises
    ------
    InputError
        Where features are of records that are not among the signals, or of no forgotten ones.
    """
    places = {name: place for place, name in enumerate(signals.names.tolist())}
    strange = [name for name in features.ids.tolist() if name not in places]
    if strange:
        raise InputError(
            f"features are of {len(strange):,} records that are not audited, such as {strange[0]!r}."
        )
    rows = signals.take(np.array([places[name] for name in features.ids.tolist()]))
    forget = rows.roles == "forget"
    if not forget.any():
        raise InputError("features are of no record with the role 'forget'.")
    probed = (
        features.probed(rows.labels if rows.kind == "logits" else None)
        if isinstance(features, Features)
        else features
    )
    if not all(np.isfinite(one).all() for one in probed.models):
        reason = "a linear probe takes records of two classes at least, some of each, and their true classes"
        return [
            _metric(name, None, n=int(forget.sum()), reason=reason) for name in FIGURES
        ], f"Features: {reason}."
    accuracy, figure = _accuracy(probed, forget)
    verdict = judge(
        _margins(rows, probed), alpha=alpha, tolerance=tolerance, seed=seed, with_power=False,
        unit="record" if rows.cluster is None else "cluster",
    ).verdict  # fmt: skip
    done = verdict.completeness is not None
    left = [None if end is None else 1 - end for end in (verdict.completeness, verdict.high, verdict.low)]
    figures = [
        figure,
        _metric("influence_left", *left, reference=0.0, reference_is="models that never saw them", n=verdict.n,
                reason=None if done else verdict.sentence),
        _metric("p_under", verdict.p_under, n=verdict.n, reason=None if verdict.p_under else verdict.sentence),
    ]  # fmt: skip
    return figures, f"Features, read by a linear probe: {verdict.sentence} {accuracy}"


FIGURES = {
    "probe_accuracy": (
        "share of forget samples whose class a linear probe reads from the features",
        "closer to the reference is better", (0.0, 1.0),
    ),
    "influence_left": (
        "mixture estimate on features: 0 = where never-seen samples lie, 1 = where retained ones do",
        "closer to 0 is better", (None, None),
    ),
    "p_under": ("“no forget sample bears a trace in the features”", "small = a trace is there", (0.0, 1.0)),
}  # fmt: skip


def _metric(
    name: str, value: float | None, low: float | None = None, high: float | None = None, **known: Any
) -> Metric:
    words, direction, limits = FIGURES[name]
    return Metric(NAME, name, words, value, direction, limits, low, high, **known)


def _accuracy(probed: Probed, forget: NDArray[np.bool_]) -> tuple[str, Metric]:
    """Return the probe's accuracy on the forgotten records beside that of the references, in words and as a figure."""
    own, others = probed.unlearned, probed.retrained or probed.shadow_out
    right, n = int((own[forget] > 0).sum()), int(forget.sum())
    interval = stats.binomtest(right, n).proportion_ci(0.95)
    reference = float(np.mean([(one[forget] > 0).mean() for one in others])) if others else None
    whose = "exactly retrained models" if probed.retrained else "shadow models"
    beside = "" if reference is None else f", from those of {whose} {percent(reference)}"
    words = f"The probe finds the class of {percent(right / n)} of the forgotten records from these features{beside}."
    figure = _metric(
        "probe_accuracy", right / n, float(interval.low), float(interval.high), reference=reference,
        reference_is=f"the {whose}'" if others else "", n=n,
    )  # fmt: skip
    return words, figure


def probe_margins(features: NDArray[Any], labels: NDArray[np.int64] | None, ids: NDArray[np.str_]) -> Floats:
    """Return the scaled logit [N] of the true class by a linear probe that has not seen the record; above 0: likely.

    Of a class that the other folds lack, the least that the probe says of any record. NaN for all, where no probe can
    be fitted: without labels, and of too few records of two classes.
    """
    margins = np.full(len(ids), np.nan)
    if labels is None:
        return margins
    fold = folds_of(ids, FOLDS)
    for one in range(FOLDS):
        inside, outside = fold != one, fold == one
        if not outside.any() or len(np.unique(labels[inside])) < 2:
            continue
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, tol=1e-3))
        probe.fit(features[inside], labels[inside])
        place = np.searchsorted(probe.classes_, labels[outside]).clip(max=len(probe.classes_) - 1)
        known = probe.classes_[place] == labels[outside]
        likely = probe.predict_log_proba(features[outside])[np.arange(len(place)), place]
        margins[outside] = np.where(known, likely - np.log(np.maximum(-np.expm1(likely), 1e-12)), np.nan)
    known = np.isfinite(margins)
    return np.where(known, margins, margins[known].min()) if known.any() else margins


def _margins(rows: Signals, probed: Probed) -> Margins:
    """Return the probes' margins in the place of the outputs'."""
    margins, order = margins_of(rows)

    def stack(models: tuple[Floats, ...]) -> Floats:
        return np.stack(models)[:, order] if models else np.zeros((0, len(rows)))

    before = probed.original
    margins = margins.with_(
        unlearned=probed.unlearned[order], shadows=stack(probed.shadow_out), retrained=stack(probed.retrained),
        original=None if before is None else before[order],
    )  # fmt: skip
    return margins if rows.cluster is None else by_cluster(margins, rows.cluster[order])[0]
