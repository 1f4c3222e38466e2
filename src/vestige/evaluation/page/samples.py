"""The table of forget samples, most suspicious first."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vestige.errors import InputError
from vestige.evaluation.page.comparison import blocking_controls, ranking_measure
from vestige.report.blocks import Block, Listing, Text
from vestige.report.words import DASH, RECORD_WORDS, is_missing, number, plural, rounded

if TYPE_CHECKING:
    import pandas as pd

    from vestige.evaluation.result import Audit

Pictures = Callable[[Sequence[str]], Mapping[str, bytes]]

MOST_ROWS = 2_000
MOST_PICTURES = 200
MOST_PICTURE_BYTES = 900_000
DEGREE = ("degree", "degree_low", "degree_high")
VERDICTS = ("under", "over", "undecided", "cleared")
LOWEST_DEGREE, HIGHEST_DEGREE = -0.5, 2.0
PNG = b"\x89PNG\r\n\x1a\n"


class Samples(NamedTuple):
    """The listed samples of one audit.

    Attributes
    ----------
    rows : list[list[Any]]
        [id, class, score, low, high, p_under, p_over, verdict, degree, its low, its high], verdict as a
        position in `VERDICTS` or null.
    total : int
        Forget samples with a score, listed or not.
    measure : str or None
        Whose scores they are; None where no measure has scores.
    ranked : str
        "p_under" where there are p-values, else "score".
    notes : list[str]
        What a reader must know about the table, in sentences.
    """

    rows: list[list[Any]]
    total: int
    measure: str | None
    ranked: str
    notes: list[str]

    def listing(self, pictures: Mapping[str, int], place: int) -> Listing:
        """Return the table; columns that would hold nothing but dashes are left out.

        Parameters
        ----------
        pictures : Mapping[str, int]
            {id: number of its picture in the page's style}.
        """
        columns = [("Picture", "picture")] * bool(pictures)
        columns += [("Sample", "id"), ("Class", ""), ("Verdict", "badge")]
        numbers = {
            "Degree": any(row[8] is not None for row in self.rows), "p_under": True, "p_over": True, "Score": True,
            "95 % interval": any(row[3] is not None for row in self.rows),
        }  # fmt: skip
        kept = [title for title, shown in numbers.items() if shown]
        columns += [(title, "number") for title in kept]
        rows = []
        for row in self.rows:
            cells = [pictures.get(row[0])] if pictures else []
            shown = shown_numbers(row)
            rows.append((
                [*cells, row[0], row[1], row[7], *(shown[title][0] for title in kept)],
                [shown[title][1] for title in kept],
            ))  # fmt: skip
        outcomes = [(key, RECORD_WORDS[key].word, RECORD_WORDS[key].sign) for key in VERDICTS]
        return Listing(columns, rows, outcomes, {"score": "Score"}.get(self.ranked, self.ranked), place)

    def blocks(self, pictures: Mapping[str, int], place: int) -> list[Block]:
        """Return what the section shows: whose scores these are, and the table; or why there is none."""
        if not self.rows:
            return [Text(self.notes[0] if self.notes else "No forget sample has a score.", "empty")]
        intro = " ".join([f"Scores of {self.measure}, larger = more unlearned.", *self.notes])
        return [Text(intro), self.listing(pictures, place)]


def shown_measure(audit: Audit) -> str | None:
    """Return the measure whose scores are shown first: the verdict's own, else the first that has scores."""
    return next((run.label for run in audit.measures if run.status == "scored"), None)


def suspicious(audit: Audit, class_names: Sequence[str] = ()) -> Samples:
    """Return the forget samples by suspicion: p_under ascending, then score ascending, then id."""
    measure = shown_measure(audit)
    if measure is None:
        return Samples([], 0, None, "score", ["No measure has scores, so there is no sample to list."])
    scores = audit.scores
    forget = scores[(scores["measure"] == measure) & (scores["role"] == "forget")]
    keyed = forget.assign(
        p_under=forget["p_under"].astype(float),
        score=forget["score"].astype(float),
        id=forget["id"].astype(str),
    )
    keyed = keyed.sort_values(["p_under", "score", "id"], na_position="last", kind="stable")
    has_p = bool(keyed["p_under"].notna().any())
    keyed = _with_degrees(keyed, scores, ranking_measure(audit))
    rows = [_row(row, class_names) for row in keyed.head(MOST_ROWS).itertuples(index=False)]
    ranked = "p_under" if has_p else "score"
    return Samples(rows, len(keyed), measure, ranked, _notes(audit, keyed, measure))


def _with_degrees(forget: pd.DataFrame, scores: pd.DataFrame, ranked: str | None) -> pd.DataFrame:
    """Return the rows with the degrees of the measure that has them, by id."""
    if ranked is None:
        return forget
    rows = scores[(scores["measure"] == ranked) & (scores["role"] == "forget")]
    degrees = rows.assign(id=rows["id"].astype(str)).set_index("id")[list(DEGREE)]
    return forget.drop(columns=list(DEGREE)).join(degrees, on="id")


def choose_pictures(tables: Sequence[Samples], pictures: Pictures | None) -> dict[str, str]:
    """Ask for the pictures of the most suspicious samples of every table; return {id: base64 PNG}.

    Raises `InputError` where what comes back is not a PNG.
    """
    if pictures is None:
        return {}
    longest = max((len(table.rows) for table in tables), default=0)
    ranked = [table.rows[i][0] for i in range(longest) for table in tables if i < len(table.rows)]
    wanted = list(dict.fromkeys(ranked))[:MOST_PICTURES]
    got = pictures(wanted) if wanted else {}
    kept: dict[str, str] = {}
    size = 0
    for name in wanted:
        if name not in got:
            continue
        if not got[name].startswith(PNG):
            raise InputError(f"The picture of sample {name!r} is not a PNG; PNG bytes are wanted.")
        text = base64.b64encode(got[name]).decode("ascii")
        if size + len(text) > MOST_PICTURE_BYTES:
            break
        size += len(text)
        kept[name] = text
    return kept


def shown_numbers(row: Sequence[Any]) -> dict[str, tuple[str, float | None]]:
    """Return what stands in each column of numbers of a row, by its heading, and what it is sorted by."""
    _, _, score, low, high, under, over, _, degree, least, most = row
    bounds = DASH if low is None or high is None else f"{number(low)} to {number(high)}"
    return {
        "Degree": (degree_words(degree, least, most), degree), "p_under": (number(under, 3), under),
        "p_over": (number(over, 3), over), "Score": (number(score), score), "95 % interval": (bounds, low),
    }  # fmt: skip


def degree_words(value: Any, low: Any, high: Any) -> str:
    """Return "0.8 (0.5 to 1.2)"; an end of the scale says that it is one."""
    if value is None or low is None or high is None:
        return DASH
    ends = [
        f"{number(v, 2)}{' or less' if v <= LOWEST_DEGREE else ' or more' if v >= HIGHEST_DEGREE else ''}"
        for v in (value, low, high)
    ]
    return f"{ends[0]} ({ends[1]} to {ends[2]})"


def _row(row: Any, class_names: Sequence[str]) -> list[Any]:
    numbers = [rounded(value) for value in (row.score, row.low, row.high, row.p_under, row.p_over)]
    degree = [rounded(value) for value in (row.degree, row.degree_low, row.degree_high)]
    verdict = VERDICTS.index(row.verdict) if row.verdict in VERDICTS else None
    return [row.id, class_word(row.label, class_names), *map(_whole, numbers), verdict, *map(_whole, degree)]


def _whole(value: float | None) -> float | None:
    return int(value) if value is not None and value.is_integer() and abs(value) < 1e15 else value


def class_word(label: Any, class_names: Sequence[str]) -> str:
    """Return a class by name where names are known, else by number."""
    if is_missing(label):
        return DASH
    position = int(label)
    return str(class_names[position]) if 0 <= position < len(class_names) else str(position)


def _notes(audit: Audit, forget: pd.DataFrame, measure: str) -> list[str]:
    notes = []
    if blocking_controls(audit):
        notes.append("A control failed: no sample is cleared.")
    ranked = ranking_measure(audit)
    if measure == "trace" and forget["degree"].notna().any():
        notes.append(
            f"Degree: by {ranked}, from deletions of known truth; 0 = untouched, 1 = exactly deleted."
        )
    if len(forget) > MOST_ROWS:
        notes.append(
            f"Listed are the {MOST_ROWS:,} most suspicious of {plural(len(forget), 'forget sample')}; "
            "all scores are in scores.parquet."
        )
    if not np.isfinite(forget["p_under"].astype(float)).any():
        notes.append(
            f"{measure} has no p-values here, so samples are ordered by score. {audit.verdict.sentence}"
        )
    if measure != "trace" and not np.isfinite(forget["low"].astype(float)).any():
        notes.append("No intervals: they need at least two shadow models.")
    return notes
