"""The table of forget samples: order, rounding, limits, pictures, safe JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from vestige.errors import InputError
from vestige.evaluation.result import Audit, Verdict
from vestige.report import samples


def scored(audit: Callable[..., Audit], rows: list[tuple[object, ...]]) -> Audit:
    columns = ["id", "role", "label", "measure", "score", "low", "high", "p_under", "p_over", "verdict"]
    frame = pd.DataFrame(rows, columns=columns)
    share = {"completeness": frame["score"], "completeness_low": 0.0, "completeness_high": 1.5}
    return replace(audit(), scores=frame.assign(**share))


def test_order_and_rounding(audit: Callable[..., Audit]) -> None:
    nan = np.nan
    made = scored(audit, [
        ("c", "forget", 1, "iam", 0.2, nan, nan, nan, nan, "undecided"),
        ("b", "forget", 0, "iam", 0.123456, 0.1, 0.2, 0.5, 0.5, "unlearned"),
        ("a", "forget", 2, "iam", 0.1, 0.0, 0.2, 0.5, 0.5, "over"),
        ("d", "forget", 2, "iam", 0.9, 0.8, 1.0, 1.2344e-5, 0.99999, "under"),
        ("e", "retain", 2, "iam", 0.0, 0.0, 0.0, 0.0, 0.0, ""),
        ("f", "forget", 2, "lira", 0.0, 0.0, 0.0, 0.0, 0.0, "under"),
    ])  # fmt: skip
    table = samples.suspicious(made, ["zero", "one"])
    assert table.rows == [
        ["d", "2", 0.9, 0.8, 1, 1.234e-5, 1, 0, 0.9, 0, 1.5], ["a", "2", 0.1, 0, 0.2, 0.5, 0.5, 1, 0.1, 0, 1.5],
        ["b", "zero", 0.1235, 0.1, 0.2, 0.5, 0.5, 3, 0.1235, 0, 1.5],
        ["c", "one", 0.2, None, None, None, None, 2, 0.2, 0, 1.5],
    ]  # fmt: skip
    assert (table.total, table.measure, table.ranked) == (4, "iam", "p_under")
    row = samples.server_row(table.rows[0])
    assert row["completeness"] == "0.9 (0 to 1.5)"
    assert (row["p_under"], row["interval"], row["word"]) == ("1.23e-5", "0.8 to 1", "Under-unlearned")


def test_categorical_columns_give_the_same_rows(audit: Callable[..., Audit]) -> None:
    plain = audit()
    columns = {name: plain.scores[name].astype("category") for name in ("id", "role", "measure", "verdict")}
    assert samples.suspicious(replace(plain, scores=plain.scores.assign(**columns))) == samples.suspicious(
        plain
    )


def test_one_shadow_has_no_p_values_and_no_intervals(audit: Callable[..., Audit]) -> None:
    table = samples.suspicious(audit(shadows=1, p_values=False))
    assert table.ranked == "score"
    assert [row[2] for row in table.rows] == sorted(row[2] for row in table.rows)
    assert any("iam has no p-values here, so samples are ordered by score." in note for note in table.notes)
    assert "No intervals: they need at least two shadow models." in table.notes
    assert {row[7] for row in table.rows} == {samples.VERDICTS.index("undecided")}


def test_only_the_most_suspicious_are_listed(audit: Callable[..., Audit]) -> None:
    table = samples.suspicious(audit(roles=(2_500, 50, 50)))
    assert (len(table.rows), table.total) == (2_000, 2_500)
    assert table.notes[0].startswith("Listed are the 2,000 most suspicious of 2,500 forget samples")
    assert table.rows[-1][5] >= table.rows[0][5]


def test_no_measure_at_all(audit: Callable[..., Audit]) -> None:
    nothing = replace(audit(), measures=(), verdict=Verdict("undecided", "Undecided.", None, {}, 0.05))
    assert samples.suspicious(nothing).rows == []


def test_the_first_scored_measure_stands_in_for_a_missing_verdict(audit: Callable[..., Audit]) -> None:
    made = audit()
    undecided = replace(made, verdict=replace(made.verdict, measure=None))
    assert samples.shown_measure(undecided) == "iam"


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


def test_json_cannot_leave_its_element() -> None:
    value = ["</script><script>alert(1)</script>", "<!--", "\u2028", "&lt;", 'quote" back\\slash']
    text = samples.json_in_html(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value
    with pytest.raises(ValueError):
        samples.json_in_html([float("nan")])
