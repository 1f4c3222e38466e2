"""Outputs of every kind in worlds whose truth is known: who saw a record fits it better, and nothing else differs.

`python tests/kind_worlds.py 400` says how often each verdict is given there; `docs/guide/outputs.md` has the figures.
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

from vestige.evaluation.verdict import judge_signals
from vestige.signals import Signals

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


def outcomes(kind, unlearning, worlds):
    """Return the outcome of the verdict in each of so many worlds."""
    every = (world(kind, seed, unlearning) for seed in range(worlds))
    records = (Signals.from_outputs(kind, truth, **outputs, role=ROLE) for truth, outputs in every)
    return [judge_signals(record, alpha=0.05, tolerance=0.1, seed=0).verdict.outcome for record in records]


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for kind in ("logits", "labels", "predictions", "multilabel"):  # the others are the first in other words
        for unlearning, worlds in (("exact", count), ("nothing", count // 10)):
            print(f"{kind}, {unlearning}: {dict(Counter(outcomes(kind, unlearning, worlds)))}", flush=True)
