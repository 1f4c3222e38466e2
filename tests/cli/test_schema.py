"""What the commands print with --json follows one schema, which is shipped, and says what it says."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator, ValidationError

from kind_worlds import ROLE, world
from vestige.evaluation.outlook import Outlook
from vestige.experiments.costs import Costs
from vestige.graph.progress import status
from vestige.store import plain, write_json


def schema_of(here):
    path = Path(json.loads(here("doctor", "--json")[1])["schema of --json"])
    return json.loads(path.read_text(encoding="utf-8"))


def checked(schema, name):
    """A check of one command's definition alone."""
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]})


@pytest.fixture
def schema(here):
    return schema_of(here)


@pytest.fixture
def audited(here, tmp_path):
    truth, models = world("logits", 0)
    np.savez(tmp_path / "a.npz", labels=truth, role=ROLE, **{k: np.asarray(v) for k, v in models.items()})
    code, out, err = here("audit", tmp_path / "a.npz", "--measure", "iam", "--out", tmp_path / "o", "--json")
    assert code == 0, err
    return json.loads(out)


def test_the_schema_is_one(schema):
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == "urn:vestige:output:1"
    assert {one["$ref"].rsplit("/", 1)[1] for one in schema["anyOf"]} <= set(schema["$defs"])


def test_an_audit_and_its_report(here, schema, audited, tmp_path):
    check = checked(schema, "audits")
    check.validate(audited)
    check.validate(json.loads(here("report", tmp_path / "o", "--json")[1]))


@pytest.mark.parametrize(
    "what", ["datasets", "models", "recipes", "methods", "measures", "text-methods", "text-measures"]
)
def test_every_list(here, schema, what):
    listed = json.loads(here("list", what, "--json")[1])
    assert listed
    checked(schema, "list").validate(listed)


def test_the_experiments(here, schema):
    checked(schema, "experiments").validate(json.loads(here("bench", "list", "--json")[1]))


def test_the_status_of_runs(here, schema, tmp_path):
    steps = [
        {"key": "a", "label": "original", "kind": "fit", "state": "done", "seconds": 2.0},
        {"key": "b", "label": "shadow", "kind": "fit", "state": "failed", "why": "no memory"},
        {"key": "c", "label": "audit", "kind": "audit", "state": "waiting"},
    ]
    record = {"started": 0.0, "workers": 2, "steps": steps, "written": 1.0}
    (tmp_path / "status").mkdir()
    write_json(tmp_path / "status" / "r.json", record)
    said = json.loads(here("status", tmp_path, "--json")[1])
    assert said[0]["failed"][0] == {"label": "shadow", "why": "no memory"}
    checked(schema, "status").validate(said)
    assert plain(status(tmp_path))[0].keys() == said[0].keys()


def test_the_costs_of_a_plan(schema, capsys):
    from vestige.cli.show import print_costs

    view = Outlook(1, 30, 300, 300, 2.0, 0.8, 0.05, 1.0, 0.99, 20)
    models = [{"name": "original", "what": "fit", "records": 300, "done": True}]
    for seconds in (None, 3.5):
        print_costs(Costs(models, 200, seconds, 1024, [view], ["rough"]), json=True)
        checked(schema, "plan").validate(json.loads(capsys.readouterr().out))


def test_what_is_not_said_is_noticed(schema, audited):
    """A key that goes, one that comes, and a value of another kind: each breaks the schema."""
    check = checked(schema, "audits")

    def broken(change):
        other = copy.deepcopy(audited)
        change(other["audits"]["a"])
        return other

    for change in (
        lambda audit: audit.pop("p_under"), lambda audit: audit.pop("metrics"), lambda audit: audit.update(mood="good"),
        lambda audit: audit.update(outcome="fine"), lambda audit: audit["metrics"][0].pop("direction"),
        lambda audit: audit.update(could_be_whole=0.5),
    ):  # fmt: skip
        with pytest.raises(ValidationError):
            check.validate(broken(change))
