"""Outputs of every kind in worlds whose truth is known: who saw a record fits it better, and nothing else differs."""

from __future__ import annotations

import numpy as np

FORGET, RETAIN, HOLDOUT, CLASSES, LABELS = 100, 300, 300, 4, 5
ROLE = np.repeat(["forget", "retain", "holdout"], [FORGET, RETAIN, HOLDOUT])
SAW = {"exact": ("retain",), "nothing": ("retain", "forget")}


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def world(kind, seed, unlearning="exact"):
    """Return (truth, outputs of each model by its field): `unlearning` is "exact", or "nothing" was done."""
    rng = np.random.default_rng(seed)
    says = {"predictions": _regression, "multilabel": _multilabel}.get(kind, _classes)
    truth, model = says(kind, rng)
    fields = {
        "unlearned": model(SAW[unlearning]), "original": model(SAW["nothing"]), "shadow_out": [model(()), model(())],
    }  # fmt: skip
    return truth, fields


def _classes(kind, rng):
    truth = rng.integers(0, CLASSES, len(ROLE))
    hard = 1.5 * rng.normal(size=(len(ROLE), CLASSES))

    def model(saw):
        gain = 1 + 3.0 * np.isin(ROLE, saw)
        z = hard + 0.7 * rng.normal(size=hard.shape) + gain[:, None] * np.eye(CLASSES)[truth]
        return {
            "logits": z, "probabilities": softmax(z), "log_probabilities": np.log(softmax(z)), "labels": z.argmax(axis=1),
            "losses": -np.log(softmax(z)[np.arange(len(z)), truth]),
        }[kind]  # fmt: skip

    return truth, model


def _regression(kind, rng):
    """Two outputs whose noise has heavy tails; a model that saw a record has taken up three quarters of its noise."""
    signal, noise = (
        rng.normal(size=(len(ROLE), 2)) * [1.0, 50.0],
        rng.standard_t(4, size=(len(ROLE), 2)) * [0.3, 20.0],
    )

    def model(saw):
        own = 0.3 * rng.normal(size=noise.shape) * [0.3, 20.0]
        return signal + own + 0.75 * noise * np.isin(ROLE, saw)[:, None]

    return signal + noise, model


def _multilabel(kind, rng):
    truth = rng.integers(0, 2, (len(ROLE), LABELS))
    hard = 1.5 * rng.normal(size=truth.shape)

    def model(saw):
        gain = 1 + 2.0 * np.isin(ROLE, saw)[:, None]
        return hard + 0.7 * rng.normal(size=truth.shape) + gain * (2 * truth - 1)

    return truth, model
