"""The degree to which a single sample is unlearned, with an interval, and what a measure could have seen of it.

In a simulated deletion the model A saw the sample and the model B never did. Between them lie models that have
unlearned it in part: with logits c * B + (1 - c) * A the sample is unlearned to the degree c. c = 0 is the
untouched original, c = 1 an exact deletion, c above 1 lies beyond it. Scoring all deletions at a grid of c
gives the distribution of a measure's score at every degree, and from it

* the degree of a sample: the one whose median score is the sample's; its interval are the degrees at which that
  score would not be surprising (a test inverted at each degree);
* power: the share of deletions at degree c that would be flagged as `under`. 1 - c is the influence that is
  left; the smallest one that is flagged with a given probability is what the audit can detect.

Mixing logits is a model of partial unlearning, not the only one; the scale is exact at 0 and 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.evaluation.calibration import ENOUGH, Deletions, deletions_of, p_values
from vestige.evaluation.verdict.adjustment import quantiles
from vestige.measures import MEASURES
from vestige.signals import Signals

Floats = NDArray[np.float64]
Scorer = Callable[[Signals], Floats]
DEGREES = np.linspace(-0.5, 2.0, 26)


@dataclass(frozen=True, eq=False)
class Scale:
    """Scores of simulated deletions at each degree of unlearning, for one measure.

    Attributes
    ----------
    degrees : float [G]
        From -0.5 to 2.
    scores : float [G, n]
        Of n simulated deletions, each row sorted.
    """

    degrees: Floats
    scores: Floats

    def degree(self, scores: Floats, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
        """Return each sample's degree with the ends of its interval, each [N], within the grid's ends.

        An end of the grid means "this far or further".
        """
        tail = (1 - level) / 2
        shares = quantiles(self.scores, np.array([tail, 0.5, 1 - tail]))
        low, middle, high = np.maximum.accumulate(shares).T
        first, last = (np.interp(scores, *_strict(middle, self.degrees, last=end)) for end in (False, True))
        lowest = np.interp(scores, *_strict(high, self.degrees, last=False))
        highest = np.interp(scores, *_strict(low, self.degrees, last=True))
        value = (first + last) / 2  # the middle, where a stretch of degrees has one score
        return value, np.minimum(lowest, value), np.maximum(highest, value)

    def power(self, null: Floats, alpha: float) -> tuple[Floats, Floats]:
        """Return (influence left [K], share flagged as under at `alpha` [K]), influence from 0 to 1."""
        inside = (self.degrees >= -1e-9) & (self.degrees <= 1 + 1e-9)
        rows = self.scores[inside]
        flagged = (p_values(rows.ravel(), null)[0].reshape(rows.shape) <= alpha).mean(axis=1)
        left = np.round(1 - self.degrees[inside], 12)
        return left[::-1], flagged[::-1]

    def detectable(self, null: Floats, alpha: float, probability: float = 0.8) -> float | None:
        """Return the smallest influence left that is flagged with `probability`; None if not even all of it is."""
        left, share = self.power(null, alpha)
        above = np.flatnonzero(share < probability)
        if not len(above):
            return float(left[0])
        first = int(above[-1]) + 1
        if first == len(left):
            return None
        return float(np.interp(probability, share[first - 1 : first + 1], left[first - 1 : first + 1]))


def scales(
    signals: Signals,
    requests: Sequence[tuple[str, Mapping[str, Any]]],
    deletions: Deletions | str | None = None,
) -> list[Scale | str]:
    """Return the scale of each requested measure, or the sentence that says why there is none.

    A request is a measure's name with the values of its options; `deletions` are those of `deletions_of`.
    """
    deletions = deletions_of(signals) if deletions is None else deletions
    if isinstance(deletions, str):
        none = f"There are no simulated deletions to build a scale of degrees from; it takes {deletions}."
        return [none] * len(requests)
    known = deletions.signals
    if known.kind == "labels":
        return ["There are no degrees between a right and a wrong prediction."] * len(requests)
    gone = known.roles == "forget"
    if gone.sum() < ENOUGH:
        few = f"Only {int(gone.sum())} simulated deletions; at least {ENOUGH} are wanted for a scale."
        return [few] * len(requests)
    if known.original is None:
        return ["The simulated deletions have no `original`; it is wanted for a scale."] * len(requests)
    alone = _without_kept(known, gone)
    rows: dict[int, list[Floats]] = {}
    asked: dict[int, tuple[Scorer, Signals]] = {}
    failed: dict[int, str] = {}
    for place, (name, options) in enumerate(requests):
        try:
            scorer = MEASURES[name].scorer(signals, options)
            exact = scorer(known)[gone]
        except InputError as error:
            failed[place] = _failure(name, error)
            continue
        if "unlearned" in MEASURES[name].needs:
            rows[place], asked[place] = [], (scorer, alone if _scores_are(exact, scorer, alone) else known)
        else:
            rows[place] = [np.sort(exact)] * len(DEGREES)  # it does not look at what changes with the degree
    records = {id(record): record for _, record in asked.values()}
    for degree in DEGREES:
        partly = {key: _partly(record, degree) for key, record in records.items()}
        for place in [place for place in asked if place not in failed]:
            scorer, record = asked[place]
            try:
                scores = scorer(partly[id(record)])
            except InputError as error:
                failed[place] = _failure(requests[place][0], error)
                continue
            rows[place].append(np.sort(scores[record.roles == "forget"]))
    return [failed.get(place) or Scale(DEGREES, np.stack(rows[place])) for place in range(len(requests))]


def _failure(name: str, error: InputError) -> str:
    return f"{name} cannot score partial deletions: {error}"


def _without_kept(known: Signals, gone: NDArray[np.bool_]) -> Signals:
    """Return the deletions without the records that were kept, of which measures still take their scale."""
    if known.calibration is not None or (~gone).sum() < ENOUGH:
        return known
    return known.take(gone).with_(calibration=known.take(~gone))


def _scores_are(exact: Floats, scorer: Scorer, alone: Signals) -> bool:
    """Are exact deletions scored the same by themselves as beside kept ones? Then a measure is asked of them alone."""
    try:
        return np.array_equal(scorer(alone), exact)
    except InputError:
        return False


def _partly(known: Signals, degree: float) -> Signals:
    """Return the record with every deletion undone or overdone to a degree."""
    assert known.original is not None
    gone = known.roles == "forget"
    mixed = degree * known.unlearned + (1 - degree) * known.original
    return known.with_(unlearned=np.where(gone[:, None], mixed, known.unlearned))


def _strict(curve: Floats, degrees: Floats, *, last: bool) -> tuple[Floats, Floats]:
    """Return the curve without repeated values, each at its first or last degree, as `interp` wants it."""
    values, first = np.unique(curve, return_index=True)
    if last:
        first = np.append(first[1:], len(curve)) - 1
    return values, degrees[first]
