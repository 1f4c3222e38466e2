"""Temporary, until kinds.py of h1 is merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

KINDS = ("logits", "log_probabilities", "probabilities", "labels", "losses", "predictions", "multilabel")


@dataclass(frozen=True, eq=False)
class Outputs:
    values: NDArray[Any]
    kind: str

    def __len__(self):
        return len(self.values)
