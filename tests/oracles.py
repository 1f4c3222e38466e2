"""Slow, obviously right twins of the fast paths, and worlds whose truth is known."""

from __future__ import annotations

import numpy as np
from scipy import stats

from vestige.signals import Signals


def softmax_confidence(logits, labels):
    p = np.exp(np.asarray(logits, np.float64))
    p /= p.sum(axis=-1, keepdims=True)
    return np.take_along_axis(p, np.broadcast_to(labels[:, None], (*p.shape[:-1], 1)), -1)[..., 0]


def bounded_gumbel(p, eps1=1e-2, eps2=1e-5):
    def r(x):
        return -np.log(eps1 - np.log(x + eps2))

    return (r(p) - r(0)) / (r(1) - r(0))


def iam_materialised(u, s, o, family="gumbel", steps=100, per_sample=False):
    """IAM as published: the whole array [shadows, steps, samples], ddof 0, weight of the next step."""
    a = np.arange(steps) / (steps - 1)
    x = s[:, None, :] + a[None, :, None] * (o[None, None, :] - s[:, None, :])
    m = x.mean(axis=0)
    if per_sample:
        sigma = x.std(axis=0)
        sigma[sigma == 0] = 1e-10
    else:
        sigma = np.broadcast_to(x.std(axis=(0, 2))[:, None], m.shape)
    m, sigma, x = m[:-1], sigma[:-1], x[:, :-1]
    if family == "gumbel":
        beta = np.sqrt(6) * sigma / np.pi
        with np.errstate(over="ignore"):
            f = np.exp(-np.exp(-(u - (m - 0.5772 * beta)) / beta))
    elif family == "norm":
        f = stats.norm.cdf((u - m) / (sigma + 1e-30))
    elif family == "ecdf":
        f = (x <= u).mean(axis=0)
    elif family == "beta":
        centre = np.clip(m, 1e-10, 1 - 1e-10)
        t = np.maximum(centre * (1 - centre) / sigma**2 - 1, 1e-10)
        f = stats.beta.cdf(u, np.maximum(centre * t, 1e-10), np.maximum((1 - centre) * t, 1e-10))
    else:
        f = stats.norm.cdf((u - x) / sigma).mean(axis=0)
    w = a[1:]
    return 1 - (w[:, None] * f).sum(axis=0) / w.sum()


def gaussian_world(
    seed, kind="retrain", *, forget=150, retain=600, holdout=400, pool=600, classes=10, shadows=3, fit=3.0
):
    """A world in which seeing a sample raises its true logit by `fit`, and deletion is known.

    kind "retrain": the unlearned model never saw the forget samples; "nothing": it is the original;
    "half": it kept half of the effect; "over": it went one and a half effects too far.
    """
    rng = np.random.default_rng(seed)

    def draw(n):
        labels = rng.integers(0, classes, n)
        ease = rng.normal(2, 1.5, n)

        def model(seen):
            logits = rng.normal(0, 1, (n, classes))
            logits[np.arange(n), labels] += ease + fit * np.asarray(seen, float)
            return logits.astype(np.float32)

        return labels, model

    role = np.repeat(["forget", "retain", "holdout"], [forget, retain, holdout])
    labels, model = draw(len(role))
    kept, gone = role == "retain", role == "forget"
    original = model(kept | gone)
    if kind == "nothing":
        unlearned = original.copy()
    else:
        left = {"retrain": 0.0, "half": 0.5, "over": -1.5}[kind]
        unlearned = model(kept + left * gone)
    shadow = np.stack([model(np.zeros(len(role))) for _ in range(shadows)])
    pool_labels, pool_model = draw(pool)
    first = np.arange(pool) < pool // 2
    calibration = Signals(
        pool_labels,
        np.where(first[:, None], pool_model(np.zeros(pool)), pool_model(np.ones(pool))),
        pool_model(np.ones(pool)),
        np.stack([pool_model(np.zeros(pool)) for _ in range(shadows)]),
        role=np.where(first, "forget", "retain"),
    )
    other_labels, other = draw(100)
    population = Signals(
        other_labels, other(np.zeros(100)), None, np.stack([other(np.zeros(100)) for _ in range(shadows)]),
        role=np.repeat("holdout", 100),
    )  # fmt: skip
    return Signals(
        labels,
        unlearned,
        original,
        shadow,
        None,
        None,
        population,
        other(np.ones(100)),
        calibration,
        rng.gamma(2, 1, (len(role), classes)) * np.where(kept, np.exp(-fit / 3), 1)[:, None],
        role=role,
        source=np.where(np.arange(len(role)) % 2 == 0, "holdout", "pool"),
    )


def epsilon_slow(retrained, unlearned, delta=0.05):
    """The published epsilon-hat of one sample from margins, a loop over every threshold."""
    r, u = np.asarray(retrained, float), np.asarray(unlearned, float)

    def ratio(x):
        return stats.norm.logpdf(x, u.mean(), u.std()) - stats.norm.logpdf(x, r.mean(), r.std())

    negative, positive = ratio(r), ratio(u)
    largest = max(*negative, *positive)
    if np.median(np.exp(negative - largest)) > np.median(np.exp(positive - largest)):
        negative, positive = positive, negative
    found = []
    for threshold in sorted({*negative, *positive}):
        fpr = sum(x >= threshold for x in negative) / len(negative)
        fnr = sum(x < threshold for x in positive) / len(positive)
        if fpr == 0 and fnr == 0:
            return np.inf
        if fpr == 0 or fnr == 0:
            continue
        for one, other in ((fpr, fnr), (fnr, fpr)):
            if one < 1 - delta:
                found.append(np.log((1 - delta - one) / other))
    return max(found) if found else np.nan
