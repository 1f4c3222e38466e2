"""From token signals to an audit: a verdict per text, all measures on texts, and where in a text the trace sits.

A text is put before `vestige.audit` as one event with the probability p = exp(-mean token loss): two classes with
logits log(p / (1 - p)) and 0, the first of them true. So texts get what samples get: a verdict with its controls and
its power, p-values in both directions, a report. Per character instead of per token where the models' tokenizers
differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Array, checked
from vestige.data.texts import hash_of
from vestige.errors import InputError
from vestige.evaluation import Audit, audit_signals
from vestige.evaluation.roc import auc, bootstrap
from vestige.evaluation.verdict import Verdict
from vestige.measures.texts import MEASURES, measure, preset_on_texts
from vestige.signals import Signals
from vestige.signals.texts import TextSignals
from vestige.values import as_mask

Floats = NDArray[np.float64]
MEASURED = (
    "emia_reference", "lira_offline", "iam", "lira_online", "linear_gap", "loss_difference", "confidence", "random",
)  # fmt: skip
"""Beside the verdict; those that have a preset of texts stand there as they stand in the table."""
LONGEST = 500  # tokens of a text that a trace lists


@dataclass(frozen=True, eq=False)
class TextAudit:
    """Result of `audit_texts`.

    Attributes
    ----------
    audit : Audit
        Verdict, scores per text, controls, figures: as for samples.
    table : list[dict[str, Any]]
        A row for each measure on texts: "auc_retain", "auc_holdout" of forget against the others with 95 %
        intervals, share of tied scores; None where there is none, with the "reason". "membership_forget" and
        "membership_retain" are means of 1 - score, scaled to [0, 1] over both groups: 1 = still known.
    traces : list[dict[str, Any]]
        Per forget text: id, and for each token where it stands and how much likelier it is than to the
        reference.
    """

    audit: Audit
    table: list[dict[str, Any]]
    traces: list[dict[str, Any]]

    @property
    def verdict(self) -> Verdict:
        """What is left of the texts, for the whole request."""
        return self.audit.verdict

    def __repr__(self) -> str:
        return repr(self.audit)

    def _repr_html_(self) -> str:
        return self.audit._repr_html_()

    def save(
        self,
        folder: Path | str,
        texts: Mapping[str, str],
        *,
        manifest: Mapping[str, Any] | None = None,
        words: float | None = None,
    ) -> Path:
        """Write audit/, measures.csv, manifest.json, report.html and texts.html into a folder and return it.

        Parameters
        ----------
        texts : Mapping[str, str]
            {id: text} of the forget texts, to show them.
        words : float or None
            AUC of telling forget from holdout texts by their words alone; a high one is warned of.
        """
        from vestige.evaluation.page import texts as page

        return page.save(self, folder, texts, manifest=manifest or {"kind": "llm audit"}, words=words)


@checked
def audit_texts(
    unlearned: TextSignals,
    original: TextSignals | None = None,
    shadows: Sequence[TextSignals] = (),
    *,
    role: Sequence[str] | NDArray[np.str_],
    extra: Mapping[str, Any] | None = None,
    name: str = "unlearned",
    alpha: float = 0.05,
    tolerance: float = 0.1,
    preset: str = "recommended",
) -> TextAudit:
    """Audit texts from the signals of the model after unlearning, before it, and of models that never saw them.

    Parameters
    ----------
    role : Sequence[str] or array of text
        "forget", "retain" or "holdout" for each text.
    extra : Mapping[str, Any] or None
        What further measures read, by name: `texts`, `lower`, `prefixed`, `neighbours`, `swapped`; the
        holdout texts are the `population` of `rmia_online` unless another is given.
    alpha, tolerance : float
        Error rate of each claim, and the influence that may be left for "unlearned"; see `vestige.audit`.
    preset : str
        Of the measures in `table`; the verdicts come from the recommended ones.

    Raises
    ------
    InputError
        Where the signals are of other texts, or nothing could be measured.
    """
    roles = np.asarray(role).astype(str)
    expect_same_texts(unlearned, original, shadows, extra)
    signals = as_signals(unlearned, original, shadows, roles)
    measured = [{"name": m, "preset": preset_on_texts(m, "recommended")} for m in MEASURED]
    made = audit_signals(signals, measures=measured, name=name, alpha=alpha, tolerance=tolerance)
    arrays = _arrays(unlearned, original, shadows, roles == "holdout", extra)
    table = [_row(measure_name, arrays, roles, preset) for measure_name in MEASURES]
    return TextAudit(made, table, _traces(unlearned, shadows, roles))


def expect_same_texts(
    unlearned: TextSignals,
    original: TextSignals | None,
    shadows: Sequence[TextSignals],
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Raise `InputError` unless all signals, and the texts in `extra`, are of the same texts in the same order."""
    named = {"original": original} | {f"shadows[{i}]": one for i, one in enumerate(shadows)}
    for name, one in named.items():
        if one is None:
            continue
        unlearned.expect(one.ids.tolist(), None if one.hashes is None else one.hashes.tolist(), name)
        if not np.array_equal(one.characters, unlearned.characters):
            raise InputError(f"{name} and unlearned are of other texts: their lengths in characters differ.")
    texts = (extra or {}).get("texts")
    if texts is not None and unlearned.hashes is not None:
        hashes = [hash_of(text) for text in texts]
        if hashes != unlearned.hashes.tolist():
            raise InputError("texts in extra= are not those that the signals are of, or in another order.")


def as_signals(
    unlearned: TextSignals,
    original: TextSignals | None,
    shadows: Sequence[TextSignals],
    role: NDArray[np.str_],
) -> Signals:
    """Return texts as samples of which the loss is known, see above. Raises `InputError`."""
    per_character = _per_character(unlearned, original, shadows)

    def losses(one: TextSignals) -> Floats:
        return one.nll_per_character if per_character else one.nll

    return Signals.from_outputs(
        "losses", None, unlearned=losses(unlearned), original=None if original is None else losses(original),
        shadow_out=[losses(s) for s in shadows] or None, role=role, ids=unlearned.ids,
    )  # fmt: skip


def _per_character(
    unlearned: TextSignals, original: TextSignals | None, shadows: Sequence[TextSignals]
) -> bool:
    """Do the models cut the texts differently?"""
    others = [one for one in (original, *shadows) if one is not None]
    return any(not np.array_equal(one.tokens, unlearned.tokens) for one in others)


def _losses(
    unlearned: TextSignals, original: TextSignals | None, shadows: Sequence[TextSignals]
) -> tuple[Floats | None, Floats | None, Floats | None]:
    per_character = _per_character(unlearned, original, shadows)

    def loss(one: TextSignals) -> Floats:
        return one.nll_per_character if per_character else one.nll

    never = np.mean([loss(s) for s in shadows], axis=0) if shadows else None
    return loss(unlearned), None if original is None else loss(original), never


def _arrays(
    unlearned: TextSignals,
    original: TextSignals | None,
    shadows: Sequence[TextSignals],
    held: NDArray[np.bool_],
    extra: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what measures read, by name; texts that are `held` out are the population, unless another is given."""
    losses = dict(zip(("nll", "fit", "out"), _losses(unlearned, original, shadows), strict=True))
    arrays: dict[str, Any] = {k: v for k, v in losses.items() if v is not None} | {"tokens": unlearned}
    if {"fit", "out"} <= arrays.keys() and held.any():
        arrays["population"] = np.stack([arrays[k][held] for k in ("nll", "fit", "out")], axis=1)
    return arrays | dict(extra or {})


@checked
def degrees(
    name: str,
    checkpoints: Sequence[TextSignals],
    original: TextSignals | None = None,
    shadows: Sequence[TextSignals] = (),
    *,
    holdout: Array | None = None,
    extra: Mapping[str, Any] | None = None,
    **options: Any,
) -> Floats:
    """Return a measure's scores [N, B] of the same texts at B checkpoints, for `vestige.evaluation.scoreui`.

    Parameters
    ----------
    holdout : bool [N]
        Texts that no checkpoint learns: the `population` of `rmia_online`.
    extra : Mapping[str, Any] or None
        What further measures read, by name, as in `audit_texts`.

    Raises
    ------
    InputError
        Where there is no checkpoint, and as `measure` does.
    """
    if not checkpoints:
        raise InputError("degrees: at least one checkpoint's signals are wanted.")
    needs, found = MEASURES[name].texts, []
    for one in checkpoints:
        expect_same_texts(one, original, [*shadows, checkpoints[0]], extra)
        held = np.zeros(len(one), bool) if holdout is None else as_mask("holdout", holdout)
        if held.shape != (len(one),):
            raise InputError(f"holdout has shape {list(held.shape)}; [{len(one)}] is wanted, one a text.")
        arrays = _arrays(one, original, shadows, held, extra)
        found.append(measure(name, **{need: arrays[need] for need in needs if need in arrays}, **options))
    return np.stack(found, axis=1)


def _row(name: str, arrays: Mapping[str, Any], role: NDArray[np.str_], preset: str) -> dict[str, Any]:
    needs, options = MEASURES[name].texts, MEASURES[name].resolve({}, preset_on_texts(name, preset))
    row: dict[str, Any] = {"measure": name, "unit": MEASURES[name].unit_of(options), "reason": None}
    missing = [need for need in needs if need not in arrays]
    scores: Floats | None = None
    if missing:
        row["reason"] = f"{' and '.join(missing)} not given"
    else:
        try:
            scores = measure(name, preset=preset, **{need: arrays[need] for need in needs})
        except InputError as error:
            row["reason"] = str(error)
    for other in ("retain", "holdout"):
        figures: tuple[float | None, ...] = (None, None, None)
        if scores is not None and (role == other).any():
            groups = scores[role == "forget"], scores[role == other]
            low, high = bootstrap(*groups, draws=1000, seed=0)["auc"]
            figures = (auc(*groups), low, high)
        row |= dict(zip((f"auc_{other}", f"low_{other}", f"high_{other}"), figures, strict=True))
    row |= _memberships(scores, role)
    row["ties"] = None if scores is None else 1 - len(np.unique(scores)) / len(scores)
    return row


def _memberships(scores: Floats | None, role: NDArray[np.str_]) -> dict[str, float | None]:
    """Return the mean membership of forget and of retained texts, as Wang et al. 2025, Table 7."""
    names = ("forget", "retain")
    if scores is None or any(not (role == name).any() for name in names):
        return {f"membership_{name}": None for name in names}
    own = scores[role != "holdout"]
    low, width = own.min(), np.ptp(own) or 1.0
    return {f"membership_{name}": float(1 - (scores[role == name].mean() - low) / width) for name in names}


def _traces(
    unlearned: TextSignals, shadows: Sequence[TextSignals], role: NDArray[np.str_]
) -> list[dict[str, Any]]:
    """Per forget text, most suspicious first: log p after unlearning minus the reference's, token by token."""
    if not shadows or any(not np.array_equal(s.offsets, unlearned.offsets) for s in shadows):
        return []
    gap = unlearned.logp - np.mean([s.logp for s in shadows], axis=0)
    traces = []
    for text in np.flatnonzero(role == "forget"):
        own = unlearned.of(int(text))
        some = slice(own.start, min(own.stop, own.start + LONGEST))
        traces.append({
            "id": str(unlearned.ids[text]), "mean": float(gap[own].mean()), "start": unlearned.start[some].tolist(),
            "end": unlearned.end[some].tolist(), "gap": np.round(gap[some], 3).tolist(),
        })  # fmt: skip
    return sorted(traces, key=lambda t: -t["mean"])
