"""The published support vector classifier of the metric attacks, in time that does not grow with the square of samples.

Up to 10,000 samples it is fitted as published. Beyond, one feature is rounded to thousandths (of its own unit; where it
spans more than 10, to a ten-thousandth of that), and equal values are one sample with their number as weight: the same
objective but for the rounding, which moved no figure by more than 0.2 points in our trials. Of a whole probability
vector, which cannot be rounded together, 5,000 samples of each kind are taken, chosen by their ids.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import SVC

Floats = NDArray[np.float64]
EXACT = 10_000
"""Samples up to which the classifier is fitted as published."""
EACH = 5_000
"""Samples of each kind that it is fitted on beyond, where there is more than one feature."""
STEP, LEVELS = 1e-3, 10_000


def decided(x: Floats, truth: NDArray[Any], asked: Floats, ids: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Fit SVC(C=3, gamma="auto", rbf) on `x` [n, D] and `truth` [n]; return what it says of `asked` [m, D].

    Parameters
    ----------
    ids : text [n]
        Of the samples that are fitted on.
    """
    truth = np.asarray(truth, bool)
    attack = SVC(C=3, gamma="auto", kernel="rbf", random_state=0)
    if len(x) <= EXACT:
        return np.asarray(attack.fit(x, truth).predict(asked), bool)
    if x.shape[1] > 1:
        rows = np.concatenate([_chosen(ids, truth), _chosen(ids, ~truth)])
        return np.asarray(attack.fit(x[rows], truth[rows]).predict(asked), bool)
    step = max(STEP, float(np.ptp(x)) / LEVELS)
    values, which = np.unique(np.round(x[:, 0] / step), return_inverse=True)
    counts = [np.bincount(which[truth == kind], minlength=len(values)) for kind in (False, True)]
    there = [np.flatnonzero(count) for count in counts]
    attack.fit(
        step * np.concatenate([values[places] for places in there])[:, None],
        np.repeat([False, True], [len(places) for places in there]),
        sample_weight=np.concatenate([n[p] for n, p in zip(counts, there, strict=True)]).astype(np.float64),
    )
    levels, back = np.unique(np.round(asked[:, 0] / step), return_inverse=True)
    return np.asarray(attack.predict(step * levels[:, None]), bool)[back]


def _chosen(ids: NDArray[np.str_], kind: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the places of so many samples of a kind, those whose ids come first by their hash."""
    import pandas as pd

    rows = np.flatnonzero(kind)
    order = np.argsort(pd.util.hash_array(ids[rows].astype(object)), kind="stable")
    return np.sort(rows[order[:EACH]])
