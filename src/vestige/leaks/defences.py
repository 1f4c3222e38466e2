"""What a model owner may publish instead of the posterior. Pure functions of [n, K] arrays.

Chen et al. 2021 (UnlearningLeaks) examine top-k, label only, temperature and differential privacy; an attacker who
knows the defence applies it to the shadow models too (adaptive), one who does not attacks with undefended shadows.

    top_k=k        the k largest stay, the others share what is left evenly; ties go to the first class
    label_only     1 for the first largest class, 0 elsewhere: the label that the model serves
    temperature=T  softmax(log p / T), after training
    rounding=d     d decimals, then normalised
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import checked
from vestige.errors import InputError
from vestige.leaks.record import PosteriorPairs, normalised
from vestige.signals.transforms import softmax

Floats = NDArray[np.float64]


def top_k(p: Floats, k: int) -> Floats:
    """Keep the k largest of K. Raises `InputError` unless 1 <= k < K."""
    classes = p.shape[1]
    if not 1 <= k < classes:
        raise InputError(f"top_k: k is {k}; with {classes} classes 1 to {classes - 1} can be kept.")
    kept = np.argsort(-p, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(p, kept, axis=1)
    rest = np.maximum(1 - values.sum(axis=1, keepdims=True), 0) / (classes - k)
    result = np.repeat(rest, classes, axis=1)
    np.put_along_axis(result, kept, values, axis=1)
    return result


def label_only(p: Floats) -> Floats:
    """Publish the predicted class alone."""
    result = np.zeros(p.shape)
    np.put_along_axis(result, p.argmax(axis=1)[:, None], 1.0, axis=1)
    return result


def temperature(p: Floats, t: float) -> Floats:
    """Flatten (t above 1) or sharpen. Raises `InputError` unless t is above 0."""
    if not t > 0:
        raise InputError(f"temperature is {t}; a number above 0 is wanted.")
    return softmax(np.log(np.maximum(p, 1e-300)) / t)


def rounding(p: Floats, decimals: int) -> Floats:
    """Publish so many decimals. Raises `InputError` below 1; a row that rounds to zero becomes uniform."""
    if decimals < 1:
        raise InputError(f"rounding: {decimals} decimals; at least 1 is wanted.")
    return normalised(np.round(p, decimals))


@checked
def defended(pairs: PosteriorPairs, defence: str) -> PosteriorPairs:
    """Return the pairs under a defence: "none", "label_only", "top_k=3", "temperature=4", "rounding=2", or several
    joined by "+", from left to right. The pairs that are given stay as they are.

    Raises `InputError` for an unknown defence or value.
    """
    original, unlearned = pairs.original, pairs.unlearned
    for part in defence.split("+"):
        original, unlearned = (_apply(p, part.strip()) for p in (original, unlearned))
    return dataclasses.replace(pairs, original=original, unlearned=unlearned)


def _apply(p: Floats, part: str) -> Floats:
    name, _, value = part.partition("=")
    if name == "none" and not value:
        return p.copy()
    if name == "label_only" and not value:
        return label_only(p)
    try:
        if name == "top_k":
            return top_k(p, int(value))
        if name == "temperature":
            return temperature(p, float(value))
        if name == "rounding":
            return rounding(p, int(value))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"The defence {part!r} needs a number, such as {name}=2.") from None
    raise InputError(
        f"There is no defence {part!r}; there are none, label_only, top_k=k, temperature=T and rounding=d."
    )
