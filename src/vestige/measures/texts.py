"""Measures on texts: which there are, and how they are called with arrays of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Array, checked
from vestige.data.texts import as_texts
from vestige.errors import InputError, MissingArray, shown, unknown
from vestige.measures.registry import MEASURES as ALL_MEASURES
from vestige.measures.registry import Measure
from vestige.measures.registry import measure as measure_samples
from vestige.registry import PRESETS, Part
from vestige.signals import Signals
from vestige.signals.texts import TextSignals
from vestige.values import as_array

Floats = NDArray[np.float64]
ARRAYS = {
    "nll": "the mean token loss under the model after unlearning, float [N]",
    "fit": "the mean token loss under the model before unlearning, float [N]",
    "out": "the mean token loss under a reference model that never saw the texts, float [N]",
    "lower": "the mean token loss of the lowercased texts after unlearning, float [N]",
    "prefixed": "the mean token loss of the texts behind a prefix after unlearning, float [N]",
    "neighbours": "the mean token losses of K neighbours of each text after unlearning, float [N, K]",
    "population": "the losses after unlearning, before it and of the reference on Z other texts, float [Z, 3]",
    "tokens": "the signals of every token after unlearning, `TextSignals` of N texts",
    "swapped": "the signals of K texts with words swapped for each text, a list of K `TextSignals`",
    "texts": "the N texts themselves",
    "information": "what every token tells beyond a reference, a list of N arrays, as "
    "vestige.signals.token_information.token_information gives",
}
LOSSES = ("nll", "fit", "out", "lower", "prefixed", "neighbours", "population")


MEASURES: Part[Measure] = Part(ALL_MEASURES, "text measure", lambda entry: bool(entry.texts))
"""The measures that texts can be asked by."""


@checked
def measure(
    name: str,
    *,
    preset: str = "recommended",
    nll: Array | None = None,
    fit: Array | None = None,
    out: Array | None = None,
    lower: Array | None = None,
    prefixed: Array | None = None,
    neighbours: Array | None = None,
    population: Array | None = None,
    tokens: TextSignals | None = None,
    swapped: Sequence[TextSignals] | None = None,
    texts: Sequence[str] | None = None,
    information: Sequence[Any] | None = None,
    **options: Any,
) -> Floats:
    """Score every text: float64 [N], larger = more unlearned.

    and what single measures read beside these, see `ARRAYS`: each says by itself what it needs.

    Raises `MissingArray` where an array is missing, `InputError` for arrays that do not fit, unknown names and
    options, and where a score is not finite.

    Parameters
    ----------
    name : str
        A registered measure: see `vestige.measures.texts.MEASURES`.
    preset : str
        "recommended" (the default), or "paper": as published, artefacts included.
    nll : float [N]
        Mean token loss in nats under the model after unlearning.
    fit : float [N]
        The same under the model before unlearning.
    out : float [N]
        The same under a model that never saw the texts.
    """
    entry, chosen = MEASURES[name], preset_on_texts(name, preset)
    given = {
        "nll": nll, "fit": fit, "out": out, "lower": lower, "prefixed": prefixed, "neighbours": neighbours,
        "population": population, "tokens": tokens, "swapped": swapped, "texts": texts, "information": information,
    }  # fmt: skip
    arrays = _checked(name, {array: given[array] for array in entry.texts})
    if entry.of_samples:
        return measure_samples(name, _signals(**arrays), preset=chosen, **options)
    values = entry.resolve(options, chosen)
    with np.errstate(all="ignore"):  # what is not finite is refused below, by text
        scores = np.asarray(entry.function(**arrays, **values), dtype=np.float64)
    if not np.isfinite(scores).all():
        raise InputError(
            f"{name} has no finite score for text {int(np.flatnonzero(~np.isfinite(scores))[0])}."
        )
    return scores


def preset_on_texts(name: str, preset: str) -> str:
    """Return the preset of a measure on texts: "texts" or "texts_paper" where it has them. Raises `InputError`."""
    if preset not in PRESETS:
        raise InputError(unknown("preset", preset, PRESETS))
    presets = ALL_MEASURES[name].presets
    wanted = ("texts_paper", "texts") if preset == "paper" else ("texts",)
    return next((own for own in wanted if own in presets), preset)


def _signals(
    nll: Floats, fit: Floats | None = None, out: Floats | None = None, population: Floats | None = None
) -> Signals:
    """Return texts as samples of which the loss is known.

    A text is one event with the probability p = exp(-mean token loss). `population` is read as the two others are.
    """
    others = None if population is None else _signals(population[:, 0], out=population[:, 2])
    return Signals.from_outputs(
        "losses", None, unlearned=nll, original=fit, shadow_out=out, population=others,
        population_in=None if population is None else population[:, 1],
    )  # fmt: skip


def _checked(name: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays, losses as float64. Raises `InputError` where one is missing or they do not fit."""
    checked: dict[str, Any] = {}
    for array, value in arrays.items():
        if value is None:
            raise MissingArray(f"{name} needs `{array}`: {ARRAYS[array]}.")
        checked[array] = _losses(array, as_array(array, value)) if array in LOSSES else value
    _check_objects(name, checked)
    counts = {array: _count(array, value) for array, value in checked.items() if array != "population"}
    if len(set(counts.values())) > 1:
        raise InputError(f"{name}: {', '.join(f'{a} speaks of {n} texts' for a, n in counts.items())}.")
    return checked


def _check_objects(name: str, arrays: Mapping[str, Any]) -> None:
    """Raise `InputError` where what is no array is of another kind, or the texts are not those of the signals."""
    swapped = arrays.get("swapped", ())
    if not isinstance(swapped, (list, tuple)) or ("swapped" in arrays and not swapped):
        raise InputError(f"{name}: swapped is {shown(swapped)}; a list of `TextSignals` is wanted.")
    if "information" in arrays and not arrays["information"]:
        raise InputError(f"{name}: information is empty; an array for each text is wanted.")
    for one in (*([arrays["tokens"]] if "tokens" in arrays else []), *swapped):
        if not isinstance(one, TextSignals):
            raise InputError(
                f"{name}: {shown(one)} is given; `TextSignals` are wanted, as vestige.signals.collect_texts gives."
            )
    if "texts" in arrays and "tokens" in arrays and arrays["tokens"].hashes is not None:
        if list(as_texts(arrays["texts"]).hashes) != arrays["tokens"].hashes.tolist():
            raise InputError(f"{name}: the texts are not those that the signals are of, or in another order.")


def _losses(array: str, losses: NDArray[Any]) -> Floats:
    if losses.dtype.kind not in "fiu":
        raise InputError(f"{array} has dtype {losses.dtype}; numbers are wanted.")
    losses = losses.astype(np.float64)
    wanted = {"neighbours": "[N, K], K losses a text,", "population": "[Z, 3], three losses a text,"}
    if losses.ndim != (2 if array in wanted else 1) or (array == "population" and losses.shape[1] != 3):
        shape = wanted.get(array, "[N], one loss a text,")
        raise InputError(f"{array} has shape {list(losses.shape)}; {shape} is wanted.")
    if not len(losses):
        raise InputError(f"{array} speaks of no texts; at least one loss is wanted.")
    bad = ~(np.isfinite(losses) & (losses >= 0))
    if bad.any():
        text = int(np.argwhere(bad)[0][0])
        raise InputError(f"{array}[{text}] is {losses[bad][0]}; a finite loss of 0 or more is wanted.")
    return losses


def _count(array: str, value: Any) -> int:
    return len(value[0]) if array == "swapped" else len(value)
