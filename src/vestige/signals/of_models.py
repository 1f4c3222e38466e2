"""What models show of the true label of a record: a signal of it, and that of the shadows by mean and deviation."""

from __future__ import annotations

import numpy as np

from vestige.signals.checks import STACKS
from vestige.signals.record import Signals
from vestige.signals.transforms import OF_SCALED_LOGIT, SIGNALS, Floats

CHUNK = 8_192


def signal_of(signals: Signals, field: str, signal: str, **bounds: float) -> Floats:
    """Return a signal of every sample under the model of `field`, [N], or under its models, [S, N].

    Parameters
    ----------
    field : str
        "unlearned", "original", "shadow_out" or "retrained".
    signal : str
        One of `SIGNALS`; larger = more fitted.
    bounds : float
        `eps1` and `eps2` of "logloss".
    """

    def computed() -> Floats:
        values = np.empty(signals.require(field, signal).shape[:-1])
        for part in signals.chunks(CHUNK):
            values[..., part] = _of_part(signals, field, signal, part, bounds)
        return values

    return computed() if field in STACKS else signals.remembered(field, _what(signal, bounds), computed)


def over_shadows(signals: Signals, signal: str = "scaled_logit", **bounds: float) -> Floats:
    """Return [2, N] mean and standard deviation (ddof 0) of a signal over the shadow models; see `signal_of`."""

    def computed() -> Floats:
        moments = np.empty((2, len(signals)))
        for part in signals.chunks(CHUNK):
            values = _of_part(signals, "shadow_out", signal, part, bounds)
            moments[:, part] = values.mean(axis=0), values.std(axis=0)
        return moments

    return signals.remembered("shadow_out", _what(signal, bounds), computed)


def _what(signal: str, bounds: dict[str, float]) -> tuple[object, ...]:
    return signal, *sorted(bounds.items())


def _of_part(signals: Signals, field: str, signal: str, part: slice, bounds: dict[str, float]) -> Floats:
    if signal in OF_SCALED_LOGIT:
        return OF_SCALED_LOGIT[signal](signals.scaled_logits(field, part), **bounds)
    return SIGNALS[signal](signals.require(field, signal)[..., part, :], signals.labels[part], **bounds)
