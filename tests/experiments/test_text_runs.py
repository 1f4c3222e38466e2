"""Whole runs on texts, and the tables that are made of them."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
import yaml

from tiny import LEARN, settings
from vestige.config import validated
from vestige.errors import InputError
from vestige.experiments.bench import experiment, run_bench
from vestige.experiments.bench.table import values_of
from vestige.experiments.text_config import LlmModel
from vestige.experiments.text_files import audit_models
from vestige.experiments.text_steps import BaseModel
from vestige.experiments.texts import comparison
from vestige.graph import Environment
from vestige.llm import LlmConfig, run_llm
from vestige.store import plain

pytestmark = pytest.mark.usefixtures("words_are_told_apart_once")


@pytest.fixture(scope="module")
def whole(model_folder, tmp_path_factory):
    """A run with everything; its folder, and a store that it shares."""
    folder = tmp_path_factory.mktemp("texts")
    chosen = LlmConfig(**settings(model_folder, further=True))
    return chosen, run_llm(chosen, folder / "run", store=str(folder / "store")), folder


def test_a_base_model_whose_files_changed_is_read_anew(model_folder, tmp_path):
    weights = []
    for name in ("base", "other"):
        shutil.rmtree(tmp_path / "base", ignore_errors=True)
        shutil.copytree(model_folder / name, tmp_path / "base")
        model, _ = BaseModel.of(LlmModel(name="base"), str(tmp_path)).load(Environment())
        weights.append(next(model.parameters()))
    assert not torch.equal(*weights)


def test_a_whole_run_is_continued(whole):
    chosen, made, folder = whole
    assert list(made.audits) == ["original", "retrain", "npo", "gradient_ascent"]
    rows = {row["model"]: row for row in comparison(made, ["iam", "loss"])}
    assert rows["original"]["loss_forget"] < rows["npo"]["loss_forget"]
    assert rows["retrain"]["auc iam"] > rows["original"]["auc iam"] + 0.2
    assert all(np.isfinite(list(figures.values())).all() for figures in made.figures.values())
    reasons = {row["measure"]: row["reason"] for row in made.audits["retrain"].table}
    assert not any(reasons.values())
    areas = {row["measure"]: row["auc_retain"] for row in made.audits["retrain"].table}
    assert min(areas[name] for name in ("loss", "recall", "pac", "neighbourhood", "rmia_online")) > 0.6, areas
    assert "lower not given" in {row["reason"] for row in made.audits["npo"].table}
    again = run_llm(chosen, folder / "run")
    assert not again.seconds and plain(comparison(again)) == plain(comparison(made))


def inside(model_folder, **changes):
    """The configuration with its paths inside the model_folder of data sets."""
    data = {name: f"{name}.json" for name in ("forget", "retain", "holdout")} | {"texts": 12}
    return settings(model_folder, **changes) | {"model": {"name": "base"}, "data": data}


def test_a_table_of_degrees(model_folder, tmp_path):
    """ScoreUI on texts as an experiment: each measure's scores fall pass by pass."""
    own = inside(model_folder, methods=[], learn=LEARN | {"epochs": 12})
    file = tmp_path / "tiny.yaml"
    told = {
        "name": "tiny", "title": "Texts", "source": "the tests", "kind": "degrees_of_texts", "figure": "pooled",
        "preset": "recommended",
        "measures": {"Loss": "loss", "Zlib": "zlib", "RMIA-On": "rmia_online", "IAM-On": "iam", "Lower": "lowercase"},
        "published": {"news": {"IAM-On": 0.5}}, "favourite": "IAM-On", "small": {"texts": {"news": own}},
    }  # fmt: skip
    file.write_text(yaml.safe_dump(told))
    made = run_bench(experiment(file), store=tmp_path / "store", root=str(model_folder), engine_name="inline")
    found = {v.row: v for v in values_of(made.result) if v.column == "news"}
    assert min(found[row].mean for row in ("Loss", "Zlib", "IAM-On")) > 0.6
    assert found["RMIA-On"].mean is not None and found["IAM-On"].published == 0.5
    assert "lower" in found["Lower"].why
    within = {v.row: v.mean for v in values_of(made.result, "per_sample")}
    assert within["Loss"] > 0.9 and within["IAM-On"] > 0.9


def test_a_table_of_texts(whole, model_folder, tmp_path):
    """An experiment of `vestige bench`: a column for each model, and files that are looked for before any work.

    Models and signals are those that a run has put into the store that both share.
    """
    own = inside(model_folder, relearn=0)
    file = tmp_path / "tiny.yaml"
    told = {
        "name": "tiny", "title": "Texts", "source": "the tests", "kind": "texts", "figure": "auc",
        "measures": {"Loss": "loss", "IAM-On": "iam", "Lower": "lowercase"},
        "published": {"news · retrain": {"IAM-On": 0.9}}, "small": {"texts": {"news": own}},
    }  # fmt: skip
    file.write_text(yaml.safe_dump(told))
    made = run_bench(experiment(file), store=whole[2] / "store", root=str(model_folder), engine_name="inline")
    assert made.done == 1 and made.kept == 4 + 5  # models, and signals of these and of the base
    columns = dict.fromkeys(v.column for v in values_of(made.result))
    assert list(columns) == [f"news · {m}" for m in ("original", "retrain", "npo", "gradient_ascent")]
    found = {(v.row, v.column): v for v in values_of(made.result)}
    assert found["IAM-On", "news · retrain"].mean > found["IAM-On", "news · original"].mean
    assert found["IAM-On", "news · retrain"].published == 0.9
    assert "lower not given" in found["Lower", "news · npo"].why
    known = {v.column: v.mean for v in values_of(made.result, "membership_forget") if v.row == "IAM-On"}
    assert 0 <= known["news · retrain"] < known["news · original"] <= 1
    with pytest.raises(InputError, match=r"forget\.json is not there"):
        run_bench(experiment(file), store=tmp_path / "other", root=str(tmp_path), engine_name="inline")


def test_all_faults_of_a_run_on_texts_are_told_together(tmp_path):
    values = settings(tmp_path, learn={"lr": 0, "epoch": 3}, methods=["nop"], relearn=-1)
    with pytest.raises(InputError) as caught:
        validated(LlmConfig, values, "run.yaml")
    for said in ("lr is 0", "Did you mean 'epochs'", "Did you mean 'npo'", "'relearn' is -1"):
        assert said in str(caught.value), caught.value
    assert (
        validated(LlmConfig, settings(tmp_path, learn={"lora": 4, "max_steps": 9}), "run.yaml").learn["lora"]
        == 4
    )


def test_signals_of_one_file_with_all_groups_are_audited(text_signals, model_folder, tmp_path):
    for name, signals in text_signals.items():
        (tmp_path / name).mkdir()
        signals.save(tmp_path / name / "part-00000.parquet")
    files = {name: model_folder / f"{name}.json" for name in ("forget", "retain", "holdout")}
    of = {"before": str(tmp_path / "original"), "shadows": [str(tmp_path / "base")]}
    result, _ = audit_models(str(tmp_path / "retrain"), files, tmp_path / "audit", **of)
    assert result.audit.scores.id.str.startswith(("forget-", "retain-", "holdout-")).all()
    mixed = files | {"forget": files["retain"], "retain": files["forget"]}
    with pytest.raises(InputError, match="ids must agree"):
        audit_models(str(tmp_path / "retrain"), mixed, tmp_path / "other", **of)
