"""The folder of an audit, as the command line and Python users get it."""

from __future__ import annotations

import json

import numpy as np
import pytest

import oracles
from vestige import Audit, InputError, audit
from vestige.errors import ArtefactError
from vestige.evaluation import audit_file
from vestige.evaluation.folder import report_again

WORLD = oracles.gaussian_world(3, fit=8.0)
FILES = {
    "audit.json",
    "manifest.json",
    "metrics.json",
    "report.html",
    "retained.parquet",
    "scores.parquet",
    "signals",
}


@pytest.fixture
def arrays(tmp_path):
    np.savez(tmp_path / "mine.npz", labels=WORLD.labels, original=WORLD.original, unlearned=WORLD.unlearned,
             shadow_out=WORLD.shadow_out, role=WORLD.roles)  # fmt: skip
    return tmp_path / "mine.npz"


def test_a_file_of_arrays_becomes_a_folder(arrays, tmp_path):
    folder = tmp_path / "out"
    made = audit_file(arrays, folder, ["random"], alpha=0.1)
    assert made.name == "mine" and made.verdict.alpha == 0.1
    assert {path.name for path in folder.iterdir()} == FILES
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["config"] == {
        "signals": str(arrays), "measures": ["random"], "preset": "recommended", "alpha": 0.1, "tolerance": 0.1,
    }  # fmt: skip
    assert set(manifest["hashes"]) == {"mine.npz", "audit.json"} and manifest["kind"] == "audit"
    assert audit_file(arrays, folder, ["random"], alpha=0.1).verdict == made.verdict
    with pytest.raises(InputError, match="holds another run"):
        audit_file(arrays, folder, ["confidence"], alpha=0.1)


def test_what_python_saves_can_be_reported_again(tmp_path):
    made = audit(WORLD, ["random"], name="mine")
    folder = made.save(tmp_path / "out")
    assert {path.name for path in folder.iterdir()} == FILES
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert report_again(folder)["mine"].verdict == made.verdict == Audit.load(folder).verdict
    assert (folder / "report.html").read_bytes() == before
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [measure["name"] for measure in manifest["config"]["measures"]] == ["random"]
    (folder / "audit.json").write_text("{}")
    with pytest.raises(ArtefactError, match="is not the audit"):
        report_again(folder)


def test_the_data_alone_are_written_where_a_run_keeps_them(tmp_path):
    folder = audit(WORLD, ["random"]).write(tmp_path / "out")
    assert {path.name for path in folder.iterdir()} == FILES - {"manifest.json", "report.html"}
