"""From an experiment to its steps: what is the same is one step."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bench_tables import tiny

import vestige
from vestige.errors import InputError
from vestige.experiments.bench import experiment
from vestige.experiments.bench.plan import cells_of
from vestige.experiments.bench.steps import Job, ordered
from vestige.experiments.bench.work import leaked


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


def leaks(folder, **data):
    """An experiment of one setting of the two-version attack, on a Purchase-100 of 300 records."""
    setting = {"sets": 2, "records": 60, "deletions": 3}
    config = {"data": {"name": "purchase100"} | data, "setting": setting, "attacks": ["logistic-regression"]}
    changes = {"kind": "leaks", "measures": {}, "published": {}, "favourite": None}
    return experiment(tiny(folder, **changes, small={"leaks": {"scratch": config}}))


def records(folder, seed):
    rng = np.random.default_rng(seed)
    folder.mkdir()
    table = np.column_stack([np.arange(300) % 3 + 1, rng.integers(0, 2, (300, 8))])
    np.save(folder / "purchase100.npy", table)
    return str(folder)


def test_a_step_of_leaks_is_named_by_its_data(tmp_path):
    one, two = records(tmp_path / "one", 1), records(tmp_path / "two", 2)

    def key(given, **data):
        (cell,) = cells_of(leaks(tmp_path, **data), "small", given)
        return cell.step.key

    assert key(one) == key(one) != key(two)
    assert key(two, root=one) == key(None, root=one)  # the row's own folder comes first


def test_missing_data_of_leaks_are_found_before_any_work(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="purchase"):
        cells_of(leaks(tmp_path), "small", str(tmp_path / "empty"))


def test_leaks_read_the_data_that_their_step_names(tmp_path):
    one = records(tmp_path / "one", 1)
    (cell,) = cells_of(leaks(tmp_path, root=one), "small", str(tmp_path / "nowhere"))
    path = tmp_path / "leaked.json"
    leaked(Job(cell.step.what, [], path, str(tmp_path / "nowhere")))
    assert 0 <= json.loads(path.read_text())["cells"][0]["figures"]["auc"][0] <= 1
