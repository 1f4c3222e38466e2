"""Pictures: bytes to pixels, and samples as PNG for the report."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.data.dataset import Dataset
from vestige.errors import InputError, need
from vestige.files import reading

Pixels = NDArray[np.uint8]
PIXELS = 50_000_000
"""Pixels of an image that is decoded."""


def pictures_of(data: Dataset) -> Callable[[Sequence[str]], Mapping[str, bytes]]:
    """Return a function from sample ids to PNG bytes, at the data's own size."""

    def pictures(ids: Sequence[str]) -> Mapping[str, bytes]:
        files = {}
        for name, position in zip(ids, data.positions(ids, "pictures"), strict=True):
            buffer = io.BytesIO()
            picture(np.asarray(data.x[position])).save(buffer, format="PNG", optimize=True)
            files[name] = buffer.getvalue()
        return files

    return pictures


def picture(pixels: NDArray[Any]) -> Any:
    """Return uint8 pixels [C, H, W] as a PIL image: gray where C is 1, else of the first three channels."""
    image = need("PIL.Image", "torch", "Drawing samples")
    plane = pixels[0] if len(pixels) == 1 else np.moveaxis(pixels[:3], 0, -1)
    return image.fromarray(np.ascontiguousarray(plane))


def decode(
    images: Iterable[bytes],
    *,
    where: str,
    names: Sequence[str] | None = None,
    size: tuple[int, int] | None = None,
    mode: str = "RGB",
) -> Pixels:
    """Decode JPEG or PNG bytes to uint8 [N, C, H, W]; `size` (H, W) resizes. Threads share the work.

    Raises `InputError`, with the name of the image or its number, for one that cannot be decoded or would lose
    something: several pictures in one file, more than 8 bits a channel, transparent pixels.
    """
    pillow = need("PIL.Image", "torch", "Decoding images")

    def one(numbered: tuple[int, bytes]) -> Pixels:
        number, raw = numbered
        name = f"{where}: image {number}" if names is None else f"{where}: {names[number]}"
        with reading(name, "cannot be decoded", "."), pillow.open(io.BytesIO(raw)) as image:
            if image.width * image.height > PIXELS:
                raise InputError(
                    f"{name} has {image.width} x {image.height} pixels; {PIXELS:,} are the most."
                )
            _expect_plain(image, name)
            image = image.convert(mode)
            if size is not None and image.size != (size[1], size[0]):
                image = image.resize((size[1], size[0]), pillow.Resampling.BILINEAR)
            return np.asarray(image)

    with ThreadPoolExecutor() as pool:
        decoded = list(pool.map(one, enumerate(images), chunksize=256))
    shapes = {d.shape for d in decoded}
    if not decoded:
        raise InputError(f"{where}: there are no images.")
    if len(shapes) > 1:
        raise InputError(
            f"{where}: images of {len(shapes)} different sizes; give size=(H, W) to resize them."
        )
    stacked = np.stack(decoded)
    return np.ascontiguousarray(stacked[:, None] if stacked.ndim == 3 else np.moveaxis(stacked, -1, 1))


def _expect_plain(image: Any, name: str) -> None:
    """Refuse an image of which something would be lost as three channels of 8 bits."""
    pictures = (
        1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    )  # a camera's, with what its screen shows
    if pictures > 1:
        raise InputError(f"{name} holds {pictures} pictures; one is wanted.")
    if image.mode.startswith(("I", "F")):
        raise InputError(
            f"{name} has more than 8 bits a channel (mode {image.mode}); scale it to 0..255 and write it with 8 bits."
        )
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
        raise InputError(
            f"{name} has transparent pixels, and their background is not known; lay it on one first."
        )
