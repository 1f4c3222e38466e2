"""The command line as a user meets it: exit codes, messages, JSON, files."""

from __future__ import annotations

import functools
import io
import json
import re
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest

import oracles
import processes
from pages import unlinked
from vestige import Signals, audit
from vestige.cli import main
from vestige.cli.app import doctor, report
from vestige.cli.show import passed, print_audits, print_rows
from vestige.config import compact
from vestige.errors import ArtefactError, InputError
from vestige.evaluation.audits import audit_signals
from vestige.evaluation.gate import Gate
from vestige.evaluation.page import write_report

WORLD = oracles.gaussian_world(3, fit=8.0)


def vestige(*arguments, cwd=None):
    """The command line in this process: exit code, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["vestige", *map(str, arguments)])
        if cwd is not None:
            patch.chdir(cwd)
        with pytest.raises(SystemExit) as ended:
            main()
    return ended.value.code, out.getvalue(), err.getvalue()


def saved(world, path):
    np.savez(path, labels=world.labels, original=world.original, unlearned=world.unlearned,
             shadow_out=world.shadow_out, role=world.roles,
             source=world.roles if world.source is None else world.source)  # fmt: skip
    return path


@pytest.fixture
def arrays(tmp_path):
    path = tmp_path / "mine.npz"
    return saved(WORLD, path)


def test_audit_your_own_arrays(arrays, tmp_path):
    code, out, err = vestige(
        "audit", arrays, "--measure", "iam", "--measure", "lira_offline", "--out", tmp_path / "o", "--json"
    )
    assert code == 0, err
    verdict = json.loads(out)["audits"]["mine"]
    assert verdict["outcome"] == "unlearned" and verdict["sentence"].startswith(
        "Unlearned within 10 %: no trace"
    )
    assert {p.name for p in (tmp_path / "o").iterdir()} >= {
        "manifest.json",
        "audit.json",
        "metrics.json",
        "scores.parquet",
        "report.html",
    }
    again = vestige("audit", arrays, "--measure", "iam", "--measure", "lira_offline", "--out", tmp_path / "o")
    assert again[0] == 0 and "Unlearned" in again[1]
    rendered = vestige("report", tmp_path / "o")
    assert rendered[0] == 0 and "report.html" in rendered[1]


def worlds():
    """Requests whose truth is known, by what an audit must say of them."""
    made = {"retrain": "unlearned", "nothing": "under", "over": "over"}
    known = {word: oracles.gaussian_world(3, kind, fit=8.0) for kind, word in made.items()}
    source = WORLD.roles.astype("<U8")
    source[np.flatnonzero(source == "holdout")[::2]] = "pool"  # damage is called so against two sources only
    known["over"] = known["over"].with_(source=source)
    leaked = np.random.default_rng(0).normal(0, 0.5, WORLD.shadow_out.shape) + WORLD.original[None]
    blocked = WORLD.with_(shadow_out=leaked.astype(np.float32))
    return known | {"blocked": blocked, "open": oracles.gaussian_world(3)}  # with fit=3 little can be seen


WORLDS = worlds()


@functools.cache
def audited(word, name):
    """The audit of a world, worked out once. No test changes it."""
    return audit(WORLDS[word], ["random"], name=name)


def test_machines_get_the_whole_verdict(here, tmp_path):
    code, out, _ = here(
        "audit",
        saved(WORLDS["open"], tmp_path / "a.npz"),
        "--measure",
        "random",
        "--out",
        tmp_path / "o",
        "--json",
    )
    told = json.loads(out)["audits"]["a"]
    assert code == 0 and told["outcome"] == "undecided" and told["blocked_by"] == []
    assert "shadow models" in told["advice"]
    assert 0 < told["left_at_most"] == pytest.approx(1 - told["low"])
    assert told["could_be_whole"] > told["allowed"] == 1
    assert (
        told["counts"].keys() == {"cleared", "under", "over", "undecided"}
        and sum(told["counts"].values()) == 150
    )
    assert told["power"][0].keys() == {"trace", "records", "influence", "probability"}
    code, out, _ = here(
        "audit",
        saved(WORLDS["blocked"], tmp_path / "b.npz"),
        "--measure",
        "random",
        "--out",
        tmp_path / "p",
        "--json",
    )
    told = json.loads(out)["audits"]["b"]
    assert "shadows fit training records no better" in told["blocked_by"]
    assert told["left_at_most"] is None and told["completeness"] is None and told["could_be_whole"] is None
    assert told["counts"]["undecided"] == 150


def test_people_are_told_the_verdict_what_would_decide_it_and_how_sharp_it_was(here, tmp_path):
    source = saved(WORLDS["open"], tmp_path / "a.npz")
    code, out, err = here("audit", source, "--measure", "random", "--out", tmp_path / "o")
    assert code == 0 and err == ""
    lines = out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("a: Undecided: no trace found"))
    assert "could still be untouched unseen (1 allowed)" in lines[first]
    assert "shadow models" in lines[first + 1]
    assert lines[first + 2].startswith("  Of 150 records: ") and " cleared, " in lines[first + 2]
    assert lines[first + 3].startswith("  Sharpness: the verdict would have been a vestige in ")
    table = "\n".join(lines[:first])
    assert (
        "Left at most ↓" in table and "Could be untouched unseen ↓" in table and "% (10 % allowed)" in table
    )


def test_people_are_told_what_blocked_a_verdict(here, tmp_path):
    source = saved(WORLDS["blocked"], tmp_path / "b.npz")
    code, out, _ = here("audit", source, "--measure", "random", "--out", tmp_path / "o")
    assert (
        code == 0 and "b: Undecided, blocked by the control “shadows fit training records no better”" in out
    )
    assert "Bring never-seen records of the same kind" in out and "– (a control failed)" in out


AUDITS = {}
GATE = [
    ("unlearned", (), 0, ""),
    ("under", (), 0, ""),
    ("unlearned", ("--require", "unlearned"), 0, ""),
    ("unlearned", ("--fail-under", "0.5", "--fail-over", "1.5"), 0, ""),
    (
        "unlearned",
        ("--fail-under", "1.5"),
        1,
        r"failed; completeness is 1\.0\d \[0\.9\d, 1\.0\d\]; --fail-under asks for 1\.5 or more",
    ),
    ("unlearned", ("--fail-over", "0.5"), 1, "--fail-over asks for 0.5 or less"),
    (
        "unlearned",
        ("--fail-under", "1"),
        4,
        r"undecided; completeness is 1\.0\d \[0\.9\d, 1\.0\d\]; --fail-under asks for 1 or more",
    ),
    ("unlearned", ("--require", "unlearned", "--fail-under", "1"), 4, "--fail-under"),
    ("under", ("--require", "unlearned"), 1, "failed; the verdict is 'under': A vestige remains"),
    ("under", ("--fail-under", "-9"), 1, "the verdict is 'under'"),
    ("over", ("--fail-over", "9"), 1, "the verdict is 'over': Over-unlearned"),
    ("open", ("--require", "unlearned"), 4, "undecided; Undecided: no trace found"),
    ("open", ("--fail-under", "0.5"), 0, ""),
    ("open", ("--require", "unlearned", "--fail-under", "1.5"), 1, "--fail-under asks for 1.5"),
    ("blocked", ("--require", "unlearned"), 4, "blocked by the control"),
    (
        "blocked",
        ("--fail-under", "0.1"),
        4,
        "no completeness can be given. Undecided, blocked by the control",
    ),
    ("unlearned", ("--fail-under", "nan"), 2, "--fail-under is nan; a finite number is wanted"),
    ("unlearned", ("--fail-over", "inf"), 2, "--fail-over is inf; a finite number is wanted"),
    ("unlearned", ("--fail-under", "1", "--fail-over", "0.5"), 2, "nothing can pass both"),
    ("unlearned", ("--require", "unlearnd"), 2, "Did you mean 'unlearned'"),
]


@pytest.mark.parametrize(("world", "asked", "code", "message"), GATE, ids=str)
def test_the_gate(world, asked, code, message, here, tmp_path, monkeypatch):
    """The audit of a world is the same whatever is asked of it, and worked out once."""

    def once(*arguments, **options):
        if world not in AUDITS:
            AUDITS[world] = audit_signals(*arguments, **options)
        return AUDITS[world]

    monkeypatch.setattr("vestige.evaluation.folder.audit_signals", once)
    source = saved(WORLDS[world], tmp_path / "mine.npz")
    ended, _, err = here("audit", source, "--measure", "random", "--out", tmp_path / "o", *asked)
    assert ended == code, err
    assert re.search(message, err) and err.count("\n") == bool(message)
    assert (tmp_path / "o").exists() == (code != 2)  # what cannot be asked is refused before any work
    assert err.startswith("vestige: mine: " if code in (1, 4) else "vestige: --" if code == 2 else "")


def test_without_shadows_the_gate_is_undecided(here, tmp_path):
    np.savez(tmp_path / "bare.npz", labels=WORLD.labels, original=WORLD.original, unlearned=WORLD.unlearned)
    bare = ("audit", tmp_path / "bare.npz", "--measure", "loss_difference", "--out", tmp_path / "p")
    code, out, err = here(*bare, "--fail-under", "0.1")
    assert code == 4 and "no completeness can be given. Undecided: no shadow model is given" in err
    assert "Add the outputs of at least one model that never saw these records." in out


def test_of_several_methods_each_that_does_not_pass_is_named(capsys):
    audits = {word: audited(word, word) for word in WORLDS}
    assert passed(audits, Gate(require="unlearned")) == 1
    told = [line.split("; ")[0] for line in capsys.readouterr().err.splitlines()]
    assert told == [
        "vestige: under: failed", "vestige: over: failed", "vestige: blocked: undecided", "vestige: open: undecided"
    ]  # fmt: skip
    some = {word: audits[word] for word in ("unlearned", "blocked", "open")}
    assert passed(some, Gate(require="unlearned")) == 4
    assert [line.split(":")[1] for line in capsys.readouterr().err.splitlines()] == [" blocked", " open"]
    assert passed({"unlearned": audits["unlearned"]}, Gate(require="unlearned")) == 0
    assert passed(audits, Gate()) == 0 and capsys.readouterr().err == ""


@pytest.fixture
def two(tmp_path):
    """Folders of two audits, one of each verdict, as the command writes them."""
    folders = []
    for word in ("unlearned", "under"):
        folder = audited(word, "mine").save(tmp_path / word)
        (folder / "report.html").unlink()
        folders.append(folder)
    return folders


def test_an_edited_verdict_is_not_printed(two, here):
    folder = two[1]
    path = folder / "metrics.json"
    edited = path.read_text().replace('"under"', '"unlearned"')
    assert edited != path.read_text()
    path.write_text(edited)
    code, out, err = here("report", folder)
    assert code == 2 and out == "" and "metrics.json is not what audit.json says" in err
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    "names",
    [("metrics.json",), ("metrics.json", "audit.json", "scores.parquet", "retained.parquet", "signals")],
    ids=len,
)
def test_swapped_audits_are_refused(two, names, tmp_path):
    """Also where all files of both were swapped, so that each seal is whole: the manifest knows its own."""
    for name in names:
        one, other = (folder / name for folder in two)
        one.rename(tmp_path / "aside")
        other.rename(one)
        (tmp_path / "aside").rename(other)
    for folder in two:
        with pytest.raises(ArtefactError, match="was changed"):
            report(folder, json=True)


def test_an_audit_that_is_whole_is_reported_again(two, here):
    code, out, _ = here("report", two[1])
    assert code == 0 and "A vestige remains" in out and (two[1] / "report.html").is_file()
    before = (two[1] / "report.html").read_bytes()
    again = json.loads(here("report", two[1], "--json")[1])
    assert again["audits"]["mine"]["outcome"] == "under" and before == (two[1] / "report.html").read_bytes()


def test_a_report_of_verdicts_shows_each_word(tmp_path):
    audits = {word: audited(word, word) for word in WORLDS}
    page = unlinked(write_report(tmp_path / "r.html", audits).read_text())
    assert (
        "5 methods audited: 1 unlearned (unlearned), 1 under-unlearned (under), 1 over-unlearned (over)"
        in page
    )
    assert "2 undecided (blocked, open)" in page and "Undecided, blocked" in page


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
    "nowhere is no folder": ("report", "nowhere"),
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


def test_files_that_cannot_be_used_are_one_sentence(tmp_path):
    (tmp_path / "run.yaml").write_text(processes.LONG_RUN)
    (tmp_path / "afile").write_text("x")
    for command, file in (
        (("run", "run.yaml", "--out", "afile"), "afile is a file"),
        (("run", "run.yaml", "--out", "afile/r"), "afile/r: Not a directory"),
        (("report", "afile"), "afile is no folder"),
        (("status", "nowhere"), "nowhere does not exist"),
    ):
        code, _, err = vestige(*command, cwd=tmp_path)
        assert code == 2 and err.startswith(f"vestige: {file}") and err.count("\n") == 1, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_that_it_continues(tmp_path, number):
    (tmp_path / "run.yaml").write_text(processes.LONG_RUN)
    with processes.started(processes.COMMAND, "run", "run.yaml", folder=tmp_path) as program:
        while "training original" not in program.stderr and program.code is None:
            time.sleep(0.02)
        program.send(number)
        assert program.wait() == 130, program.stderr
        told = program.stderr.partition("training original")[2].partition("\n")[2]
    # of a signal that arrives where Python ignores what is raised, Python tells; the run ends all the same
    said = [line for line in told.splitlines() if line.startswith("vestige: ")]
    assert said == ["vestige: interrupted; the same command continues where it stopped."], told
    with pytest.raises(InputError, match="holds a run that is not finished; the same vestige run command"):
        report(tmp_path / "runs" / "r", json=True)
    assert "interrupted after" in vestige("status", tmp_path / "runs" / "r")[1]


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
    print_audits(dict.fromkeys(names, made), Path("report.html"), json=False)
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
    assert compact("iam", "--measure") == "iam"
    norm = {"name": "iam", "family": "norm", "eps1": 1e-2}
    assert compact("iam:family=norm,eps1=1e-2", "--measure") == norm
    assert compact("mlp:hidden=[256, 128],dropout=0.1", "a model") == {
        "name": "mlp",
        "hidden": [256, 128],
        "dropout": 0.1,
    }
    with pytest.raises(InputError):
        compact("iam:steps", "--measure")


WITHOUT_TORCH = """
import json
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError("No module named 'torch'")

sys.meta_path.insert(0, Absent())
from vestige.cli import main
for command in json.loads(sys.argv[1]):
    sys.argv = ["vestige", *command]
    try:
        main()
    except SystemExit as ended:
        print(ended.code, file=sys.stderr)
"""


def test_auditing_needs_no_torch(arrays, tmp_path):
    (tmp_path / "run.yaml").write_text(processes.LONG_RUN)
    needing = (["demo"], ["run", str(tmp_path / "run.yaml")])
    commands = json.dumps(
        [["audit", str(arrays), "--measure", "random", "--out", str(tmp_path / "o")], *needing]
    )
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, commands], capture_output=True, text=True, check=True
    )
    first, *others = process.stderr.splitlines()
    assert first == "0" and others[1::2] == ["2"] * len(needing), process.stderr
    assert all("pip install 'vestige[torch]'" in said for said in others[::2]), process.stderr


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
    code, out, err = vestige("report", tmp_path / "l", "--json")
    assert code == 0 and json.loads(out) == found | {"report": str(tmp_path / "l" / "report.html")}, err
    from vestige.leaks import PosteriorPairs
    from vestige.leaks.record import joined

    files = sorted((tmp_path / "l" / "pair_set").glob("*.npz"))
    sides = [
        joined([PosteriorPairs.load(f) for f in files[k::2]]).save(tmp_path / f"{k}.npz") for k in (0, 1)
    ]
    code, out, err = vestige("leaks", "--pairs", *sides, "--attack", "decision-tree", "--out", tmp_path / "p")
    assert code == 0 and "AUC" in out and (tmp_path / "p" / "report.html").is_file(), err
    code, out, err = vestige("leaks", "--pairs", *sides, "--sets", 3)
    assert code == 2 and "would not be read" in err
    code, out, err = vestige("leaks", "--setting", "scrach", "--dataset", "digits")
    assert code == 2 and "'setting.name' is 'scrach': input should be 'scratch'" in err


def test_how_records_leave_has_its_options_behind_its_name(tmp_path, monkeypatch):
    configs = []

    def stop(folder, config, *pairs, **where):
        configs.append((config, where))
        raise InputError("far enough")

    monkeypatch.setattr("vestige.leaks.experiment.run_into", stop)
    file = tmp_path / "x.yaml"
    file.write_text("setting: {sets: 3, method: {name: ssd, alpha: 2}}\ntarget: 'torch:mlp'\ndata: digits\n")
    for method in ("finetune:epochs=3,lr=0.1", "gradient_ascent"):
        vestige("leaks", file, "--method", method, "--store", tmp_path / "s")
    (first, where), (second, _) = configs
    assert first.setting.method == {"name": "finetune", "epochs": 3, "lr": 0.1} and first.setting.sets == 3
    assert second.setting.method == "gradient_ascent" and where["store"] == str(tmp_path / "s")
    code, _, err = vestige("leaks", file, "--method", "finetune:epoch=3")
    assert code == 2 and "Did you mean 'epochs'" in err, err


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
