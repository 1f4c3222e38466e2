"""Simulated deletions: what shadow models show about samples whose truth is known.

Each shadow model is trained on a random part of a pool. A sample that shadow A saw and shadow B did not is an
exact deletion: A stands for the original, B for the unlearned model, further shadows that did not see it
for the OUT reference. A sample that A and A' both saw is one that was kept.

One or two shadow models leave none of these. But a shadow's own training records are exact deletions of the model under
audit, with the roles exchanged: the shadow saw them, in the original's place; the original never did, nor did the other
shadow, which are the OUT reference; the model under audit stands for itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Array, Count, Seed, checked
from vestige.errors import InputError
from vestige.signals.record import Signals
from vestige.values import as_array, as_ids, as_mask

WANTED = 200  # simulated deletions worth giving up an OUT shadow for
FEWEST_TO_SIMULATE = 3  # shadow models
MOST_EXCHANGED = 5_000  # exchanged deletions that runs collect: 5 % is then known to within 0.6 %


@checked
def simulated_deletions(
    labels: Array,
    logits: Array,
    member: Array,
    *,
    ids: Array | None = None,
    out: Count | None = None,
    seed: Seed = 0,
    kind: str = "logits",
) -> Signals:
    """Build the `calibration` record of `Signals` from a fleet of shadow models.

    Returns `Signals` with role "forget" for exact deletions and "retain" for kept samples; rows are sorted by
    the pair of models. Raises `InputError` for fewer than three shadows, for arrays that do not fit, and where no
    deletion can be built.

    Parameters
    ----------
    labels : int [P]
        True classes of the pool.
    logits : float [S, P, C]
        Of S shadow models, at least three.
    member : bool [S, P]
        Which shadow was trained on which sample: truth values, or 0 and 1 of any type.
    ids : str [P]
        Names of the samples; "0", "1", ... where not given.
    out : int or None
        How many OUT shadows each simulated deletion gets; the audited samples must get as many. Default: the
        most, up to S - 2, that leave 200 deletions, else the number that leaves the most.
    seed : int
        Of the draw of models for each sample.
    kind : str
        What the logits tell, as of the audited samples; see `Signals.kind`.
    """
    labels, logits, member = as_array("labels", labels), as_array("logits", logits), as_mask("member", member)
    if logits.ndim != 3 or member.shape != logits.shape[:2] or labels.shape != member.shape[1:]:
        shapes = f"logits {list(logits.shape)}, member {list(member.shape)}, labels {list(labels.shape)}"
        raise InputError(f"{shapes} do not fit; [S, P, C], [S, P] and [P] are wanted.")
    shadows, pool = member.shape
    if shadows < FEWEST_TO_SIMULATE:
        raise InputError(f"Simulated deletions take at least three shadow models; there are {shadows}.")
    names = np.arange(pool).astype(str) if ids is None else as_ids("ids", ids)
    if len(names) != pool:
        raise InputError(f"There are {len(names)} ids for {pool} samples.")
    seen, unseen = member.sum(axis=0), (~member).sum(axis=0)
    possible = {k: int(((seen >= 1) & (unseen >= 1 + k)).sum()) for k in range(1, shadows - 1)}
    if out is None:
        good = [k for k, count in possible.items() if count >= WANTED]
        out = max(good) if good else max(possible, key=lambda k: possible[k])
    if not 1 <= out <= shadows - 2 or not possible[out]:
        raise InputError(
            f"{out} OUT shadows of {shadows} leave no simulated deletion; 1 to {shadows - 2} are possible."
        )
    rng = np.random.default_rng(seed)
    gone = _rows(rng, member, np.flatnonzero((seen >= 1) & (unseen >= 1 + out)), 1, out)
    kept = _rows(rng, member, np.flatnonzero((seen >= 2) & (unseen >= out)), 2, out)
    sample, first, second, others = (np.concatenate(pair) for pair in zip(gone, kept, strict=True))
    role = np.repeat(["forget", "retain"], [len(gone[0]), len(kept[0])])
    return Signals(
        labels=labels[sample],
        unlearned=logits[second, sample],
        original=logits[first, sample],
        shadow_out=logits[others.T, sample],
        role=role,
        kind=kind,
        ids=np.char.add(np.where(role == "forget", "gone:", "kept:"), names[sample]),
    )


def _rows(
    rng: np.random.Generator, member: NDArray[np.bool_], samples: NDArray[np.int64], insiders: int, out: int
) -> tuple[NDArray[np.int64], ...]:
    """Draw (sample, model for the original, model for the unlearned, OUT models [n, out]) for each sample."""
    shuffled = rng.random((len(samples), len(member)))
    seen = member[:, samples].T
    inside = np.argsort(np.where(seen, shuffled, 2.0), axis=1)  # models that saw it, in random order, first
    outside = np.argsort(np.where(seen, 2.0, shuffled), axis=1)
    first = inside[:, 0]
    second = inside[:, 1] if insiders == 2 else outside[:, out]
    order = np.lexsort((second, first))
    return samples[order], first[order], second[order], outside[order, :out]


def exchangeable(member: NDArray[np.bool_], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return sorted positions of records [P] that exactly one shadow was trained on, at most so many, drawn at random.

    Parameters
    ----------
    member : bool [S, P]
        Which shadow was trained on which record.
    """
    rows = np.flatnonzero(member.sum(axis=0) == 1)
    return np.sort(rng.permutation(rows)[:most])


@checked
def exchanged_deletions(
    labels: Array,
    logits: Array,
    member: Array,
    original: Array,
    unlearned: Array,
    *,
    ids: Array | None = None,
    kind: str = "logits",
) -> Signals:
    """Build the `shadow_train` record of `Signals`: the shadows' training records, with the roles exchanged.

    Parameters
    ----------
    labels : int [P]
        True classes of the pool that the shadow models were trained on, some each.
    logits : float [S, P, C]
        Of the S shadow models, one or two as a rule; [P, C] for one.
    member : bool [S, P]
        Which shadow was trained on which record: truth values, or 0 and 1 of any type; [P] for one.
    original, unlearned : float [P, C]
        Logits of the model before unlearning and of the model under audit; neither was trained on the pool.
    ids : str [P]
        Names of the records, which must not be those of the audited ones; "shadow:0", "shadow:1", ... where not given.
    kind : str
        Of the record, as `Signals.kind`.

    Returns
    -------
    Signals
        One row for each record that exactly one shadow was trained on: `original` is that shadow, `shadow_out` [S] the
        original and the other shadows, `unlearned` the model under audit, and every role "forget".

    Raises
    ------
    InputError
        For arrays that do not fit, and where no record was seen by exactly one shadow.

    Examples
    --------
    >>> import numpy as np, vestige
    >>> rng = np.random.default_rng(0)
    >>> labels, member = rng.integers(0, 10, 40), np.ones(40)
    >>> def outputs(): return rng.normal(size=(40, 10))
    >>> vestige.signals.exchanged_deletions(labels, outputs(), member, outputs(), outputs())
    Signals(40 samples of 10 classes: 40 forget; with original, shadow_out)
    """
    labels, logits, member = as_array("labels", labels), as_array("logits", logits), as_mask("member", member)
    original, unlearned = as_array("original", original), as_array("unlearned", unlearned)
    logits = logits[None] if logits.ndim == 2 else logits
    member = member[None] if member.ndim == 1 else member
    if logits.ndim != 3 or member.shape != logits.shape[:2] or labels.shape != member.shape[1:]:
        shapes = f"logits {list(logits.shape)}, member {list(member.shape)}, labels {list(labels.shape)}"
        raise InputError(f"{shapes} do not fit; [S, P, C], [S, P] and [P] are wanted.")
    for name, array in (("original", original), ("unlearned", unlearned)):
        if array.shape != logits.shape[1:]:
            raise InputError(
                f"{name} has shape {list(array.shape)}; {list(logits.shape[1:])} is wanted, what it says of the "
                "records that the shadows were trained on."
            )
    rows = np.flatnonzero(member.sum(axis=0) == 1)
    if not len(rows):
        raise InputError(
            "No record was seen by exactly one shadow model; their training records calibrate nothing."
        )
    names = np.char.add("shadow:", np.arange(len(labels)).astype(str)) if ids is None else as_ids("ids", ids)
    if len(names) != len(labels):
        raise InputError(f"There are {len(names)} ids for {len(labels)} samples.")
    owner = member[:, rows].argmax(axis=0)
    others = [logits[(owner + step) % len(member), rows] for step in range(1, len(member))]
    return Signals(
        labels=labels[rows],
        unlearned=unlearned[rows],
        original=logits[owner, rows],
        shadow_out=np.stack([original[rows], *others]),
        role=np.full(len(rows), "forget"),
        kind=kind,
        ids=names[rows],
    )
