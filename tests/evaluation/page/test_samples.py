"""The table of forget samples: order, rounding, limits, pictures, safe JSON."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from vestige.errors import InputError
from vestige.evaluation.page import samples
from vestige.evaluation.result import Audit

COLUMNS = ["id", "role", "label", "measure", "score", "low", "high", "p_under", "p_over", "degree", "verdict"]


def scored(audit: Callable[..., Audit], rows: list[tuple[object, ...]]) -> Audit:
    frame = pd.DataFrame(rows, columns=COLUMNS)
    ends = {"degree_low": frame["degree"] - 0.5, "degree_high": (frame["degree"] + 1).clip(upper=2)}
    return replace(audit(), scores=frame.assign(**ends))


def test_order_and_rounding(audit: Callable[..., Audit]) -> None:
    """Scores, p-values and answers are the trace's, the degrees those of the first measure."""
    nan = np.nan
    made = scored(audit, [
        ("c", "forget", 1, "trace", 0.2, nan, nan, nan, nan, nan, "undecided"),
        ("b", "forget", 0, "trace", 0.123456, nan, nan, 0.5, 0.5, nan, "cleared"),
        ("a", "forget", 2, "trace", 0.1, nan, nan, 0.5, 0.5, nan, "over"),
        ("d", "forget", 2, "trace", -3.9, nan, nan, 1.2344e-5, 0.99999, nan, "under"),
        ("e", "retain", 2, "trace", 0.0, nan, nan, 0.0, 0.0, nan, ""),
        ("d", "forget", 2, "iam", 0.7, 0.6, 0.8, 0.0, 0.0, 0.0, ""),
        ("a", "forget", 2, "iam", 0.7, 0.6, 0.8, 0.0, 0.0, 2.0, ""),
        ("b", "forget", 0, "iam", 0.7, 0.6, 0.8, 0.0, 0.0, 0.12345678, ""),
        ("c", "forget", 1, "iam", 0.7, 0.6, 0.8, 0.0, 0.0, nan, ""),
        ("f", "forget", 2, "lira", 0.0, 0.0, 0.0, 0.0, 0.0, 0.3, ""),
    ])  # fmt: skip
    table = samples.suspicious(made, ["zero", "one"])
    assert table.rows == [
        ["d", "2", -3.9, None, None, 1.234e-5, 1, 0, 0, -0.5, 1],
        ["a", "2", 0.1, None, None, 0.5, 0.5, 1, 2, 1.5, 2],
        ["b", "zero", 0.1235, None, None, 0.5, 0.5, 3, 0.1235, -0.3765, 1.123],
        ["c", "one", 0.2, None, None, None, None, 2, None, None, None],
    ]  # fmt: skip
    assert (table.total, table.measure, table.ranked) == (4, "trace", "p_under")
    listing = table.listing({}, 0)
    assert [title for title, _ in listing.columns] == [
        "Sample", "Class", "Verdict", "Degree", "p_under", "p_over", "Score",
    ]  # fmt: skip
    assert "Degree: by iam, from deletions of known truth; 0 = untouched, 1 = exactly deleted." in table.notes
    assert listing.rows[0] == (
        ["d", "2", 0, "0 (-0.5 or less to 1)", "1.23e-5", "1", "-3.9"],
        [0, 1.234e-5, 1, -3.9],
    )
    assert [cells[3] for cells, _ in listing.rows] == [
        "0 (-0.5 or less to 1)", "2 or more (1.5 to 2 or more)", "0.12 (-0.38 to 1.1)", "–"
    ]  # fmt: skip
    words = [listing.outcomes[cells[2]][1] for cells, _ in listing.rows]
    assert words == ["Flagged as under", "Flagged as over", "Cleared", "Undecided"]
    assert listing.sorted_by == "p_under" and listing.rows[3][1] == [None, None, None, 0.2]
    pictured = table.listing({"b": 4}, 0)
    assert pictured.columns[0] == ("Picture", "picture")
    assert [cells[0] for cells, _ in pictured.rows] == [None, None, 4, None]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((-0.5, -0.5, 0.25), "-0.5 or less (-0.5 or less to 0.25)"), ((2.0, 1.9, 2.0), "2 or more (1.9 to 2 or more)"),
        ((1.0, 0.5, 1.5), "1 (0.5 to 1.5)"), ((None, None, None), "–"), ((1.0, None, 2.0), "–"),
    ],
)  # fmt: skip
def test_ends_of_the_scale_of_degrees_say_so(values: tuple[float | None, ...], text: str) -> None:
    assert samples.degree_words(*values) == text


def test_without_simulated_deletions_there_is_no_column_of_degrees(audit: Callable[..., Audit]) -> None:
    made = audit()
    table = samples.suspicious(replace(made, scores=made.scores.assign(degree=np.nan)))
    assert "Degree" not in dict(table.listing({}, 0).columns) and not any(
        "Degree" in note for note in table.notes
    )


def test_categorical_columns_give_the_same_rows(audit: Callable[..., Audit]) -> None:
    plain = audit()
    columns = {name: plain.scores[name].astype("category") for name in ("id", "role", "measure", "verdict")}
    assert samples.suspicious(replace(plain, scores=plain.scores.assign(**columns))) == samples.suspicious(
        plain
    )


def test_without_a_trace_the_first_measure_is_shown(audit: Callable[..., Audit]) -> None:
    made = audit(shadows=0)
    table = samples.suspicious(made)
    assert (table.measure, table.ranked) == ("iam", "score")
    assert [row[2] for row in table.rows] == sorted(row[2] for row in table.rows)
    assert (
        f"iam has no p-values here, so samples are ordered by score. {made.verdict.sentence}" in table.notes
    )
    assert "No intervals: they need at least two shadow models." in table.notes
    assert {row[7] for row in table.rows} == {None}  # no answer for any record


def test_a_blocked_verdict_clears_no_sample(audit: Callable[..., Audit]) -> None:
    table = samples.suspicious(audit("retrain", failing="reference"))
    assert {row[7] for row in table.rows} == {samples.VERDICTS.index("undecided")}
    assert table.notes[0] == "A control failed: no sample is cleared."


def test_only_the_most_suspicious_are_listed(audit: Callable[..., Audit]) -> None:
    table = samples.suspicious(audit(roles=(2_500, 50, 50)))
    assert (len(table.rows), table.total) == (2_000, 2_500)
    assert table.notes[1].startswith("Listed are the 2,000 most suspicious of 2,500 forget samples")
    assert table.rows[-1][5] >= table.rows[0][5]


def test_no_measure_at_all(audit: Callable[..., Audit]) -> None:
    nothing = replace(audit(), measures=())
    assert samples.suspicious(nothing).rows == []


def test_pictures_are_asked_for_by_suspicion(audit: Callable[..., Audit], png: Callable[..., bytes]) -> None:
    asked: list[list[str]] = []

    def pictures(ids: Sequence[str]) -> dict[str, bytes]:
        asked.append(list(ids))
        return {name: png(int(name)) for name in ids if name != ids[1]}

    tables = [samples.suspicious(audit(name, roles=(300, 50, 50))) for name in ("finetune", "retrain")]
    kept = samples.choose_pictures(tables, pictures)
    assert len(asked) == 1 and len(asked[0]) == len(set(asked[0])) == 200
    assert asked[0][0] == tables[0].rows[0][0]
    assert len(kept) == 199
    assert base64.b64decode(kept[asked[0][0]]).startswith(samples.PNG)


def test_pictures_stay_small(audit: Callable[..., Audit]) -> None:
    tables = [samples.suspicious(audit())]
    kept = samples.choose_pictures(tables, lambda ids: dict.fromkeys(ids, samples.PNG + b"x" * 200_000))
    assert 0 < sum(map(len, kept.values())) <= samples.MOST_PICTURE_BYTES


def test_pictures_must_be_png(audit: Callable[..., Audit]) -> None:
    tables = [samples.suspicious(audit())]
    with pytest.raises(InputError, match="is not a PNG"):
        samples.choose_pictures(tables, lambda ids: dict.fromkeys(ids, b"GIF89a"))
    assert samples.choose_pictures(tables, None) == {}
