"""Selective pruning: how many weights are drawn anew, and where."""

from __future__ import annotations

from small import MODEL, SPLIT, values

from vestige.unlearning import unlearn


def test_the_last_layers_share_is_drawn_anew():
    """Without a repair step, three in ten weights of the last layer differ, and nothing else."""
    made = unlearn("selective_pruning_last_layer", MODEL, SPLIT, lr=1e-12, overfit_epochs=5).model
    changed = {n: (v - values(MODEL)[n]).abs() > 1e-6 for n, v in values(made).items()}
    assert int(changed["2.weight"].sum()) == int(0.3 * 24)
    assert not changed["0.weight"].any() and not changed["2.bias"].any()


def test_complex_draws_fewer_than_plain():
    plain, both = (
        unlearn(name, MODEL, SPLIT, lr=1e-12, overfit_epochs=5).model
        for name in ("selective_pruning", "selective_pruning_complex")
    )
    counts = [
        sum(int(((v - values(MODEL)[n]).abs() > 1e-6).sum()) for n, v in values(m).items())
        for m in (plain, both)
    ]
    assert 0 < counts[1] < counts[0] == int(0.3 * 40) + int(0.3 * 24)
