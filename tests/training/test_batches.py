"""Batches: every row once, the same in memory and streamed, augmented as a slow twin would."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vestige.data.dataset import Dataset
from vestige.errors import InputError
from vestige.training import augmented, batch_count, batches, resident


def numbered(n: int, *, image: bool = True) -> Dataset:
    """Rows whose content tells which they are: pixel and label of row i are i."""
    i = np.arange(n)
    x = np.broadcast_to(i[:, None, None, None], (n, 1, 4, 4)).astype(np.uint8)
    features = i[:, None].repeat(3, 1).astype(np.float32)
    classes = tuple(map(str, range(n)))
    return Dataset("numbered", x.copy() if image else features, i.astype(np.int64), i.astype(str), classes)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("n", "size", "wanted"),
    [
        (10, 5, [5, 5]),
        (10, 4, [4, 3, 3]),
        (9, 4, [3, 3, 3]),
        (9, 8, [5, 4]),
        (5, 2, [3, 2]),
        (3, 2, [3]),
        (1, 4, [1]),
        (4, 4, [4]),
        (3, 1, [1, 1, 1]),
        (2, 9, [2]),
    ],
)
def test_an_epoch_is_cut_evenly_and_no_row_stands_alone(n: int, size: int, wanted: list[int]) -> None:
    sizes = [len(y) for _, y in batches(numbered(n), size, generator=generator())]
    assert sizes == wanted
    assert batch_count(n, size) == len(wanted)


@pytest.mark.parametrize("image", [True, False])
def test_every_row_once_with_its_own_label(image: bool) -> None:
    seen = []
    for x, y in batches(numbered(23, image=image), 4, generator=generator()):
        assert x.dtype == torch.float32 and y.dtype == torch.int64
        first = x.flatten(1)[:, 0] * (255 if image else 1)
        torch.testing.assert_close(first, y.float())
        seen += y.tolist()
    assert sorted(seen) == list(range(23)) != seen


def test_the_seed_decides_the_order_and_shuffle_false_keeps_it() -> None:
    def order(seed: int) -> list[int]:
        return torch.cat([y for _, y in batches(numbered(20), 6, generator=generator(seed))]).tolist()

    assert order(1) == order(1) != order(2)
    assert torch.cat([y for _, y in batches(numbered(20), 6, shuffle=False)]).tolist() == list(range(20))


class Streamed(torch.utils.data.Dataset):  # type: ignore[type-arg]
    def __init__(self, rows: Dataset) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(self.rows.x[i]), int(self.rows.y[i])


@pytest.mark.parametrize("augment", ["none", "crop_flip"])
def test_a_torch_dataset_gives_the_same_batches(augment: str) -> None:
    rows = numbered(21)
    one, two, three = (
        list(batches(r, 4, generator=generator(), augment=augment))
        for r in (rows, Streamed(rows), resident(rows, torch.device("cpu")))
    )
    for (x, y), (u, v), (p, q) in zip(one, two, three, strict=True):
        assert torch.equal(x, u) and torch.equal(y, v) and torch.equal(x, p) and torch.equal(y, q)


def test_nothing_is_copied_on_the_cpu_and_read_only_rows_work() -> None:
    rows = numbered(3)
    assert resident(rows, torch.device("cpu")).x.data_ptr() == rows.x.ctypes.data
    rows.x.flags.writeable = False
    assert len(next(batches(rows, 3, shuffle=False))[1]) == 3


def test_errors() -> None:
    with pytest.raises(InputError, match="need a generator"):
        next(batches(numbered(3), 2))
    with pytest.raises(InputError, match="no rows"):
        next(batches(numbered(3).take(np.arange(0)), 2, shuffle=False))
    with pytest.raises(InputError, match="augment='flip' needs images"):
        next(batches(numbered(3, image=False), 2, generator=generator(), augment="flip"))


def slowly_cropped(image: np.ndarray, top: int, left: int, flip: bool, pad: int) -> np.ndarray:
    _, height, width = image.shape
    result = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            r, c = row + top - pad, (width - 1 - column if flip else column) + left - pad
            if 0 <= r < height and 0 <= c < width:
                result[:, row, column] = image[:, r, c]
    return result


@pytest.mark.parametrize(("height", "width", "pad"), [(8, 8, 1), (16, 32, 2), (32, 32, 4)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_augmentation_is_that_of_its_slow_twin(height: int, width: int, pad: int, dtype: torch.dtype) -> None:
    x = torch.randint(1, 256, (40, 3, height, width), generator=generator(1)).to(dtype)
    for how in ("flip", "crop_flip"):
        draws = generator(2)
        shifts = torch.full((2, 40), pad)
        if how == "crop_flip":
            shifts = torch.randint(2 * pad + 1, (2, 40), generator=draws)
        flips = torch.rand(40, generator=draws) < 0.5
        wanted = [
            slowly_cropped(image, int(top), int(left), bool(flip), pad)
            for image, top, left, flip in zip(x.numpy(), *shifts, flips, strict=True)
        ]
        found = augmented(x, how, generator(2))
        assert found.dtype == dtype and found.shape == x.shape
        np.testing.assert_array_equal(found.numpy(), np.stack(wanted))
        assert 8 < int(flips.sum()) < 32
