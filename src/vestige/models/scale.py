"""From stored samples to what the first layer sees: bytes become floats, floats are standardised.

The statistics are buffers of the model and are fitted on exactly the rows it is trained on. A constant
in a data loader would carry the mean of the forgotten rows into every retrained model.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vestige.errors import InputError


def to_float(batch: Tensor) -> Tensor:
    """Return a batch as a model takes it: uint8 [.., 0..255] becomes float32 in [0, 1], floats stay."""
    return batch.float() / 255 if batch.dtype == torch.uint8 else batch.float()


class InputScale(nn.Module):
    """Standardise inputs: (x - mean) / std, per channel of an image, per feature of a table.

    Parameters
    ----------
    shape : tuple[int, ...]
        Of one sample: (C, H, W) or (F,).
    adaptive : bool
        False: `fit_input_scale` leaves it alone, so that inputs pass unchanged.

    Raises
    ------
    InputError
        Where a batch has another number of channels or features.
    """

    mean: Tensor  # [C, 1, 1] or [F]
    std: Tensor

    def __init__(self, shape: tuple[int, ...], *, adaptive: bool = True) -> None:
        super().__init__()
        self.adaptive = adaptive
        wide = (shape[0], *(1 for _ in shape[1:]))
        self.register_buffer("mean", torch.zeros(wide))
        self.register_buffer("std", torch.ones(wide))

    def reset_parameters(self) -> None:
        """Forget the statistics."""
        self.mean.zero_()
        self.std.fill_(1)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != self.mean.ndim + 1 or x.shape[1] != len(self.mean):
            wanted = "[N, C, H, W]" if self.mean.ndim == 3 else "[N, F]"
            raise InputError(
                f"The model takes {wanted} with {len(self.mean)} in the second place; got {tuple(x.shape)}."
            )
        return (x - self.mean) / self.std


def fit_input_scale(model: nn.Module, x: NDArray[np.generic] | Iterable[Tensor]) -> None:
    """Set the mean and std of the model's `InputScale`, in place; a model without one stays as it is.

    Parameters
    ----------
    x : array or Iterable[Tensor]
        The training inputs, [N, F] or [N, C, H, W], or an iterable of batches of them; uint8 counts as [0,
        1]. Where a feature never varies its std becomes 1.
    """
    scales = [m for m in model.modules() if isinstance(m, InputScale) and m.adaptive]
    if not scales:
        return
    mean, std = _moments(torch.split(torch.from_numpy(x), 1024) if isinstance(x, np.ndarray) else x)
    for scale in scales:
        if mean.numel() != scale.mean.numel():
            raise InputError(f"The model takes {scale.mean.numel()} channels; the data has {mean.numel()}.")
        scale.mean.copy_(mean.reshape(scale.mean.shape))
        scale.std.copy_(torch.where(std > 0, std, 1.0).reshape(scale.std.shape))


def _moments(chunks: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Return mean and std over all but axis 1, float64, in one pass (the merge of Chan et al. 1979)."""
    count = 0
    mean = square = torch.zeros((), dtype=torch.float64)
    for chunk in chunks:
        values = to_float(chunk).transpose(0, 1).flatten(1)  # [C, n]
        n = values.shape[1]
        if n == 0:
            continue
        variance, middle = (m.double() for m in torch.var_mean(values, dim=1, correction=0))
        apart = middle - mean
        square = square + variance * n + apart**2 * (count * n / (count + n))
        mean = mean + apart * (n / (count + n))
        count += n
    if count == 0:
        raise InputError("There are no rows to fit the input scale on.")
    return mean, (square / count).sqrt()
