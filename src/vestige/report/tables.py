"""Tables as Markdown, LaTeX, CSV or HTML: every value is written, and every text escaped, in one place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from vestige.errors import InputError, unknown
from vestige.report.blocks import Column, Table
from vestige.report.words import DASH, is_missing, number, plain_text

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("md", "latex", "csv", "html")
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "–": "--", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "→": r"$\to$",
    "±": r"$\pm$", "≤": r"$\le$", "≥": r"$\ge$", "·": r"$\cdot$",
}  # fmt: skip


def table(rows: pd.DataFrame, format: str = "md") -> str:
    """Return `rows` as a table in Markdown ("md"), LaTeX with booktabs ("latex"), "csv", or HTML ("html").

    Floats have four significant digits (CSV keeps them exact), missing values are a dash, and text is
    escaped for the format. A named or non-default index becomes the first columns. Raises `InputError` for an
    unknown format.
    """
    if rows.index.nlevels > 1 or rows.index.name is not None or list(rows.index) != list(range(len(rows))):
        rows = rows.reset_index()
    return written([str(name) for name in rows.columns], rows.itertuples(index=False, name=None), format)


def written(
    header: Sequence[str],
    body: Iterable[Sequence[Any]],
    format: str = "md",
    numeric: Sequence[bool] | None = None,
) -> str:
    """Return rows below a header as text in one of `FORMATS`; see `table`.

    Parameters
    ----------
    numeric : Sequence[bool] or None
        Which columns are set to the right; default: those that hold numbers alone.
    """
    if format not in FORMATS:
        raise InputError(unknown("table format", format, FORMATS))
    rows = [list(row) for row in body]
    if format == "csv":
        return csv_text(header, [[DASH if is_missing(value) else value for value in row] for row in rows])
    if numeric is None:
        numeric = [all(_is_number(row[i]) for row in rows) and bool(rows) for i in range(len(header))]
    cells = [[_text(value) for value in row] for row in rows]
    if format == "html":
        columns = [Column(title, "number" * right) for title, right in zip(header, numeric, strict=True)]
        return Table("Table", columns, cells, headed=False).__html__()
    return (_markdown if format == "md" else _latex)(header, cells, numeric)


def _is_number(value: Any) -> bool:
    return is_missing(value) or (not isinstance(value, (str, bool)) and hasattr(value, "__float__"))


def _text(value: Any) -> str:
    if is_missing(value):
        return DASH
    if _is_number(value):
        return number(value.item() if hasattr(value, "item") else value)
    return plain_text(value)


def csv_text(header: Sequence[str], body: Iterable[Sequence[Any]]) -> str:
    """Return rows as CSV, see `plain_cell`."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([_one_kind_of_break(plain_cell(v)) for v in row] for row in (header, *body))
    return out.getvalue()


def _one_kind_of_break(value: Any) -> Any:
    """Return text with newlines alone: a carriage return would end the row."""
    return value.replace("\r\n", "\n").replace("\r", "\n") if isinstance(value, str) else value


FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula."""


def plain_cell(value: Any) -> Any:
    """Return a cell as a spreadsheet shows it: text that it would compute, such as "=1+1", gets a quote before it."""
    if not isinstance(value, str) or not value.startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def _markdown(header: Sequence[str], cells: list[list[str]], numeric: Sequence[bool]) -> str:
    def line(row: Sequence[str]) -> str:
        cells = (" ".join(cell.split()).replace("|", "\\|") for cell in row)
        return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"

    rule = "| " + " | ".join("---:" if right else "---" for right in numeric) + " |"
    return "\n".join([line(header), rule, *map(line, cells)]) + "\n"


def latex_cell(text: str) -> str:
    """Return text for a cell of a LaTeX table: on one line, special characters escaped, unprintable ones as "?"."""
    return "".join(LATEX.get(c, c if c.isprintable() else "?") for c in " ".join(text.split()))


def _latex(header: Sequence[str], cells: list[list[str]], numeric: Sequence[bool]) -> str:
    def line(row: Sequence[str]) -> str:
        return " & ".join(latex_cell(cell) for cell in row) + r" \\"

    columns = "".join("r" if right else "l" for right in numeric)
    return "\n".join([
        rf"\begin{{tabular}}{{{columns}}}", r"\toprule", line(header), r"\midrule", *map(line, cells),
        r"\bottomrule", r"\end{tabular}", "",
    ])  # fmt: skip
