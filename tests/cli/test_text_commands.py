"""The commands on texts: what they write, and how they end."""

from __future__ import annotations

import json

import pytest
import yaml

from tiny import LEARN, settings

pytestmark = pytest.mark.usefixtures("words_are_told_apart_once")


def test_collect(here, model_folder, tmp_path):
    code, out, err = here(
        "llm",
        "collect",
        model_folder / "base",
        model_folder / "forget.json",
        "--out",
        tmp_path / "s",
        "--json",
    )
    assert code == 0 and json.loads(out)["texts"] == 24, err


def test_unlearn_and_audit(here, model_folder, tmp_path):
    files = {name: model_folder / f"{name}.json" for name in ("forget", "retain", "holdout")}
    code, out, err = here(
        "llm", "unlearn", "npo:lr=1e-3,epochs=1", "--model", model_folder / "original", "--forget", files["forget"], "--retain",
        files["retain"], "--out", tmp_path / "npo", "--json",
    )  # fmt: skip
    assert code == 0 and json.loads(out)["options"]["lr"] == 1e-3, err
    assert (tmp_path / "npo" / "model.safetensors").is_file()
    groups = [x for name, path in files.items() for x in (f"--{name}", path)]
    code, out, err = here(
        "llm", "audit", "--after", tmp_path / "npo", "--before", model_folder / "original", "--shadow",
        model_folder / "base", *groups, "--out", tmp_path / "a", "--json", "--require", "unlearned",
    )  # fmt: skip
    verdict = json.loads(out)["verdict"]
    assert code == {"unlearned": 0, "undecided": 4, "under": 1, "over": 1}[verdict["outcome"]], err
    assert ("vestige: audit: " in err) == (verdict["outcome"] != "unlearned")
    assert {"left_at_most", "could_be_whole", "blocked_by", "advice", "power"} <= verdict.keys()
    assert (tmp_path / "a" / "texts.html").is_file() and (tmp_path / "a" / "report.html").is_file()


def test_run(here, model_folder, tmp_path):
    chosen = settings(model_folder, methods=["task_vector"], relearn=0, learn=LEARN | {"epochs": 5})
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(chosen))
    code, out, err = here("run", tmp_path / "run.yaml", "--out", tmp_path / "r", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert [row["model"] for row in found["models"]] == ["original", "retrain", "task_vector"]
    (tmp_path / "r" / "report.html").unlink()
    code, out, err = here("report", tmp_path / "r", "--json")
    assert code == 0 and json.loads(out)["models"] == found["models"], err
    assert (tmp_path / "r" / "report.html").is_file()
    next((tmp_path / "r" / "signals").rglob("*.parquet")).unlink()
    code, _, err = here("report", tmp_path / "r")
    assert code == 2 and "does not hold" in err and "the same command does what is missing" in err


def test_what_cannot_be_done_is_told(here, model_folder, tmp_path):
    base, forget, out = model_folder / "base", model_folder / "forget.json", tmp_path / "x"
    for args, message in (
        (("llm", "unlearn", "nop", "--model", base, "--forget", forget, "--out", out), "npo"),
        (("llm", "collect", tmp_path / "none", forget, "--out", out), "none"),
        (("llm", "collect", base, tmp_path / "none.json", "--out", out), "no such file"),
    ):
        code, _, err = here(*args)
        assert code == 2 and message in err, err
