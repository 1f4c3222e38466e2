"""A request to a user's own system: from its file, or from Python, to a verdict."""

from __future__ import annotations

import copy
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import processes
import vestige
from vestige.config import validated
from vestige.errors import InputError
from vestige.experiments import RequestConfig, run
from vestige.experiments.costs import costs
from vestige.experiments.forgetting import Forgetting
from vestige.experiments.requests import limits_of, roles_of
from vestige.experiments.runner import costs_of, plan_of
from vestige.experiments.settings import ShadowConfig
from vestige.systems.source import _READ, SystemSource

SYSTEM = Path(__file__).parents[1] / "nearest.py"
ASKED = [f"r{k}" for k in range(30)]


@pytest.fixture
def place(tmp_path):
    """A file of the user's with a system in it."""
    file = tmp_path / "churn.py"
    file.write_text(f"{SYSTEM.read_text()}\nsystem = Nearest\n")
    return f"{file}:system"


def config(place, **changes):
    values = {"name": "asked", "system": place, "request": {"ids": ASKED}, "audit": {"measures": ["iam"]}}
    return validated(RequestConfig, values | changes, "request.yaml")


def scores(folder):
    return pd.read_parquet(folder / "audits" / "retrain" / "scores.parquet")


def test_a_request_becomes_models_an_audit_and_a_report(place, tmp_path):
    result = run(config(place), tmp_path / "run", say=lambda text: None)
    manifest = vestige.store.read_json(result.folder / "manifest.json")
    assert set(manifest["models"]) == {"original", "shadow-0", "retrain"}
    assert manifest["split"]["forget"] == 30 and manifest["split"]["retain"] == 270
    assert manifest["data"]["name"] == "nearest records" and manifest["created"]
    signals = result.audits["retrain"].signals
    assert set(signals.of_role("forget").names) == set(ASKED)
    assert sorted(set(signals.source)) == ["forget", "holdout", "pool", "retain"]
    assert not set(signals.shadow_ids) & set(signals.names)
    assert result.report.is_file()
    again = run(config(place), tmp_path / "run", say=lambda text: pytest.fail(text))
    assert again.audits["retrain"].verdict == result.audits["retrain"].verdict


def test_nobody_is_fitted_on_what_it_must_not_see(nearest, tmp_path):
    answer = vestige.forget(nearest, ids=ASKED, folder=tmp_path / "run")
    original, shadow, retrained = (rows for rows, _ in nearest.fits)
    forget = set(nearest.records.positions(ASKED).tolist())
    assert set(original.tolist()) == set(nearest.seen.tolist())
    assert set(retrained.tolist()) == set(nearest.seen.tolist()) - forget
    assert not set(shadow.tolist()) & set(nearest.seen.tolist())
    audited = {int(name[1:]) for name in answer.audit.signals.names.tolist()}
    assert not set(shadow.tolist()) & audited
    assert len(shadow) == 270  # as many as are retained
    assert len({seed for _, seed in nearest.fits}) == 3


def test_an_answer_has_the_models_and_can_be_kept(nearest, tmp_path):
    answer = vestige.forget(nearest, ids=ASKED)
    assert set(answer.original.tolist()) - set(answer.model.tolist()) == set(range(30))
    assert answer.report.is_file() and len(repr(answer).splitlines()) <= 10
    assert answer.verdict.outcome in answer._repr_html_() and "Limits" in answer._repr_html_()
    kept = answer.save(tmp_path / "kept")
    assert (kept / "report.html").is_file() and (kept / "models" / "retrain").is_dir()
    with pytest.raises(InputError, match="not empty"):
        answer.save(kept)
    for name in ("model", "original"):
        assert isinstance(getattr(answer, name), np.ndarray)


def test_a_model_that_is_in_use_is_kept_and_not_fitted(nearest):
    nearest.original = nearest.seen.copy()
    answer = vestige.forget(nearest, ids=ASKED)
    assert len(nearest.fits) == 2 and (answer.original == nearest.seen).all()


def test_a_request_that_nobody_carries_out_is_found(nearest):
    class Idle(type(nearest)):
        def unlearn(self, method, model, forget, retain, *, seed, **options):
            return model, {"retrain_epochs": 0.0}

    answer = vestige.forget(Idle(), ids=[f"r{k}" for k in range(100)], how="finetune")
    assert answer.verdict.outcome == "under"
    assert answer.audit.metric("model", "cost").value == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"request": {"ids": ["r1", "zed"]}},
            "'zed' is not among the 300 records that the original saw; they look like 'r0'",
        ),
        ({"request": {"ids": ["r800"]}}, "never saw 1 of the records.*'r800'"),
        ({"request": {"ids": [f"r{k}" for k in range(300)]}}, "nothing is left to retain"),
        ({"request": {"ids": []}}, "names no record"),
        ({"how": []}, "at least one"),
        ({"how": ["retrain", {"name": "retrain", "epochs": 3}]}, "retrain takes no options"),
        ({"how": ["retrain", "retrain"]}, "named twice"),
        ({"how": ["scrubb"]}, "scrub"),
        ({"request": {}}, "ids or ids_file"),
        ({"request": {"ids": ["r1"], "ids_file": "x"}}, "one of them"),
        ({"system": "churn.py"}, "churn.py:system"),
        ({"device": "cuda"}, "device"),
        ({"system": "nowhere.py:system"}, "no such file"),
    ],
)
def test_bad_requests_are_one_sentence_and_leave_nothing(place, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        run(config(place, **changes), tmp_path / "run", say=lambda text: None)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("other = 1\nsystem = other / 0", "s.py, line 2: ZeroDivisionError"),
        ("system = 3", "no name, records"),
        ("other = 3", "name 'system'|'system'"),
        ("def system(:", "s.py, line 1: SyntaxError"),
        ("import nothing_of_that_name\nsystem = 1", "ModuleNotFoundError"),
    ],
)
def test_a_file_that_gives_no_system_is_one_sentence(tmp_path, code, message):
    (tmp_path / "s.py").write_text(code)
    with pytest.raises(InputError, match=message):
        SystemSource.of(f"{tmp_path / 's.py'}:system")


CHANGING = {
    "code": "system = Nearest(share={})\n",
    "data": "system = Nearest(share=float(open(__file__ + '.txt').read()))\n",
}


@pytest.mark.parametrize("changed", CHANGING)
def test_a_file_that_changed_or_what_it_reads_is_another_system_in_the_same_process(tmp_path, changed):
    file, keys = tmp_path / "changing.py", []
    for share in (0.8, 0.5, 0.8):
        file.write_text(f"{SYSTEM.read_text()}\n{CHANGING[changed].format(share)}")
        (tmp_path / "changing.py.txt").write_text(str(share))
        source = SystemSource.of(f"{file}:system")
        assert len(source.load().seen) == share * 900
        keys.append(source.key)
    assert keys[0] == keys[2] != keys[1]


def test_a_worker_reads_a_system_once_and_refuses_another(tmp_path):
    file = tmp_path / "worked.py"
    file.write_text(f"{SYSTEM.read_text()}\nsystem = Nearest\n")
    source = SystemSource.of(f"{file}:system")
    first, second = (copy.copy(source) for _ in range(2))  # as a worker gets it
    assert first.held is None and first.load() is second.load()
    file.write_text(f"{SYSTEM.read_text()}\nsystem = Nearest(seed=1)\n")
    assert second.load() is first.load(), "a plan goes on with what it has read"
    _READ.clear()
    with pytest.raises(InputError, match="not the one that this step was planned with"):
        second.load()


def test_another_system_in_the_same_folder_is_refused(place, tmp_path):
    run(config(place), tmp_path / "run", say=lambda text: None)
    with pytest.raises(InputError, match="another run"):
        run(config(place, seed=1), tmp_path / "run", say=lambda text: None)


@pytest.mark.usefixtures("forked_workers")
def test_workers_give_the_same_scores(place, tmp_path):
    run(config(place), tmp_path / "one", say=lambda text: None)
    run(config(place), tmp_path / "two", say=lambda text: None, workers=2)
    assert scores(tmp_path / "one").equals(scores(tmp_path / "two"))


def test_killed_at_a_random_moment_it_ends_the_same(place, tmp_path):
    run(config(place), tmp_path / "whole", say=lambda text: None)
    yaml = tmp_path / "request.yaml"
    yaml.write_text(f"name: asked\nsystem: {place}\nrequest: {{ids: {ASKED}}}\naudit: {{measures: [iam]}}\n")
    command = (processes.COMMAND, "run", yaml, "--out", tmp_path / "cut", "--quiet")
    rng = np.random.default_rng(0)
    for _ in range(2):
        with processes.started(*command) as program:
            time.sleep(rng.uniform(0.05, 1))
            program.send(signal.SIGKILL)
    code, _, said = processes.ended(*command)
    assert code == 0, said
    assert scores(tmp_path / "cut").equals(scores(tmp_path / "whole"))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_roles_share_no_record_and_leave_two_sources(nearest, count):
    roles = roles_of(SystemSource.of(nearest), ASKED, ShadowConfig(count=count), 0)
    parts = [roles.forget, roles.retain, roles.holdout, roles.shadow, roles.aside]
    together = np.concatenate(parts)
    assert len(np.unique(together)) == len(together) == 900
    assert len(roles.holdout) >= 20 and len(roles.aside) >= 20
    assert (len(roles.shadow) == 0) == (count == 0)


@pytest.mark.parametrize(("unseen", "held"), [(10, 5), (40, 20), (44, 20), (60, 24)])
def test_of_few_unseen_records_a_verdict_gets_as_many_as_it_takes(nearest, unseen, held):
    source = SystemSource.of(type(nearest)(300 + unseen, share=300 / (300 + unseen)))
    roles = roles_of(source, ASKED, ShadowConfig(count=1), 0)
    assert len(roles.holdout) + len(roles.aside) == held and len(roles.shadow) == unseen - held


def test_smaller_shadows_are_said(nearest):
    source, shadows = SystemSource.of(type(nearest)(share=0.8)), ShadowConfig(count=1)
    roles = roles_of(source, ASKED, shadows, 0)
    assert "Each shadow model is trained on" in limits_of(source, roles, shadows)[-1]
    whole = SystemSource.of(nearest)
    assert not limits_of(whole, roles_of(whole, ASKED, shadows, 0), shadows)


def test_costs_are_said_of_a_model_in_memory(nearest):
    ways = ["retrain", {"name": "finetune", "label": "going on"}]
    told = vestige.forget_costs(nearest, ids=ASKED, how=["retrain"], shadows=2, sharpness=False)
    assert [model["name"] for model in told.models] == ["original", "shadow-0", "shadow-1", "retrain"]
    assert told.seconds is not None and not told.outlooks
    assert "shadow-1: training shadow-1 on 270 records" in repr(told) and "one worker" in told.summary()
    assert [len(rows) for rows, _ in nearest.fits] == [told.pilot] * 2 and told.pilot < 270
    with pytest.raises(InputError, match="names no record"):
        vestige.forget_costs(nearest, ids=[], how=ways)


def test_costs_are_said_before_the_work(place, tmp_path):
    told = costs_of(config(place, how=["retrain"]), tmp_path / "run")
    assert [(m["name"], m["records"], m["done"]) for m in told.models] == [
        ("original", 300, False), ("shadow-0", 270, False), ("retrain", 270, False),
    ]  # fmt: skip
    assert told.pilot == 90 and told.seconds > 0 and not (tmp_path / "run").exists()
    assert [view.shadows for view in told.outlooks] == [1, 2, 3, 8]
    assert told.output_bytes == 4 * 2 * ((300 + 330) * 3 + 270)
    run(config(place), tmp_path / "run", say=lambda text: None)
    assert all(
        model["done"] for model in costs(plan_of(config(place), tmp_path / "run"), sharpness=False).models
    )


def test_a_way_to_forget_is_named_as_everywhere():
    way = Forgetting.of({"name": "finetune", "epochs": 2, "label": "two epochs"})
    assert (way.name, way.options, way.title, way.exact) == ("finetune", {"epochs": 2}, "two epochs", False)
    with pytest.raises(InputError, match="name"):
        Forgetting.of({"epochs": 2})


def test_copies_that_stay_are_said_before_the_work_and_in_the_report(nearest, tmp_path):
    nearest.x[100] = nearest.x[3]  # r100 is retained
    said = []
    answer = vestige.forget(nearest, ids=ASKED, folder=tmp_path / "run", say=said.append)
    assert "'r3' by 'r100' (same)" in said[0]
    assert any("'r3' by 'r100' (same)" in limit for limit in answer.audit.limits)
    nearest.features = lambda rows: None
    blind = vestige.forget(nearest, ids=ASKED)
    assert any("Copies of forgotten records were not looked for" in limit for limit in blind.audit.limits)
