"""The skeleton: every block stands where it was put, text is escaped, nothing is loaded."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from vestige.report import Badge, Bullets, Card, Cell, Column, Drawing, Heading, Page, Section, Table, Text
from vestige.report.blocks import Beside, Listing, Panel, Picker
from vestige.report.glossary import TERMS
from vestige.report.page import configuration, json_in_html

EVIL = "<script>alert(1)</script>&\"'"
CARD = Card(Badge("under", "A word", "▼"), "The answer.", reasons=["Because."], warnings=["Beware."])


def page(*blocks, **options) -> str:
    sections = [Section("one", "The first", "First", list(blocks))]
    return Page(options.pop("title", "T"), [CARD], sections, ["AUC"], **options).html()


def test_the_answer_comes_first_and_every_section_is_in_the_list() -> None:
    text = page(Text("Said."), limits=[("", ["A limit."]), ("x", [])], facts=["2 things"], overview="All.")
    order = ["2 things", "All.", "A word", "The answer.", "Because.", "Beware.", 'href="#one"', "Said.", "A limit.",
             "No limit was stated.", "Configuration and hashes", TERMS["AUC"]]  # fmt: skip
    places = [text.index(piece) for piece in order]
    assert places == sorted(places)
    links = re.findall(r'href="#([^"]+)"', text)
    assert links == ["one", "limits", "configuration", "reading"]
    assert set(links) <= set(re.findall(r' id="([^"]+)"', text))
    assert "<script" not in text and "script-src" not in text  # nothing moves on this page


def test_every_block_is_escaped() -> None:
    blocks = [
        Text(EVIL), Text([EVIL, ("token", EVIL)]), Heading(EVIL, badge=Badge("over", EVIL, "▲")), Bullets([EVIL]),
        Table(EVIL, [Column(EVIL), Column(EVIL, "number")], [[EVIL, Cell(EVIL, note=EVIL, strong=True, after=EVIL)]]),
        Drawing(None, EVIL), Drawing("<svg></svg>", EVIL, ((EVIL, EVIL),)), Beside([Text(EVIL)]),
        Panel([Text(EVIL)], 0), Picker([EVIL, EVIL], [EVIL, EVIL]),
        Listing([(EVIL, "id"), (EVIL, "number")], [([EVIL, EVIL], [1.0])], [(EVIL, EVIL, "?")], EVIL, 0),
    ]  # fmt: skip
    text = page(*blocks, title=EVIL, manifest={EVIL: {EVIL: EVIL}, "created": EVIL}, limits=[(EVIL, [EVIL])])
    assert EVIL not in text and text.count("<script") == 2 and text.count("<svg></svg>") == 1
    payload = re.search(r'id="payload">(.*?)</script>', text)
    assert payload and json.loads(payload.group(1))["listings"]["0"]["rows"] == [[[EVIL, EVIL], [1.0]]]


def test_a_cell_may_fill_several_columns() -> None:
    table = Table("t", [Column("a"), Column("b", "words"), Column("c", "number")], [["x", Cell("no", span=1), "1"],
                  [Cell("all", "missing", 3)]])  # fmt: skip
    assert [column.title for _, column in table.cells[0]] == ["a", "b", "c"]
    text = table.__html__()
    assert '<th scope="row" class="missing" colspan="3">all</th>' in text
    assert '<td class="words">no</td><td class="number">1</td>' in text


def test_panels_and_listings_bring_the_script() -> None:
    text = page(Panel([Text("a")], 0), Panel([Text("b")], 1, shown=False))
    assert 'data-method="1" hidden' in text and "script-src 'sha256-" in text


def test_configuration_by_name() -> None:
    manifest = {"vestige": "0", "created": "now", "name": "x", "key_of": {"a": [1, {"b": None}]}, "empty": {}}
    assert configuration(manifest) == [
        ("Run", [("name", "x")]),
        ("Key of", [("a[0]", "1"), ("a[1].b", "not set")]),
    ]
    assert configuration({"iam-table5, small scale": {"kind": "x"}}) == [
        ("iam-table5, small scale", [("kind", "x")])
    ]


def test_json_cannot_leave_its_element() -> None:
    value = ["</script><script>alert(1)</script>", "<!--", "\u2028", "&lt;", 'quote" back\\slash']
    text = json_in_html(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value
    with pytest.raises(ValueError):
        json_in_html([float("nan")])


def test_every_term_is_explained_on_some_page() -> None:
    from vestige.evaluation.page import audits, texts
    from vestige.experiments import leaderboard
    from vestige.leaks import page as leaks

    used = [term for module in (audits, leaks, texts, leaderboard) for term in module.GLOSSARY]
    assert sorted(used) == sorted(TERMS)


def test_importing_the_report_is_cheap() -> None:
    heavy = "torch", "matplotlib", "jinja2", "pandas", "numpy"
    code = f"import sys, vestige.report; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
