"""Everything random that code of the user's may draw from, from one seed; outside all is as if nothing was drawn."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def all_seeded(seed: int) -> Iterator[None]:
    """Seed the global generators of Python, NumPy and, where it is loaded, torch; afterwards each is as it was.

    A user's augmentation draws from any of them, and so does a fit.
    """
    python, legacy = random.getstate(), np.random.get_state()
    with contextlib.ExitStack() as stack:
        if "torch" in sys.modules:
            stack.enter_context(_torch_seeded(seed))
        random.seed(seed)
        np.random.set_state(np.random.RandomState(seed % 2**32).get_state())
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)


@contextlib.contextmanager
def _torch_seeded(seed: int) -> Iterator[None]:
    import torch

    from vestige.models.initial import seeded

    gpu = torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else None
    with seeded(seed, gpu):
        yield
