"""What the sections say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from vestige.evaluation.result import Audit, Metric
from vestige.evaluation.verdict import Control
from vestige.report import sections, words


def test_card_says_the_verdict(audit: Callable[..., Audit]) -> None:
    card = sections.card("finetune", audit())
    assert card["sentence"] == words.unbroken(audit().verdict.sentence)
    assert (card["outcome"], card["word"], card["sign"]) == ("under", "Under-unlearned", "▼")
    assert sum(int(count["count"]) for count in card["counts"]) == 60
    assert card["basis"] == (
        "60 records of the request, 120 never-seen records (104 when matched), 300 kept. Each claim has an error rate "
        "of 5 %, half of it in each direction."
    )
    assert card["failed"].startswith("Could not be computed: rmia;")
    assert card["warnings"] == [] and card["advice"] == ""
    assert card["sharpness"] == (
        "Sharpness: it would have found 1 of 60 whole in 34% of cases, and 10% of the influence in every record in 61%."
    )
    assert card["bounds"] == [
        ("Left at most", "49 % (10 % allowed)"),
        ("Could be untouched unseen", "20 of 60 (1 allowed)"),
    ]


def test_an_undecided_card_says_what_would_decide_it(audit: Callable[..., Audit]) -> None:
    card = sections.card("x", audit("retrain", outcome="undecided"))
    assert (card["word"], card["blocked"]) == ("Undecided", False)
    assert card["advice"] == "How many could be untouched shrinks with more shadow models."
    assert card["bounds"][1] == ("Could be untouched unseen", "4 of 60 (1 allowed)")


@pytest.mark.parametrize("kind", ["reference", "sharpness"])
def test_a_blocked_card_says_by_which_control_and_why(audit: Callable[..., Audit], kind: str) -> None:
    made = audit("retrain", failing=kind)
    (control,) = (c for c in made.controls if c.passed is False)
    card = sections.card("retrain", made)
    assert (card["word"], card["blocked"]) == ("Undecided, blocked", True)
    assert card[
        "sentence"
    ] == f"Undecided, blocked by the control “{control.name}”: {control.statement}".replace("(p ", "(p\u00a0")
    assert card["advice"].endswith("then audit again.")
    assert card["bar"] is None and card["bounds"] == [] and card["warnings"] == []
    assert {count["outcome"]: count["count"] for count in card["counts"]} == {
        "cleared": "0", "under": "0", "over": "0", "undecided": "60"
    }  # fmt: skip


def test_a_verdict_that_data_do_not_allow_has_no_basis(audit: Callable[..., Audit]) -> None:
    card = sections.card("x", audit(shadows=0))
    assert card["sentence"].startswith("Undecided: no shadow model is given")
    assert card["advice"].startswith("Add the outputs of at least one model")
    assert card["basis"] == card["sharpness"] == "" and card["bar"] is None and not card["blocked"]
    assert card["failed"].startswith(
        "Could not be computed: rmia;"
    )  # that the trace failed is in the sentence


def test_warnings(audit: Callable[..., Audit]) -> None:
    made = audit()
    assert sections.card("x", replace(made, controls=()))["warnings"] == [
        "No control was run, so the measurement itself is untested."
    ]
    (blunt,) = sections.card("x", audit(failing="sharpness"))["warnings"]
    assert "what is flagged stands" in blunt
    blocked = audit(failing="reference")
    both = (
        *blocked.controls,
        Control("the original is recognised", "sharpness", "s", 0.9, "p <= 0.01", False),
    )
    assert sections.card("x", replace(blocked, controls=both))["warnings"] == []  # nothing is flagged


@pytest.mark.parametrize("values", [(0.5, 0.4, 0.6), (-3.0, -4.0, -2.0), (9.0, 8.0, 10.0), (1.0, None, None)])
def test_completeness_bar_stays_on_its_scale(
    audit: Callable[..., Audit], values: tuple[float, float | None, float | None]
) -> None:
    made = audit()
    fields = dict(zip(("completeness", "low", "high"), values, strict=True))
    bar = sections.completeness_bar(replace(made, verdict=replace(made.verdict, **fields)))  # type: ignore[arg-type]
    assert bar is not None
    assert bar["text"].endswith("(not bounded)") == (values[1] is None)
    assert 0 <= bar["zero"] < bar["one"] < 100
    assert 0 <= bar["value"] <= 100
    assert bar["beyond"] == (abs(values[0]) > 2.5)
    if bar["interval"] is None:
        assert values[1] is None
    else:
        assert bar["interval"]["start"] >= 0
        assert bar["interval"]["start"] + bar["interval"]["width"] <= 100.7


def test_overview_and_facts(audit: Callable[..., Audit]) -> None:
    three = {"a": audit("retrain"), "b": audit("finetune"), "c": audit("finetune", failing="reference")}
    assert sections.overview(three) == (
        "3 methods audited: 1 unlearned (a), 1 under-unlearned (b) and 1 undecided (c)."
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
    rows = sections.control_rows({"x": audit(failing="sharpness")})
    assert [row["state"] for row in rows] == ["failed", "not run", "passed", "passed"]
    assert rows[0]["control"] == "Retained records are recognised"
    assert [row["guards"] for row in rows[:2]] == ["the all-clear, and “over”", "every answer"]
    assert rows[1]["reason"].startswith("Not run: there is one source of never-seen records;")
    assert rows[1]["value"] == "–" and rows[0]["reason"] == ""


def test_the_value_of_a_control_is_in_its_own_unit(audit: Callable[..., Audit]) -> None:
    """104 matched records are wanted 20 at least, with 10 % outside: they are no 10,400 %."""
    rows = {row["control"]: row for row in sections.control_rows({"x": audit()})}
    assert (
        rows["Difficulty is matched"]["value"] == "104" and "10 %" in rows["Difficulty is matched"]["wanted"]
    )


def test_failed_measures_are_rows_with_their_reason(audit: Callable[..., Audit]) -> None:
    rows = sections.measure_rows(audit())
    assert [row["measure"] for row in rows] == ["trace", "iam", "lira", "emia", "rmia"]
    assert [bool(row["carries"]) for row in rows] == [True, False, False, False, False]
    assert rows[1]["options"] == "family = gumbel, steps = not set"
    assert rows[4]["reason"].startswith("rmia needs `population`")


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
