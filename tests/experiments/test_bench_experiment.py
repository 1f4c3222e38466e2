"""Experiments as data: every table of the papers is whole, and a faulty one says what is wrong."""

from __future__ import annotations

import pytest
from bench_tables import BLOCK, TINY, tiny

from vestige.errors import InputError
from vestige.experiments.bench import experiment, experiments, run_bench
from vestige.experiments.kinds import kind_of
from vestige.models import MODELS
from vestige.training import PRESETS


def titles(chosen):
    kind = kind_of(chosen)
    return tuple(chosen.at(next(iter(chosen.scales))).leaks) if kind.part == "leaks" else kind.titles(chosen)


@pytest.mark.parametrize("name", experiments())
def test_every_experiment_is_whole(name):
    found = experiment(name)
    assert found.name == name and found.source and found.scales
    for column, rows in found.published.items():
        assert set(rows) <= set(titles(found)), column
    if found.favourite:
        assert found.favourite in titles(found)


COUNTS = BLOCK["counts"]
SIZES = {
    ("cifar10", "all"): 60_000, ("cifar100", "all"): 60_000, ("cifar10", "train"): 50_000, ("cinic10", "train"): 90_000,
    ("location30", "train"): 5010, ("adult", "train"): 30_000, ("purchase100", "train"): 197_324,
}  # fmt: skip


@pytest.mark.parametrize("name", experiments())
def test_the_samples_and_networks_that_an_experiment_asks_for_exist(name):
    for scale in experiment(name).scales.values():
        for block in scale.blocks.values():
            for data, counts in ((block.data, block.counts), (block.shadow_data, block.shadow_counts)):
                if data is not None:
                    size = SIZES[data.name, data.options.get("part", "train")]
                    assert counts.train + counts.holdout + counts.shadow <= size
            for model in filter(None, (block.model, block.shadow_model)):
                MODELS[model.name].resolve(model.options)


@pytest.mark.parametrize(
    ("name", "column", "row", "printed"),
    [
        ("iam-table1", "cifar10 · random", "IAM-On", 67.10),
        ("iam-table1", "purchase · partial class", "RMIA-On", 67.07),
        ("iam-table2", "cifar100", "IAM-On", 0.713),
        ("iam-table3", "cinic10 · random", "EMIA-P", 68.20),
        ("iam-table10", "cifar10 · class", "LiRA-On", 71.07),
        ("iam-figure5", "cifar10 · random · 128", "IAM-Off", 68.18),
        ("iam-figure4", "vgg11 shadows · random", "LiRA-On", 72.52),
        ("iam-table8", "location30 · random", "retrain", 81.36),
        ("dau-table1", "cifar10 sparse · class", "dau", 1.57),
        ("dau-table1", "cifar100 sparse · random", "influence", 15.22),
        ("fwp-table1", "cifar10 · random", "selective_pruning_complex", 2.20),
    ],
)
def test_published_values_are_as_printed(name, column, row, printed):
    assert experiment(name).published[column][row] == printed


def test_an_experiment_like_another(tmp_path):
    table, figure = experiment("dau-table1"), experiment("dau-figure2", ["small.seeds=1"])
    assert (
        figure.paper == table.paper and figure.methods == table.methods and figure.figure == "mia_disparity"
    )
    own = tmp_path / "own.yaml"
    own.write_text("like: iam-table1\n")
    with pytest.raises(InputError, match="name"):
        experiment(own)
    own.write_text(f"name: own\nlike: {own}\n")
    with pytest.raises(InputError, match="a circle"):
        experiment(own)
    assert figure.published == {} and figure.favourite is None and table.favourite == "dau"
    assert figure.small == table.small.model_copy(update={"seeds": 1})


def test_an_experiment_is_like_a_file_beside_it(tmp_path, monkeypatch):
    tiny(tmp_path)
    child = tmp_path / "child.yaml"
    child.write_text("name: child\ntitle: t\nsource: s\nlike: tiny.yaml\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert titles(experiment(child)) == titles(experiment(tmp_path / "tiny.yaml")) != ()


def test_a_recipe_may_be_a_name():
    fast = experiment("iam-table1", ["paper.blocks.cifar10.recipe=speed"]).paper.blocks["cifar10"].recipe
    assert fast == PRESETS["speed"]
    with pytest.raises(InputError, match="'paper.blocks.cifar10.recipe' is 'sped': .*Did you mean 'speed'"):
        experiment("iam-table1", ["paper.blocks.cifar10.recipe=sped"])


def test_an_unknown_experiment_names_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'iam-table1'"):
        experiment("iam-tabel1")
    with pytest.raises(InputError, match="no small|no scale 'small'"):
        experiment("iam-table3").at("small")
    with pytest.raises(InputError, match="no file|no such file"):
        experiment("mine.yaml")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"measures": {}}, "needs measures"),
        ({"small": None}, "at least one scale"),
        ({"small": TINY["small"] | {"groups": [4]}}, "cannot be drawn from 3"),
        ({"figur": "auc"}, "Did you mean 'figure'"),
        (
            {"measures": {"old": {"name": "iam", "knobs": {"mode": "offline"}}}},
            "'measures.old'.*write {name: iam, mode: offline}",
        ),
        ({"measures": {"none": {"nmae": "iam"}}}, "its 'name' is missing"),
        (
            {"small": TINY["small"] | {"requests": {"r": {"measures": {"a": {"name": "iam", "knobs": {}}}}}}},
            "not under 'knobs'",
        ),
        (
            {"kind": "methods", "methods": ["ssd", {"name": "ssd", "alpha": 2.0}]},
            "ssd is named twice",
        ),
        ({"small": TINY["small"] | {"requests": {}}}, "'small.requests'"),
        ({"small": TINY["small"] | {"groups": []}}, "'small.groups'"),
        ({"small": TINY["small"] | {"groups": [1, 1]}}, "each size is wanted once"),
        ({"kind": "leaks"}, "'small' has no leaks"),
        ({"kind": "epsilon", "methods": ["ssd"], "small": TINY["small"] | {"models": 3}}, "needs at least 4"),
        ({"name": "../x"}, "plain folder name"),
        (
            {"small": TINY["small"] | {"blocks": {"digits": BLOCK | {"counts": COUNTS | {"seed": -1}}}}},
            "seed' is -1",
        ),
    ],
)
def test_a_faulty_experiment_says_what_is_wrong(tmp_path, change, said):
    with pytest.raises(InputError, match=said):
        experiment(tiny(tmp_path, **change))


def test_a_data_set_that_is_not_at_hand_is_found_before_any_work(tmp_path, monkeypatch):
    monkeypatch.delenv("VESTIGE_DATA", raising=False)
    with pytest.raises(InputError, match="location"):
        run_bench(experiment("iam-table1"), store=tmp_path / "store", root=str(tmp_path))
    assert not list((tmp_path / "store").rglob("*.safetensors"))
