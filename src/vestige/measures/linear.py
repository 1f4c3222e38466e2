"""Linear gap: the share of the way from the original to the never-seen level that the model has gone.

The one-line control of Wang et al. 2025 (IAM): (loss_u - loss_o) / (mean loss_s - loss_o) per sample.
`paper` is that ratio of cross-entropies, with the denominator's sign kept and its size floored at 1e-12:
where the original and the shadows agree it is noise of any size. `recommended` uses scaled logits, and
shrinks the ratio where the way is short: gap * way / (way^2 + s^2), with s^2 the mean squared way over
a calibration set; a sample on which original and shadows do not differ scores near 0.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.measures.calibration import calibration_rows
from vestige.measures.registry import register
from vestige.signals import Signals
from vestige.signals.transforms import OF_SCALED_LOGIT

Floats = NDArray[np.float64]


@register(
    "linear_gap",
    needs=("unlearned", "original", "shadow_out"),
    uses=("calibration", "role"),
    unit="share of the way",
    cites="Wang et al. 2025 (IAM)",
    paper={"form": "loss_ratio"},
    texts=("nll", "fit", "out"),
    presets={"texts": {"form": "loss_ratio"}},
)
def linear_gap(signals: Signals, *, form: Literal["shrunk_logit", "loss_ratio"] = "shrunk_logit") -> Floats:
    """Share of the way from fitted (0) to never seen (1 in `paper`; below 1 in `recommended`, which shrinks)."""
    if form == "loss_ratio":
        gap, way = _gap_and_way(signals, form)
        return gap / np.where(np.abs(way) < 1e-12, np.copysign(1e-12, way), way)
    gap, way = _gap_and_way(signals, form)
    source, rows = calibration_rows(signals, "linear_gap")
    typical = way if source is signals else _gap_and_way(source, form)[1]
    size = float(np.mean(np.square(typical[rows])))
    if size == 0:
        raise InputError(
            "linear_gap: original and shadows agree on every sample; there is no way to measure along."
        )
    return gap * way / (np.square(way) + size)


def _gap_and_way(signals: Signals, form: str) -> tuple[Floats, Floats]:
    """Return original minus unlearned, and original minus the mean of the shadows, both [N]."""
    of = OF_SCALED_LOGIT["scaled_logit" if form == "shrunk_logit" else "negative_loss"]
    gap, way = np.empty(len(signals)), np.empty(len(signals))
    for part in signals.chunks():
        u, o, s = (of(signals.scaled_logits(name, part)) for name in ("unlearned", "original", "shadow_out"))
        gap[part], way[part] = o - u, o - s.mean(axis=0)
    return gap, way
