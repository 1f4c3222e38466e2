"""`networks`: from a torch network of the user's and its data, of any form, to a system."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from vestige.data.dataset import Dataset
from vestige.errors import InputError
from vestige.models.copies import copied
from vestige.models.device import device_of
from vestige.models.passes import evaluating
from vestige.systems.answers import look
from vestige.systems.base import Records
from vestige.systems.item_facts import class_names, named_by, truth_of
from vestige.systems.items import Items, accepted, items_of, joined_items
from vestige.systems.network_system import Fit, Networks, Start, called, network_in
from vestige.systems.seeding import all_seeded
from vestige.systems.unseen import is_data, seen_rows
from vestige.systems.weights import fill, unwrapped
from vestige.training.loop import recipe_of
from vestige.training.recipe import Recipe
from vestige.values import id_list


def networks(
    model: nn.Module | Start,
    data: Any,
    *,
    unseen: Any = None,
    id: Any = None,
    label: Any = None,
    cluster: Any = None,
    classes: Iterable[str] | None = None,
    task: str | None = None,
    fit: Fit | None = None,
    recipe: Recipe | str | Mapping[str, Any] | None = None,
    start: Start | None = None,
    checkpoint: Path | str | None = None,
    batch_size: int = 512,
    device: str = "auto",
    name: str | None = None,
    forget: Iterable[str] = (),
    build: type[Networks] = Networks,
) -> Networks:
    """Return a torch network and its data as a system. Data are read batch by batch, and never held as a whole.

    Parameters
    ----------
    model
        A trained network, which is the original; or a function that returns an untrained one.
    data
        What it was trained on: a map-style torch Dataset or a DataLoader of one (its collate_fn is kept), a
        TensorDataset, arrays (x, y), a `vestige.Dataset`, or a Hugging Face data set. Items are tuples (x, y), of
        several inputs as (x1, x2, y), or dictionaries, whose fields are given to the network by name.
    unseen
        Records that the network never saw: data of the same form, ids among `data`, or a share of it. Where the network
        is trained it is needed; else one half is kept from it, which is said.
    id, cluster
        Names of the records, and which of them are one person's: a list, the field of a dictionary, or a function of
        the place. Default: places, as text, and "unseen-" before those of `unseen`.
    label
        The field of a dictionary, or the place in a tuple, that holds the truth; default: the last of a tuple.
    classes
        Names of the classes, in the order of the outputs.
    task
        "classification", "multilabel" or "regression"; default: as the labels say.
    fit
        Your own training, a function of (model, dataset, seed): it trains the fresh network on the records of
        `dataset`, and on no other, and returns it. `dataset` is a torch Subset, or a Hugging Face data set.
    recipe
        In place of `fit`: a `vestige.Recipe` to train by.
    start
        A function that returns the network a fit begins with, such as a pretrained one; default: that of `model`, or
        its layers drawn anew.
    checkpoint
        A file with the weights of the original: safetensors, or a state dict that torch.save wrote.
    batch_size
        Records that are read at once, to measure.
    device
        "auto", "cpu", "cuda", ...
    name
        What it is called in reports.
    forget
        Ids that will be forgotten: a network that is yet to be trained shall see them.
    build
        `Networks`, or a class of your own that is derived from it.

    Returns
    -------
    Networks
        With logits [n, C] as outputs; [n, 1] of a network with one output for two classes; predictions [n, D] of a
        regression, and logits of several labels [n, L].

    Raises
    ------
    InputError
        Where data, labels or ids cannot be understood, where the network does not take them or ends in a softmax,
        where a checkpoint does not fit, and where a trained network comes without records that it never saw.

    Examples
    --------
    >>> import numpy as np, torch, vestige
    >>> from vestige.systems import networks
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(400, 4)).astype(np.float32)
    >>> system = networks(lambda: torch.nn.Linear(4, 2), (x, (x[:, 0] > 0).astype(int)), recipe={"epochs": 2})
    >>> system.outputs(system.fit(system.seen, 0), np.arange(3)).values.shape
    (3, 2)
    """
    structure, original, start, notes = _models(
        model, start, checkpoint, fit is not None or recipe is not None
    )
    items, more = items_of(data, label)
    notes = [*notes, *more]
    count = len(items)
    other = None
    if is_data(unseen):
        other, _ = items_of(unseen, label)
        _expect_same_classes(items, other)
        items = joined_items(items, replace(other, collate=items.collate))
    items = replace(items, accepts=accepted(structure))
    if not count or len(items) < 2:
        raise InputError("data hold no records.")
    _check_repeats(items, count, notes)
    truth = _truth(items, batch_size)
    first = items.first(np.arange(len(items)))
    with all_seeded(0), evaluating(original or structure):
        task, width, said = look(
            original or structure, first.to(device_of(original or structure)), truth, task
        )
    records = _records(items, truth, task, width, classes, _names(id, items, count, data, unseen), cluster)
    seen, kept = seen_rows(records, count, unseen, original is not None, forget=forget)
    recipe = None if recipe is None else recipe_of(recipe)
    _check_fit(fit, recipe)
    return build(
        records, seen, items, structure, original=original, start=start, fit=fit, recipe=recipe, task=task, width=width,
        name=name or type(structure).__name__, batch_size=batch_size, device=device, notes=(*notes, *said, *kept),
    )  # fmt: skip


def _models(
    model: Any, start: Start | None, checkpoint: Path | str | None, fits: bool
) -> tuple[nn.Module, nn.Module | None, Start | None, list[str]]:
    """Return structure, original, start of a fit, and notes."""
    if isinstance(model, nn.Module):
        structure = original = unwrapped(model)
    elif callable(model):
        start = start or model
        with all_seeded(0):
            structure, original = network_in(called(model, "model")), None
    else:
        raise InputError(
            f"model is of type {type(model).__name__}; a torch.nn.Module, or a function that returns one, is wanted."
        )
    if start is None and is_pretrained(structure):
        start = _start_of(structure, fits)
    if checkpoint is None:
        return structure, original, start, []
    original = copied(structure)
    return structure, original, start, list(fill(original, checkpoint))


def is_pretrained(model: Any) -> bool:
    """Is it a model of Hugging Face, which its configuration builds anew?"""
    transformers = sys.modules.get("transformers")  # who has made one has imported it
    return transformers is not None and isinstance(model, transformers.PreTrainedModel)


def _start_of(structure: Any, fits: bool) -> Start:
    if structure.name_or_path and fits:
        raise InputError(
            f"The model was read from {structure.name_or_path!r}, and what its training began with is not said: give "
            "start=, a function that returns the pretrained model, or one that builds it from its configuration."
        )
    kind: Any = type(structure)
    return functools.partial(kind, structure.config)


def _truth(items: Items, batch_size: int) -> NDArray[Any]:
    truth = truth_of(items, batch_size)
    if truth.dtype.kind not in "iufb" or truth.ndim not in (1, 2):
        raise InputError(
            f"Labels are {truth.dtype} of shape {list(truth.shape)}; numbers, one or a row of them a record, are "
            "wanted."
        )
    if not np.isfinite(truth).all():
        raise InputError("Labels hold a NaN or an infinity.")
    return truth[:, 0] if truth.ndim == 2 and truth.shape[1] == 1 else truth


def _names(id: Any, items: Items, count: int, data: Any, unseen: Any) -> NDArray[np.str_]:
    if id is not None and not (hasattr(id, "__len__") and not isinstance(id, str) and len(id) == count):
        return named_by(id, items, "id")
    parts = [(count, data, ""), (len(items) - count, unseen, "unseen-")]
    names = [] if id is None else [named_by(id, replace(items, data=range(count)), "id")]
    for size, part, prefix in parts[len(names) :]:
        own = part.ids if isinstance(part, Dataset) else None
        names.append(np.array([f"{prefix}{place}" for place in range(size)]) if own is None else own)
    return np.concatenate([one for one in names if len(one)])


def _records(
    items: Items,
    truth: NDArray[Any],
    task: str,
    width: int,
    classes: Any,
    ids: NDArray[np.str_],
    cluster: Any,
) -> Records:
    groups = None if cluster is None else named_by(cluster, items, "cluster")
    if task != "classification":
        return Records(ids, targets=truth, cluster=groups)
    number = max(width, 2)
    names = _class_names(items, number) if classes is None else tuple(id_list("classes", classes).tolist())
    if len(names) != number:
        raise InputError(f"The network has {number} classes, and classes= names {len(names)}.")
    return Records(ids, truth.astype(np.int64), names, cluster=groups)


def _expect_same_classes(data: Items, unseen: Items) -> None:
    names, others = (class_names(part.data, part.label) for part in (data, unseen))
    if names is not None and others is not None and names != others:
        raise InputError(
            f"The classes of data are {names}, and those of unseen {others}; give both the same, in one order."
        )


def _class_names(items: Items, number: int) -> tuple[str, ...]:
    """Return the names that a data set keeps for its classes, or their places."""
    names = class_names(items.data, items.label)
    return names if names is not None and len(names) == number else tuple(map(str, range(number)))


def _check_fit(fit: Any, recipe: Any) -> None:
    if fit is not None and recipe is not None:
        raise InputError("fit= and recipe= are two ways to train; give one of them.")
    if fit is None:
        return
    try:
        inspect.signature(fit).bind(None, None, 0)
    except TypeError:
        raise InputError(
            "fit takes other arguments; a function of (model, dataset, seed) is wanted."
        ) from None
    except ValueError:  # a builtin without a signature
        return


def _check_repeats(items: Items, count: int, notes: list[str]) -> None:
    """Refuse a data set with random items beside one without; say it where all items are random."""
    random = items.wavers(np.arange(count))
    if len(items) > count and items.wavers(np.arange(count, len(items))) != random:
        which, other = ("data", "unseen") if random else ("unseen", "data")
        raise InputError(
            f"The items of {which} change each time they are read, by random augmentation, and those of {other} do "
            "not: shadow models are trained on unseen records as the network was on its own. Give both the same "
            "transforms."
        )
    if random:
        notes.append(
            "Items change each time they are read, by random augmentation; all models were asked about the same draw."
        )
