"""Cells of tables: no formula reaches a spreadsheet, no line break a LaTeX table."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest

from vestige.report.tables import csv_text, latex_cell, plain_cell, table, written

FORMULAS = [
    "=1+1",
    '=HYPERLINK("http://x")',
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "－x",
    "-x",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_text_that_a_spreadsheet_would_compute_is_quoted(text):
    assert plain_cell(text) == f"'{text}"
    rows = list(csv.reader(io.StringIO(csv_text([text], [[text]]), newline="")))
    assert rows == [[f"'{text}".replace("\r", "\n")]] * 2
    assert all(not cell.startswith(tuple("=+-@")) for row in csv.reader(io.StringIO(table(pd.DataFrame({text: [text]}), "csv"), newline="")) for cell in row)  # fmt: skip


@pytest.mark.parametrize("value", [-1, -0.5, "-0.5", "+3", "-1e-5", "a=b", "a-b", "", "–", None, 3])
def test_numbers_and_other_text_stay(value):
    assert plain_cell(value) == value


@pytest.mark.parametrize("gap", ["\n", "\r", "\r\n", "\n\n", "\v", "\f", "\x85", "\u2028", "\u2029", "\t"])
def test_a_latex_cell_has_one_line(gap):
    assert latex_cell(f"a{gap}b_1") == r"a b\_1"
    for text in (
        table(pd.DataFrame({f"x{gap}y": [f"a{gap}b"]}), "latex"),
        written(["", f"x{gap}y"], [[f"r{gap}s", "1"]], "latex"),
    ):
        lines = text.splitlines()
        assert len(lines) == len(text.rstrip("\n").split("\n")) and "" not in lines
        assert sum(line.endswith(r"\\") for line in lines) == 2


def test_characters_that_do_not_print():
    assert latex_cell("a\x00b\x7fc") == "a?b?c"
