"""Runs: filled tables are kept, refused where they are of another version, told of, and tracked; the commands."""

from __future__ import annotations

import errno
import importlib.util
import json
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from bench_tables import BLOCK, TINY, tiny
from typer.testing import CliRunner

import processes
import vestige
from vestige.cli.app import app
from vestige.errors import InputError, MissingExtra
from vestige.experiments.bench import experiment, experiments, run_bench
from vestige.experiments.bench.kept import kept_result
from vestige.experiments.bench.run import read_result
from vestige.experiments.bench.table import sentences, values_of
from vestige.experiments.bench.trackers import tracker
from vestige.experiments.kinds import kind_of
from vestige.experiments.leaderboard import write_leaderboard
from vestige.graph import status
from vestige.store import read_json, write_json


@pytest.fixture(scope="module", autouse=True)
def pictures():
    """As they are: these tests look at them."""


def test_a_filled_table_is_kept(filled):
    made_, folder = filled
    assert made_.missing == [] and made_.done == 17
    assert named(made_) == figures_of(folder / "tiny.yaml")
    again = run_bench(experiment(folder / "tiny.yaml"), store=folder / "store", workers=2)
    assert (again.done, again.kept) == (0, 17) and again.result == made_.result
    assert {len(v) for c in made_.result["cells"] for v in c["figures"]["auc"]} == {3}


@pytest.mark.slow  # the killed runner below has two workers; tests/graph and test_requests.py compare engines as well
def test_results_do_not_depend_on_how_many_work(filled, tmp_path):
    made_, folder = filled
    together = run_bench(experiment(folder / "tiny.yaml"), store=tmp_path, workers=2)
    assert together.result["cells"] == made_.result["cells"]


def test_a_damaged_file_is_made_again(filled, tmp_path):
    made_, folder = filled
    store = tmp_path / "store"
    shutil.copytree(folder / "store", store)
    for kind in ("train", "separation"):
        victim = sorted(store.glob(f"{kind}/*.safetensors") or store.glob(f"{kind}/*"))
        victim = victim or sorted(
            p for p in store.glob(f"{kind}/*.json") if not p.name.endswith(".json.json")
        )
        victim[0].write_bytes(b"cut")
    again = run_bench(experiment(folder / "tiny.yaml"), store=store, engine_name="inline")
    assert again.result == made_.result and 1 <= again.done <= 2


def figures_of(path):
    chosen = experiment(path)
    return set(kind_of(chosen).figures(chosen))


def named(made_):
    return {figure for cell in made_.result["cells"] for figure in cell["figures"]}


def test_methods_epsilon_and_degrees(tmp_path):
    block = BLOCK | {"checkpoints": 3}
    small = TINY["small"] | {"blocks": {"digits": block}, "splits": 1, "shadows": 1, "seeds": 2, "models": 4}
    methods = ["retrain", {"name": "finetune", "epochs": 1}]
    made_ = run_bench(
        experiment(tiny(tmp_path, kind="methods", figure="disparity", percent=False, methods=methods, small=small,
                        published={}, favourite=None, over="seed", name="m")),
        store=tmp_path / "s", engine_name="inline",
    )  # fmt: skip
    assert made_.missing == []
    assert named(made_) == figures_of(tmp_path / "tiny.yaml")
    cells = {v.row: v for v in values_of(made_.result)}
    assert cells["retrain"].mean == 0 and cells["finetune"].mean > 0 and cells["finetune"].n == 2
    gap = {v.row: v.mean for v in values_of(made_.result, "gap_forget")}
    assert gap["retrain"] == 0
    eps = run_bench(
        experiment(tiny(tmp_path, kind="epsilon", figure="epsilon", percent=False, methods=methods, small=small,
                        published={}, favourite=None, name="e")),
        store=tmp_path / "s", engine_name="inline",
    )  # fmt: skip
    assert named(eps) == figures_of(tmp_path / "tiny.yaml")
    assert eps.missing == [] and all(np.isfinite(v.mean) for v in values_of(eps.result))
    ui = run_bench(
        experiment(tiny(tmp_path, kind="degrees", figure="pooled", percent=False, small=small, published={}, name="u")),
        store=tmp_path / "s", engine_name="inline",
    )  # fmt: skip
    assert named(ui) == figures_of(tmp_path / "tiny.yaml")
    follows = {v.row: v.mean for v in values_of(ui.result)}
    assert ui.missing == [] and follows["IAM-On"] > 0.3 > abs(follows["Random"])


def test_a_result_of_another_version_says_so(filled, tmp_path):
    made_, _ = filled
    path, lines = tmp_path / "old.json", []
    path.write_text(json.dumps(made_.result | {"vestige": "0.0.1"}))
    result = kept_result(str(path), "small", "nowhere", lines.append)
    assert lines == [f"Computed by vestige 0.0.1; this is {vestige.__version__}."]
    assert sentences(result) == [*sentences(made_.result), *lines]
    assert lines[0] in write_leaderboard(tmp_path / "page.html", [result]).read_text()


def test_a_result_of_another_format_is_refused(filled, tmp_path):
    made_, _ = filled
    assert read_result(made_.path) == made_.result
    for change, said in (
        ({"format": 99}, "format 99"),
        ({"kind": "x"}, "not a result"),
        ({"format": 99}, "run FILE.yaml --scale small, with the file of 'tiny'"),
        ({"format": 99, "name": "iam-table1", "scale": "paper"}, "run iam-table1 --scale paper$"),
    ):
        path = tmp_path / "old.json"
        path.write_text(json.dumps(made_.result | change))
        with pytest.raises(InputError, match=said):
            read_result(path)


def test_tensorboard_gets_the_figures(filled, tmp_path):
    pytest.importorskip("tensorboardX", reason="the extra 'track' is not installed")
    made_, _ = filled
    tracker("tensorboard")(made_.result, tmp_path / "results" / "tiny.json")
    (events,) = (tmp_path / "tensorboard" / "tiny-small").iterdir()
    assert b"IAM-On" in events.read_bytes()


def test_mlflow_gets_the_figures(filled, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed: pip install 'vestige[track]'")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    made_, _ = filled
    tracker("mlflow")(made_.result, made_.path)
    (run,) = mlflow.MlflowClient().search_runs(["0"])
    assert run.data.params["experiment"] == "tiny" and run.data.params["vestige"] == vestige.__version__
    wanted = {v.row: v.mean for v in values_of(made_.result)}
    assert run.data.metrics["digits _ random/IAM-On"] == pytest.approx(wanted["IAM-On"])
    assert [a.path for a in mlflow.MlflowClient().list_artifacts(run.info.run_id)] == [made_.path.name]


def test_a_tracker_that_is_not_installed_is_one_command():
    if importlib.util.find_spec("mlflow") is None:
        with pytest.raises(MissingExtra, match=r"vestige\[track\]"):
            tracker("mlflow")


def test_status_is_read_from_another_terminal(filled):
    _, folder = filled
    (found,) = [one for one in status(folder / "store") if one["name"] == "tiny-small"]
    assert found["name"] == "tiny-small" and found["ended"] and found["left"] is None
    assert sum(found["counts"].values()) == found["steps"] == 17 and found["failed"] == []
    (folder / "nothing").mkdir(exist_ok=True)
    assert status(folder / "nothing") == []


def test_a_runner_that_says_nothing_for_long_seems_to_have_stopped(filled, tmp_path, monkeypatch):
    made_, folder = filled
    path = tmp_path / "status" / "tiny-small.json"
    record = json.loads((folder / "store" / "status" / "tiny-small.json").read_text())
    del record["ended"]
    record["steps"][0]["state"] = "running"
    now = time.time()
    monkeypatch.setattr("vestige.graph.progress.time.time", lambda: now)  # a busy machine is no failure

    def told(silent):
        write_json(path, record | {"started": now - silent - 42, "written": now - silent})
        (found,) = status(tmp_path)
        return found, CliRunner().invoke(app, ["status", str(tmp_path)]).output

    lives, said = told(30)
    assert (
        not lives["stopped"]
        and not lives["ended"]
        and len(lives["running"]) == 1
        and "running for 72 s" in said
    )
    stopped, said = told(3600)
    assert stopped["stopped"] and stopped["ended"] and not stopped["running"] and stopped["left"] is None
    assert "ended after 42 s" in said and "stopped 60 minutes ago; the same command goes on" in said


def test_a_status_that_cannot_be_written_stops_nothing(filled, tmp_path):
    made_, folder = filled
    shutil.copytree(folder / "store", tmp_path / "store")
    shutil.rmtree(tmp_path / "store" / "status")
    (tmp_path / "store" / "status").write_text("in the way")
    again = run_bench(experiment(folder / "tiny.yaml"), store=tmp_path / "store", engine_name="inline")
    assert again.result == made_.result


def test_a_disk_that_is_full_at_the_end_is_one_sentence(filled, tmp_path, monkeypatch):
    _, folder = filled

    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    shutil.copytree(folder / "store", tmp_path / "store")
    monkeypatch.setattr("vestige.experiments.bench.run.write_text", full)
    with pytest.raises(InputError, match=r"results/tiny-small\.json: the disk is full; free some space"):
        run_bench(experiment(folder / "tiny.yaml"), store=tmp_path / "store", engine_name="inline")


NO_STEPS = '{"started": 0, "written": 0, "steps": [{}]}'


def test_a_file_that_is_no_status_hides_no_run(filled, tmp_path):
    _, folder = filled
    shutil.copytree(folder / "store" / "status", tmp_path / "status")
    for name, text in (("a", "{}"), ("b", "[]"), ("c", '{"steps":'), ("d", "3"), ("e", NO_STEPS)):
        (tmp_path / "status" / f"{name}-small.json").write_text(text)
    assert "tiny-small" in {one["name"] for one in status(tmp_path)}


def test_failed_steps_are_not_kept_ones(tmp_path, filled):
    """One method's model fails, and all that reads it; the rest is done."""
    changes = {"kind": "methods", "figure": "disparity", "percent": False, "measures": {"RMIA": "rmia_offline"},
               "methods": ["retrain", {"name": "ssd", "alpha": 1e9}], "published": {}, "favourite": None,
               "small": TINY["small"] | {"splits": 1, "shadows": 1}}  # fmt: skip
    store = tmp_path / "store"
    shutil.copytree(filled[1] / "store", store)
    made_ = run_bench(experiment(tiny(tmp_path, **changes)), store=store, engine_name="inline")
    assert {m["row"] for m in made_.missing} == {
        "ssd"
    } and made_.failed == 3  # unlearned, its outputs, its figures
    told = json.loads((store / "status" / "tiny-small.json").read_text())
    assert made_.done + made_.kept + made_.failed == len(told["steps"]) and made_.kept > 0
    ran = call("run", tmp_path / "tiny.yaml", "--store", store, "--engine", "inline", "--json")
    assert ran.exit_code == 1
    summary = json.loads(ran.stdout)
    assert (summary["steps_done"], summary["steps_failed"]) == (0, 3)
    assert call("table", tmp_path / "tiny.yaml", "--store", store).exit_code == 1  # an empty cell


def test_a_result_behind_a_url_is_read_on_another_machine(filled, tmp_path, monkeypatch):
    made_, folder = filled
    shutil.copytree(folder / "store", tmp_path / "bucket")
    shutil.rmtree(tmp_path / "bucket" / "results")
    place = f"file://{tmp_path / 'bucket'}"
    monkeypatch.setenv("VESTIGE_CACHE", str(tmp_path / "one"))
    again = run_bench(experiment(folder / "tiny.yaml"), store=place, engine_name="inline")
    assert again.done == 0 and again.result == made_.result
    monkeypatch.setenv("VESTIGE_CACHE", str(tmp_path / "two"))
    read = call("table", folder / "tiny.yaml", "--store", place)
    assert read.exit_code == 0 and "(67.10)" in read.stdout
    assert "on the machine of its runner" in CliRunner().invoke(app, ["status", place]).output


def call(*arguments):
    return CliRunner().invoke(app, ["bench", *map(str, arguments)])


def test_the_command_line(filled, tmp_path):
    made_, folder = filled
    assert "iam-table1" in call("list").output
    assert {e["name"] for e in json.loads(call("list", "--json").output)} == set(experiments())
    ran = call(
        "run",
        folder / "tiny.yaml",
        "--store",
        folder / "store",
        "--json",
        "--save",
        tmp_path / "r" / "tiny.json",
    )
    told = json.loads(ran.output)
    assert ran.exit_code == 0 and told["steps_done"] == 0 and told["missing"] == []
    assert "(67.10)" in call("table", tmp_path / "r" / "tiny.json").output
    assert call("table", tmp_path / "r" / "tiny.json", "--format", "csv").output.startswith("row,")
    usual = call("table", folder / "tiny.yaml", "--store", folder / "store")
    changed = tiny(tmp_path, measures={"IAM-On": "iam"})
    noted = call("table", changed, "--store", folder / "store")
    assert "(67.10)" in usual.stdout and not usual.stderr and "other settings" in noted.stderr
    assert f"vestige bench run {changed} --scale small --store {folder / 'store'}" in noted.stderr
    assert call("plot", tmp_path / "r" / "tiny.json", "--out", tmp_path / "a.svg").exit_code == 0
    assert "tiny-small: 17 of 17 steps" in CliRunner().invoke(app, ["status", str(folder / "store")]).output
    machine = CliRunner().invoke(app, ["status", str(folder / "store"), "--json"]).output
    assert json.loads(machine)[0]["ended"]
    assert "No run in" in CliRunner().invoke(app, ["status", str(tmp_path)]).output
    missing = call("table", "iam-table1", "--store", tmp_path)
    assert isinstance(missing.exception, InputError) and "no such file" in str(missing.exception)


def test_a_folder_to_write_to_gets_the_file(filled, tmp_path):
    made_, folder = filled
    own = (folder / "tiny.yaml", "--store", folder / "store")
    for save in (tmp_path, made_.path):  # a folder that is there, and the result file itself
        assert call("run", *own, "--quiet", "--save", save).exit_code == 0
    assert read_json(tmp_path / "tiny-small.json") == made_.result == read_json(made_.path)
    assert call("plot", *own, "--out", tmp_path).exit_code == 0
    assert (tmp_path / "tiny-small.svg").stat().st_size > 1000


def test_a_leaderboard_passes_over_foreign_files_in_a_folder(filled, tmp_path):
    made_, _ = filled
    shutil.copy(made_.path, tmp_path)
    foreign = tmp_path / "other.json"
    foreign.write_text('{"a": 1}')
    made_page = call("leaderboard", tmp_path, "--out", tmp_path / "page.html")
    assert made_page.exit_code == 0 and "passed over" in made_page.stderr and "other.json" in made_page.stderr
    assert "(67.10)" in (tmp_path / "page.html").read_text()
    named = call("leaderboard", foreign, "--out", tmp_path / "page.html")
    assert isinstance(named.exception, InputError)


def test_a_killed_runner_continues_with_identical_results(filled, tmp_path):
    made_, folder = filled
    store = tmp_path / "s"
    command = ("bench", "run", folder / "tiny.yaml", "--store", store, "--workers", 2, "--quiet")
    with processes.started(processes.COMMAND, *command) as program:
        while program.code is None and len(list(store.rglob("*.safetensors"))) < 2:
            time.sleep(0.05)
        program.send(signal.SIGKILL)
    whole = run_bench(experiment(folder / "tiny.yaml"), store=store, engine_name="inline")
    assert whole.result == made_.result and whole.kept > 0


def test_an_unknown_tracker():
    with pytest.raises(InputError, match="no tracker 'wandb'"):
        tracker("wandb")
    assert tracker(None)({}, Path()) is None


@pytest.mark.slow  # what Ray does with steps is tested beside its engine
def test_ray_fills_the_same_table(filled, tmp_path):
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    made_, folder = filled
    there = run_bench(
        experiment(folder / "tiny.yaml"), store=tmp_path / "s", engine_name="ray", address="local"
    )
    assert there.result == made_.result and there.done == made_.done
