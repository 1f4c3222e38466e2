"""From an experiment to its steps: what is the same is one step."""

from __future__ import annotations

from bench_tables import tiny

import vestige
from vestige.experiments.bench import experiment
from vestige.experiments.bench.plan import cells_of
from vestige.experiments.bench.steps import ordered


def test_one_network_is_one_step(tmp_path):
    cells = cells_of(experiment(tiny(tmp_path)), "small", None)
    steps = ordered(c.step for c in cells)
    kinds = [s.kind for s in steps]
    assert len(cells) == 3
    assert (
        kinds.count("trained") == 1 + 3 + 3
    )  # the original, three shadows, a retrained model for each split
    assert kinds.count("outputs") == 7 and kinds.count("separation") == 3
    assert len({s.key for s in steps}) == len(steps)
    other = cells_of(experiment(tiny(tmp_path), ["small.blocks.digits.recipe.lr=0.04"]), "small", None)
    assert not {s.key for s in ordered(c.step for c in other)} & {s.key for s in steps}


def test_splits_share_their_training_set_and_not_their_request():
    data = vestige.load_dataset("digits")
    splits = [vestige.make_split(data, train=200, forget=40, seed=3, request=k) for k in range(3)]
    for split in splits[1:]:
        assert (split.train == splits[0].train).all() and (split.shadow == splits[0].shadow).all()
        assert set(split.forget) != set(splits[0].forget)
