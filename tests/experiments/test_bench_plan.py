"""From an experiment to its steps: what is the same is one step."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bench_tables import BLOCK, TINY, tiny

import vestige
from vestige.errors import InputError
from vestige.experiments.bench import experiment, run_bench
from vestige.experiments.bench.run import cells_of
from vestige.experiments.kinds import separation
from vestige.experiments.text_config import LlmModel
from vestige.experiments.text_steps import BaseModel
from vestige.graph import Environment, Job, Store, carry_out
from vestige.graph.step import ordered


def test_one_network_is_one_step(tmp_path):
    cells = cells_of(experiment(tiny(tmp_path)), "small", None)
    steps = ordered(c.step for c in cells)
    kinds = [s.kind for s in steps]
    assert len(cells) == 3
    assert kinds.count("train") == 1 + 3 + 3  # the original, three shadows, a retrained model for each split
    assert kinds.count("collect") == 7 and kinds.count("separation") == 3
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
    store = Store(tmp_path / "s")
    carry_out([cell.step], store, Environment(str(tmp_path / "nowhere")), stop=True)
    assert 0 <= json.loads(store.path(cell.step).read_text())["cells"][0]["figures"]["auc"][0] <= 1


def with_block(**changes):
    return {"small": TINY["small"] | {"blocks": {"digits": BLOCK | changes}}}


def with_request(**request):
    return {"small": TINY["small"] | {"requests": {"mine": request}}}


METHODS = {"kind": "methods", "figure": "disparity"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"figure": "aucc"}, "Did you mean 'auc'"),
        ({"measures": {"a": "iamm"}}, "tiny, a: .*Did you mean 'iam'"),
        ({"measures": {"a": {"name": "iam", "mod": "online"}}}, "Did you mean 'mode'"),
        (with_block(model={"name": "mlpp"}), "digits.model'.*Did you mean 'mlp'"),
        (with_block(model={"name": "mlp", "hiden": [8]}), "Did you mean 'hidden'"),
        (with_block(shadow_model={"name": "mlpp"}), "Did you mean 'mlp'"),
        (with_block(recipe={"epoch": 3}), "Did you mean 'epochs'"),
        (METHODS | {"methods": ["finetunee"]}, "Did you mean 'finetune'"),
        (METHODS | {"methods": [{"name": "ssd", "alhpa": 2.0}]}, "Did you mean 'alpha'"),
        (METHODS | {"methods": ["certified_newton"]}, "does not work on networks"),
        (METHODS | {"methods": [{"name": "retrain", "max_epochs": 0.1}]}, "no options and no budget"),
        (with_request(forget=0), "request 'mine': forget is 0"),
        (with_request(forget=9999), "request 'mine': forget is 9999"),
        (with_request(scenario="class", label=77), "request 'mine': There is no class 77"),
        (with_request(measures={"a": "iamm"}), "Did you mean 'iam'"),
        (with_block(counts=BLOCK["counts"] | {"shadow_size": 500}), "shadow_size is 500"),
        (with_block(counts=BLOCK["counts"] | {"shadow": 0}), "no shadow pool"),
    ],
)
def test_what_cannot_be_run_is_found_before_any_work(tmp_path, changes, said):
    with pytest.raises(InputError, match=said):
        run_bench(experiment(tiny(tmp_path, **changes)), store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def points(path, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 4))
    np.savez(path, x=x.astype(np.float32), y=(x[:, 0] > 0).astype(int))


def test_a_plan_reads_its_data_anew(tmp_path):
    file = tmp_path / "points.npz"
    points(file, 1)
    counts = {"train": 100, "holdout": 50, "shadow": 100, "shadow_size": 80}
    chosen = experiment(tiny(tmp_path, **with_block(data={"name": str(file)}, counts=counts)))
    first = ordered(c.step for c in cells_of(chosen, "small", None))[0]
    points(file, 2)
    again = ordered(c.step for c in cells_of(chosen, "small", None))[0]
    assert again.key != first.key
    with pytest.raises(InputError, match="not those that it was planned with"):
        first.samples.load()


def test_a_language_model_is_the_one_that_the_plan_names(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "model.safetensors").write_text("1")
    base = BaseModel.of(LlmModel(name="base"), str(tmp_path))
    (tmp_path / "base" / "model.safetensors").write_text("2")
    assert BaseModel.of(LlmModel(name="base"), str(tmp_path)).key != base.key
    with pytest.raises(
        InputError, match=r"model\.safetensors: the file .* not the one that it was planned with"
    ):
        base.load(Environment())


def test_the_shadow_side_needs_data_of_the_same_form(tmp_path):
    points(tmp_path / "points.npz", 1)
    counts = {"train": 100, "holdout": 50, "shadow": 100}
    other = with_block(shadow_data={"name": str(tmp_path / "points.npz")}, shadow_counts=counts)
    with pytest.raises(InputError, match="shadow side needs data of the same form"):
        cells_of(experiment(tiny(tmp_path, **other)), "small", None)


def test_leaks_refuse_data_that_their_step_does_not_name(tmp_path):
    (cell,) = cells_of(leaks(tmp_path), "small", records(tmp_path / "one", 1))
    with pytest.raises(InputError, match="not those that it was planned with"):
        other = Environment(records(tmp_path / "two", 2))
        carry_out([cell.step], Store(tmp_path / "s"), other, stop=True)


@pytest.mark.parametrize("sizes", [[2, 1], [1, 2]])
def test_a_failure_at_one_group_size_leaves_the_others(filled, tmp_path, monkeypatch, sizes):
    """The networks are there from the filled table; LiRA-On refuses two shadow models at once."""
    scored = separation.scored

    def refusing(spec, preset, signals):
        if spec == "lira_online" and len(signals.shadow_fit) == 2 * 200:
            raise InputError("not two")
        return scored(spec, preset, signals)

    monkeypatch.setattr(separation, "scored", refusing)
    chosen = experiment(tiny(tmp_path, small=TINY["small"] | {"groups": sizes}))
    step = cells_of(chosen, "small", None)[0].step
    step.make(Job(tmp_path / "out.json", Store(filled[1] / "store"), Environment(), step.key))
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["missing"] == [{"row": "LiRA-On", "why": "not two", "group": 2, "column": ""}]
    assert [c["group"] for c in record["cells"] if c["row"] == "LiRA-On"] == [1]
    assert sorted(c["group"] for c in record["cells"] if c["row"] == "IAM-On") == [1, 2]
