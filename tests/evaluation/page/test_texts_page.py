"""The page of texts: where in a text the trace sits, every measure, and the folder that holds it all."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

from pages import unlinked
from vestige.evaluation.page.texts import _pieces
from vestige.evaluation.result import Audit
from vestige.evaluation.texts import TextAudit

FIGURES = {f"{part}_{other}": None for part in ("auc", "low", "high") for other in ("retain", "holdout")}
TABLE = [
    {"measure": "iam", "unit": "nats", "reason": None, **FIGURES, "auc_retain": 0.93, "low_retain": 0.9, "high_retain": 0.96},
    {"measure": "recall", "unit": "ratio", "reason": "prefixed not given", **FIGURES},
]  # fmt: skip


def text_audit(made: Audit) -> TextAudit:
    ids = [str(name) for name in made.signals.names[:3]]
    trace = {"mean": 0.7, "start": [0, 4], "end": [3, 7], "gap": [2.5, -0.6]}
    return TextAudit(made, TABLE, [{"id": name, **trace} for name in ids])


def test_a_folder_of_texts_is_whole(audit: Callable[..., Audit], tmp_path: Path) -> None:
    made = text_audit(audit())
    texts = {trace["id"]: "one <b>two</b>" for trace in made.traces}
    folder = made.save(tmp_path / "out", texts, words=0.9)
    page = unlinked((folder / "texts.html").read_text())
    for piece in (
        '<span class="token more-3">one</span> <span class="token less-1">&lt;b&gt;</span></p>', "0.930 [0.900, 0.960]",
        "– prefixed not given", "told apart by their words alone (AUC 0.9)", "+0.70 nats a token", "Trace of a token",
    ):  # fmt: skip
        assert piece in page
    rows = list(csv.DictReader((folder / "measures.csv").open()))
    assert [row["measure"] for row in rows] == ["iam", "recall"] and rows[1]["auc_retain"] == ""
    assert json.loads((folder / "manifest.json").read_text()) == {"kind": "llm audit"}
    assert Audit.load(folder / "audit").verdict == made.audit.verdict and (folder / "report.html").is_file()


def test_pieces_hold_the_whole_text_and_nothing_else() -> None:
    trace = {"start": [2, 4, 5], "end": [4, 5, 9], "gap": [0.1, 3.0, -0.6]}
    assert _pieces("abcdefghi", trace) == [("", "abcd"), ("more-3", "e"), ("less-1", "fghi")]
