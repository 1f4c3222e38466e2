"""What a measure on texts is, and how it is called with arrays."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vestige.errors import InputError, MissingArray, shown
from vestige.registry import Entry, Registry
from vestige.values import as_array

if TYPE_CHECKING:
    from vestige.llm.signals import TextSignals

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
}
LOSSES = ("nll", "fit", "out", "lower", "prefixed", "neighbours", "population")


@dataclass(frozen=True, kw_only=True)
class Measure(Entry):
    """A registered measure on texts: `function(**arrays, **options) -> float [N]`, larger = more unlearned.

    unit  of the score: "nats", "probability", ...
    """

    unit: str

    @property
    def needs(self) -> tuple[str, ...]:
        """The arrays that it reads, from the positional parameters of the function."""
        parameters = inspect.signature(self.function).parameters.values()
        return tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)


MEASURES: Registry[Measure] = Registry(
    "text measure", "vestige.llm.measures", "vestige.llm.measures", Measure
)
register = MEASURES.register


def measure(
    name: str,
    *,
    preset: str = "recommended",
    nll: ArrayLike | None = None,
    fit: ArrayLike | None = None,
    out: ArrayLike | None = None,
    lower: ArrayLike | None = None,
    prefixed: ArrayLike | None = None,
    neighbours: ArrayLike | None = None,
    population: ArrayLike | None = None,
    tokens: TextSignals | None = None,
    swapped: Sequence[TextSignals] | None = None,
    texts: Sequence[str] | None = None,
    **options: Any,
) -> Floats:
    """Score every text: float64 [N], larger = more unlearned.

    name    a registered measure: see `vestige.llm.MEASURES`
    preset  "recommended" (the default), or "paper": as published, artefacts included
    nll     float [N], mean token loss in nats under the model after unlearning
    fit     float [N], the same under the model before unlearning
    out     float [N], the same under a model that never saw the texts

    and what single measures read beside these, see `ARRAYS`: each says by itself what it needs.

    Raises `MissingArray` where an array is missing, `InputError` for arrays that do not fit, unknown names and
    options, and where a score is not finite.
    """
    entry = MEASURES[name]
    values = entry.resolve(options, preset)
    given = {
        "nll": nll, "fit": fit, "out": out, "lower": lower, "prefixed": prefixed, "neighbours": neighbours,
        "population": population, "tokens": tokens, "swapped": swapped, "texts": texts,
    }  # fmt: skip
    arrays: dict[str, Any] = {}
    for array in entry.needs:
        value = given[array]
        if value is None:
            raise MissingArray(f"{name} needs `{array}`: {ARRAYS[array]}.")
        arrays[array] = _losses(array, as_array(array, value)) if array in LOSSES else value
    _check_objects(name, arrays)
    counts = {array: _count(array, value) for array, value in arrays.items() if array != "population"}
    if len(set(counts.values())) > 1:
        raise InputError(f"{name}: {', '.join(f'{a} speaks of {n} texts' for a, n in counts.items())}.")
    with np.errstate(all="ignore"):
        scores = np.asarray(entry.function(**arrays, **values), dtype=np.float64)
    if not np.isfinite(scores).all():
        raise InputError(
            f"{name} has no finite score for text {int(np.flatnonzero(~np.isfinite(scores))[0])}."
        )
    return scores


def _check_objects(name: str, arrays: Mapping[str, Any]) -> None:
    """Raise `InputError` where what is no array is of another kind, or the texts are not those of the signals."""
    from vestige.llm.signals import TextSignals
    from vestige.llm.texts import as_texts

    swapped = arrays.get("swapped", ())
    if not isinstance(swapped, (list, tuple)) or ("swapped" in arrays and not swapped):
        raise InputError(f"{name}: swapped is {shown(swapped)}; a list of `TextSignals` is wanted.")
    for one in (*([arrays["tokens"]] if "tokens" in arrays else []), *swapped):
        if not isinstance(one, TextSignals):
            raise InputError(
                f"{name}: {shown(one)} is given; `TextSignals` are wanted, as vestige.llm.collect gives."
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
