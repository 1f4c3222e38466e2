"""Tables and plots from result files: mean and interval, the published value beside it, what is missing and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

import vestige
from vestige.arguments import checked
from vestige.errors import InputError, unknown
from vestige.experiments.kinds import KINDS
from vestige.report.tables import csv_text, written

Floats = NDArray[np.float64]
FORMATS = ("md", "latex", "csv")


@dataclass(frozen=True)
class Value:
    """One cell: its mean, the half-width of its 95 % interval (None: a single value), the paper's value.

    Attributes
    ----------
    why : str
        The reason where there is no mean; where only some of its splits or seeds are missing, how many, and
        why.
    """

    column: str
    row: str
    mean: float | None
    half: float | None
    n: int
    published: float | None
    why: str = ""


def values_of(result: dict[str, Any], figure: str | None = None) -> list[Value]:
    """Return every cell of a table, row by row; a figure other than the table's own may be asked for.

    The interval is Student's, over what the experiment says: over splits (or seeds), of the means over shadow models;
    or over shadow models, of the means over splits.
    """
    told = result["experiment"]
    own = figure or told["figure"]
    known = sorted({name for cell in result["cells"] for name in cell["figures"]})
    if result["cells"] and own not in known:
        raise InputError(f"{told['name']}: {unknown('figure', own, known)}")
    scale = _scale(told, own)
    gaps = _gaps(result)
    papers = told["published"] if own == told["figure"] else {}
    found: dict[tuple[str, str], Value] = {}
    for cell in result["cells"]:
        column = column_of(cell, result)
        if own not in cell["figures"]:  # kept by a run that did not compute it
            continue
        values = cell["figures"][own]
        means = _means(values, told["over"])
        paper = papers.get(column, {}).get(cell["row"])
        found[cell["row"], column] = Value(
            column, cell["row"], scale * float(np.mean(means)), _half(scale * means), len(means), paper,
            _partly(gaps.get((cell["row"], column), []), len(values)),
        )  # fmt: skip
    columns = list(dict.fromkeys([*(v.column for v in found.values()), *(column for _, column in gaps)]))
    rows = list(dict.fromkeys([*_rows(told), *(v.row for v in found.values())]))
    return [
        found.get((row, column))
        or Value(
            column, row, None, None, 0, papers.get(column, {}).get(row),
            _reasons(gaps[row, column]) if (row, column) in gaps else "not run",
        )
        for row in rows
        for column in columns
    ]  # fmt: skip


def _gaps(result: dict[str, Any]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return what is missing, by row and column.

    Where columns differ by group size, a gap that names none is of each: but for cells that are whole, as earlier
    versions named none.
    """
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    sizes = _sizes(result)
    for gap in result["missing"]:
        own = [gap["group"]] if "group" in gap else sizes
        columns = [f"{gap['column']} · {size}" for size in own] if len(sizes) > 1 else [gap["column"]]
        for column in columns:
            found.setdefault((gap["row"], column), []).append(gap)
    for cell in result["cells"]:
        if _wanted(result) in {len(values) for values in cell["figures"].values()}:
            found.pop((cell["row"], column_of(cell, result)), None)
    return found


def _wanted(result: dict[str, Any]) -> int | None:
    """Return how many splits or seeds a whole cell has; None where the result does not say."""
    told = result["experiment"]
    scale = told.get(result.get("scale"))
    return None if scale is None else int(scale[KINDS[told["kind"]].values])


def _reasons(gaps: list[dict[str, Any]]) -> str:
    return "; ".join(dict.fromkeys(gap["why"] for gap in gaps))


def _partly(gaps: list[dict[str, Any]], there: int) -> str:
    """Return what is missing of a cell that is filled from the other splits or seeds; nothing where it is whole."""
    return f"{len(gaps)} of {there + len(gaps)} missing: {_reasons(gaps)}" if gaps else ""


def _scale(told: dict[str, Any], figure: str) -> float:
    """Return what kept values are multiplied by in a table."""
    return 100.0 if told["percent"] and not _in_points(figure) else 1.0


def _in_points(figure: str) -> bool:
    """Is the figure kept in percentage points already, and not as a share?"""
    accuracy = figure.endswith("_accuracy") and figure != "balanced_accuracy"
    return accuracy or figure.startswith("mia_") or figure == "disparity"


def _sizes(result: dict[str, Any]) -> list[int]:
    """Return the numbers of shadow models; columns differ by them where there are several."""
    return sorted({part["group"] for part in (*result["cells"], *result["missing"]) if "group" in part})


def column_of(cell: dict[str, Any], result: dict[str, Any]) -> str:
    """Return the heading of a cell: with the number of shadow models, where that differs."""
    return f"{cell['column']} · {cell['group']}" if len(_sizes(result)) > 1 else str(cell["column"])


def _rows(told: dict[str, Any]) -> list[str]:
    if KINDS[told["kind"]].rows == "methods":
        return [m["label"] or m["name"] for m in told["methods"]]
    return list(told["measures"])


def _means(values: list[list[float]], over: str) -> Floats:
    if over == "shadow" and len({len(v) for v in values}) == 1:
        return np.asarray(np.array(values).mean(axis=0), dtype=np.float64)
    return np.array([np.mean(v) for v in values])


def _half(values: Floats) -> float | None:
    """The half-width of Student's 95 % interval; None for fewer than three values."""
    if len(values) < 3:
        return None
    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)


@checked
def render_table(result: dict[str, Any], form: str = "md", figure: str | None = None) -> str:
    """Return the table as Markdown, LaTeX (booktabs) or CSV. Raises `InputError` for another format or figure."""
    if form not in FORMATS:
        raise InputError(unknown("format", form, FORMATS))
    cells = values_of(result, figure)
    if form == "csv":
        head = ["row", "column", "figure", "mean", "half_width_95", "values", "published", "why"]
        shown = figure or result["experiment"]["figure"]
        return csv_text(
            head, [[c.row, c.column, shown, c.mean, c.half, c.n, c.published, c.why] for c in cells]
        )
    columns = list(dict.fromkeys(c.column for c in cells))
    at = {(c.row, c.column): c for c in cells}
    rows = list(dict.fromkeys(c.row for c in cells))
    digits = digits_of(cells)
    body = [[row, *(_shown(at[row, column], digits) for column in columns)] for row in rows]
    gaps = [f"Missing: {_line(text)}\n" for text in missing_texts(cells)]
    table = written(["", *columns], body, form, [False, *(True for _ in columns)])
    if form == "latex":
        return table + "".join(f"% {text}" for text in gaps)
    return "".join([table, *(["\n"] if gaps else []), *(f"* {text}" for text in gaps)])


def digits_of(cells: list[Value]) -> int:
    """Return how many decimals a table has: two for percentages and the like, three for figures of a few units."""
    return 2 if max((abs(c.mean) for c in cells if c.mean is not None), default=0.0) > 10 else 3


def missing_texts(cells: list[Value]) -> list[str]:
    """Return what is missing and why, a text for each reason, with the rows and columns that share it."""
    rows_of: dict[tuple[str, str], list[str]] = {}
    for c in cells:
        if c.why:
            rows_of.setdefault((c.why, c.column), []).append(c.row)
    columns_of: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (why, column), rows in rows_of.items():
        columns_of.setdefault((why, tuple(rows)), []).append(column)
    whole = tuple(dict.fromkeys(c.row for c in cells))
    return [
        f"{'; '.join(columns)} ({'every row' if rows == whole else ', '.join(rows)}): {why}"
        for (why, rows), columns in columns_of.items()
    ]


def _line(text: str) -> str:
    return " ".join(text.split())


def _shown(cell: Value, digits: int) -> str:
    paper = "" if cell.published is None else f" ({cell.published:.{digits}f})"
    if cell.mean is None:
        return f"missing{paper}"
    half = "" if cell.half is None else f" ± {cell.half:.{digits}f}"
    return f"{cell.mean:.{digits}f}{half}{paper}"


@dataclass(frozen=True)
class Agreement:
    """How one column agrees with the paper's.

    Attributes
    ----------
    tau : float or None
        Kendall's rank correlation of the rows in the race that both have; None for fewer than three.
    first, published_first
        The best row here and there; None where the paper's cell of its own favourite is lost.
    lead : tuple[float, float or None, float or None] or None
        The favourite minus the best other row, paired (below 0 = ahead, where smaller is better), with its 95
        % interval over what the experiment varies; none from fewer than three values.
    """

    column: str
    tau: float | None
    first: str
    published_first: str | None
    lead: tuple[float, float | None, float | None] | None
    rival: str | None


def agreement(result: dict[str, Any]) -> Iterator[Agreement]:
    """Yield, for each column, whether the rows rank as the paper has them, and who is first, by how much.

    Nothing where the figure has no better and worse; of texts only the columns that the paper has.
    """
    told = result["experiment"]
    if told["smaller"] is None:
        return
    sign = -1.0 if told["smaller"] else 1.0
    cells = [v for v in values_of(result) if v.mean is not None]
    raw = {(c["row"], column_of(c, result)): c["figures"][told["figure"]] for c in result["cells"]}
    gone = {place: {gap.get("number") for gap in gaps} for place, gaps in _gaps(result).items()}
    aside = set_aside(told)
    for column in dict.fromkeys(v.column for v in cells):
        if KINDS[told["kind"]].part == "texts" and column not in told["published"]:
            continue
        own = {v.row: sign * float(v.mean or 0.0) for v in cells if v.column == column}
        paper = {v.row: sign * v.published for v in cells if v.column == column and v.published is not None}
        both = [row for row in own if row in paper and row not in aside]
        tau = (
            float(stats.kendalltau([own[r] for r in both], [paper[r] for r in both]).statistic)
            if len(both) > 2
            else None
        )
        ranked = [r for r in own if r not in aside] or list(own)
        best, favourite = max(ranked, key=lambda r: own[r]), told["favourite"]
        lead, rival = None, None
        others = [r for r in ranked if not same_measure(r, favourite or "")]
        if favourite in own and others:
            rival = max(others, key=lambda r: own[r])
            one, other = (_means(raw[r, column], told["over"]) for r in (favourite, rival))
            if one.shape == other.shape and gone.get((favourite, column)) == gone.get((rival, column)):
                gap = (one - other) * _scale(told, told["figure"])
                mean, half = float(gap.mean()), _half(gap)
                lead = (mean, None, None) if half is None else (mean, mean - half, mean + half)
        lost = favourite in own and favourite not in paper
        listed = [] if lost else [r for r in paper if r not in aside]
        published_first = max(listed, key=lambda r: paper[r]) if listed else None
        yield Agreement(
            column, None if tau is None or np.isnan(tau) else tau, best, published_first, lead, rival
        )


def same_measure(row: str, favourite: str) -> bool:
    """IAM-On and IAM-Off are one measure with more and less data: neither is the other's rival."""
    return row.partition("-")[0] == favourite.partition("-")[0]


def set_aside(told: dict[str, Any]) -> set[str]:
    """Rows that are not in the race: exact retraining among methods, and measures that know nothing."""
    if KINDS[told["kind"]].rows == "methods":
        return {m["label"] or m["name"] for m in told["methods"] if m["name"] == "retrain"}
    return {row for row, spec in told["measures"].items() if spec == "random"}


def controls(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a table's controls say: {"name", "row", "column", "value", "holds"}.

    A measure that knows nothing must come out at chance: within its interval, or within 3 points of AUC (0.03 of a rank
    correlation). Exact retraining must come out at no distance from retraining.
    """
    told, found = result["experiment"], []
    unit = _scale(told, told["figure"])
    aside = set_aside(told)
    for cell in values_of(result):
        if cell.mean is None:
            continue
        chance = KINDS[told["kind"]].chance
        if chance is not None and cell.row in aside:
            holds = abs(cell.mean - chance * unit) <= max(cell.half or 0.0, 0.03 * unit)
            found.append(("Negative control", cell, holds))
        if told["kind"] == "methods" and told["figure"] == "disparity" and cell.row == "retrain":
            found.append(("Positive control", cell, cell.mean == 0))
    return [
        {"name": name, "row": c.row, "column": c.column, "value": c.mean, "holds": holds}
        for name, c, holds in found
    ]


def signed(lead: tuple[float, float | None, float | None], digits: int) -> str:
    """Return a difference with its interval, where it has one."""
    mean, low, high = lead
    around = "" if low is None or high is None else f" [{low:+.{digits}f}, {high:+.{digits}f}]"
    return f"{mean:+.{digits}f}{around}"


def sentences(result: dict[str, Any]) -> list[str]:
    """Return the agreement as sentences, one a column, and by which version the result was computed if not by this."""
    told, found, digits = result["experiment"], [], digits_of(values_of(result))
    for a in agreement(result):
        text = f"{a.column}: first is {a.first}"
        if a.published_first is not None:
            text += f"; published first: {a.published_first}"
        if a.tau is not None:
            text += f"; rank correlation with the published column {a.tau:.2f}"
        if a.lead is not None:
            text += f"; {told['favourite']} minus {a.rival}: {signed(a.lead, digits)}"
        found.append(text + ".")
    version = made_by(result)
    return [*found, version] if version else found


def made_by(result: dict[str, Any]) -> str:
    """Return which version of vestige computed a result, as a sentence; "" where it is this one."""
    if result["vestige"] == vestige.__version__:
        return ""
    return f"Computed by vestige {result['vestige']}; this is {vestige.__version__}."


def agreement_text(result: dict[str, Any]) -> str:
    """Return the agreement as a Markdown list."""
    return "\n".join(f"* {text}" for text in sentences(result)) + "\n"
