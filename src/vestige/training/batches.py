"""Batches: data resident on the device, shuffled and augmented there a batch at a time.

All draws come from one CPU generator, so that a seed gives the same batches on every device.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Annotated, Any, NamedTuple, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, default_collate
from torch.utils.data import Dataset as TorchDataset

from vestige.arguments import OWN_CHECK
from vestige.data.dataset import Dataset
from vestige.errors import InputError, told
from vestige.interrupts import expect_none
from vestige.models.scale import to_float


class Resident(NamedTuple):
    """Rows whose tensors are on a device already: x [N, F] float32 or [N, C, H, W] uint8, y [N] int64."""

    x: Tensor
    y: Tensor


Rows: TypeAlias = Annotated[Dataset | Resident | TorchDataset[Any], OWN_CHECK]


def row_count(rows: Rows) -> int:
    """Return how many samples there are. Raises `InputError` where `rows` is none of the three kinds of rows."""
    if isinstance(rows, (Dataset, Resident)):
        return len(rows.y)
    others = (DataLoader, IterableDataset, Mapping, str, np.ndarray, Tensor)
    if not hasattr(rows, "__getitem__") or not isinstance(rows, Sized) or isinstance(rows, others):
        hint = " Give the data set that the loader reads." if isinstance(rows, DataLoader) else ""
        raise InputError(
            f"The rows are of type {type(rows).__name__}; a vestige.Dataset is wanted, or a map-style torch Dataset of "
            f"(x, y), with a length.{hint}"
        )
    return len(rows)


def resident(rows: Rows, device: torch.device) -> Rows:
    """Move a `Dataset` to `device`, once; on the CPU nothing is copied. A torch `Dataset` stays outside."""
    if not isinstance(rows, Dataset):
        return rows
    x, y = (torch.from_numpy(a if a.flags.writeable else a.copy()) for a in (rows.x, rows.y))
    return Resident(x.to(device), y.to(device))


def batch_count(rows: int, batch_size: int) -> int:
    """Return how many batches an epoch has, each as large as the others to one sample; none is left out.

    A short last batch would weigh as much as a whole one in the running statistics of batch normalisation:
    ResNet-18 of width 8, taught 1,800 images in batches of 128 and one of 8, knows 50 % of them; in 15 of 120, 88 %.
    No batch has a single sample, on which batch normalisation cannot train, unless all are to have.
    """
    count = -(-rows // batch_size)
    return count if batch_size == 1 else max(1, min(count, rows // 2))


def batches(
    rows: Rows,
    batch_size: int,
    *,
    generator: torch.Generator | None = None,
    augment: str = "none",
    device: torch.device | str = "cpu",
    shuffle: bool = True,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield one epoch of (x float32 [n, ...] as models take it, y int64 [n]) on `device`.

    Parameters
    ----------
    rows : Dataset, Resident or torch data set
        A `Dataset`, what `resident` made of it, or any map-style torch `Dataset` of (x, y).
    generator : torch.Generator or None
        A CPU generator, for the order and the augmentation; needed where one of them is random.
    augment : str
        "none", "flip" or "crop_flip", as in `Recipe`.

    Raises
    ------
    InputError
        Where there are no rows, or features would be augmented as images.
    """
    where = torch.device(device)
    n = row_count(rows)
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; at least 1 is wanted.")
    if n == 0:
        raise InputError("There are no rows to make batches of.")
    if generator is None and (shuffle or augment != "none"):
        raise InputError("Batches that are shuffled or augmented need a generator=.")
    order = torch.randperm(n, generator=generator) if shuffle else torch.arange(n)
    for x, y in _taken(resident(rows, where), parts_of(order, batch_size)):
        expect_none()
        x, y = x.to(where, non_blocking=True), y.to(where, non_blocking=True)
        if augment != "none" and generator is not None:
            x = augmented(x, augment, generator)
        yield to_float(x), y.long()


def parts_of(order: Tensor, batch_size: int) -> list[Tensor]:
    """Cut an order of rows [..., n] into the batches of an epoch."""
    return list(torch.tensor_split(order, batch_count(order.shape[-1], batch_size), dim=-1))


def _taken(rows: Rows, parts: list[Tensor]) -> Iterable[tuple[Tensor, Tensor]]:
    if isinstance(rows, Resident):
        at = (part.to(rows.y.device) for part in parts)
        return ((rows.x.index_select(0, i), rows.y.index_select(0, i)) for i in at)
    return _collated(rows, parts)


def _collated(rows: Any, parts: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    # a loader draws one number for its workers; from its own generator, it disturbs no other
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(
        rows, batch_sampler=[part.tolist() for part in parts], generator=generator, collate_fn=_pairs
    )
    try:
        yield from loader
    except InputError:
        raise
    except Exception as error:  # of the data set's own code
        raise InputError(
            f"{type(rows).__name__} does not give its samples by their places 0 .. {len(rows) - 1}: "
            f"{type(error).__name__}, {told(error)}."
        ) from error


def _pairs(samples: list[Any]) -> tuple[Tensor, Tensor]:
    """Return samples (x, y) of a torch `Dataset` as a batch: x [n, ...], y int64 [n]. Raises `InputError`."""
    for sample in samples:
        if not isinstance(sample, (tuple, list)) or len(sample) != 2:
            of = f" of {len(sample)}" if isinstance(sample, (tuple, list, dict)) else ""
            raise InputError(
                f"A sample of the torch Dataset is a {type(sample).__name__}{of}; a pair (x, y) is wanted: the input "
                "and its label."
            )
    try:
        x, y = (torch.as_tensor(part) for part in default_collate([tuple(sample) for sample in samples]))
    except (TypeError, RuntimeError, ValueError) as error:
        raise InputError(
            f"Samples of the torch Dataset cannot be put into one batch ({told(error)}); every x must "
            "be a tensor or an array of one shape, every y a whole number."
        ) from error
    if x.is_complex():
        raise InputError(f"x of the torch Dataset is {x.dtype}; real numbers are wanted.")
    if (
        y.shape != (len(samples),)
        or y.is_complex()
        or (y.is_floating_point() and bool((y != y.trunc()).any()))
    ):
        raise InputError(
            f"y of the torch Dataset is {list(y.shape)} of {y.dtype} for {len(samples)} samples; one whole number a "
            "sample is wanted, the place of its class."
        )
    if int(y.min()) < 0:
        raise InputError(f"A sample of the torch Dataset has the label {int(y.min())}; labels are from 0.")
    return x, y


def augmented(x: Tensor, how: str, generator: torch.Generator) -> Tensor:
    """Flip every second image left-right, at random; with "crop_flip" first shift each within a black border.

    Parameters
    ----------
    x : Tensor
        [n, C, H, W], any type; the result has the same shape and type. Each image has its own draw.
    """
    if x.ndim != 4:
        raise InputError(f"augment={how!r} needs images [N, C, H, W]; these batches have {x.ndim} axes.")
    n, _, height, width = x.shape
    if how == "crop_flip":
        pad = max(1, min(height, width) // 8)
        top, left = torch.randint(2 * pad + 1, (2, n), generator=generator).to(x.device)
        windows = F.pad(x, (pad, pad, pad, pad)).unfold(2, height, 1).unfold(3, width, 1)
        x = windows[torch.arange(n, device=x.device), :, top, left]
    flip = (torch.rand(n, generator=generator) < 0.5).to(x.device)
    return torch.where(flip[:, None, None, None], x.flip(-1), x)


def input_chunks(rows: Rows) -> np.ndarray[Any, Any] | Iterator[Tensor]:
    """Return the inputs without their labels, as `fit_input_scale` takes them."""
    if isinstance(rows, Dataset):
        return rows.x
    return (x for x, _ in batches(rows, 512, shuffle=False))
