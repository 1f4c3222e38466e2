"""Linear gap: the share of the way from the original to the never-seen level that the model has gone.

`paper` is the ratio of cross-entropies, with the denominator's sign kept and its size floored at 1e-12: where the
original and the shadows agree it is noise of any size. `recommended` uses scaled logits, and shrinks the ratio
where the way is short; a sample on which original and shadows do not differ scores near 0.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.measures.calibration import calibration_rows
from vestige.measures.registry import register
from vestige.signals import Signals
from vestige.signals.of_models import over_shadows, signal_of

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
    r"""Share of the way from fitted (0) to never seen (1 in `paper`; below 1 in `recommended`, which shrinks).

    Parameters
    ----------
    form : {"shrunk_logit", "loss_ratio"}
        "shrunk_logit": of scaled logits, near 0 where the way is short; "loss_ratio": of losses, as
        published.

    Notes
    -----
    .. math::

        \mathrm{score} = \frac{g \, w}{w^2 + s^2}, \qquad g = \lambda_O - \lambda_u, \quad w = \lambda_O -
        \mu_S

    lambda is the scaled logit under the original O and the unlearned model u, mu_S its mean over shadows, s^2
    the mean of w^2 over a calibration set. In `paper` the score is g / w, of cross-entropies.

    **When to use.** As a control: the share of the way from the original to the never-seen level, in one
    line. For texts it is near the best: an AUC of 0.922 on the published losses of 7,753 texts (`iam` 0.936;
    lab book, results: published figures).

    **When it fails.** Where original and shadows agree there is no way to measure along, and the published
    ratio is noise of any size. On a whole class of Adult, where a shadow has the class, it falls to 0.62, and
    it is behind the plain difference of logits on random requests (0.941; 0.966 on Location-30; lab book,
    results: which measure).

    **Cost.** The original and one shadow model.

    References
    ----------
    Wang, Li, Xiang, Cao, Wang: Towards Lifecycle Unlearning Commitment Management: Measuring Sample-level
    Unlearning Completeness. USENIX Security 2025, arXiv 2506.06112.
    """
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
    signal = "scaled_logit" if form == "shrunk_logit" else "negative_loss"
    u, o = (signal_of(signals, name, signal) for name in ("unlearned", "original"))
    return o - u, o - over_shadows(signals, signal)[0]
