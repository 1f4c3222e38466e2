"""Tables with known answers, and methods side by side."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from vestige.errors import InputError
from vestige.evaluation.result import Audit, Control, Metric, Verdict
from vestige.report.tables import auc_of, blocking_controls, compare, outcome_of, table

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
    with pytest.raises(InputError, match=r"markdown.*csv, latex, md"):
        table(ROWS, "markdown")


def test_compare(audit: Callable[..., Audit]) -> None:
    rows = compare({"finetune": audit("finetune"), "retrain": audit("retrain")})
    assert list(rows["Method"]) == ["finetune", "retrain"]
    first = rows.iloc[0]
    assert first["Verdict (wanted: unlearned)"] == "Under-unlearned"
    assert first["Completeness (closer to 1)"] == "0.550 [0.510, 0.600]"
    assert first["Flagged under ↓"].endswith(" of 60")
    assert first["RA (closer to retrain)"] == "0.993 [0.983, 1.003]"
    assert first["MIA (closer to retrain)"] == "– (No retrained model was given.)"
    assert first["AUC of iam (closer to retrain)"] == "0.930 [0.918, 0.942]"
    assert all(any(mark in name for mark in ("↓", "closer", "wanted")) for name in rows.columns[1:])
    assert not rows.isna().to_numpy().any()


def test_compare_shows_the_retrained_figure_and_its_unit(audit: Callable[..., Audit]) -> None:
    percent = Metric("model", "unlearning_accuracy", "UA", 8.2, "closer", (0.0, 100.0), reference=0.0)
    gap = Metric("model", "average_disparity", "gap", 1.5, "smaller", (0.0, 100.0), reference=0.0)
    row = compare({"x": replace(audit(), metrics=(percent, gap))}).iloc[0]
    assert row["UA (closer to retrain)"] == "8.2 % (retrain: 0 %)"
    assert row["Average disparity ↓"] == "1.5 %"
    assert row["AUC of iam (closer to retrain)"] == "– (not computed)"
    made = {name: replace(audit(), metrics=(percent,)) for name in ("retrain", "x")}
    assert list(compare(made)["UA (closer to retrain)"]) == [
        "8.2 %",
        "8.2 %",
    ]  # retraining has a row of its own


def test_methods_whose_verdicts_other_measures_carry(audit: Callable[..., Audit]) -> None:
    other = audit("finetune")
    other = replace(other, verdict=replace(other.verdict, measure="lira"))
    cells = list(
        compare({"a": audit("finetune"), "b": other})["AUC of the verdict's measure (closer to retrain)"]
    )
    assert cells[0] == "0.930 [0.918, 0.942] (iam)" and cells[1].endswith(" (lira)")


def test_figures_that_no_audit_has_are_left_out(audit: Callable[..., Audit]) -> None:
    rows = compare({"x": audit(roles=(30, 0, 0))})
    assert not [name for name in rows.columns if name.startswith(("UA", "MIA"))]


def test_a_failed_control_withholds_what_rests_on_it(audit: Callable[..., Audit]) -> None:
    blocked = audit(failing=True)
    assert outcome_of(blocked) == "blocked"
    row = compare({"x": blocked}).iloc[0]
    assert row["Verdict (wanted: unlearned)"] == "Verdict blocked"
    assert row["Completeness (closer to 1)"] == row["Flagged over ↓"] == "– (a control failed)"


def test_a_failed_positive_control_blocks_clearing_but_not_findings(audit: Callable[..., Audit]) -> None:
    blunt = (Control("positive", "iam", "Nothing is seen", 0.01, "at least 0.5", False),)
    assert not blocking_controls(replace(audit("finetune"), controls=blunt))
    assert blocking_controls(replace(audit("retrain"), controls=blunt))
    elsewhere = (Control("negative", "lira", "False alarms", 0.5, "at most 0.05", False),)
    assert not blocking_controls(replace(audit("finetune"), controls=elsewhere))


def test_no_measure_and_no_verdict(audit: Callable[..., Audit]) -> None:
    nothing = Verdict("undecided", "Undecided.", None, {"undecided": 60}, 0.05)
    row = compare({"x": replace(audit(), verdict=nothing)}).iloc[0]
    assert row["AUC of the verdict's measure (closer to retrain)"] == "– (no measure carries the verdict)"
    assert row["Flagged under ↓"] == "– (no sample has a verdict)"


def test_auc_is_found_by_label(audit: Callable[..., Audit]) -> None:
    def auc(label: str, value: float) -> Metric:
        return Metric(label, "auc", "forget against retained samples", value, "larger", (0.0, 1.0))

    repeated = replace(audit(), metrics=(auc("iam", 0.9), auc("iam (2)", 0.8)))
    found = [metric.value for name in ("iam", "iam (2)") if (metric := auc_of(repeated, name))]
    assert found == [0.9, 0.8] and auc_of(repeated, "rmia") is None
