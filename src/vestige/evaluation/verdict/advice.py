"""What would decide an undecided request: which records and models would help, and where none would."""

from __future__ import annotations

import numpy as np

from vestige.evaluation.verdict.answer import Figures, Outcome
from vestige.evaluation.verdict.controls import Control
from vestige.evaluation.verdict.evidence import unlimited
from vestige.report.words import percent, plural

FEW = 20
"""Records of a request below which none may be whole unseen for "unlearned"."""
FEWEST_KEPT = 20
"""Kept records from which on they show how much a whole trace is."""


def advice(f: Figures, outcome: Outcome, blocking: list[Control]) -> str:
    """Return what would decide an undecided request, in a few sentences; "" where it is decided."""
    if blocking and blocking[0].kind == "reference":
        return (
            "Bring never-seen records of the same kind and classes as the request, and shadows that saw neither; "
            "then audit again."
        )
    if blocking:
        return (
            "Traces that are there were not seen: more retained and never-seen records, or a model that memorises "
            f"more, would make the audit sharper; more shadow models by {percent(unlimited(f.shadows) - 1)} at most."
        )
    if outcome != "undecided":
        return ""
    sentences = []
    if f.p_over <= f.alpha / 2:
        sentences.append(
            "Whether the never-seen records were really unseen is untested: give a second source of them (`source`), "
            "such as records of the shadows' pool that no shadow was trained on."
        )
    if f.kept < FEWEST_KEPT:
        sentences.append(
            f"Add retained records, {FEWEST_KEPT} at least: without them nothing shows what a whole trace looks like."
        )
    if f.left_high > f.tolerance or (f.left_low < -f.tolerance and f.p_over > f.alpha / 2):
        sentences.append(_of_the_interval(f))
    if f.could_be_whole > f.allowed:
        sentences.append(_of_single_records(f))
    return " ".join(sentences)


def _of_the_interval(f: Figures) -> str:
    """Return what narrows the interval of what is left, and how far: the noise of the request's own records stays."""
    few = "" if f.n >= FEW else "; so few records of a request bound it loosely"
    helps = f"The interval of what is left narrows with more never-seen records and shadow models{few}"
    half = (f.left_high - f.left_low) / 2
    narrowest = half * np.sqrt((1 / f.n) / (1 / f.n + 1 / f.null)) / unlimited(f.shadows)
    if not np.isfinite(narrowest) or narrowest <= f.tolerance:
        return f"{helps}."
    return (
        f"{helps}, with any number of them to about ± {percent(narrowest)}, which is more than the tolerance of "
        f"{percent(f.tolerance)}: the model keeps too little of {plural(f.n, f.unit)} for this tolerance."
    )


def _of_single_records(f: Figures) -> str:
    """Return whether more shadow models would show that single records are gone."""
    if f.whole_at_best <= f.allowed or not f.kept:
        return "How many could be untouched shrinks with more shadow models; more never-seen records do not help there."
    return (
        f"With any number of shadow models about {f.whole_at_best:,} could still be untouched: the model keeps too "
        f"little of a single {f.unit} for it to be told from the noise of a training."
    )
