"""The fields of `Signals`, each checked by itself: what it is given as, and what is kept."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vestige.errors import InputError, shown, unknown
from vestige.values import as_array, as_floats, as_ids, check_class_order, is_missing, no_logits

if TYPE_CHECKING:
    from vestige.signals.record import Signals

ROLES = ("forget", "retain", "holdout")
SIGNAL_KINDS = ("logits", "true_label", "labels")
"""What is known of a sample: the logit of every class; the probability of its true label alone; whether the predicted
label is right alone."""

HOW_TO_GET = {
    "original": "the logits [N, C] of the model before unlearning, on the same samples (of tables: before)",
    "shadow_out": "the logits [S, N, C] of at least one model that never saw these samples (of tables: shadows)",
    "shadow_fit": "the true-label confidence [M] of the shadow models on their own training samples",
    "retrained": "the logits [R, N, C] of models trained without the forget set",
    "population": "`Signals` of samples that no audited model was trained on, or rows with the role 'holdout'",
    "population_in": "the logits [Z, C] on the population of a model trained on it",
    "sensitivity": "`collect_sensitivity` of the unlearned model, [N, C]",
    "role": "a role per sample: 'forget', 'retain' or 'holdout'",
    "calibration": "`Signals` of simulated deletions with known truth, from at least three shadow models",
    "shadow_train": "`exchanged_deletions`, what all models say of the shadow models' own training records",
}


def audited(value: ArrayLike) -> NDArray[np.floating[Any]]:
    """Return the logits [N, C] of the audited model, C at least 2. Raises `InputError`, as all of these do."""
    check_class_order("unlearned", value)
    logits = as_floats("unlearned", value)
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise InputError(f"unlearned has shape {logits.shape}; [N, C] with at least two classes is wanted.")
    if not len(logits):
        raise InputError("unlearned has no rows; at least one sample is wanted.")
    expect_logits("unlearned", logits)
    return logits


def expect_logits(name: str, array: NDArray[Any]) -> None:
    """Raise `InputError` for probabilities in the place of logits."""
    other = no_logits(array)
    if other is not None:
        what, how = other
        say = "say Signals.from_outputs('probabilities', ...), or take the logarithm, np.log(np.maximum(p, 1e-12))"
        raise InputError(f"{name} holds {what}; logits are wanted: {how.format(say)}.")


def logits_of(
    name: str, value: ArrayLike, shape: tuple[int, ...], stacked: bool
) -> NDArray[np.floating[Any]]:
    """Return logits of the shape of `unlearned`; of several models one behind the other where `stacked`."""
    for place, part in enumerate(value if isinstance(value, (list, tuple)) else [value]):
        check_class_order(f"{name}[{place}]" if part is not value else name, part)
    array = as_floats(name, value)
    if stacked and array.ndim == 2:
        array = array[None]
    wanted = f"{'[any, ' if stacked else '['}{shape[0]}, {shape[1]}]"
    if array.ndim != 2 + stacked or array.shape[-2:] != shape or not len(array):
        raise InputError(f"{name} has shape {list(array.shape)}; {wanted} is wanted, as `unlearned` has.")
    if name != "sensitivity":
        for layer in array if stacked else [array]:
            expect_logits(name, layer)
    return array


def labels_of(value: ArrayLike, n: int, c: int) -> NDArray[np.int64]:
    """Return labels [N] from 0 to C - 1."""
    labels = as_array("labels", value)
    if labels.shape != (n,):
        raise InputError(
            f"labels has shape {list(labels.shape)}; [{n}] is wanted, one per row of `unlearned`."
        )
    labels = _whole(labels, c)
    outside = ~((labels >= 0) & (labels < c))
    if outside.any():
        row = int(outside.argmax())
        raise InputError(f"labels[{row}] is {labels[row]}; with {c} logits per sample 0..{c - 1} is allowed.")
    return labels.astype(np.int64)


def _whole(labels: NDArray[Any], c: int) -> NDArray[Any]:
    """Return labels that are whole numbers, of any type. Raises `InputError` for others."""
    wanted = f"whole numbers 0..{c - 1} are wanted"
    if labels.dtype.kind == "O":
        missing = np.array([is_missing(label) for label in labels])
    else:
        missing = np.isnan(labels) if labels.dtype.kind == "f" else np.zeros(len(labels), bool)
    if missing.any():
        raise InputError(f"labels[{int(missing.argmax())}] is missing; {wanted}.")
    if labels.dtype.kind == "O" and all(isinstance(label, Integral) for label in labels):
        labels = np.array(labels.tolist())
    truth = labels.dtype.kind == "b" and c == 2  # of two classes the second is what is true
    if (
        truth
        or labels.dtype.kind in "iu"
        or (labels.dtype.kind == "f" and (labels == np.round(labels)).all())
    ):
        return labels
    raise InputError(
        f"labels are of dtype {labels.dtype}, such as {shown(labels[:1].tolist()[0])}; {wanted}."
    )


def roles_of(value: ArrayLike | None, n: int) -> NDArray[np.str_]:
    """Return roles [N]; all "forget" where none are given."""
    if value is None:
        return np.full(n, "forget")
    roles = as_array("role", value).astype(str)
    if roles.shape != (n,):
        raise InputError(f"role has shape {list(roles.shape)}; [{n}] is wanted, one per sample.")
    wrong = roles[~np.isin(roles, ROLES)]
    if len(wrong):
        raise InputError(unknown("role", str(wrong[0]), ROLES))
    return roles


def names_of(field: str, value: ArrayLike, n: int) -> NDArray[np.str_]:
    """Return names [N] that may repeat."""
    names = as_ids(field, value, distinct=False)
    if names.shape != (n,):
        raise InputError(f"{field} has shape {list(names.shape)}; [{n}] is wanted, one per sample.")
    return names


def ids_of(value: ArrayLike | None, n: int) -> NDArray[np.str_]:
    """Return distinct ids [N]; "0", "1", ... where none are given."""
    if value is None:
        return np.arange(n).astype(str)
    ids = as_ids("ids", value)
    if ids.shape != (n,):
        raise InputError(f"ids has shape {list(ids.shape)}; [{n}] is wanted, one per sample.")
    return ids


def kind_of(value: Any, labels: NDArray[np.int64], classes: int) -> str:
    """Return what is known of the samples. Of the true label alone the two columns are its log-odds and 0."""
    if not isinstance(value, str) or value not in SIGNAL_KINDS:
        raise InputError(unknown("kind of signals", value, SIGNAL_KINDS))
    if value != "logits" and (classes != 2 or labels.any()):
        raise InputError(
            f"kind is {value!r}; two columns, the log-odds of the true label and 0, and labels of 0 are wanted, as "
            "Signals.from_outputs gives them."
        )
    return value


def notes_of(value: Any) -> tuple[str, ...]:
    """Return notes, each a sentence."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(note, str) for note in value):
        raise InputError("notes are no list of sentences; such a list is wanted.")
    return tuple(dict.fromkeys(value))


def check_exchanged(signals: Signals, known: Signals) -> None:
    """Raise `InputError` where the shadows' training records cannot stand in for forgotten ones."""
    for name in ("original", "shadow_out"):
        if getattr(known, name) is None:
            whose = "the shadow that saw them" if name == "original" else "the models that did not, each"
            raise InputError(
                f"shadow_train lacks `{name}`: what {whose} say of the shadows' training records is wanted; see "
                "vestige.signals.exchanged_deletions."
            )
    if (known.roles != "forget").any():
        raise InputError(
            "shadow_train holds records of other roles; all of it are exact deletions, role 'forget'."
        )
    both = np.intersect1d(known.names, signals.names)
    if len(both):
        raise InputError(
            f"shadow_train holds {len(both):,} of the queried samples, among them {str(both[0])!r}; the shadows' "
            "training records must be none of them."
        )
    if signals.shadows and known.shadows != signals.shadows:
        raise InputError(
            f"shadow_train has {known.shadows} models that never saw a record, the audited samples have "
            f"{signals.shadows}; they must be as many: the original, and every shadow but the one that saw it."
        )
