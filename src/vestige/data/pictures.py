"""Samples as PNG, for the report."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from vestige.data.dataset import Dataset
from vestige.errors import need


def pictures_of(data: Dataset) -> Callable[[Sequence[str]], Mapping[str, bytes]]:
    """Return a function from sample ids to PNG bytes, at the data's own size."""

    def pictures(ids: Sequence[str]) -> Mapping[str, bytes]:
        image = need("PIL.Image", "torch", "Drawing samples")
        found = {}
        for name, position in zip(ids, data.positions(ids, "pictures"), strict=True):
            pixels = np.asarray(data.x[position])
            shown = pixels[0] if len(pixels) == 1 else np.moveaxis(pixels[:3], 0, -1)
            buffer = io.BytesIO()
            image.fromarray(np.ascontiguousarray(shown)).save(buffer, format="PNG", optimize=True)
            found[name] = buffer.getvalue()
        return found

    return pictures
