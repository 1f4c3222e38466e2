"""What the cards say, and the rows of the sections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from vestige.evaluation.page import audits as pages
from vestige.evaluation.page import cards
from vestige.evaluation.result import Audit, Metric
from vestige.evaluation.verdict import Control
from vestige.report import words
from vestige.report.blocks import Badge, Cell, Table


def test_card_says_the_verdict(audit: Callable[..., Audit]) -> None:
    card = cards.card("finetune", audit())
    assert card.sentence == words.unbroken(audit().verdict.sentence)
    assert card.badge == Badge("under", "Under-unlearned", "▼") and card.name == "finetune"
    assert sum(int(count) for _, _, _, count, _ in card.counts) == 60
    assert card.basis.startswith(
        "60 records of the request, 120 never-seen records (104 when matched), 300 kept. Each claim has an error rate "
        "of 5 %, half of it in each direction. Could not be computed: rmia;"
    )
    assert list(card.warnings) == [] and list(card.reasons) == []
    assert list(card.asides) == [
        "Sharpness: the verdict would have been a vestige in 34% of cases with 1 of 60 whole, and in 61% with 10% of the "
        "influence in every record."
    ]


@pytest.mark.parametrize(
    ("name", "outcome", "shown"),
    [
        ("finetune", "under", False), ("gradient_ascent", "over", False), ("retrain", "unlearned", True),
        ("retrain", "undecided", True),
    ],
)  # fmt: skip
def test_what_could_be_untouched_is_a_limit_of_what_was_not_found(
    audit: Callable[..., Audit], name: str, outcome: str, shown: bool
) -> None:
    terms = dict(cards.card(name, audit(name, outcome=outcome)).bounds)
    assert ("Could be untouched unseen" in terms) == shown and "Left at most" in terms


def test_an_undecided_card_says_what_would_decide_it(audit: Callable[..., Audit]) -> None:
    card = cards.card("x", audit("retrain", outcome="undecided"))
    assert card.badge.word == "Undecided" and not isinstance(card.bar, str)
    assert card.reasons == ["How many could be untouched shrinks with more shadow models."]
    assert card.bounds[1] == ("Could be untouched unseen", "4 of 60 (1 allowed)")


@pytest.mark.parametrize("kind", ["reference", "sharpness"])
def test_a_blocked_card_says_by_which_control_and_why(audit: Callable[..., Audit], kind: str) -> None:
    made = audit("retrain", failing=kind)
    (control,) = (c for c in made.controls if c.passed is False)
    card = cards.card("retrain", made)
    assert card.badge.word == "Undecided, blocked" and card.bar == cards.WITHHELD
    assert (
        card.sentence
        == f"Undecided, blocked by the control “{control.name}”: {control.statement}".replace(
            "(p ", "(p\u00a0"
        )
    )
    assert card.reasons[0].endswith("then audit again.")
    assert card.bounds == [] and card.warnings == []
    assert {outcome: count for outcome, _, _, count, _ in card.counts} == {
        "cleared": "0", "under": "0", "over": "0", "undecided": "60"
    }  # fmt: skip


def test_a_verdict_that_data_do_not_allow_has_no_basis(audit: Callable[..., Audit]) -> None:
    card = cards.card("x", audit(shadows=0))
    assert card.sentence.startswith("Undecided: no shadow model is given")
    assert card.reasons[0].startswith("Add the outputs of at least one model")
    assert card.asides == [] and card.bar == cards.NO_COMPLETENESS
    assert card.basis.startswith("Could not be computed: rmia;")  # that the trace failed is in the sentence


def test_warnings(audit: Callable[..., Audit]) -> None:
    made = audit()
    assert cards.card("x", replace(made, controls=())).warnings == [
        "No control was run, so the measurement itself is untested."
    ]
    (blunt,) = cards.card("x", audit(failing="sharpness")).warnings
    assert "what is flagged stands" in blunt
    blocked = audit(failing="reference")
    both = (
        *blocked.controls,
        Control("the original is recognised", "sharpness", "s", 0.9, "p <= 0.01", False),
    )
    assert cards.card("x", replace(blocked, controls=both)).warnings == []  # nothing is flagged


@pytest.mark.parametrize("values", [(0.5, 0.4, 0.6), (-3.0, -4.0, -2.0), (9.0, 8.0, 10.0), (1.0, None, None)])
def test_completeness_bar_stays_on_its_scale(
    audit: Callable[..., Audit], values: tuple[float, float | None, float | None]
) -> None:
    made = audit()
    fields = dict(zip(("completeness", "low", "high"), values, strict=True))
    bar = cards.completeness_bar(replace(made, verdict=replace(made.verdict, **fields)))  # type: ignore[arg-type]
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
    assert cards.overview(three) == (
        "3 methods audited: 1 unlearned (a), 1 under-unlearned (b) and 1 undecided (c)."
    )
    four = {name: audit("finetune") for name in "abcd"}
    assert cards.overview(four) == "4 methods audited: 4 under-unlearned."
    assert pages.facts(three["a"]) == (
        "60 forget + 300 retain + 120 holdout samples, 10 classes, 4 shadow models"
    )
    alone = audit(roles=(30, 0, 0), classes=2, shadows=0, original=False)
    assert pages.facts(alone) == (
        "30 forget samples, 2 classes, no shadow model, no model from before unlearning"
    )


def rows_of(table: object) -> list[list[Cell]]:
    assert isinstance(table, Table)
    return [[cell for cell, _ in row] for row in table.cells]


def test_controls_failed_first_and_not_run_with_reason(audit: Callable[..., Audit]) -> None:
    rows = rows_of(pages.controls({"x": audit(failing="sharpness")}).blocks[1])
    assert [row[0].badge.tone for row in rows if row[0].badge] == ["failed", "not run", "passed", "passed"]
    assert rows[0][1].text == "Retained records are recognised"
    assert [row[2].text for row in rows[:2]] == ["the all-clear, and “over”", "every answer"]
    assert rows[1][3].note.startswith("Not run: there is one source of never-seen records;")
    assert rows[1][4].text == "–" and rows[0][3].note == ""


def test_controls_of_several_methods_name_the_method(audit: Callable[..., Audit]) -> None:
    table = pages.controls({"a": audit(), "b": audit("retrain", failing="reference")}).blocks[1]
    assert isinstance(table, Table) and table.columns[0].title == "Method"
    assert next(row[0].text for row in rows_of(table)) == "b"  # its control failed


def test_the_value_of_a_control_is_in_its_own_unit(audit: Callable[..., Audit]) -> None:
    """104 matched records are wanted 20 at least, with 10 % outside: they are no 10,400 %."""
    rows = {row[1].text: row for row in rows_of(pages.controls({"x": audit()}).blocks[1])}
    assert rows["Difficulty is matched"][4].text == "104" and "10 %" in rows["Difficulty is matched"][5].text


def test_failed_measures_are_rows_with_their_reason(audit: Callable[..., Audit]) -> None:
    rows = rows_of(pages.measure_table("x", audit()))
    assert [row[0].text for row in rows] == ["trace", "iam", "lira", "emia", "rmia"]
    assert [row[0].note for row in rows] == ["the verdict rests on it", "", "", "", ""]
    assert rows[1][5].text == "recommended: family = gumbel, steps = not set"
    assert rows[4][2].text.startswith("rmia needs `population`") and rows[4][2].span == 5


def test_metrics_have_direction_range_reference_or_a_reason(audit: Callable[..., Audit]) -> None:
    rows = [pages.metric_cells(metric) for metric in audit().figures]
    assert rows[0][2] == "0.930 [0.918, 0.942]" and rows[0][4:6] == ["0 to 1", "0.5 (chance)"]
    assert rows[-1][2] == Cell("– No retrained model was given.", "words missing")
    silent = pages.metric_cells(Metric("m", "x", "", None, "larger", (None, None)))
    assert silent[2] == Cell("– No reason was given.", "words missing")


@pytest.mark.usefixtures("no_pictures")
def test_shared_limits_are_said_once(audit: Callable[..., Audit]) -> None:
    same = {"a": audit("retrain"), "b": audit("finetune")}
    assert [whose for whose, _ in pages.page(same).limits or ()] == [""]
    other = same | {"c": replace(audit(), limits=())}
    assert [whose for whose, _ in pages.page(other).limits or ()] == ["a and b", "c"]
