"""The lab book: its tables are as their result files say, and none is there without a word on where it comes from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks import calibration, tables
from vestige.evaluation import audits

DOCS = Path(__file__).parents[1] / "docs"
LAB_BOOK = (
    "results",
    "reproduction",
    "benchmarks",
    "claims",
    "others",
    "leaks",
    "monitoring",
    "texts",
    "calibration",
    "monotone",
)
BY_HAND = re.compile(r"\*Entered by hand on 20\d\d-\d\d-\d\d\b")


def test_tables_are_as_their_files_say():
    pages = [path.name for path in tables.stale(DOCS)]
    assert not pages, f"{pages} are not as their result files say; run `python -m benchmarks.tables`"


@pytest.mark.parametrize("page", LAB_BOOK)
def test_every_table_says_where_it_comes_from(page):
    path = DOCS / "labbook" / f"{page}.md"
    text = tables.MARKED.sub("", path.read_text(encoding="utf-8"))
    for table in re.finditer(r"(?:^\|.*\n)+", text, re.MULTILINE):
        before, after = text[: table.start()].rstrip(), text[table.end() :].lstrip()
        known = before.endswith("<!-- words -->") or BY_HAND.match(after)
        assert known, f"{path.name}: {table[0].splitlines()[0]}"


def test_a_page_whose_figure_was_changed_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- table: entered published -->\n<!-- end -->\n", encoding="utf-8")
    page.write_text(tables.stale(tmp_path)[page], encoding="utf-8")
    assert not tables.stale(tmp_path) and "0.875469" in page.read_text(encoding="utf-8")
    page.write_text(page.read_text(encoding="utf-8").replace("0.875469", "0.875"), encoding="utf-8")
    assert list(tables.stale(tmp_path)) == [page]


def test_numbers_are_rounded_as_they_are_read():
    assert [tables.rounded(value, 1) for value in (54.55, 38.85, 2.0)] == ["54.6", "38.9", "2.0"]


@pytest.mark.parametrize("null", audits.ASSUMED)
@pytest.mark.parametrize("side", ["under", "over"])
def test_the_limits_of_an_audit_name_every_measure_above_eight_percent(null, side):
    lines = (tables.RESULTS / "calibration.jsonl").read_text(encoding="utf-8").splitlines()
    known = [one for one in map(json.loads, lines) if one["null"] == null and one["request"] == "random"]
    sentence = audits.ASSUMED[null]
    said = [float(words) for words in re.findall(r"([\d.]+) %", sentence)]
    for name in calibration.MEASURED:
        worst = max((one[side] for one in known if one["measure"] == name), default=0)
        if worst > calibration.LIMIT:
            assert name in sentence and f"p_{side}" in sentence, (name, worst)
            assert min(abs(100 * worst - each) for each in said) <= 0.5, (name, worst)


@pytest.mark.parametrize("side", ["under", "over"])
def test_the_limit_on_lost_order_covers_the_worlds_of_that_kind(side):
    lines = (tables.RESULTS / "calibration.jsonl").read_text(encoding="utf-8").splitlines()
    rates = [one[side] for one in map(json.loads, lines) if "memory saturates" in one["request"]]
    (said,) = (float(words) for words in re.findall(r"up to ([\d.]+) %", audits.SATURATED))
    assert len(rates) > 100 and round(100 * max(rates)) <= said and f"p_{side}" in audits.SATURATED
