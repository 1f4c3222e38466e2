"""The command line as a user meets it: exit codes, messages, JSON, files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import oracles
from vestige import Signals, audit
from vestige.cli.commands import doctor, parse_measure, print_rows, print_run, report
from vestige.errors import InputError

WORLD = oracles.gaussian_world(3)


def vestige(*arguments, cwd=None):
    command = [sys.executable, "-m", "vestige", *map(str, arguments)]
    made = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    return made.returncode, made.stdout, made.stderr


@pytest.fixture
def arrays(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, labels=WORLD.labels, original=WORLD.original, unlearned=WORLD.unlearned,
             shadow_out=WORLD.shadow_out, role=WORLD.roles)  # fmt: skip
    return path


def test_audit_your_own_arrays(arrays, tmp_path):
    code, out, err = vestige(
        "audit", arrays, "--measure", "iam", "--measure", "lira_offline", "--out", tmp_path / "o", "--json"
    )
    assert code == 0, err
    verdict = json.loads(out)["audits"]["mine"]
    assert verdict["outcome"] == "unlearned" and verdict["measure"] == "lira_offline"
    assert {p.name for p in (tmp_path / "o").iterdir()} >= {
        "manifest.json",
        "metrics.json",
        "scores.parquet",
        "report.html",
    }
    again = vestige("audit", arrays, "--measure", "iam", "--measure", "lira_offline", "--out", tmp_path / "o")
    assert again[0] == 0 and "Unlearned" in again[1]
    rendered = vestige("report", tmp_path / "o")
    assert rendered[0] == 0 and "report.html" in rendered[1]


def test_the_gate(arrays, tmp_path):
    options = ("audit", arrays, "--measure", "lira_offline", "--out", tmp_path / "o")
    assert vestige(*options, "--fail-under", "0.5")[0] == 0
    code, _, err = vestige(*options, "--fail-under", "1.5")
    assert code == 1 and "--fail-under asks for 1.5" in err
    np.savez(tmp_path / "bare.npz", labels=WORLD.labels, original=WORLD.original, unlearned=WORLD.unlearned)
    code, _, err = vestige(
        "audit",
        tmp_path / "bare.npz",
        "--measure",
        "loss_difference",
        "--out",
        tmp_path / "p",
        "--fail-under",
        "0.1",
    )
    assert code == 1 and "could not be measured" in err


def test_another_audits_folder_is_left_alone(arrays, tmp_path):
    out = tmp_path / "o"
    assert vestige("audit", arrays, "--measure", "confidence", "--out", out)[0] == 0
    before = (out / "scores.parquet").read_bytes()
    code, _, err = vestige("audit", arrays, "--measure", "random", "--out", out)
    assert code == 2 and "holds another run" in err and (out / "scores.parquet").read_bytes() == before
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    assert "is not empty" in vestige("audit", arrays, "--out", tmp_path / "full")[2]


BAD = {
    "no such file": ("audit", "nothing.npz"),
    "pickle files are refused": ("audit", "model.pkl"),
    "Did you mean 'iam'": ("audit", "mine.npz", "--measure", "iamm"),
    "Did you mean 'family'": ("audit", "mine.npz", "--measure", "iam:famly=norm"),
    "not of the form option=value": ("audit", "mine.npz", "--measure", "iam:norm"),
    "There is no list": ("list", "measure"),
    "alpha is 7": ("audit", "mine.npz", "--alpha", "7"),
    "no such file.": ("report", "nowhere"),
    "Did you mean 'recipe'": ("run", "bad.yaml"),
    "'name' is missing": ("run", "empty.yaml"),
    "not readable as YAML": ("run", "broken.yaml"),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_one_sentence_and_exit_code_2(message, arrays, tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04.")
    (tmp_path / "bad.yaml").write_text("name: a\ndata: {name: digits}\nmethods: [retrain]\nrecipes: {}\n")
    (tmp_path / "empty.yaml").write_text("data: {name: digits}\nmethods: [retrain]\n")
    (tmp_path / "broken.yaml").write_text("a: [1\n")
    code, out, err = vestige(*BAD[message], cwd=tmp_path)
    assert code == 2 and message in err and err.count("\n") == 1 and "Traceback" not in err + out


RUN = """
name: r
data: {name: digits}
split: {forget: 20, train: 100, holdout: 50, shadow: 100}
model: {name: mlp, knobs: {hidden: [8]}}
recipe: {epochs: 100000}
methods: [retrain]
"""


def test_files_that_cannot_be_used_are_one_sentence(tmp_path):
    (tmp_path / "run.yaml").write_text(RUN)
    (tmp_path / "afile").write_text("x")
    for command, file in (
        (("run", "run.yaml", "--out", "afile"), "afile is a file"),
        (("run", "run.yaml", "--out", "afile/r"), "afile/r: Not a directory"),
        (("report", "afile"), "afile/manifest.json: Not a directory"),
    ):
        code, _, err = vestige(*command, cwd=tmp_path)
        assert code == 2 and err.startswith(f"vestige: {file}") and err.count("\n") == 1, err


def test_an_interrupted_run_says_that_it_continues(tmp_path):
    (tmp_path / "run.yaml").write_text(RUN)
    command = [sys.executable, "-m", "vestige", "run", "run.yaml"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert "training original" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert process.returncode == 130
    assert told == "vestige: interrupted; the same command continues where it stopped.\n"
    with pytest.raises(InputError, match="holds a run that is not finished; the same vestige run command"):
        report(tmp_path / "runs" / "r", json=True)


@pytest.mark.parametrize("arguments", [("run",), ("llm", "unlearn"), ("leaks", "--seed", "-1"), ("lst",)])
def test_usage_errors_show_the_usage(arguments):
    code, _, err = vestige(*arguments)
    assert code == 2 and err.startswith("Usage: ")


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ([], "a JSON object is wanted"),
        ({"kind": "run"}, "not finished"),
        ({"kind": "run", "created": "now"}, "names no methods and data"),
        (
            {"kind": "run", "created": "now", "config": {"methods": [], "data": []}},
            "names no methods and data",
        ),
        ({"kind": "leaks"}, "neither a run nor an audit"),
    ],
)
def test_manifests_of_another_shape_are_one_sentence(manifest, message, tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=message):
        report(tmp_path, json=True)


@pytest.mark.parametrize("count", [2, 5])
def test_names_in_brackets_are_printed_as_they_are(count, capsys):
    signals = Signals(
        labels=WORLD.labels, original=WORLD.original, unlearned=WORLD.unlearned, role=WORLD.roles
    )
    made = audit(signals, ["confidence"])
    names = ["ft [lr=0.1]", "x [/b] y", "c", "d", "e"][:count]
    print_run(dict.fromkeys(names, made), Path("report.html"), json=False)
    shown = capsys.readouterr().out
    assert all(name in shown for name in names)
    print_rows("a [b]", [{"name [c]": "x [/d]"}])
    shown = capsys.readouterr().out
    assert "a [b]" in shown and "name [c]" in shown and "x [/d]" in shown
    doctor(json=False)
    assert "extra [torch]" in capsys.readouterr().out


def test_lists_and_doctor_for_machines():
    measures = json.loads(vestige("list", "measures", "--json")[1])
    assert {"iam", "lira_online", "emia_population"} <= {m["name"] for m in measures}
    assert json.loads(vestige("doctor", "--json")[1])["python"].startswith("3.")
    for what in ("datasets", "models", "recipes", "methods", "measures"):
        code, out, err = vestige("list", what)
        assert code == 0 and len(out.splitlines()) > 5, err


def test_help_and_version_are_quick_to_say():
    assert "audit" in vestige("--help")[1] and vestige("--version")[1].strip().count(".") == 2


def test_measures_with_options():
    assert parse_measure("iam") == "iam"
    assert parse_measure("iam:family=norm,steps=100") == {"name": "iam", "family": "norm", "steps": 100}
    with pytest.raises(InputError):
        parse_measure("iam:steps")


WITHOUT_TORCH = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError("No module named 'torch'")

sys.meta_path.insert(0, Absent())
from vestige.cli import main
main()
"""


def test_auditing_needs_no_torch(arrays, tmp_path):
    def run(*arguments):
        command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    made = run("audit", arrays, "--out", tmp_path / "o")
    assert made.returncode == 0, made.stderr
    for command in (["demo"], ["run", "x.yaml"], ["list", "models"]):
        made = run(*command)
        assert made.returncode == 2 and "pip install 'vestige[torch]'" in made.stderr, made.stderr


def test_leaks_from_models_and_from_files(tmp_path):
    small = [
        "--dataset",
        "digits",
        "--sets",
        2,
        "--records",
        100,
        "--deletions",
        3,
        "--attack",
        "decision-tree",
    ]
    code, out, err = vestige("leaks", *small, "--defence", "label_only", "--out", tmp_path / "l", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert set(found["defences"]) == {"label_only"} and "adaptive" in found["defences"]["label_only"]
    assert 0 <= found["summary"]["auc"] <= 1 and found["config"]["setting"]["records"] == 100
    assert Path(found.pop("report")).is_file()
    assert json.loads((tmp_path / "l" / "leaks.json").read_text()) == found
    from vestige.leaks import PosteriorPairs
    from vestige.leaks.record import joined

    files = sorted((tmp_path / "l" / "pairs").glob("*.npz"))
    sides = [
        joined([PosteriorPairs.load(f) for f in files[k::2]]).save(tmp_path / f"{k}.npz") for k in (0, 1)
    ]
    code, out, err = vestige("leaks", "--pairs", *sides, "--attack", "decision-tree", "--out", tmp_path / "p")
    assert code == 0 and "AUC" in out and (tmp_path / "p" / "report.html").is_file(), err
    code, out, err = vestige("leaks", "--pairs", *sides, "--sets", 3)
    assert code == 2 and "would not be read" in err
    code, out, err = vestige("leaks", "--setting", "scrach", "--dataset", "digits")
    assert code == 2 and "'setting.name' is 'scrach': input should be 'scratch'" in err


def test_leaks_from_yaml_and_what_is_given_takes_precedence(tmp_path):
    text = "data: {name: digits}\nsetting: {sets: 3, records: 90, deletions: 4}\nattacks: [decision-tree]\n"
    (tmp_path / "x.yaml").write_text(text)
    code, out, err = vestige("leaks", tmp_path / "x.yaml", "--sets", 2, "--out", tmp_path / "x", "--json")
    assert code == 0, err
    setting = json.loads(out)["config"]["setting"]
    assert (setting["sets"], setting["records"], setting["deletions"]) == (2, 90, 4)
    (tmp_path / "y.yaml").write_text("setings: {sets: 3}")
    code, out, err = vestige("leaks", tmp_path / "y.yaml")
    assert code == 2 and "Did you mean 'setting'" in err
