"""`Margins`: what a verdict reads. One number per record and model: the scaled logit of the true label.

    log(p / (1 - p)), p the probability of the true label; in nats, unbounded, larger = more fitted

Records are put in an order that depends on their ids alone, so that no answer depends on the order of the rows.
Where `cluster` says which records belong together (one person's), they are averaged: n and m count clusters then,
because alike records are no independent evidence.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vestige.signals import Signals

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
FORGET, RETAIN, HOLDOUT = "forget", "retain", "holdout"
MOST = 20_000
"""Records of a role that a verdict reads and permutes; of more, the first in the order of their hashed ids."""


@dataclass(frozen=True, eq=False)
class Margins:
    """Scaled logits of the true label, in nats, of N records under each model.

    Attributes
    ----------
    unlearned : float [N]
        Of the model under audit.
    shadows : float [S, N]
        Of models that never saw the records; S may be 0.
    labels : int [N]
        Classes, or groups where `Signals.group` names them.
    role : str [N]
        "forget", "retain" or "holdout".
    original : float [N] or None
        Of the model before unlearning.
    retrained : float [R, N]
        Of exact retrains; R may be 0.
    source : str [N]
        Where a never-seen record comes from; two sources check each other.
    size : int [N]
        How many records each row stands for; above 1 where clusters were averaged.
    """

    unlearned: Floats
    shadows: Floats
    labels: NDArray[np.int64]
    role: NDArray[np.str_]
    original: Floats | None
    retrained: Floats
    source: NDArray[np.str_]
    size: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.unlearned)

    @property
    def difficulty(self) -> Floats:
        """[N] mean of the shadows: how easy a record is for a model that never saw it; larger = easier."""
        return np.asarray(self.shadows.mean(axis=0))

    def of(self, role: str) -> Mask:
        """[N] which records have the role."""
        return np.asarray(self.role == role)

    def take(self, rows: NDArray[Any]) -> Margins:
        """Return the records at `rows` (positions or a mask)."""
        return Margins(
            self.unlearned[rows], self.shadows[:, rows], self.labels[rows], self.role[rows],
            None if self.original is None else self.original[rows], self.retrained[:, rows], self.source[rows],
            self.size[rows],
        )  # fmt: skip

    def with_(self, **fields: Any) -> Margins:
        """Return the same margins with `fields` replaced, for example another model in place of `unlearned`."""
        return dataclasses.replace(self, **fields)


def margins_of(signals: Signals) -> tuple[Margins, NDArray[np.int64]]:
    """Return the margins of every record, and for each of their rows the position of the record in `signals`."""
    order = np.argsort(pd.util.hash_array(signals.names.astype(object), categorize=False), kind="stable")

    def of(field: str) -> Floats:
        return np.take(signals.scaled_logits(field), order, axis=-1)

    def stack(field: str) -> Floats:
        return np.zeros((0, len(order))) if getattr(signals, field) is None else of(field)

    source = np.full(len(order), HOLDOUT) if signals.source is None else signals.source[order]
    return Margins(
        of("unlearned"), stack("shadow_out"), signals.strata[order], signals.roles[order],
        None if signals.original is None else of("original"), stack("retrained"), source,
        np.ones(len(order), np.int64),
    ), order  # fmt: skip


def by_cluster(margins: Margins, cluster: NDArray[np.str_]) -> tuple[Margins, NDArray[np.int64]]:
    """Return one row per cluster and role, and for each record which row it went into.

    A row holds the means of its records, their most frequent class and their first source.
    """
    keys = pd.DataFrame({"cluster": cluster, "role": margins.role})
    code = keys.groupby(["cluster", "role"], sort=False).ngroup().to_numpy()
    count = np.bincount(code)

    def mean(values: Floats) -> Floats:
        return np.bincount(code, weights=values) / count

    first = np.unique(code, return_index=True)[1]
    classes = pd.Series(margins.labels).groupby(code).agg(lambda labels: labels.mode().iloc[0]).to_numpy()
    grouped = Margins(
        mean(margins.unlearned), _each(mean, margins.shadows, len(count)), classes.astype(np.int64),
        margins.role[first], None if margins.original is None else mean(margins.original),
        _each(mean, margins.retrained, len(count)), margins.source[first], count.astype(np.int64),
    )  # fmt: skip
    return grouped, code.astype(np.int64)


def _each(mean: Any, models: Floats, rows: int) -> Floats:
    return np.stack([mean(model) for model in models]) if len(models) else np.zeros((0, rows))
