"""What models show of the true label of a record: a signal of it, and that of the shadows by mean and deviation."""

from __future__ import annotations

import numpy as np

from vestige.signals.record import Signals
from vestige.signals.transforms import OF_SCALED_LOGIT, SIGNALS, Floats

CHUNK = 8_192


def signal_of(
    signals: Signals, field: str, signal: str, part: slice = slice(None), **bounds: float
) -> Floats:
    """Return a signal of a part of the samples under the model of `field`, [n], or under its models, [S, n].

    Parameters
    ----------
    field : str
        "unlearned", "original", "shadow_out" or "retrained".
    signal : str
        One of `SIGNALS`; larger = more fitted.
    part : slice
        Which samples.
    bounds : float
        `eps1` and `eps2` of "logloss".
    """
    if signal in OF_SCALED_LOGIT:
        return OF_SCALED_LOGIT[signal](signals.scaled_logits(field, part), **bounds)
    return SIGNALS[signal](signals.require(field, signal)[..., part, :], signals.labels[part], **bounds)


def over_shadows(signals: Signals, signal: str = "scaled_logit", **bounds: float) -> Floats:
    """Return [2, N] mean and standard deviation (ddof 0) of a signal over the shadow models; see `signal_of`."""

    def computed() -> Floats:
        moments = np.empty((2, len(signals)))
        for part in signals.chunks(CHUNK):
            values = signal_of(signals, "shadow_out", signal, part, **bounds)
            moments[:, part] = values.mean(axis=0), values.std(axis=0)
        return moments

    return signals.remembered("shadow_out", (signal, *sorted(bounds.items())), computed)
