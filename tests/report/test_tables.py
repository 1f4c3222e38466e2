"""Tables with known answers in every format."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest

from vestige.errors import InputError
from vestige.report.tables import table, written

ROWS = pd.DataFrame({"measure_1": ["a|b", "c & d"], "auc ↑": [0.912345, float("nan")], "n": [10_000, 3]})


def test_markdown() -> None:
    assert table(ROWS, "md") == (
        "| measure_1 | auc ↑ | n |\n| --- | ---: | ---: |\n| a\\|b | 0.9123 | 10,000 |\n| c & d | – | 3 |\n"
    )


def test_latex_is_booktabs_and_escaped() -> None:
    assert table(ROWS, "latex") == (
        "\\begin{tabular}{lrr}\n\\toprule\nmeasure\\_1 & auc $\\uparrow$ & n \\\\\n\\midrule\n"
        "a|b & 0.9123 & 10,000 \\\\\nc \\& d & -- & 3 \\\\\n\\bottomrule\n\\end{tabular}\n"
    )


def test_csv_keeps_numbers_exact_and_never_nan() -> None:
    rows = list(csv.reader(io.StringIO(table(ROWS, "csv"))))
    assert rows == [["measure_1", "auc ↑", "n"], ["a|b", "0.912345", "10000"], ["c & d", "–", "3"]]


def test_named_index_becomes_a_column() -> None:
    rows = pd.DataFrame({"x": [1]}, index=pd.Index(["r"], name="who"))
    assert table(rows).startswith("| who | x |")
    assert table(pd.DataFrame({"x": []})) == "| x |\n| --- |\n"


def test_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"markdown.*csv, html, latex, md"):
        table(ROWS, "markdown")


def test_html_is_escaped_and_numbers_stand_to_the_right() -> None:
    text = table(pd.DataFrame({"<a>": ["x & y"], "n": [0.5]}), "html")
    assert "&lt;a&gt;" in text and "x &amp; y" in text
    assert '<td class="number">0.5</td>' in text and '<th scope="col" class="number">n</th>' in text


def test_columns_may_be_set_to_the_right_by_hand() -> None:
    body = [["IAM-On", "67.1 ± 0.4 (67.10)"]]
    assert written(["", "news · random"], body, "md", [False, True]) == (
        "| | news · random |\n| --- | ---: |\n| IAM-On | 67.1 ± 0.4 (67.10) |\n"
    )
    assert "IAM-On & 67.1 $\\pm$ 0.4 (67.10) \\\\" in written(["", "x"], body, "latex", [False, True])
