"""Logistic regression on a few columns, fitted many times: there scikit-learn's checks take most of the time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
MOST_STEPS, CLOSE = 100, 1e-4
DESCENT, LENGTHS = 2.0**-11, 0.5 ** np.arange(21)


def logistic(x: Floats, truth: NDArray[np.bool_]) -> Floats:
    """Fit the log-odds of `truth`, of which both kinds weigh the same, by Newton's method.

    It takes the steps of `LogisticRegression(solver="newton-cholesky", class_weight="balanced")`, and as many.

    Parameters
    ----------
    x : float [n, D]
        Standardised: all coefficients are penalised alike, the intercept is not.
    truth : bool [n]
        Both kinds must be there.

    Returns
    -------
    float [D + 1]
        The coefficients and, last, the intercept.
    """
    x = np.column_stack([x, np.ones(len(x))])
    weight = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum())
    penalty = np.append(np.full(x.shape[1] - 1, 1 / len(x)), 0.0)

    def loss(fit: Floats, odds: Floats) -> float:
        return float(weight @ np.logaddexp(0, np.where(truth, -odds, odds)) + penalty @ np.square(fit) / 2)

    fit, odds, slope = np.zeros(x.shape[1]), np.zeros(len(x)), -np.inf
    value = loss(fit, odds)
    for _ in range(MOST_STEPS):
        p = special.expit(odds)
        gradient = (weight * (p - truth)) @ x + penalty * fit
        if np.abs(gradient).max() <= CLOSE and -slope / 2 <= CLOSE:
            break
        hessian = (x.T * (weight * p * (1 - p))) @ x + np.diag(penalty)
        step = -np.linalg.solve(hessian, gradient)
        slope, along = float(gradient @ step), x @ step
        for length in LENGTHS:
            lower = loss(fit + length * step, odds + length * along)
            if lower <= value + DESCENT * length * slope:
                break
        fit, odds, value = fit + length * step, odds + length * along, lower
    return fit
