"""Tables and pictures from result files: means, intervals, published values, agreement, controls, gaps."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bench_tables import BLOCK, TINY, tiny
from scipy import stats

import vestige
from pages import unlinked
from vestige.errors import InputError
from vestige.experiments.bench import experiment, render_table, run_bench
from vestige.experiments.bench.plot import picture, render_plot
from vestige.experiments.bench.run import cells_of, gathered
from vestige.experiments.bench.table import (
    Value,
    agreement,
    agreement_text,
    controls,
    missing_texts,
    values_of,
)
from vestige.experiments.experiment import Scale
from vestige.experiments.leaderboard import write_leaderboard
from vestige.graph import Store


@pytest.fixture(scope="module", autouse=True)
def pictures():
    """As they are: these tests look at them."""


def test_cells_carry_mean_interval_and_the_published_value(filled):
    made_, _ = filled
    cells = {v.row: v for v in values_of(made_.result)}
    raw = next(c for c in made_.result["cells"] if c["row"] == "IAM-On")["figures"]["auc"]
    means = 100 * np.mean(raw, axis=1)
    assert cells["IAM-On"].mean == pytest.approx(means.mean())
    assert cells["IAM-On"].half == pytest.approx(stats.t.ppf(0.975, 2) * means.std(ddof=1) / 3**0.5)
    assert cells["IAM-On"].published == 67.10 and cells["IAM-On"].n == 3
    table = render_table(made_.result)
    assert "digits · random" in table and "(67.10)" in table and "nan" not in table.lower()
    assert "\\begin{tabular}{lr}" in render_table(made_.result, "latex")
    assert (
        render_table(made_.result, "csv").splitlines()[0].startswith("row,column,figure,mean,half_width_95")
    )
    assert "(67.10)" not in render_table(made_.result, figure="balanced_accuracy")
    with pytest.raises(InputError, match="no format 'html'"):
        render_table(made_.result, "html")
    with pytest.raises(InputError, match="no figure 'acu'"):
        render_table(made_.result, figure="acu")


def table_of(values, published, **changes):
    """A result file's content with given AUCs [splits][shadows] for each row."""
    told = experiment_dump(**changes)
    told["published"] = {"c": published}
    return {
        "experiment": told, "missing": [], "vestige": vestige.__version__,
        "cells": [{"column": "c", "row": r, "group": 1, "figures": {"auc": v}} for r, v in values.items()],
    }  # fmt: skip


def experiment_dump(**changes):
    base = {"kind": "separation", "figure": "auc", "percent": False, "smaller": False, "over": "split",
            "favourite": "A", "measures": {}, "methods": [], "title": "t"}  # fmt: skip
    return base | changes


def test_agreement_ranks_and_pairs():
    values = {
        "A": [[0.9, 0.8], [0.7, 0.8], [0.9, 0.9]], "B": [[0.7, 0.7], [0.6, 0.7], [0.7, 0.7]], "C": [[0.5, 0.5]] * 3,
    }  # fmt: skip
    (found,) = agreement(table_of(values, {"A": 0.8, "B": 0.7, "C": 0.5}))
    assert found.tau == 1 and found.first == found.published_first == "A" and found.rival == "B"
    gaps = np.array([0.15, 0.1, 0.2])  # of the splits' means
    half = stats.t.ppf(0.975, 2) * gaps.std(ddof=1) / 3**0.5
    assert found.lead == pytest.approx((0.15, 0.15 - half, 0.15 + half))
    (few,) = agreement(table_of({row: v[:2] for row, v in values.items()}, {}))
    assert few.lead == (pytest.approx(0.125), None, None)
    (turned,) = agreement(table_of(values, {"A": 0.5, "B": 0.7, "C": 0.8}))
    assert turned.tau == -1 and turned.published_first == "C"
    (small,) = agreement(table_of(values, {"A": 0.1, "B": 0.2, "C": 0.3}, smaller=True))
    assert small.first == "C" and small.published_first == "A" and small.rival == "C" and small.lead[0] > 0
    (lost,) = agreement(table_of(values, {"B": 0.7, "C": 0.5}))
    assert lost.published_first is None and lost.tau is None  # the paper's A, lost, is before both
    known = {"B": [[0.1]], "D": [[0.2]], "E": [[0.3]], "F": [[0.4]], "A": [[0.5]]}
    result = table_of(known, {"B": 0.9, "D": 0.2, "E": 0.3, "F": 0.4, "A": 0.5})
    result["experiment"]["measures"] = {row: "random" if row == "B" else "iam" for row in known}
    assert next(agreement(result)).tau == 1  # what knows nothing has no rank
    assert "A minus B: +0.150 [" in agreement_text(table_of(values, {}))


def test_shares_become_percentages_and_points_stay():
    result = table_of({"A": [[0.25]]}, {}, percent=True)
    result["cells"][0]["figures"] |= {
        "disparity": [[29.5]],
        "retain_accuracy": [[90.0]],
        "mia_efficacy": [[3.0]],
    }
    found = {name: values_of(result, name)[0].mean for name in result["cells"][0]["figures"]}
    assert found == {"auc": 25.0, "disparity": 29.5, "retain_accuracy": 90.0, "mia_efficacy": 3.0}


def test_a_lead_in_points_stays_in_points():
    result = table_of({"A": [[29.5]], "B": [[31.5]]}, {}, percent=True, smaller=True, figure="disparity")
    for cell in result["cells"]:
        cell["figures"] = {"disparity": cell["figures"]["auc"]}
    (found,) = agreement(result)
    assert found.lead == (-2.0, None, None)  # nearer, for smaller is better


def test_intervals_over_shadow_models():
    values = {"A": [[0.9, 0.8, 0.7], [0.7, 0.8, 0.9]]}
    (over,) = values_of(table_of(values, {}, over="shadow"))
    assert over.mean == pytest.approx(0.8) and over.half == pytest.approx(0) and over.n == 3
    (two,) = values_of(table_of(values, {}))
    assert two.half is None  # two splits carry no interval


def test_controls():
    def told(value, **changes):
        result = table_of({"Random": [[value]], "A": [[0.9]]}, {}, **changes)
        result["experiment"]["measures"] = {"Random": "random", "A": "iam"}
        return result

    assert [c["holds"] for c in controls(told(0.52))] == [True]
    assert [c["holds"] for c in controls(told(0.56))] == [False]
    exact = table_of({"retrain": [[0.0]], "finetune": [[2.0]]}, {}, kind="methods", figure="auc")
    exact["experiment"]["figure"] = "disparity"
    for cell in exact["cells"]:
        cell["figures"] = {"disparity": cell["figures"]["auc"]}
    (found,) = controls(exact)
    assert found["name"] == "Positive control" and found["holds"]


def test_the_leaderboard_shows_every_table_and_says_when_a_control_failed(filled, tmp_path):
    made_, _ = filled
    text = unlinked(write_leaderboard(tmp_path / "a.html", [made_.result]).read_text())
    assert "Toy data" in text and "(67.10)" in text and "nan" not in text.lower().replace("finance", "")
    assert "http://" not in text and "https://" not in text
    first = max((v for v in values_of(made_.result) if v.row != "Random"), key=lambda v: v.mean).row
    kept = int(first.startswith("IAM"))
    assert f"In {kept} of 1 columns that a paper ranks, what it has first is first here." in text
    broken = json.loads(json.dumps(made_.result))
    for cell in broken["cells"]:
        if cell["row"] == "Random":
            cell["figures"]["auc"] = [[0.8, 0.8, 0.8]] * 3
    assert "A control failed in tiny" in write_leaderboard(tmp_path / "b.html", [broken]).read_text()
    with pytest.raises(InputError, match="no result file"):
        write_leaderboard(tmp_path / "c.html", [])


def test_what_cannot_be_measured_is_a_missing_cell_with_its_reason(tmp_path):
    changes = {"measures": TINY["measures"] | {"SAMIA": "samia"}, "small": TINY["small"] | {"splits": 1}}
    made_ = run_bench(experiment(tiny(tmp_path, **changes)), store=tmp_path / "store", engine_name="inline")
    assert [m["row"] for m in made_.missing] == ["SAMIA"]
    table = render_table(made_.result)
    assert "missing" in table and "sensitivity" in table


def test_gaps_of_one_reason_are_one_line():
    def cell(row, column, why):
        return Value(column, row, None if why else 1.0, None, 0 if why else 1, None, why)

    told = [
        cell("A", "x", "not run yet"), cell("B", "x", "not run yet"), cell("A", "y", "not run yet"),
        cell("B", "y", "not run yet"), cell("A", "z", ""), cell("B", "z", "too few"), cell("B", "u", "not run yet"),
    ]  # fmt: skip
    assert missing_texts(told) == ["x; y (every row): not run yet", "z (B): too few", "u (B): not run yet"]


def test_cells_that_were_not_run_say_so(tmp_path):
    chosen = experiment(tiny(tmp_path))
    found = gathered(chosen, "small", cells_of(chosen, "small", None), Store(tmp_path / "empty"))
    assert {m["why"] for m in found["missing"]} == {"not run yet"} and len(found["missing"]) == 9
    assert render_table(found).count("missing") == 3
    with pytest.raises(InputError, match="nothing to draw"):
        render_plot(found, tmp_path / "a.svg")


def test_groups_of_shadow_models_are_columns_and_curves(tmp_path):
    small = TINY["small"] | {"groups": [1, 3]}
    made_ = run_bench(
        experiment(tiny(tmp_path, small=small, published={})), store=tmp_path / "s", engine_name="inline"
    )
    assert {v.column for v in values_of(made_.result)} == {"digits · random · 1", "digits · random · 3"}
    assert render_plot(made_.result, tmp_path / "a.svg").read_text().lstrip().startswith("<?xml")


def test_curves_over_shadow_models_have_a_panel_for_each_data_set(tmp_path):
    result = table_of({}, {})
    result["experiment"] |= {
        "published": {"x · random · 1": {"A": 0.75, "B": 0.65}, "x · random · 2": {"A": 0.85}}
    }
    result["cells"] = [
        {"column": f"{data} · random", "row": row, "group": group, "figures": {"auc": [[0.7 + 0.1 * group]]}}
        for data in "xyz" for row in "AB" for group in (1, 2)
    ]  # fmt: skip
    panels = picture(result).axes
    assert [axes.get_title("left") for axes in panels] == ["x · random", "y · random", "z · random"]
    for axes in panels:
        assert [len(line[0].get_xdata()) for line in axes.containers] == [2, 2]  # a line a row
    hollow = [[line for line in axes.lines if line.get_fillstyle() == "none"] for axes in panels]
    assert [[list(line.get_ydata()) for line in own] for own in hollow] == [[[0.75, 0.85], [0.65]], [], []]
    assert render_plot(result, tmp_path / "a.svg").stat().st_size > 1000


def test_curves(filled, tmp_path):
    """An experiment of curves keeps rates that rise to 1; the figures of the table are as without."""
    made_, folder = filled
    curved = run_bench(
        experiment(tiny(tmp_path, name="curved", curve=True)), store=folder / "store", engine_name="inline"
    )
    assert curved.done == 3  # the networks and their outputs are there
    for cell, plain_ in zip(curved.result["cells"], made_.result["cells"], strict=True):
        rates = [
            np.mean(v)
            for name, v in cell["figures"].items()
            if name.startswith("tpr_at_") and "%" not in name
        ]
        assert len(rates) == 25 and (np.diff(rates) >= 0).all() and rates[-1] == 1
        assert cell["figures"]["auc"] == plain_["figures"]["auc"]
    assert "AUC in brackets" in render_plot(curved.result, tmp_path / "a.svg").read_text()


def test_pictures(filled, tmp_path):
    made_, _ = filled
    for ending in ("svg", "png", "pdf"):
        assert render_plot(made_.result, tmp_path / f"a.{ending}").stat().st_size > 1000
    with pytest.raises(InputError, match=r"\.svg, \.pdf or \.png"):
        render_plot(made_.result, tmp_path / "a.bmp")


def test_a_cell_of_only_some_splits_says_so():
    result = table_of({"A": [[0.9], [0.8]], "B": [[0.7]] * 4}, {})
    result["missing"] = [{"column": "c", "row": "A", "number": number, "why": "too few"} for number in (1, 3)]
    found = {v.row: v for v in values_of(result)}
    assert found["A"].why == "2 of 4 missing: too few" and found["A"].mean == pytest.approx(0.85)
    assert found["B"].why == ""
    assert "* Missing: c (A): 2 of 4 missing: too few" in render_table(result)
    assert "% Missing: c (A): 2 of 4 missing: too few" in render_table(result, "latex")


def test_a_lead_is_of_the_same_splits():
    """A has splits 0 and 1, B has 2 and 3: nothing is paired."""
    result = table_of({"A": [[0.9], [0.8]], "B": [[0.7], [0.6]]}, {})
    assert next(agreement(result)).lead is not None
    gaps = {"A": (2, 3), "B": (0, 1)}
    result["missing"] = [
        {"column": "c", "row": row, "number": number, "why": "x"} for row in gaps for number in gaps[row]
    ]
    assert next(agreement(result)).lead is None


def test_the_reason_is_that_of_the_column():
    """Columns of which one begins as another: each has its own reason."""
    result = table_of({}, {})
    result["experiment"]["measures"] = {"A": "iam"}
    result["missing"] = [
        {"column": column, "row": "A", "number": 0, "why": f"of {column}"} for column in ("c", "c · class", "c · class 2")
    ]  # fmt: skip
    assert {v.column: v.why for v in values_of(result)} == {
        "c": "of c", "c · class": "of c · class", "c · class 2": "of c · class 2",
    }  # fmt: skip


def test_a_gap_of_one_group_size_is_in_its_column():
    result = table_of({}, {})
    result["cells"] = [
        {"column": "x", "row": row, "group": group, "figures": {"auc": [[0.7]]}}
        for row in "AB" for group in (1, 2) if (row, group) != ("B", 2)
    ]  # fmt: skip
    result["missing"] = [
        {"column": "x", "row": "B", "number": 0, "group": 2, "why": "not two"},
        {"column": "y", "row": "A", "number": 0, "why": "its worker died"},
    ]
    found = {(v.row, v.column): v.why for v in values_of(result)}
    assert found["B", "x · 2"] == "not two" and found["B", "x · 1"] == found["A", "x · 2"] == ""
    assert found["A", "y · 1"] == found["A", "y · 2"] == "its worker died"


def test_texts_are_escaped_in_tables_and_pictures(tmp_path):
    row = "a|b & 50% {x} ^ ~ \\ $5 #1"
    result = table_of({row: [[0.7]]}, {})
    result["experiment"] |= {"title": "from $100% to $20", "measures": {row: "iam"}}
    assert "| a\\|b & 50%" in render_table(result)
    assert r"a|b \& 50\% \{x\} \textasciicircum{} \textasciitilde{} \textbackslash{} \$5 \#1 &" in (
        render_table(result, "latex")
    )
    (axes,) = picture(result).axes
    assert axes.get_title("left") == r"from \$100% to \$20"
    assert render_plot(result, tmp_path / "a.png").stat().st_size > 1000


def paper_only(folder, **changes):
    """A result of the paper's scale, of which nothing was run yet."""
    paper = TINY["small"] | {"blocks": {"digits": BLOCK | changes}}
    chosen = experiment(tiny(folder, paper=paper))
    return gathered(chosen, "paper", cells_of(chosen, "paper", None), Store(folder / "none"))


def test_the_leaderboard_shows_the_scale_that_was_run(tmp_path):
    found = paper_only(tmp_path, model={"name": "mlp", "hidden": [99]})
    assert "small" not in found["experiment"]
    text = unlinked(write_leaderboard(tmp_path / "a.html", [found]).read_text())
    assert "[99]" in text and "[16]" not in text and "Toy data, paper scale" in text
    del found["experiment"]["paper"]  # as earlier versions wrote it
    assert "Data not named, paper scale" in unlinked(
        write_leaderboard(tmp_path / "b.html", [found]).read_text()
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [({"data": {"name": "digits"}}, "Toy data"), ({}, "Real data"),
     ({"data": {"name": "digits"}, "shadow": {"data": {"name": "location30"}}}, "Real data")],
)  # fmt: skip
def test_the_leaderboard_knows_the_data_of_leaks(tmp_path, config, said):
    result = table_of({}, {}, kind="leaks") | {"name": "lk", "scale": "small", "vestige": "0", "content": "0"}
    result["experiment"] |= {
        "source": "s", "note": "", "preset": "paper", "smaller": None, "small": Scale(leaks={"a": config}).model_dump(mode="json"),
    }  # fmt: skip
    result["cells"] = [{"column": "AUC", "row": "a", "group": 0, "figures": {"auc": [[0.6]]}}]
    assert f"{said}, small scale" in unlinked(write_leaderboard(tmp_path / "a.html", [result]).read_text())
