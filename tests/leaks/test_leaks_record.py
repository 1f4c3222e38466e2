"""Pairs of posteriors: what fits and what does not, files."""

from __future__ import annotations

import numpy as np
import pytest

from vestige.errors import InputError
from vestige.leaks import PosteriorPairs
from vestige.leaks.record import joined


def pairs(n=6, k=3, seed=0, **fields):
    rng = np.random.default_rng(seed)
    given = {
        "original": rng.dirichlet(np.ones(k), n), "unlearned": rng.dirichlet(np.ones(k), n),
        "status": np.resize(["deleted", "outside", "remaining"], n), "set_id": np.arange(n) // 2,
        "labels": rng.integers(0, k, n),
    }  # fmt: skip
    return PosteriorPairs(**given | fields)


def test_saved_and_loaded(tmp_path):
    made = pairs()
    read = PosteriorPairs.load(made.save(tmp_path / "p.npz"))
    for name in ("original", "unlearned", "status", "set_id", "labels"):
        assert np.array_equal(getattr(read, name), getattr(made, name))


def test_a_repr_counts():
    told = "PosteriorPairs(6 records of 3 classes in 3 sets: 2 deleted, 2 remaining, 2 outside)"
    assert repr(pairs()) == told


def test_parts_and_sets():
    made = pairs()
    assert made.of("deleted", "outside").status.tolist() == ["deleted", "outside", "deleted", "outside"]
    both = joined([made, made])
    assert both.sets.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5] and len(both) == 12


def test_bad_input(tmp_path):
    p = pairs()
    logits = np.random.default_rng(0).normal(size=(6, 3))
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    np.savez(tmp_path / "short.npz", original=p.original)
    np.savez(
        tmp_path / "odd.npz", original=p.original, unlearned=p.unlearned, status=p.status, lables=p.labels
    )
    for call, message in (
        (lambda: pairs(original=logits), "Were logits given"),
        (
            lambda: pairs(unlearned=p.unlearned[:, :2] / p.unlearned[:, :2].sum(1, keepdims=True)),
            "A class that vanished",
        ),
        (lambda: pairs(unlearned=p.unlearned[:4]), "same records"),
        (lambda: pairs(original=p.original * np.nan), "NaN"),
        (lambda: pairs(original=np.ones((6, 1))), "two classes"),
        (lambda: pairs(status=["gone"] * 6), "deleted"),
        (lambda: pairs(status=["deleted"]), "status has shape"),
        (lambda: pairs(labels=[7] * 6), "from 0 to 2"),
        (lambda: pairs(set_id=[0.5] * 6), "whole numbers"),
        (lambda: pairs(status=["deleted"] * 6).of("deleted", "outside"), "No record is 'outside'"),
        (lambda: PosteriorPairs.load(tmp_path / "none.npz"), "no such file"),
        (lambda: PosteriorPairs.load(tmp_path / "cut.npz"), "not a readable"),
        (lambda: PosteriorPairs.load(tmp_path / "short.npz"), "unlearned"),
        (lambda: PosteriorPairs.load(tmp_path / "odd.npz"), "Did you mean 'labels'"),
    ):
        with pytest.raises(InputError, match=message):
            call()
