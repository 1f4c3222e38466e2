"""How outputs of one kind become what is measured: all models of a plan are read in one way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.signals.kinds import Outputs


@dataclass(frozen=True)
class Reading:
    kind: str

    @classmethod
    def of(cls, never: Outputs, truth: NDArray[Any]) -> Reading:
        return cls(never.kind)

    def logits(self, values, truth):
        if self.kind == "logits":
            return values
        if self.kind == "probabilities":
            return np.log(np.maximum(values, 1e-12))
        raise NotImplementedError

    def labels(self, truth):
        return truth

    @property
    def signals_kind(self) -> str:
        return "logits"
