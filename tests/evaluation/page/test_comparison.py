"""Methods side by side: every heading says how to read its column, every gap its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from vestige.evaluation.page.comparison import auc_of, blocking_controls, compare
from vestige.evaluation.result import Audit, Metric


def test_compare(audit: Callable[..., Audit]) -> None:
    rows = compare({"finetune": audit("finetune"), "retrain": audit("retrain")})
    assert list(rows["Method"]) == ["finetune", "retrain"]
    first = rows.iloc[0]
    assert first["Verdict (wanted: unlearned)"] == "Under-unlearned"
    assert first["Completeness (closer to 1)"] == "0.550 [0.510, 0.600]"
    assert first["RA (closer to retrain)"] == "0.993 [0.983, 1.003]"
    assert first["MIA (closer to retrain)"] == "– (No retrained model was given.)"
    assert first["AUC, forget against retain (closer to retrain)"] == "0.930 [0.918, 0.942] (iam)"
    assert first["Left at most ↓"] == "49 % (10 % allowed)"
    assert first["Could be untouched unseen ↓"] == "20 of 60 (1 allowed)"
    assert [first[f"{name}"] for name in ("Cleared ↑", "Flagged under ↓", "Flagged over ↓")] == [
        f"{audit('finetune').verdict.counts[key]} of 60" for key in ("cleared", "under", "over")
    ]
    assert all(any(mark in name for mark in ("↓", "↑", "closer", "wanted")) for name in rows.columns[1:])
    assert not rows.isna().to_numpy().any()


def test_compare_shows_the_retrained_figure_and_its_unit(audit: Callable[..., Audit]) -> None:
    percent = Metric("model", "unlearning_accuracy", "UA", 8.2, "closer", (0.0, 100.0), reference=0.0)
    gap = Metric("model", "average_disparity", "gap", 1.5, "smaller", (0.0, 100.0), reference=0.0)
    row = compare({"x": replace(audit(), figures=(percent, gap))}).iloc[0]
    assert row["UA (closer to retrain)"] == "8.2 % (retrain: 0 %)"
    assert row["Average disparity ↓"] == "1.5 %"
    assert row["AUC, forget against retain (closer to retrain)"] == "– (not computed) (iam)"
    made = {name: replace(audit(), figures=(percent,)) for name in ("retrain", "x")}
    assert list(compare(made)["UA (closer to retrain)"]) == [
        "8.2 %",
        "8.2 %",
    ]  # retraining has a row of its own


def test_each_method_is_compared_by_the_first_measure_that_has_scores(audit: Callable[..., Audit]) -> None:
    made = {"a": audit("finetune"), "b": audit("finetune", measures=("lira", "iam"))}
    cells = list(compare(made)["AUC, forget against retain (closer to retrain)"])
    assert cells == ["0.930 [0.918, 0.942] (iam)", "0.930 [0.918, 0.942] (lira)"]


def test_figures_that_no_audit_has_are_left_out(audit: Callable[..., Audit]) -> None:
    rows = compare({"x": audit(roles=(30, 0, 0))})
    assert not [name for name in rows.columns if name.startswith(("UA", "MIA"))]


@pytest.mark.parametrize("kind", ["reference", "sharpness"])
def test_a_failed_control_withholds_what_rests_on_it(audit: Callable[..., Audit], kind: str) -> None:
    blocked = audit("retrain", failing=kind)
    assert [control.kind for control in blocking_controls(blocked)] == [kind]
    row = compare({"x": blocked}).iloc[0]
    assert row["Verdict (wanted: unlearned)"] == "Undecided, blocked"
    assert row["Completeness (closer to 1)"] == row["Left at most ↓"] == "– (a control failed)"
    assert row["Could be untouched unseen ↓"] == "– (a control failed)"
    assert row["Flagged over ↓"] == row["Cleared ↑"] == "0 of 60"


def test_a_failed_control_of_the_sharpness_does_not_block_a_trace(audit: Callable[..., Audit]) -> None:
    found = audit("finetune", failing="sharpness")
    assert not blocking_controls(found)
    assert compare({"x": found}).iloc[0]["Verdict (wanted: unlearned)"] == "Under-unlearned"


def test_what_the_data_do_not_bound(audit: Callable[..., Audit]) -> None:
    row = compare({"x": audit(shadows=0)}).iloc[0]
    for name in ("Completeness (closer to 1)", "Left at most ↓", "Could be untouched unseen ↓"):
        assert row[name] == "– (the data do not bound it)"
    made = audit()
    point = replace(made, verdict=replace(made.verdict, low=None, high=None))
    assert compare({"x": point}).iloc[0]["Completeness (closer to 1)"] == "0.55 (not bounded)"


def test_no_measure_with_scores(audit: Callable[..., Audit]) -> None:
    made = audit()
    none = replace(made, measures=made.measures[:1])
    row = compare({"x": none}).iloc[0]
    assert row["AUC, forget against retain (closer to retrain)"] == "– (no measure has scores)"


def test_auc_is_found_by_label(audit: Callable[..., Audit]) -> None:
    def auc(label: str, value: float) -> Metric:
        return Metric(label, "auc", "forget against retained samples", value, "larger", (0.0, 1.0))

    repeated = replace(audit(), figures=(auc("iam", 0.9), auc("iam (2)", 0.8)))
    found = [metric.value for name in ("iam", "iam (2)") if (metric := auc_of(repeated, name))]
    assert found == [0.9, 0.8] and auc_of(repeated, "rmia") is None
