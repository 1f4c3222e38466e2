"""What the sections say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from vestige.evaluation.result import Audit, Control, Metric, Verdict
from vestige.report import sections


def test_card_says_the_verdict(audit: Callable[..., Audit]) -> None:
    card = sections.card("finetune", audit())
    assert card["sentence"] == audit().verdict.sentence
    assert (card["outcome"], card["word"], card["sign"]) == ("under", "Under-unlearned", "▼")
    assert sum(int(count["count"]) for count in card["counts"]) == 60
    assert card["basis"] == "Carried by iam; at most 5 % false alarms among the flagged samples are aimed at."
    assert card["failed"].startswith("Could not be computed: rmia;")
    assert card["warnings"] == []


def test_a_failed_control_comes_first_and_says_why(audit: Callable[..., Audit]) -> None:
    card = sections.card("finetune", audit(failing=True))
    assert card["sentence"] == sections.BLOCKED
    assert card["overruled"].startswith("A vestige remains")
    assert card["blocked"] == [
        "The negative control of iam failed. Share of holdout samples flagged as still present. "
        "Measured 0.118, wanted at most 0.05."
    ]
    assert card["bar"] is None and card["total"] == 0


def test_a_blocked_verdict_that_says_so_is_not_repeated(audit: Callable[..., Audit]) -> None:
    made = audit(failing=True)
    statement = "In exactly retrained models, 66.0% are flagged."
    said = f"Undecided: the verdict is blocked, because a control failed. {statement}"
    control = Control("negative", "iam", statement, 0.66, "at most 16.4%", False)
    verdict = replace(made.verdict, outcome="undecided", sentence=said)
    card = sections.card("x", replace(made, controls=(control,), verdict=verdict))
    assert card["sentence"] == said and card["overruled"] == ""
    assert card["blocked"] == ["The negative control of iam failed. Measured 66%, wanted at most 16.4%."]


def test_warnings(audit: Callable[..., Audit]) -> None:
    made = audit()
    assert sections.card("x", replace(made, controls=()))["warnings"] == [
        "No control was run, so the measurement itself is untested."
    ]
    failed = (
        Control("positive", "iam", "s", 0.0, "at least 0.5", False),
        Control("negative", "lira", "s", 0.9, "at most 0.1", False),
    )
    blunt, elsewhere = sections.card("x", replace(made, controls=failed))["warnings"]
    assert "what is flagged stands" in blunt
    assert elsewhere == "A control of lira failed: do not rely on those scores."


@pytest.mark.parametrize("values", [(0.5, 0.4, 0.6), (-3.0, -4.0, -2.0), (9.0, 8.0, 10.0), (1.0, None, None)])
def test_completeness_bar_stays_on_its_scale(
    audit: Callable[..., Audit], values: tuple[float, float | None, float | None]
) -> None:
    bar = sections.completeness_bar(replace(audit(), verdict=Verdict("under", "s", "iam", {}, 0.05, *values)))
    assert bar is not None
    assert 0 <= bar["zero"] < bar["one"] < 100
    assert 0 <= bar["value"] <= 100
    assert bar["beyond"] == (abs(values[0]) > 2.5)
    if bar["interval"] is None:
        assert values[1] is None
    else:
        assert bar["interval"]["start"] >= 0
        assert bar["interval"]["start"] + bar["interval"]["width"] <= 100.7


def test_overview_and_facts(audit: Callable[..., Audit]) -> None:
    three = {"a": audit("retrain"), "b": audit("finetune"), "c": audit("finetune", failing=True)}
    assert sections.overview(three) == (
        "3 methods audited: 1 unlearned (a), 1 under-unlearned (b) and 1 without a verdict (c)."
    )
    four = {name: audit("finetune") for name in "abcd"}
    assert sections.overview(four) == "4 methods audited: 4 under-unlearned."
    assert sections.facts(three["a"]) == (
        "60 forget + 300 retain + 120 holdout samples, 10 classes, 4 shadow models"
    )
    alone = audit(roles=(30, 0, 0), classes=2, shadows=0, original=False)
    assert sections.facts(alone) == (
        "30 forget samples, 2 classes, no shadow model, no model from before unlearning"
    )


def test_controls_failed_first_and_not_run_with_reason(audit: Callable[..., Audit]) -> None:
    rows = sections.control_rows({"x": audit(failing=True)})
    assert [row["state"] for row in rows] == ["failed", "not run", "passed"]
    assert rows[1]["reason"] == "lira has no p-values with one shadow model."
    assert rows[1]["value"] == "–"


def test_failed_measures_are_rows_with_their_reason(audit: Callable[..., Audit]) -> None:
    rows = sections.measure_rows(audit())
    assert [row["measure"] for row in rows] == ["iam", "lira", "emia", "rmia"]
    assert rows[0]["carries"] and not rows[1]["carries"]
    assert rows[0]["options"] == "family = gumbel, steps = not set"
    assert rows[3]["reason"].startswith("rmia needs `population`")


def test_metrics_have_direction_range_reference_or_a_reason(audit: Callable[..., Audit]) -> None:
    rows = sections.metric_rows(audit())
    assert rows[0]["value"] == "0.930 [0.918, 0.942]"
    assert rows[0]["reference"] == "0.5 (chance)"
    assert rows[0]["range"] == "0 to 1"
    assert rows[-1]["reason"] == "No retrained model was given."
    silent = replace(audit(), metrics=(Metric("m", "x", "", None, "larger", (None, None)),))
    assert sections.metric_rows(silent)[0]["reason"] == "No reason was given."


def test_shared_limits_are_said_once(audit: Callable[..., Audit]) -> None:
    same = {"a": audit("retrain"), "b": audit("finetune")}
    assert [group["methods"] for group in sections.limits(same)] == [""]
    other = same | {"c": replace(audit(), limits=())}
    assert [group["methods"] for group in sections.limits(other)] == ["a and b", "c"]
