"""`Reading`: in which way the outputs of all models of a plan are read, so that they have one unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.signals.from_outputs import clipped_words
from vestige.signals.kinds import (
    FEWEST_FOR_SCALE,
    FLOOR,
    OF_CLASSES,
    Outputs,
    class_logits,
    columns_of,
    floor_of,
    residual_scale,
)


@dataclass(frozen=True)
class Reading:
    """How outputs become what `Signals` holds.

    Attributes
    ----------
    kind : str
        Of the outputs, see `vestige.signals.kinds`.
    scale : tuple of float, or None
        Of the residuals of predictions, one for each output, in the unit of the targets.
    floor : float
        What a probability of 0 counts as, see `floor_of`.
    """

    kind: str
    scale: tuple[float, ...] | None = None
    floor: float = FLOOR

    @classmethod
    def of(cls, never: Outputs, truth: NDArray[Any]) -> Reading:
        """Return the reading of outputs of a kind; residuals are in units of those of the records `never` seen."""
        if never.kind != "predictions":
            return cls(never.kind, None, floor_of(never.values, never.kind))
        if len(never) < FEWEST_FOR_SCALE:
            return cls(never.kind, (1.0,) * int(np.prod(never.values.shape[1:], dtype=int)))
        return cls(never.kind, tuple(residual_scale(never.values, truth).tolist()))

    def logits(self, values: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """Return logits [n, C]; [n, 2] of the truth alone where a kind tells no more."""
        scale = None if self.scale is None else np.array(self.scale)
        return columns_of(values, self.kind, truth, scale, self.floor)[0]

    def labels(self, truth: NDArray[Any]) -> NDArray[np.int64]:
        """Return the labels [n] that belong to these logits."""
        return np.asarray(truth) if self.kind in OF_CLASSES else np.zeros(len(truth), np.int64)

    def notes(self, values: NDArray[Any]) -> tuple[str, ...]:
        """Return what was clipped of the audited model's outputs, in a sentence."""
        clipped = class_logits(values, self.kind, self.floor)[1] if self.kind in OF_CLASSES else 0
        return (clipped_words(clipped, len(values), self.floor, "the audited model"),) if clipped else ()
