"""Which samples set the constants of a measure, so that a score does not depend on the sample's neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.signals import Signals


def calibration_rows(signals: Signals, measure: str) -> tuple[Signals, NDArray[np.int64]]:
    """Return the samples that a measure takes its scale from: a record, `signals` itself or another, and rows of it.

    The retained samples of `signals.calibration` where it is there, else the retained samples of the
    audited signals, else all samples. Retained samples were seen by the original and by no shadow, as the
    forgotten ones were. Raises `InputError` where that leaves fewer than two samples.
    """
    source = signals.calibration or signals
    retained = np.flatnonzero(source.roles == "retain")
    if len(source) < 2:
        raise InputError(f"{measure} takes its scale from at least two samples; there is {len(source)}.")
    return source, retained if len(retained) > 1 else np.arange(len(source))
