"""A run is whole, resumable and refuses what does not fit."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from safetensors import SafetensorError

import processes
import vestige
from vestige.cli import main
from vestige.cli.app import report
from vestige.config import validated
from vestige.errors import InputError
from vestige.evaluation.features import OUTPUTS_ALONE
from vestige.experiments import RunConfig, load_config, run
from vestige.experiments.network_runs import Networks, plan_run
from vestige.experiments.plan import USED_UP
from vestige.files import read_ids
from vestige.training import PRESETS

SMALL = {
    "name": "small",
    "data": {"name": "digits"},
    "split": {"forget": 20, "train": 100, "holdout": 100, "shadow": 200},
    "model": {"name": "mlp", "hidden": [32]},
    "recipe": {"epochs": 3, "batch_size": 32, "lr": 0.05},
    "shadows": {"count": 3},
    "methods": ["retrain", {"name": "finetune", "epochs": 1}],
    "audit": {"measures": ["iam", "lira_offline", "random"]},
}


def config(**changes):
    return validated(RunConfig, SMALL | changes, "small.yaml")


def silent(text):
    pass


def scores(folder):
    return {p.parent.name: pd.read_parquet(p) for p in sorted(folder.glob("audits/*/scores.parquet"))}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "small"
    return run(config(), folder, say=silent)


def test_the_folder_is_the_truth(finished):
    manifest = vestige.store.read_json(finished.folder / "manifest.json")
    assert set(manifest["models"]) == {"original", "shadow-0", "shadow-1", "shadow-2", "retrain", "finetune"}
    assert manifest["split"] == {"forget": 20, "retain": 80, "holdout": 100, "shadow": 200}
    assert manifest["config"]["recipe"]["epochs"] == 3 and manifest["data"]["sha256"]
    assert finished.report.stat().st_size < 3_000_000
    for name, audit in finished.audits.items():
        assert audit.metric("model", "run_time").value > 0
        source = pd.Series(audit.signals.source).value_counts().to_dict()
        assert source.pop("pool") > 0  # what no shadow drew is a second source of never-seen samples
        assert source == {"forget": 20, "retain": 80, "holdout": 100}
        rows = scores(finished.folder)[name].groupby("measure", observed=True).size().to_dict()
        assert rows == dict.fromkeys(("trace", "iam", "lira_offline", "random"), len(audit.signals))
    assert finished.audits["retrain"].metric("model", "average_disparity").value == 0
    assert not list(finished.folder.rglob("*.part")) and not list(finished.folder.rglob("unfinished"))


def test_features_are_compared_and_verdicts_stay_as_they_are(finished, tmp_path, monkeypatch):
    whose = {"retrain": "the shadow models'", "finetune": "the exactly retrained models'"}
    for name, audit in finished.audits.items():
        accuracy = audit.metric("features", "probe_accuracy")
        assert 0 <= accuracy.value <= 1 and accuracy.n == 20 and accuracy.reference_is == whose[name]
        assert OUTPUTS_ALONE not in audit.limits and any(text.startswith("Features") for text in audit.limits)
    with monkeypatch.context() as patch:
        patch.setattr(Networks, "represents", False)
        before = run(config(), tmp_path / "r", say=silent)
    for name, audit in before.audits.items():
        assert OUTPUTS_ALONE in audit.limits and audit.metric("features", "p_under") is None
        assert audit.verdict == finished.audits[name].verdict
        assert audit.scores.equals(finished.audits[name].scores)
    said = []  # a folder whose outputs were collected without features: its models stay
    again = run(config(), tmp_path / "r", say=said.append)
    assert not [text for text in said if text.startswith(("training", "unlearning"))]
    for name, audit in again.audits.items():
        assert [f for f in audit.figures if f.measure == "features"] == [
            f for f in finished.audits[name].figures if f.measure == "features"
        ]


@pytest.mark.parametrize("count", [1, 2])
def test_few_shadows_calibrate_too(count, tmp_path):
    made = run(config(shadows={"count": count, "size": 120}), tmp_path / "few", say=silent)
    answers = []
    for name, audit in made.audits.items():
        known = audit.signals.shadow_train
        assert known.shadows == audit.signals.shadows == count and (known.roles == "forget").all()
        assert not set(known.names) & set(audit.signals.names) and set(known.names) <= set(
            audit.signals.shadow_ids
        )
        rows = scores(made.folder)[name]
        assert (
            rows[(rows["measure"] == "iam") & (rows["role"] == "forget")][["p_under", "degree"]]
            .notna()
            .all(axis=None)
        )
        answers.append(known.unlearned)
        if count == 1:
            assert len(known) == 120
    assert (answers[0] != answers[1]).any()  # what each audited model says of them is its own


def test_a_second_call_does_nothing_again(finished):
    before = {p: p.stat().st_mtime_ns for p in finished.folder.rglob("*.safetensors")}
    said = []
    again = run(config(), finished.folder, say=said.append)
    assert not said and again.audits["finetune"].verdict == finished.audits["finetune"].verdict
    assert {p: p.stat().st_mtime_ns for p in finished.folder.rglob("*.safetensors")} == before


def test_shadows_never_saw_what_they_are_asked_about(finished):
    signals = finished.audits["retrain"].signals
    assert not set(signals.shadow_ids) & set(signals.names)
    assert signals.calibration is None and signals.shadows == 3  # all are asked about what none of them saw


def few(**changes):
    """A plan whose audits have so many never-seen and retained records."""
    split = {"forget": 20, "train": 100, "holdout": 100, "shadow": 200} | changes.pop("split", {})
    return plan_run(config(split=split, **changes), Path("nowhere"))


@pytest.mark.parametrize("changes,wanted", [
    ({}, False), ({"split": {"train": 39}}, True), ({"split": {"train": 40}}, False),
    ({"split": {"holdout": 1, "shadow": 100}}, True),
    ({"audit": {"measures": ["iam", {"name": "unleak", "attack": "mlp"}]}}, True),
    ({"shadows": {"count": 2}, "audit": {"measures": ["unleak"]}}, False),
])  # fmt: skip
def test_shadows_are_used_up_for_simulated_deletions_only_where_nothing_else_calibrates(changes, wanted):
    plan = few(**changes)
    audit = plan.steps.audits["retrain"]
    assert plan.simulated is plan.steps.references.simulated is wanted and (USED_UP in audit.limits) is wanted


def test_a_measure_that_is_trained_on_simulated_deletions_has_them_and_the_audit_says_what_they_cost(
    tmp_path,
):
    audit = run(config(audit={"measures": ["unleak"]}, methods=["retrain"]), tmp_path / "r", say=silent)
    result = audit.audits["retrain"]
    assert result.signals.calibration.shadows == result.signals.shadows == 1 and USED_UP in result.limits
    assert [one.status for one in result.measures if one.measure == "unleak"] == ["scored"]


@pytest.mark.parametrize(
    ("victim", "damage"),
    [
        ("models/original.safetensors", "truncated"),
        ("models/finetune.safetensors.json", "flipped"),
        ("logits/shadow-1.safetensors", "flipped"),
        ("audits/retrain/scores.parquet", "deleted"),
        ("audits/finetune/metrics.json", "truncated"),
        ("audits/finetune/audit.json", "flipped"),
        ("audits/finetune.json", "deleted"),
    ],
)
def test_damage_is_noticed_and_mended(finished, victim, damage):
    path = finished.folder / victim
    wanted = scores(finished.folder)
    content = bytearray(path.read_bytes())
    if damage == "deleted":
        path.unlink()
    else:
        middle = len(content) // 2
        content[middle] ^= 0xFF
        path.write_bytes(content if damage == "flipped" else content[:middle])
    run(config(), finished.folder, say=silent)
    for name, table in scores(finished.folder).items():
        assert table.equals(wanted[name])


def test_swapped_audits_are_noticed_and_mended(finished, tmp_path):
    """A whole audit in the place of another: its own seal holds, the run's does not."""
    wanted = scores(finished.folder)
    one, other = (finished.folder / "audits" / name for name in ("retrain", "finetune"))
    for name in sorted(path.name for path in one.iterdir()):
        (one / name).rename(tmp_path / name)
        (other / name).rename(one / name)
        (tmp_path / name).rename(other / name)
    with pytest.raises(InputError, match=r"audit\.json is not the audit that .*manifest\.json names"):
        report(finished.folder, json=True)
    made = run(config(), finished.folder, say=silent)
    assert {name: audit.name for name, audit in made.audits.items()} == {
        "retrain": "retrain",
        "finetune": "finetune",
    }
    for name, table in scores(finished.folder).items():
        assert table.equals(wanted[name])
    report(finished.folder, json=True)


def test_another_run_does_not_overwrite(finished, tmp_path):
    with pytest.raises(InputError, match=r"holds another run \(recipe.lr is 0.05 there and 0.1 here\)"):
        run(config(recipe=SMALL["recipe"] | {"lr": 0.1}), finished.folder, say=silent)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="is not empty"):
        run(config(), tmp_path, say=silent)


def test_json_of_another_shape_is_noticed(finished, tmp_path):
    done = finished.folder / "audits" / "finetune.json"
    key = vestige.store.read_record(done)["key"]
    done.write_text("[]")
    run(config(), finished.folder, say=silent)
    assert vestige.store.read_record(done)["key"] == key
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(InputError, match=r"manifest\.json: it holds a list, a JSON object is wanted"):
        run(config(), tmp_path, say=silent)


def test_an_unfinished_run_may_change_its_methods_and_its_audit(finished, tmp_path):
    diverging = {"name": "finetune", "label": "ft", "epochs": 2, "lr": 1e30}
    with pytest.raises(InputError, match=r"^ft: The loss became"):
        run(
            config(methods=["retrain", diverging], audit={"measures": ["random"]}), tmp_path / "r", say=silent
        )
    with pytest.raises(InputError, match="holds another run"):
        run(config(seed=1), tmp_path / "r", say=silent)
    said = []
    made = run(config(), tmp_path / "r", say=said.append)
    assert [
        text
        for text in said
        if not text.startswith(("No retained record", "collecting", "gathering", "auditing"))
    ] == ["unlearning 20 samples by finetune"]
    assert set(made.audits) == {"retrain", "finetune"}
    for name, table in scores(finished.folder).items():
        assert scores(tmp_path / "r")[name].equals(table)
    with pytest.raises(InputError, match="holds another run"):
        run(config(methods=["retrain"]), tmp_path / "r", say=silent)


def test_changed_methods_bring_no_stale_audit(tmp_path, monkeypatch):
    methods = [{"name": "retrain", "label": "a"}, {"name": "finetune", "label": "b", "epochs": 1}]
    turned = [methods[0] | {"label": "b"}, methods[1] | {"label": "a"}]
    with monkeypatch.context() as patch:
        patch.setattr("vestige.experiments.runner._report", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(config(methods=methods), tmp_path / "r", say=silent)
    assert set(scores(tmp_path / "r")) == {"a", "b"}
    made = run(config(methods=turned), tmp_path / "r", say=silent)
    assert made.audits["b"].metric("model", "average_disparity").value == 0
    assert made.audits["a"].metric("model", "average_disparity").value > 0


SCRIPT = """
import signal
import sys
from vestige.experiments import load_config, run, runner
runner._report = lambda *given: signal.pause()  # the end, which it does not reach however late it is killed
run(load_config(sys.argv[1]), sys.argv[2], say=lambda text: None)
"""


def test_killed_at_random_moments_it_ends_the_same(finished, tmp_path):
    """`python -m benchmarks.kill` does this twenty times for each kind of run."""
    path, folder = tmp_path / "small.yaml", tmp_path / "small"
    path.write_text(yaml.safe_dump(SMALL))
    rng = random.Random(0)
    for files in (1, 5):
        with processes.started(SCRIPT, path, folder) as program:
            while program.code is None and len(list(folder.rglob("*.safetensors"))) < files:
                time.sleep(0.02)
            time.sleep(rng.uniform(0, 0.2))
            program.send(signal.SIGKILL)
    assert not (folder / "report.html").exists()
    run(config(), folder, say=silent)
    for name, table in scores(finished.folder).items():
        assert scores(folder)[name].equals(table)


BAD = {
    "Did you mean 'epochs'": {"recipe": {"epoch": 3}},
    "Did you mean 'digits'": {"data": {"name": "digit"}},
    "Did you mean 'finetune'": {"methods": ["finetun"]},
    "Did you mean 'iam'": {"audit": {"measures": ["iamm"]}},
    "Did you mean 'mlp'": {"model": {"name": "mlpp"}},
    "is named twice": {"methods": ["retrain", "retrain"]},
    "at least one is wanted": {"methods": []},
    "do not fit": {"split": {"train": 5000}},
    "leaves nothing to retain": {"split": {"forget": 100, "train": 100}},
    "'split.scenario' is 'randm'": {"split": {"scenario": "randm"}},
    "shadows.size is 999": {"shadows": {"count": 1, "size": 999}, "split": SMALL["split"]},
    "plain folder name": {"name": "a/b"},
    "a count or a fraction": {"split": SMALL["split"] | {"forget": 0}},
    "There is no class 'cat'": {"split": {"scenario": "class", "label": "cat"}},
    "One sample is retained": {"split": SMALL["split"] | {"forget": 99}},
    "the run has a model of that name": {"methods": [{"name": "retrain", "label": "original"}]},
    "cannot be a file name": {"methods": [{"name": "retrain", "label": "../../esc"}]},
    "'seed' is -1": {"seed": -1},
    "'split.seed' is -1": {"split": {"seed": -1}},
    "There is no device 'cudaa'": {"device": "cudaa"},
    "at least one is wanted.$": {"audit": {"measures": []}},
    "Did you mean 'family'": {"audit": {"measures": [{"name": "iam", "famly": "norm"}]}},
    "its 'name' is missing": {"audit": {"measures": [{"family": "norm"}]}},
    "leave out max_epochs": {"methods": [{"name": "retrain", "max_epochs": 1}]},
    "does not work on networks": {"methods": ["certified_newton"]},
    "write {name: finetune, epochs: 1}": {"methods": [{"name": "finetune", "knobs": {"epochs": 1}}]},
    "write {name: mlp, hidden: ": {"model": {"name": "mlp", "options": {"hidden": [8]}}},
    "finetune: .*Did you mean 'epochs'": {"methods": [{"name": "finetune", "label": "ft", "epoch": 1}]},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_configurations_leave_nothing_behind(message, tmp_path):
    with pytest.raises(InputError, match=message):
        run(config(**BAD[message]), tmp_path / "r", say=silent)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("label", ["Original", "shadow-0", "shadow-12", "original.partial", "..", "a/../../b",
                                   "/tmp/x", "a/", ".", "a\\b", "a\0b"])  # fmt: skip
def test_labels_stay_off_the_runs_own_files(label):
    with pytest.raises(InputError, match=r"labelled|cannot be a file name"):
        config(methods=["retrain", {"name": "finetune", "label": label}])


@pytest.mark.parametrize("label", ["a/b", "a/b/c", "a.json"])
def test_no_label_is_a_folder_of_anothers_files(label):
    methods = [{"name": "finetune", "label": label}, {"name": "retrain", "label": "a"}]
    with pytest.raises(InputError, match=rf"the files of '{label}' would lie among those of 'a'"):
        config(methods=methods)


def test_a_measure_of_texts_is_refused_before_any_work():
    with pytest.raises(InputError, match="loss reads texts, not samples"):
        config(audit={"measures": ["loss"]})


@pytest.mark.parametrize("label", ["a/b", "ft [lr=0.1]", "shadow", "originals", "x..y", "shadow-0/b"])
def test_other_labels_are_sound(label):
    assert config(methods=[{"name": "finetune", "label": label}]).methods[0].title == label


def test_a_full_disk_names_the_folder(tmp_path, monkeypatch):
    def full(*given):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("vestige.experiments.networks.write_weights", full)
    with pytest.raises(InputError, match=r"/r: the disk is full; free some space and run again"):
        run(config(), tmp_path / "r", say=silent)


def test_a_file_at_fault_is_one_sentence_of_the_command_line(monkeypatch, capsys):
    def failing(code):
        def command():
            raise OSError(code, os.strerror(code), "/data/scores.parquet")

        monkeypatch.setattr("vestige.cli.app.app", command)
        main()

    with pytest.raises(SystemExit) as ended:
        failing(errno.ENOSPC)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(
        "vestige: /data/scores.parquet: the disk is full; free some space"
    )
    with pytest.raises(SystemExit) as ended:
        failing(errno.EACCES)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "vestige: /data/scores.parquet: Permission denied\n"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "r").write_text("x")
    with pytest.raises(InputError, match="is a file; a folder for the results is wanted"):
        run(config(), tmp_path / "r", say=silent)


def test_one_class_only(tmp_path):
    import numpy as np

    np.savez(tmp_path / "one.npz", x=np.zeros((50, 3)), y=np.zeros(50, int))
    with pytest.raises(InputError, match="every record is of the class '0'"):
        run(config(data={"name": str(tmp_path / "one.npz")}), tmp_path / "r", say=silent)
    assert not (tmp_path / "r").exists()


def test_forget_ids_come_from_a_file(tmp_path):
    (tmp_path / "ids.txt").write_text("digits/0003\n\ndigits/0001\n")
    assert read_ids(tmp_path / "ids.txt") == ["digits/0003", "digits/0001"]
    split = {
        "scenario": "ids",
        "train": 100,
        "holdout": 100,
        "shadow": 200,
        "ids_file": str(tmp_path / "ids.txt"),
    }
    made = run(
        config(split=split, shadows={"count": 0}, methods=["finetune"], audit={"measures": ["confidence"]}),
        tmp_path / "r",
        say=silent,
    )
    forgotten = made.audits["finetune"].signals.of_role("forget")
    assert set(forgotten.names) == {"digits/0001", "digits/0003"}
    (tmp_path / "ids.txt").write_text("digits/0003\ndigits/9999\n")
    with pytest.raises(InputError, match="'digits/9999' is not in digits"):
        run(config(split=split), tmp_path / "q", say=silent)
    (tmp_path / "ids.txt").write_text("digits/0003\ndigits/0003\n")
    with pytest.raises(InputError, match="appears twice"):
        run(config(split=split), tmp_path / "q", say=silent)


def test_overrides_and_files(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "name: a\ndata: {name: digits}\nmethods: [retrain]\nrecipe: {epochs: 9}\n"
    )
    made = load_config(tmp_path / "c.yaml", ["recipe.epochs=2", "split.forget=0.25", "audit.alpha=0.1"])
    assert made.recipe["epochs"] == 2 and made.split.forget == 0.25 and made.audit.alpha == 0.1
    named = load_config(tmp_path / "c.yaml", ["recipe.preset=iam_cifar10"]).recipe
    assert named == PRESETS["iam_cifar10"] | {"epochs": 9}
    for override, message in (
        ("recipe.epochs", "a.b=c"),
        ("name.x=1", "holds a value"),
        ("splt.seed=1", "Did you mean 'split'"),
    ):
        with pytest.raises(InputError, match=message):
            load_config(tmp_path / "c.yaml", [override])


@pytest.mark.parametrize("damage", ["{", "[]", "", None])
def test_a_run_continues_where_its_manifest_is_lost_or_damaged(finished, tmp_path, damage):
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder)
    (folder / "manifest.json").unlink()
    if damage is not None:
        (folder / "manifest.json").write_text(damage)
    told = []
    again = run(config(), folder, say=told.append)
    assert "the manifest is written anew, the finished steps are kept" in told[0]
    assert not any("training" in text or "unlearning" in text for text in told[1:])
    assert again.audits["finetune"].verdict == finished.audits["finetune"].verdict
    assert vestige.store.read_json(folder / "manifest.json")["models"].keys() >= {"original", "finetune"}
    (folder / "manifest.json").write_text("{")
    with pytest.raises(
        InputError, match="holds no run that this one continues .*; delete it, or name another folder"
    ):
        run(config(seed=1), folder, say=silent)
