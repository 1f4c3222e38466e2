"""The leak report: the sentence first, figures with alternatives, escaped, the same bytes, nothing missing."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from pages import unlinked
from vestige.leaks import PosteriorPairs, attack_pairs
from vestige.leaks.page import attack_rows, defence_rows, headline, write_leaks_report

N = 240


@pytest.fixture(scope="module", autouse=True)
def pictures():
    """As they are: these tests look at them."""


def side(seed: int, change: float, memory: float = 0.0) -> PosteriorPairs:
    """Deleted records change by `change`, and members were surer than others by `memory`."""
    rng = np.random.default_rng(seed)
    status = np.resize(["deleted", "remaining", "outside"], N)
    labels = rng.integers(0, 3, N)
    z = rng.normal(size=(N, 3))
    z[np.arange(N), labels] += memory * (status != "outside")
    after = z.copy()
    after[np.arange(N), labels] -= change * (status == "deleted")
    after += 0.05 * rng.normal(size=(N, 3))

    def softmax(v: np.ndarray) -> np.ndarray:
        e = np.exp(v)
        return e / e.sum(axis=1, keepdims=True)

    return PosteriorPairs(softmax(z), softmax(after), status, np.arange(N) // 24, labels)


def findings(change: float, memory: float = 0.0, **options):
    return attack_pairs(
        side(0, change, memory), side(1, change, memory), models=("decision-tree",), **options
    )


@pytest.mark.parametrize(
    ("change", "memory", "said"),
    [
        (1.0, 0.0, "Who was deleted can be told from two versions"),
        (0.0, 6.0, "were exposed before anything was deleted"),
        (0.0, 0.0, "It was not shown"),
    ],
)
def test_the_first_sentence(change, memory, said, tmp_path):
    found = findings(change, memory)
    assert found.sentence == headline(found) and repr(found) == f"Findings: {found.sentence}"
    assert len(repr(found.undefended)) < 200 and f"AUC {found.undefended.best.target.auc:.3f}" in repr(
        found.undefended
    )
    assert headline(found).startswith(said) or said in headline(found)
    text = write_leaks_report(tmp_path / "r.html", found).read_text()
    assert 'class="sentence">' + headline(found)[:40] in text
    if not change and not memory:
        assert "would have gone unnoticed" in headline(found)


def test_the_page(tmp_path):
    found = findings(1.0, defences=("label_only", "top_k=1"))
    manifest = {"vestige": "0", "config": {"name": "<script>alert(1)</script>"}}
    one = write_leaks_report(tmp_path / "a.html", found, title="A & B <i>", manifest=manifest)
    two = write_leaks_report(tmp_path / "b.html", found, title="A & B <i>", manifest=manifest)
    text = one.read_text()
    assert text == two.read_text() and len(text) < 400_000
    assert "<script" not in text and "&lt;script&gt;" in text and "A &amp; B &lt;i&gt;" in text
    assert not re.search(r"(src|href)=\"(http|//)", text)
    visible = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]+>", " ", text, flags=re.S)
    assert not re.search(r"\b(nan|NaN|None|Infinity)\b", visible)
    assert text.count('role="img"') == 4 and text.count("aria-label=") >= 4
    for section in (
        "features",
        "roc",
        "degradation",
        "defences",
        "three-way",
        "limits",
        "configuration",
        "reading",
    ):
        assert f'id="{section}"' in text and f'href="#{section}"' in text
    assert "label_only leaves least" in text or "top_k=1 leaves least" in text


def test_what_a_terminal_shows():
    found = findings(1.0, defences=("label_only",))
    rows = attack_rows(found)
    assert (
        len(rows) == len({row["reads"] for row in rows}) and rows[0]["reads"] == found.undefended.best.feature
    )
    assert [row["defence"] for row in defence_rows(found)] == ["none", "label_only"]


def test_nothing_to_compare_is_said(tmp_path):
    shadow, target = (s.take(s.status != "remaining") for s in (side(0, 1.0), side(1, 1.0)))
    found = attack_pairs(shadow, target, features=("l2_threshold", "max_confidence"))
    text = unlinked(write_leaks_report(tmp_path / "r.html", found).read_text())
    for said in (
        "Only thresholds were used",
        "No defence was tried",
        "records of all three statuses are needed",
    ):
        assert said in text


def test_what_was_found_is_saved_with_its_report(tmp_path):
    found = findings(1.0, defences=("label_only",))
    folder = found.save(tmp_path / "out", title="Mine", known={"config": {"seed": 3}})
    record = json.loads((folder / "leaks.json").read_text())
    assert record["kind"] == "leaks" and record["config"] == {"seed": 3}
    assert record["summary"]["auc"] == found.undefended.best.target.auc and set(record["defences"]) == {
        "label_only"
    }
    assert "<h1>Mine</h1>" in (folder / "report.html").read_text()
