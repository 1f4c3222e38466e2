"""Tables as data: what they hold, how they are planned, filled, read, and what happens when something dies."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import bench_steps
import numpy as np
import pytest
import torch
import yaml
from bench_steps import made
from scipy import stats
from typer.testing import CliRunner

import vestige
from vestige.cli.app import app
from vestige.errors import InputError, MissingExtra
from vestige.experiments.bench import experiment, experiments, render_table, run_bench
from vestige.experiments.bench.engines import engine, execute
from vestige.experiments.bench.plan import cells_of
from vestige.experiments.bench.plot import render_plot
from vestige.experiments.bench.run import gathered, read_result, status, time_left
from vestige.experiments.bench.steps import Step, Store, ordered, perform
from vestige.experiments.bench.table import agreement, agreement_text, controls, values_of
from vestige.experiments.bench.trackers import tracker
from vestige.models import MODELS
from vestige.report.leaderboard import write_leaderboard

BLOCK = {
    "data": {"name": "digits"},
    "counts": {"train": 200, "holdout": 100, "shadow": 400, "shadow_size": 200},
    "model": {"name": "mlp", "knobs": {"hidden": [16]}},
    "recipe": {"epochs": 3, "batch_size": 32, "lr": 0.05},
}
TINY = {
    "name": "tiny", "title": "A tiny table", "source": "the tests", "kind": "separation", "figure": "auc", "percent": True,
    "favourite": "IAM-On",
    "measures": {
        "Random": "random", "LiRA-On": "lira_online", "IAM-On": {"name": "iam", "knobs": {"mode": "online"}},
    },
    "published": {"digits · random": {"Random": 50.0, "LiRA-On": 63.41, "IAM-On": 67.10}},
    "small": {
        "splits": 3, "shadows": 3, "blocks": {"digits": BLOCK},
        "requests": {"random": {"scenario": "random", "forget": 40}},
    },
}  # fmt: skip


def tiny(folder, **changes):
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY | changes))
    return path


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    return run_bench(experiment(tiny(folder)), store=folder / "store", workers=2), folder


@pytest.mark.parametrize("name", experiments())
def test_every_experiment_is_whole(name):
    found = experiment(name)
    assert found.name == name and found.source and found.scales
    for column, rows in found.published.items():
        assert set(rows) <= set(found.rows), column
    if found.favourite:
        assert found.favourite in found.rows


SIZES = {
    ("cifar10", "all"): 60_000, ("cifar100", "all"): 60_000, ("cifar10", "train"): 50_000, ("cinic10", "train"): 90_000,
    ("location30", "train"): 5010, ("adult", "train"): 30_000,
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
                MODELS[model.name].resolve(model.knobs)


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


def test_a_filled_table_is_kept(filled):
    made_, folder = filled
    assert made_.missing == [] and made_.done == 17
    again = run_bench(experiment(folder / "tiny.yaml"), store=folder / "store", workers=2)
    assert (again.done, again.kept) == (0, 17) and again.result == made_.result
    assert {len(v) for c in made_.result["cells"] for v in c["figures"]["auc"]} == {3}


def test_results_do_not_depend_on_how_many_work(filled, tmp_path):
    made_, folder = filled
    alone = run_bench(experiment(folder / "tiny.yaml"), store=tmp_path, workers=1)
    assert alone.result["cells"] == made_.result["cells"]


def test_a_damaged_file_is_made_again(filled, tmp_path):
    made_, folder = filled
    store = tmp_path / "store"
    shutil.copytree(folder / "store", store)
    for kind in ("trained", "separation"):
        victim = sorted(store.glob(f"{kind}/*.safetensors") or store.glob(f"{kind}/*"))
        victim = victim or sorted(
            p for p in store.glob(f"{kind}/*.json") if not p.name.endswith(".json.json")
        )
        victim[0].write_bytes(b"cut")
    again = run_bench(experiment(folder / "tiny.yaml"), store=store, workers=2)
    assert again.result == made_.result and 1 <= again.done <= 2


def test_cells_carry_mean_interval_and_the_published_value(filled):
    made_, _ = filled
    cells = {v.row: v for v in values_of(made_.result)}
    raw = next(c for c in made_.result["cells"] if c["row"] == "IAM-On")["figures"]["auc"]
    means = 100 * np.mean(raw, axis=1)
    assert cells["IAM-On"].mean == pytest.approx(means.mean())
    assert cells["IAM-On"].half == pytest.approx(stats.t.ppf(0.975, 2) * means.std(ddof=1) / 3**0.5)
    assert cells["IAM-On"].published == 67.10 and cells["IAM-On"].n == 3
    table = render_table(made_.result)
    assert "digits · random" in table and "(67.10)" in table and "nan" not in table.lower()
    assert "\\begin{tabular}{lr}" in render_table(made_.result, "latex")
    assert (
        render_table(made_.result, "csv").splitlines()[0].startswith("row,column,figure,mean,half_width_95")
    )
    assert "(67.10)" not in render_table(made_.result, figure="balanced_accuracy")
    with pytest.raises(InputError, match="no format 'html'"):
        render_table(made_.result, "html")
    with pytest.raises(InputError, match="no figure 'acu'"):
        render_table(made_.result, figure="acu")


def table_of(values, published, **changes):
    """A result file's content with given AUCs [splits][shadows] for each row."""
    told = experiment_dump(**changes)
    told["published"] = {"c": published}
    return {
        "experiment": told, "missing": [],
        "cells": [{"column": "c", "row": r, "group": 1, "figures": {"auc": v}} for r, v in values.items()],
    }  # fmt: skip


def experiment_dump(**changes):
    base = {"kind": "separation", "figure": "auc", "percent": False, "smaller": False, "over": "split",
            "favourite": "A", "measures": {}, "methods": [], "title": "t"}  # fmt: skip
    return base | changes


def test_agreement_ranks_and_pairs():
    values = {
        "A": [[0.9, 0.8], [0.7, 0.8], [0.9, 0.9]], "B": [[0.7, 0.7], [0.6, 0.7], [0.7, 0.7]], "C": [[0.5, 0.5]] * 3,
    }  # fmt: skip
    (found,) = agreement(table_of(values, {"A": 0.8, "B": 0.7, "C": 0.5}))
    assert found.tau == 1 and found.first == found.published_first == "A" and found.rival == "B"
    gaps = np.array([0.15, 0.1, 0.2])  # of the splits' means
    half = stats.t.ppf(0.975, 2) * gaps.std(ddof=1) / 3**0.5
    assert found.lead == pytest.approx((0.15, 0.15 - half, 0.15 + half))
    (few,) = agreement(table_of({row: v[:2] for row, v in values.items()}, {}))
    assert few.lead == (pytest.approx(0.125), None, None)
    (turned,) = agreement(table_of(values, {"A": 0.5, "B": 0.7, "C": 0.8}))
    assert turned.tau == -1 and turned.published_first == "C"
    (small,) = agreement(table_of(values, {"A": 0.1, "B": 0.2, "C": 0.3}, smaller=True))
    assert small.first == "C" and small.published_first == "A" and small.lead[0] < 0
    assert "A minus B: +0.150 [" in agreement_text(table_of(values, {}))


def test_intervals_over_shadow_models():
    values = {"A": [[0.9, 0.8, 0.7], [0.7, 0.8, 0.9]]}
    (over,) = values_of(table_of(values, {}, over="shadow"))
    assert over.mean == pytest.approx(0.8) and over.half == pytest.approx(0) and over.n == 3
    (two,) = values_of(table_of(values, {}))
    assert two.half is None  # two splits carry no interval


def test_controls():
    def told(value, **changes):
        result = table_of({"Random": [[value]], "A": [[0.9]]}, {}, **changes)
        result["experiment"]["measures"] = {"Random": "random", "A": "iam"}
        return result

    assert [c["holds"] for c in controls(told(0.52))] == [True]
    assert [c["holds"] for c in controls(told(0.56))] == [False]
    exact = table_of({"retrain": [[0.0]], "finetune": [[2.0]]}, {}, kind="methods", figure="auc")
    exact["experiment"]["figure"] = "disparity"
    for cell in exact["cells"]:
        cell["figures"] = {"disparity": cell["figures"]["auc"]}
    (found,) = controls(exact)
    assert found["name"] == "Positive control" and found["holds"]


def test_the_leaderboard_shows_every_table_and_says_when_a_control_failed(filled, tmp_path):
    made_, _ = filled
    text = write_leaderboard(tmp_path / "a.html", [made_.result]).read_text()
    assert "Toy data" in text and "(67.10)" in text and "nan" not in text.lower().replace("finance", "")
    assert "http://" not in text and "https://" not in text
    broken = json.loads(json.dumps(made_.result))
    for cell in broken["cells"]:
        if cell["row"] == "Random":
            cell["figures"]["auc"] = [[0.8, 0.8, 0.8]] * 3
    assert "A control failed in tiny" in write_leaderboard(tmp_path / "b.html", [broken]).read_text()
    with pytest.raises(InputError, match="no result file"):
        write_leaderboard(tmp_path / "c.html", [])


def test_what_cannot_be_measured_is_a_missing_cell_with_its_reason(tmp_path):
    changes = {"measures": TINY["measures"] | {"SAMIA": "samia"}, "small": TINY["small"] | {"splits": 1}}
    made_ = run_bench(experiment(tiny(tmp_path, **changes)), store=tmp_path / "store", workers=2)
    assert [m["row"] for m in made_.missing] == ["SAMIA"]
    table = render_table(made_.result)
    assert "missing" in table and "sensitivity" in table


def test_cells_that_were_not_run_say_so(tmp_path):
    chosen = experiment(tiny(tmp_path))
    found = gathered(chosen, "small", cells_of(chosen, "small", None), Store(tmp_path / "empty"), {})
    assert {m["why"] for m in found["missing"]} == {"not run yet"} and len(found["missing"]) == 9
    assert render_table(found).count("missing") == 3
    with pytest.raises(InputError, match="nothing to draw"):
        render_plot(found, tmp_path / "a.svg")


def test_methods_epsilon_and_degrees(tmp_path):
    block = BLOCK | {"checkpoints": 3}
    small = TINY["small"] | {"blocks": {"digits": block}, "splits": 1, "shadows": 1, "seeds": 2, "models": 4}
    methods = ["retrain", {"name": "finetune", "knobs": {"epochs": 1}}]
    made_ = run_bench(
        experiment(tiny(tmp_path, kind="methods", figure="disparity", percent=False, methods=methods, small=small,
                        published={}, favourite=None, over="seed", name="m")),
        store=tmp_path / "s", workers=2,
    )  # fmt: skip
    assert made_.missing == []
    cells = {v.row: v for v in values_of(made_.result)}
    assert cells["retrain"].mean == 0 and cells["finetune"].mean > 0 and cells["finetune"].n == 2
    gap = {v.row: v.mean for v in values_of(made_.result, "gap_forget")}
    assert gap["retrain"] == 0
    eps = run_bench(
        experiment(tiny(tmp_path, kind="epsilon", figure="epsilon", percent=False, methods=methods, small=small,
                        published={}, favourite=None, name="e")),
        store=tmp_path / "s", workers=2,
    )  # fmt: skip
    assert eps.missing == [] and all(np.isfinite(v.mean) for v in values_of(eps.result))
    ui = run_bench(
        experiment(tiny(tmp_path, kind="degrees", figure="pooled", percent=False, small=small, published={}, name="u")),
        store=tmp_path / "s", workers=2,
    )  # fmt: skip
    follows = {v.row: v.mean for v in values_of(ui.result)}
    assert ui.missing == [] and follows["IAM-On"] > 0.3 > abs(follows["Random"])


def test_groups_of_shadow_models_are_columns_and_curves(tmp_path):
    small = TINY["small"] | {"groups": [1, 3]}
    made_ = run_bench(experiment(tiny(tmp_path, small=small, published={})), store=tmp_path / "s", workers=2)
    assert {v.column for v in values_of(made_.result)} == {"digits · random · 1", "digits · random · 3"}
    assert render_plot(made_.result, tmp_path / "a.svg").read_text().lstrip().startswith("<?xml")


def test_curves(filled, tmp_path):
    """An experiment of curves keeps rates that rise to 1; the figures of the table are as without."""
    made_, folder = filled
    curved = run_bench(
        experiment(tiny(tmp_path, name="curved", curve=True)), store=folder / "store", workers=2
    )
    assert curved.done == 3  # the networks and their outputs are there
    for cell, plain_ in zip(curved.result["cells"], made_.result["cells"], strict=True):
        rates = [
            np.mean(v)
            for name, v in cell["figures"].items()
            if name.startswith("tpr_at_") and "%" not in name
        ]
        assert len(rates) == 25 and (np.diff(rates) >= 0).all() and rates[-1] == 1
        assert cell["figures"]["auc"] == plain_["figures"]["auc"]
    assert "AUC in brackets" in render_plot(curved.result, tmp_path / "a.svg").read_text()


def test_pictures(filled, tmp_path):
    made_, _ = filled
    for ending in ("svg", "png", "pdf"):
        assert render_plot(made_.result, tmp_path / f"a.{ending}").stat().st_size > 1000
    with pytest.raises(InputError, match=r"\.svg, \.pdf or \.png"):
        render_plot(made_.result, tmp_path / "a.bmp")


def test_a_result_of_another_version_or_configuration_is_refused(filled, tmp_path):
    made_, folder = filled
    chosen = experiment(folder / "tiny.yaml")
    assert read_result(made_.path, chosen) == made_.result
    for change, said in (
        ({"vestige": "0.0.1"}, "is of vestige 0.0.1"),
        ({"format": 99}, "format 99"),
        ({"kind": "x"}, "not a result"),
    ):
        path = tmp_path / "old.json"
        path.write_text(json.dumps(made_.result | change))
        with pytest.raises(InputError, match=said):
            read_result(path)
    with pytest.raises(InputError, match="another configuration"):
        read_result(made_.path, experiment(folder / "tiny.yaml", ["small.blocks.digits.recipe.lr=0.01"]))


# --- engines -----------------------------------------------------------------------------------------------


def done(steps, folder, name="local", workers=1, **options):
    store, told = Store(folder), []
    with engine(name, str(folder), None, workers=workers, **options) as where:
        states = execute(steps, store, where, lambda one, state, facts: told.append((one.label, state)))
    return states, told, store


def value(store, one):
    return json.loads(store.path(one).read_text())


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    """Workers import the steps of this folder."""
    here = str(Path(bench_steps.__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")])))


def test_steps_are_done_in_their_order_and_once(tmp_path):
    a, b = made("add", value=1), made("add", value=2)
    top = made("add", (a, b, made("add", value=2)), value=10)
    states, told, store = done([top], tmp_path)
    assert value(store, top) == 15 and len(states) == 3  # two steps that are the same are one
    assert told[-1][1] == "done"
    again, told, _ = done([top], tmp_path)
    assert {s["state"] for s in again.values()} == {"done"} and {state for _, state in told} == {"kept"}


def test_what_only_a_finished_step_reads_is_not_made_again(tmp_path):
    a = made("add", value=1)
    top = made("add", (a,), value=10)
    _, _, store = done([top], tmp_path)
    store.path(a).unlink()
    states, _, _ = done([top], tmp_path)
    assert states[a.key].get("kept") and not store.path(a).exists()


def test_a_worker_that_is_killed_costs_one_try(tmp_path):
    once = made("die_once", mark=str(tmp_path / "mark"), value=3)
    top = made("add", (once, made("add", value=4)), value=0)
    states, _, store = done([top], tmp_path / "s")
    assert value(store, top) == 7 and {s["state"] for s in states.values()} == {"done"}


def test_a_step_that_always_dies_fails_alone(tmp_path):
    bad, good = made("die_always"), [made("add", value=k) for k in range(5)]
    above = made("add", (bad,), value=1)
    states, _, store = done([bad, above, *good], tmp_path)
    assert "died 3 times" in states[bad.key]["why"] and states[above.key]["why"] == states[bad.key]["why"]
    assert [value(store, g) for g in good] == list(range(5))
    assert not list(tmp_path.rglob("*.part"))


def test_a_refusal_is_a_reason_and_is_not_tried_again(tmp_path):
    bad, full = made("refuse"), made("full")
    states, told, _ = done([bad, full], tmp_path)
    assert states[bad.key]["why"] == "this step takes no such value"
    assert "disk is full" in states[full.key]["why"]
    assert [state for label, state in told if label == bad.label] == ["running", "failed"]
    assert errno.ENOSPC == 28


def test_no_room_is_found_before_any_work(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 1))
    with pytest.raises(InputError, match="GB free and the run needs"):
        run_bench(experiment(tiny(tmp_path)), store=tmp_path / "s")


def test_two_runners_on_one_store(tmp_path):
    steps = [made("add", tuple(made("add", value=k) for k in range(6)), value=j) for j in range(6)]
    results = []

    def go():
        results.append(done(steps, tmp_path)[0])

    threads = [threading.Thread(target=go) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    store = Store(tmp_path)
    assert all(s["state"] == "done" for r in results for s in r.values()) and len(results) == 2
    assert [value(store, s) for s in steps] == [15 + j for j in range(6)]
    assert all(store.done(s) for s in ordered(steps)) and not list(tmp_path.rglob("*.part"))


def test_a_killed_runner_continues_with_identical_results(filled, tmp_path):
    made_, folder = filled
    script, store = tmp_path / "go.py", tmp_path / "s"
    script.write_text("from vestige.cli import main\nif __name__ == '__main__': main()")
    given = ["bench", "run", str(folder / "tiny.yaml"), "--store", str(store), "--workers", "2", "--quiet"]
    runner = subprocess.Popen([sys.executable, str(script), *given], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while time.monotonic() < end and runner.poll() is None and len(list(store.rglob("*.safetensors"))) < 2:
        time.sleep(0.05)
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    whole = run_bench(experiment(folder / "tiny.yaml"), store=store, workers=2)
    assert whole.result == made_.result and whole.kept > 0


def test_a_store_behind_a_url_moves_results_between_machines(tmp_path, monkeypatch):
    place = f"file://{tmp_path / 'bucket'}"
    a = made("add", value=1)
    top = made("add", (a,), value=10)
    monkeypatch.setenv("VESTIGE_CACHE", str(tmp_path / "one"))
    threads = torch.get_num_threads()
    perform(a, place, None)
    assert torch.get_num_threads() == threads  # a step has one thread; the caller's setting comes back
    monkeypatch.setenv("VESTIGE_CACHE", str(tmp_path / "two"))
    perform(top, place, None)
    store = Store(place)
    assert value(store, top) == 11 and str(store.folder).startswith(str(tmp_path / "two"))
    assert not list((tmp_path / "bucket").rglob("*.part"))
    with pytest.raises(InputError, match="its input"):
        perform(made("add", (made("add", value=9),)), place, None)


def test_an_unknown_engine_and_tracker():
    with pytest.raises(InputError, match="no engine 'slurm'"), engine("slurm", ".", None):
        pass
    with pytest.raises(InputError, match="for the engine 'ray'"), engine("local", ".", None, gpu=1):
        pass
    with pytest.raises(InputError, match="no tracker 'wandb'"):
        tracker("wandb")
    assert tracker(None)({}, Path()) is None


def test_tensorboard_gets_the_figures(filled, tmp_path):
    pytest.importorskip("tensorboardX", reason="the extra 'track' is not installed")
    made_, _ = filled
    tracker("tensorboard")(made_.result, tmp_path / "results" / "tiny.json")
    (events,) = (tmp_path / "tensorboard" / "tiny-small").iterdir()
    assert b"IAM-On" in events.read_bytes()


def test_a_tracker_that_is_not_installed_is_one_command():
    if importlib.util.find_spec("mlflow") is None:
        with pytest.raises(MissingExtra, match=r"vestige\[track\]"):
            tracker("mlflow")


def test_ray_gives_the_same_results_and_survives_a_killed_worker(filled, tmp_path):
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    from ray.cluster_utils import Cluster

    made_, folder = filled
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 1, "include_dashboard": False}
    )
    try:
        cluster.add_node(num_cpus=1)  # the head's GPU is one in name: what Ray gives out is asked, not used
        cluster.wait_for_nodes()
        network = Step("bench_steps:outputs", {}, (), "network")
        (_, _, store) = done([network], tmp_path / "gpu", "ray", address=cluster.address, gpu=0.5)
        assert store.path(network).read_text() == "0"
        with pytest.raises(InputError, match="no machine of this Ray cluster has more than 1"):
            done([network], tmp_path / "more", "ray", address=cluster.address, gpu=2)
        once = made("die_once", mark=str(tmp_path / "mark"), value=3)
        bad, refused = made("die_always"), made("refuse")
        states, _, store = done(
            [made("add", (once,), value=1), bad, refused],
            tmp_path / "steps",
            "ray",
            workers=None,
            address=cluster.address,
        )
        assert value(store, once) == 3 and "died 3 times" in states[bad.key]["why"]
        assert states[refused.key]["why"] == "this step takes no such value"
        there = run_bench(
            experiment(folder / "tiny.yaml"), store=tmp_path / "s", engine_name="ray", address=cluster.address
        )
    finally:
        cluster.shutdown()
    assert there.result == made_.result and there.done == made_.done


# --- how far it is -----------------------------------------------------------------------------------------


def test_status_is_read_from_another_terminal(filled):
    _, folder = filled
    (found,) = [one for one in status(folder / "store") if one["name"] == "tiny-small"]
    assert found["name"] == "tiny-small" and found["ended"] and found["left"] is None
    assert sum(found["counts"].values()) == found["steps"] == 17 and found["failed"] == []
    assert status(folder / "nothing") == []


def test_the_time_left_comes_from_steps_of_the_same_kind():
    def step(kind, state, **facts):
        return {"kind": kind, "state": state, **facts}

    steps = {
        "a": step("train", "done", seconds=10), "b": step("train", "waiting"), "c": step("score", "done", seconds=2),
        "d": step("score", "running"), "e": step("other", "waiting"),
    }  # fmt: skip
    assert time_left(steps, 1) == 10 + 2 + 6
    assert time_left(steps, 2) == 9
    assert time_left({"b": step("train", "waiting")}, 2) is None


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
    assert call("plot", tmp_path / "r" / "tiny.json", "--out", tmp_path / "a.svg").exit_code == 0
    assert "tiny-small: 17 of 17 steps" in call("status", "--store", folder / "store").output
    assert json.loads(call("status", "--store", folder / "store", "--json").output)[0]["ended"]
    assert "No run in" in call("status", "--store", tmp_path).output
    missing = call("table", "iam-table1", "--store", tmp_path)
    assert isinstance(missing.exception, InputError) and "no such file" in str(missing.exception)
