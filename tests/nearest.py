"""A system of its own for tests: it knows what it was trained on, takes no time, and needs no torch."""

from __future__ import annotations

import numpy as np

from vestige.systems import Outputs, Records, System


class Nearest(System):
    """A class by the nearest training records: a record that it saw is its own nearest."""

    name = "nearest records"

    def __init__(self, n=900, features=8, seed=0, share=1 / 3):
        rng = np.random.default_rng(seed)
        self.x = rng.normal(size=(n, features))
        y = (self.x[:, 0] + 0.8 * rng.normal(size=n) > 0).astype(int)
        self.seen = np.arange(round(share * n))
        self.records = Records(np.char.add("r", np.arange(n).astype(str)), y, ("no", "yes"))
        self.fits = []

    def fit(self, rows, seed):
        self.fits.append((np.asarray(rows), seed))
        return np.asarray(rows)

    def outputs(self, model, rows):
        near = np.exp(-((self.x[rows, None] - self.x[model]) ** 2).sum(axis=2))
        y = self.records.labels[model]
        return Outputs(np.log(np.stack([near @ (y == k) + 1e-3 for k in (0, 1)], axis=1)), "logits")

    def features(self, rows):
        return self.x[rows]

    def save(self, model, folder):
        np.save(folder / "rows.npy", model)

    def load(self, folder):
        return np.load(folder / "rows.npy")
