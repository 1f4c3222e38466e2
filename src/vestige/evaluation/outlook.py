"""How sharp will an audit be? Worlds like the one to come are simulated and judged, before anything is trained.

A world has one number per record and model, the scaled logit of the true label:

    margin = ease + gap seen + noise,   ease of each record, noise of each record and model, both normal

Sizes are those of the request. The gap, which a record that a model saw has over one that it did not, and the spreads
come from two small pilot models, or from the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Count, NotNegative, Seed, Whole, checked
from vestige.errors import InputError
from vestige.evaluation.verdict import LEAST_ALPHA, Margins, judge

Floats = NDArray[np.float64]
LEAST_NOISE = 0.05
"""Of the spread of the margins, in the noise that a pilot is taken to show: below it two pilots look like one."""


@dataclass(frozen=True)
class Outlook:
    """What audits of simulated worlds said, in which every record was deleted exactly.

    Attributes
    ----------
    shadows, forget, retain, holdout : int
        Shadow models, and records of each role.
    gap : float
        Effect of having seen a record, in standard deviations of the noise between models.
    unlearned : float
        Share of the worlds in which the verdict was "unlearned", 0 to 1; larger = the audit can give the all-clear.
    left_at_most : float
        Median of the largest share of the influence that could be left, 0 to 1; smaller = sharper.
    could_be_whole : float
        Median of how many records could be untouched unseen; smaller = sharper.
    finds_untouched : float
        Share of worlds in which a request that was not carried out at all was found, 0 to 1; larger = sharper.
    worlds : int
    """

    shadows: int
    forget: int
    retain: int
    holdout: int
    gap: float
    unlearned: float
    left_at_most: float
    could_be_whole: float
    finds_untouched: float
    worlds: int

    @property
    def sentence(self) -> str:
        """What to expect, in plain words."""
        models = "one shadow model" if self.shadows == 1 else f"{self.shadows} shadow models"
        return (
            f"With {models} and {self.holdout:,} never-seen records, exact deletion of {self.forget:,} records is "
            f"called unlearned in {self.unlearned:.0%} of simulated audits (at most {self.left_at_most:.0%} left, up "
            f"to {self.could_be_whole:.0f} records could hide), and a request that nobody carried out is found in "
            f"{self.finds_untouched:.0%}."
        )


@checked
def outlook(
    forget: Count,
    retain: Count,
    holdout: Count,
    *,
    shadows: Count = 1,
    gap: NotNegative = 2.0,
    ease: NotNegative = 2.0,
    worlds: Count = 10,
    alpha: float = 0.05,
    tolerance: float = 0.1,
    seed: Seed = 0,
) -> Outlook:
    """Say how sharp an audit will be, from simulated worlds of its sizes.

    Parameters
    ----------
    forget, retain, holdout : int
        Records that are forgotten, retained, and never seen by any model.
    shadows : int
        Shadow models.
    gap : float
        Effect of having seen a record, in standard deviations of the noise between models of different seeds; about
        0.5 for models that generalise, 4 and more for those that memorise. See `pilot`.
    ease : float
        Spread of how easy records are, in the same unit.
    worlds : int
        How many are simulated, of each kind.
    alpha, tolerance : float
        As in `vestige.audit`.
    seed : int

    Returns
    -------
    Outlook

    Raises
    ------
    InputError
        For sizes below 1, and an alpha that no audit takes.

    Examples
    --------
    >>> from vestige.evaluation import outlook
    >>> outlook(100, 400, 400, gap=8.0, worlds=3).finds_untouched
    1.0
    """
    if not LEAST_ALPHA <= alpha < 1 or not 0 < tolerance < 1:
        raise InputError(
            f"alpha is {alpha} and tolerance {tolerance}; see vestige.audit for what they may be."
        )
    exact, untouched = [], 0
    for number in range(worlds):
        for left in (0.0, 1.0):
            rng = np.random.default_rng([seed, number, int(left)])
            world = _world(rng, forget, retain, holdout, shadows, gap, ease, left)
            verdict = judge(world, alpha=alpha, tolerance=tolerance, seed=number, with_power=False).verdict
            if left:
                untouched += verdict.outcome == "under"
            else:
                exact.append(verdict)
    bounds = [1.0 if v.left_at_most is None else v.left_at_most for v in exact]
    hidden = [forget if v.could_be_whole is None else v.could_be_whole for v in exact]
    return Outlook(
        shadows, forget, retain, holdout, float(gap), float(np.mean([v.outcome == "unlearned" for v in exact])),
        float(np.median(bounds)), float(np.median(hidden)), untouched / worlds, worlds,
    )  # fmt: skip


def _world(
    rng: np.random.Generator, forget: int, retain: int, holdout: int, shadows: int, gap: float, ease: float,
    left: float,
) -> Margins:  # fmt: skip
    """Draw one world; `left` is the influence that is left in each record of the request."""
    role = np.repeat(["forget", "retain", "holdout"], [forget, retain, holdout])
    n = len(role)
    easy = rng.normal(0, ease, n)

    def model(seen: Floats) -> Floats:
        return np.asarray(easy + gap * seen + rng.normal(size=n))

    kept = (role == "retain").astype(float)
    asked = (role == "forget").astype(float)
    original = model(kept + asked)
    return Margins(
        model(kept + left * asked), np.stack([model(np.zeros(n)) for _ in range(shadows)]),
        np.zeros(n, np.int64), role, original, np.zeros((0, n)),
        np.where(np.arange(n) % 2 == 0, "holdout", "pool"), np.ones(n, np.int64),
    )  # fmt: skip


def pilot(seen: Any, unseen: Any, again: Any) -> tuple[float, float]:
    """Return the gap and the spread of ease, both in standard deviations of the noise, that two small models show.

    Parameters
    ----------
    seen : float [n]
        Scaled logits of the true label, in nats, of the first model on records that it was trained on.
    unseen, again : float [m]
        Those of both models on the same records, which neither was trained on.
    """
    both = np.stack([np.asarray(unseen, np.float64), np.asarray(again, np.float64)])
    total = float(both.var(axis=1).mean())
    shared = float(np.clip(np.cov(both)[0, 1], 0, (1 - LEAST_NOISE**2) * total))
    noise = np.sqrt(max(total - shared, 1e-12))
    return max(0.0, float((np.mean(seen) - both[0].mean()) / noise)), float(np.sqrt(shared) / noise)


def outlooks(
    forget: Count, retain: Count, holdout: Count, gap: float, ease: float, shadows: Whole = 1, **options: Any
) -> list[Outlook]:
    """Return the outlook with as many shadows as are planned, and with one more, three and eight."""
    counts = sorted({max(1, shadows), max(1, shadows) + 1, 3, 8})
    return [
        outlook(forget, retain, holdout, shadows=count, gap=gap, ease=ease, **options)
        for count in counts
        if count >= shadows
    ]
