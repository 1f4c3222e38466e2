"""What models say, in the kinds in which they say it, and how each kind becomes `Signals`.

    logits             [n, C]       one number a class, unbounded; [n] or [n, 1]: of the second of two classes
    log_probabilities  [n, C]       logarithms of probabilities, in nats; [n] or [n, 1] as above
    probabilities      [n, C]       numbers from 0 to 1, each row summing to 1; [n] or [n, 1] as above
    labels             [n]          the predicted class, by its place
    losses             [n]          negative log-likelihood of the truth, in nats, from 0
    predictions        [n], [n, D]  of a regression
    multilabel         [n, L]       logits of L labels, each of which may hold or not

The first three are signals of every class. Of the others one number is known, how likely the truth is, and a record is
an event of that probability p: `Signals.kind` is "true_label", or "labels" where it is two-valued.

    labels       p = 0.9 where the predicted class is the true one, else 0.1: the verdict and the ranks are the same for
                 any two numbers
    losses       p = exp(-loss)
    predictions  p = exp(-r^2 / 2), r^2 the sum over outputs of ((prediction - target) / scale)^2, the Gaussian
                 likelihood over its largest value; r^2 below 1e-6 counts as 1e-6, so that an exact fit stays finite
    multilabel   p = the product over labels of sigmoid(z) where it holds, and of sigmoid(-z) where it does not

The kind is stated by who brings the outputs. It is never guessed: what does not fit its kind is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError, unknown
from vestige.signals.transforms import Floats, of_losses
from vestige.values import FEWEST_SHARES, as_array, as_floats, check_class_order, no_logits

KINDS = ("logits", "log_probabilities", "probabilities", "labels", "losses", "predictions", "multilabel")
OF_CLASSES = ("logits", "log_probabilities", "probabilities")
"""Kinds that tell the probability of every class."""
ONE_COLUMN = ("labels", "losses")
FLOOR = 1e-12
"""Smallest probability: a smaller one has no logarithm that means anything."""
UNEVEN = 0.01
"""By how much the probabilities of a row may miss 1: files hold rounded numbers."""
RIGHT = 0.9
"""Probability that stands for a right prediction where nothing else is known; 1 - RIGHT for a wrong one."""
LEAST_SQUARE = 1e-6
"""Smallest squared residual, in squared scales: a thousandth of the scale counts as an exact fit."""
FEWEST_FOR_SCALE = 20
"""Holdout records that the scale of residuals is taken from at least."""
MAD = 1.4826
"""Standard deviation of a normal distribution over the median of its absolute values."""

LIMITS = {
    "labels": (
        "Of each record only whether the predicted class is right is known: a trace that turns no wrong prediction "
        "into a right one cannot be seen."
    ),
    "losses": (
        "Of each record only the loss is known, the probability of the truth: measures of the other classes cannot "
        "run, and neither can accuracies."
    ),
    "predictions": (
        "Residuals are measured by one scale for all records: a record whose noise is larger looks less fitted to "
        "every model, and a change of the noise that the audited model assumes cannot be seen."
    ),
    "multilabel": (
        "The losses of a record's labels are summed: a trace in one label among many may hide behind the others, and "
        "labels are taken as independent of each other."
    ),
}  # fmt: skip
"""What a kind cannot show, for the limits of an audit."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a model says about n records.

    Attributes
    ----------
    values : array
        As the kind wants it, see `vestige.signals.kinds`; kept as it is given, integers as float64.
    kind : str
        One of `KINDS`.

    Raises
    ------
    InputError
        Where the values do not fit the kind: another shape, a NaN, probabilities outside 0 to 1 or that do not sum to
        1, positive log-probabilities, negative losses, predicted classes that are no whole numbers, and probabilities
        in the place of logits.

    Examples
    --------
    >>> from vestige.signals.kinds import Outputs
    >>> Outputs([[0.9, 0.1], [0.2, 0.8]], "probabilities")
    Outputs(2 records, probabilities of 2 classes)
    """

    values: NDArray[Any]
    kind: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", fitted("values", self.values, self.kind))

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        width = self.values.shape[1] if self.values.ndim == 2 else 1
        several = {"predictions": "outputs", "multilabel": "labels"}.get(self.kind, "classes")
        of = (
            ""
            if self.kind in ONE_COLUMN
            else f" of {max(width, 2) if self.kind in OF_CLASSES else width} {several}"
        )
        return f"Outputs({len(self):,} records, {self.kind}{of})"


def fitted(name: str, value: Any, kind: str) -> NDArray[Any]:
    """Return the outputs of one model as an array that fits the kind; see `Outputs`. Raises `InputError`."""
    if kind not in KINDS:
        raise InputError(unknown("kind of outputs", kind, KINDS))
    if kind == "labels":
        return places(name, value)
    if kind in OF_CLASSES:
        check_class_order(name, value)
    array = _log_numbers(name, value) if kind == "log_probabilities" else as_floats(name, value)
    flat = array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)
    if (
        array.ndim not in (1, 2)
        or (kind == "losses" and not flat)
        or (kind == "multilabel" and array.ndim == 1)
    ):
        wanted = {"losses": "[n], one loss a record,", "multilabel": "[n, L]", "predictions": "[n] or [n, D]"}
        raise InputError(
            f"{name} has shape {list(array.shape)}; for {kind} {wanted.get(kind, '[n, C], or [n] of two classes,')} is "
            "wanted."
        )
    if not array.size:
        raise InputError(f"{name} has shape {list(array.shape)}; at least one record is wanted.")
    if kind in _CHECKS:
        _CHECKS[kind](name, array, flat)
    return array.ravel() if flat and kind != "multilabel" else array


def _log_numbers(name: str, value: Any) -> NDArray[np.floating[Any]]:
    """Return numbers that are finite or -inf, the logarithm of 0."""
    array = as_array(name, value)
    gone = np.isneginf(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)
    finite = as_floats(name, np.where(gone, 0.0, array) if gone.any() else array)
    return np.where(gone, -np.inf, finite) if gone.any() else finite


def places(name: str, value: Any) -> NDArray[np.int64]:
    """Return the places of classes [n], whole numbers. Raises `InputError`."""
    array = as_array(name, value)
    array = array.ravel() if array.ndim == 2 and array.shape[1] == 1 else array
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.round(array)).all():
        array = array.astype(np.int64)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "iu":
        raise InputError(
            f"{name} is {array.dtype} of shape {list(array.shape)}; for labels the places of classes, whole numbers "
            "[n], are wanted."
        )
    return array.astype(np.int64)


GIVE = "give the kind 'probabilities'"


def _check_logits(name: str, array: NDArray[Any], flat: bool) -> None:
    other = None if flat else no_logits(array)
    if flat and _are_shares(array):
        other = "probabilities, numbers from 0 to 1", "{}"
    if other is not None:
        what, how = other
        raise InputError(f"{name} holds {what}; logits are wanted: {how.format(GIVE)}.")


def _check_multilabel(name: str, array: NDArray[Any], flat: bool) -> None:
    if _are_shares(array):
        raise InputError(
            f"{name} holds numbers from 0 to 1 alone, which are probabilities; for multilabel logits are wanted: take "
            "log(p / (1 - p))."
        )


def _are_shares(array: NDArray[Any]) -> bool:
    """Are all numbers from 0 to 1? Of few records that does not tell."""
    return len(array) >= FEWEST_SHARES and bool(array.min() >= 0 and array.max() <= 1)


def _check_probabilities(name: str, array: NDArray[Any], flat: bool) -> None:
    wrong = ~((array >= 0) & (array <= 1))
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise InputError(
            f"{name} holds {array[wrong][0]:.6g} in row {row}; probabilities from 0 to 1 are wanted."
        )
    if not flat:
        _check_sums(name, array.sum(axis=1, dtype=np.float64), "the probabilities")


def _check_log_probabilities(name: str, array: NDArray[Any], flat: bool) -> None:
    wrong = array > UNEVEN
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise InputError(f"{name} holds {array[wrong][0]:.6g} in row {row}; log-probabilities are at most 0.")
    if not flat:
        _check_sums(name, np.exp(array.astype(np.float64)).sum(axis=1), "the exponentials")


def _check_sums(name: str, sums: Floats, what: str) -> None:
    uneven = np.abs(sums - 1) > UNEVEN
    if uneven.any():
        row = int(uneven.argmax())
        raise InputError(
            f"{name}: {what} of row {row} sum to {sums[row]:.4g}; they must sum to 1, within {UNEVEN:g}."
        )


def _check_losses(name: str, array: NDArray[Any], flat: bool) -> None:
    wrong = array < 0
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise InputError(
            f"{name}[{row}] is {array[wrong][0]:.6g}; a loss is negative log-likelihood in nats, from 0."
        )


_CHECKS: Mapping[str, Callable[[str, NDArray[Any], bool], None]] = {
    "logits": _check_logits,
    "multilabel": _check_multilabel,
    "probabilities": _check_probabilities,
    "log_probabilities": _check_log_probabilities,
    "losses": _check_losses,
}


def floor_of(values: NDArray[Any], kind: str) -> float:
    """Return what a probability of 0 counts as, at least 1e-12.

    All other classes together keep half of the least that a model gives beside 0, so that what is certain is no more
    certain than the votes can tell; at most a tenth, as in `RIGHT`, where a model gives 0 and 1 alone.

    The votes of 50 trees are fiftieths: their 0 says less than a hundredth. Were it taken for 1e-12, the records of
    which all trees agree would outweigh all others.
    """
    if kind != "probabilities":
        return FLOOR
    rest = np.concatenate([values, 1 - values]) if values.ndim == 1 else values
    positive = rest[rest > FLOOR]
    if not positive.size:
        return FLOOR
    others = 1 if values.ndim == 1 else max(1, values.shape[1] - 1)
    return max(FLOOR, min(1 - RIGHT, float(positive.min()) / 2) / others)


def class_logits(
    values: NDArray[Any], kind: str, floor: float = FLOOR
) -> tuple[NDArray[np.floating[Any]], int]:
    """Return logits [n, C] of outputs that tell every class, and how many of them were clipped.

    A probability below `floor` counts as that, one whose logarithm is -inf as 1e-12 or the least that is there. A
    single column is the second of two classes. Logits of several columns stay as they are.
    """
    if values.ndim == 1:
        second = values.astype(np.float64)
        first = {
            "logits": lambda: np.zeros_like(second),
            "probabilities": lambda: 1 - second,
            "log_probabilities": lambda: _log_rest(second),
        }[kind]()
        values = np.stack([first, second], axis=1)
    if kind == "logits":
        return values, 0
    if kind == "probabilities":
        return np.log(np.maximum(values.astype(np.float64), floor)), int((values < floor).sum())
    gone = np.isneginf(values)
    if not gone.any():
        return values, 0
    least = min(float(values[~gone].min()), float(np.log(FLOOR)))
    return np.where(gone, least, values), int(gone.sum())


def _log_rest(logs: Floats) -> Floats:
    """Return log(1 - p) of log p; -inf where p is 1."""
    rest = -np.expm1(np.minimum(logs, 0.0))
    logs = np.full_like(rest, -np.inf)
    np.log(rest, out=logs, where=rest > 0)
    return logs


def targets_of(truth: Any, shape: tuple[int, ...]) -> NDArray[np.floating[Any]]:
    """Return the targets of predictions of a shape. Raises `InputError`."""
    targets = as_floats("truth", truth)
    if targets.size != np.prod(shape) or targets.shape[0] != shape[0]:
        raise InputError(
            f"truth has shape {list(targets.shape)}; the targets of the predictions, {list(shape)}, are wanted."
        )
    return targets.reshape(shape)


def residual_scale(predictions: Any, targets: Any) -> Floats:
    """Return the scale of each output's residuals: 1.4826 times the median of their sizes, which few outliers move.

    Parameters
    ----------
    predictions, targets : float [m] or [m, D]
        Of records that the model never saw, at least 20.

    Returns
    -------
    float [D]
        In the unit of the targets, above 0; where half of the residuals are 0, the root of their mean square.

    Raises
    ------
    InputError
        For fewer than 20 records, and where every residual of an output is 0.
    """
    known = fitted("predictions", predictions, "predictions")
    residual = _rows(known) - _rows(targets_of(targets, known.shape))
    if len(residual) < FEWEST_FOR_SCALE:
        raise InputError(
            f"The scale of residuals is taken from {len(residual)} holdout records; at least {FEWEST_FOR_SCALE} are "
            "wanted: give rows the role 'holdout', or the scale itself, scale=."
        )
    scale = MAD * np.median(np.abs(residual), axis=0)
    scale = np.where(scale > 0, scale, np.sqrt(np.square(residual).mean(axis=0)))
    if not (scale > 0).all():
        raise InputError(
            "Every residual of the holdout records is 0: the model was trained on them, or the targets are its own "
            "predictions. Give the scale itself, scale=."
        )
    return np.asarray(scale)


def truth_losses(
    values: NDArray[Any], kind: str, truth: NDArray[Any] | None, scale: Floats | None = None
) -> Floats:
    """Return the negative log-likelihood [n] of the truth, in nats, from outputs that tell it alone; see above."""
    if kind == "losses":
        return values.astype(np.float64)
    assert truth is not None
    if kind == "labels":
        return np.asarray(np.where(values == truth, -np.log(RIGHT), -np.log(1 - RIGHT)))
    if kind == "multilabel":
        sign = 2.0 * truth - 1.0
        return np.asarray(np.logaddexp(0.0, -sign * values.astype(np.float64)).sum(axis=1))
    assert scale is not None
    square = np.square((_rows(values) - _rows(truth)) / scale).sum(axis=1)
    return np.asarray(np.maximum(square, LEAST_SQUARE) / 2)


def columns_of(
    values: NDArray[Any],
    kind: str,
    truth: NDArray[Any] | None = None,
    scale: Floats | None = None,
    floor: float = FLOOR,
) -> tuple[NDArray[np.floating[Any]], int]:
    """Return outputs of any kind as a field of `Signals` holds them, [n, C] or [n, 2], and how many were clipped.

    Parameters
    ----------
    truth : array or None
        What is true of the records, for kinds that tell the truth alone; losses need none.
    scale : array of float or None
        Of the residuals of predictions, see `residual_scale`.
    floor : float
        Of probabilities, see `floor_of`.
    """
    if kind in OF_CLASSES:
        return class_logits(values, kind, floor)
    return of_losses(truth_losses(values, kind, truth, scale)), 0


def kind_of_signals(kind: str) -> str:
    """Return the `Signals.kind` of outputs of a kind."""
    return "logits" if kind in OF_CLASSES else "labels" if kind == "labels" else "true_label"


def _rows(values: NDArray[Any]) -> Floats:
    return values.reshape(len(values), -1).astype(np.float64)
