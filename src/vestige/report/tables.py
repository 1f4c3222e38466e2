"""Tables: any data frame as Markdown, LaTeX or CSV, and audited methods side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vestige.errors import InputError, unknown
from vestige.report.words import (
    DASH,
    OUTCOME_WORDS,
    completeness_words,
    is_missing,
    number,
    plain_text,
    with_interval,
)

if TYPE_CHECKING:
    import pandas as pd

    from vestige.evaluation.result import Audit, Metric
    from vestige.evaluation.verdict import Control

FORMATS = ("md", "latex", "csv")
COMPARISON = "closer to retrain"

# Header, names under which the figure of the model may appear in `Audit.metrics`, first found wins.
MODEL_FIGURES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (f"UA ({COMPARISON})", ("unlearning_accuracy", "ua")),
    (f"RA ({COMPARISON})", ("retain_accuracy", "remaining_accuracy", "ra")),
    (f"TA ({COMPARISON})", ("test_accuracy", "holdout_accuracy", "ta")),
    (f"MIA ({COMPARISON})", ("mia_efficacy", "mia")),
    ("Average disparity ↓", ("average_disparity", "disparity")),
)

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "–": "--", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "→": r"$\to$",
    "±": r"$\pm$", "≤": r"$\le$", "≥": r"$\ge$",
}  # fmt: skip


def table(rows: pd.DataFrame, format: str = "md") -> str:
    """Return `rows` as a table in Markdown ("md"), LaTeX with booktabs ("latex") or "csv".

    Floats have four significant digits (CSV keeps them exact), missing values are a dash, and text is
    escaped for the format. A named or non-default index becomes the first columns. Raises `InputError` for an
    unknown format.
    """
    if format not in FORMATS:
        raise InputError(unknown("table format", format, FORMATS))
    if rows.index.nlevels > 1 or rows.index.name is not None or list(rows.index) != list(range(len(rows))):
        rows = rows.reset_index()
    header = [str(name) for name in rows.columns]
    body = [list(row) for row in rows.itertuples(index=False, name=None)]
    if format == "csv":
        return _csv(header, body)
    numeric = [all(_is_number(row[i]) for row in body) and bool(body) for i in range(len(header))]
    cells = [[_text(value) for value in row] for row in body]
    return _markdown(header, cells, numeric) if format == "md" else _latex(header, cells, numeric)


def compare(audits: Mapping[str, Audit]) -> pd.DataFrame:
    """Return the audited methods side by side, one row per method, as text.

    Every header says how to read its column: an arrow, the value wanted, or "closer to retrain". A cell that
    could not be filled is a dash with its reason. Figures of the model itself (UA, RA, TA, MIA, average
    disparity) are there where at least one audit holds them, with retraining's beside them where it has no row.
    """
    import pandas as pd

    kept = [
        (header, names)
        for header, names in MODEL_FIGURES
        if any(_figure(audit, names) is not None for audit in audits.values())
    ]
    rows = []
    for name, audit in audits.items():
        verdict = audit.verdict
        row = {
            "Method": name,
            "Verdict (wanted: unlearned)": OUTCOME_WORDS[verdict.outcome].word
            + (", blocked" if verdict.blocked_by else ""),
            "Completeness (closer to 1)": _completeness(audit),
            "Left at most ↓": left_at_most(audit),
            "Could be untouched unseen ↓": could_be_untouched(audit),
            "Cleared ↑": _count(audit, "cleared"),
            "Flagged under ↓": _count(audit, "under"),
            "Flagged over ↓": _count(audit, "over"),
        }
        row |= {
            header: _cell(_figure(audit, names), beside="retrain" not in audits) for header, names in kept
        }
        ranked = ranking_measure(audit)
        row[f"AUC, forget against retain ({COMPARISON})"] = (
            f"{DASH} (no measure has scores)"
            if ranked is None
            else f"{_cell(auc_of(audit, ranked))} ({ranked})"
        )
        rows.append(row)
    return pd.DataFrame(rows)


def ranking_measure(audit: Audit) -> str | None:
    """Return the label of the first measure that has scores: the one whose figures are shown first."""
    return next(
        (run.label for run in audit.measures if run.status == "scored" and run.measure != "trace"), None
    )


def blocking_controls(audit: Audit) -> list[Control]:
    """Return the failed controls that forbade the verdict."""
    return [c for c in audit.controls if c.passed is False and c.name in audit.verdict.blocked_by]


def auc_of(audit: Audit, label: str) -> Metric | None:
    """Return the AUC of a measure, by its label in the audit."""
    return audit.metric(label, "auc")


def _figure(audit: Audit, names: tuple[str, ...]) -> Metric | None:
    return next((found for name in names if (found := audit.metric("model", name)) is not None), None)


def _cell(metric: Metric | None, *, beside: bool = False) -> str:
    if metric is None:
        return f"{DASH} (not computed)"
    if is_missing(metric.value):
        return f"{DASH} ({metric.reason or 'no reason given'})"
    unit = " %" if metric.range == (0.0, 100.0) else ""
    text = with_interval(metric.value, metric.low, metric.high) + unit
    if not beside or metric.name == "average_disparity" or is_missing(metric.reference):
        return text
    return f"{text} (retrain: {number(metric.reference, 3)}{unit})"


def _completeness(audit: Audit) -> str:
    verdict = audit.verdict
    if is_missing(verdict.completeness):
        return _withheld(audit)
    return completeness_words(verdict.completeness, verdict.low, verdict.high)


def _withheld(audit: Audit) -> str:
    return f"{DASH} (a control failed)" if audit.verdict.blocked_by else f"{DASH} (the data do not bound it)"


def left_at_most(audit: Audit) -> str:
    """Return how much of the influence can be left, and how much may be; or why that is not said."""
    from vestige.evaluation.verdict.answer import percent

    most = audit.verdict.left_at_most
    return (
        _withheld(audit) if most is None else f"{percent(most)} ({100 * audit.verdict.tolerance:g} % allowed)"
    )


def could_be_untouched(audit: Audit) -> str:
    """Return how many records could be untouched unseen, and how many may be; or why that is not said."""
    verdict = audit.verdict
    if verdict.could_be_whole is None:
        return _withheld(audit)
    return f"{verdict.could_be_whole:,} of {verdict.n:,} ({verdict.allowed:,} allowed)"


def _count(audit: Audit, outcome: str) -> str:
    return f"{audit.verdict.counts[outcome]:,} of {sum(audit.verdict.counts.values()):,}"


def _is_number(value: Any) -> bool:
    return is_missing(value) or (not isinstance(value, (str, bool)) and hasattr(value, "__float__"))


def _text(value: Any) -> str:
    if is_missing(value):
        return DASH
    if _is_number(value):
        return number(value.item() if hasattr(value, "item") else value)
    return plain_text(value)


def _csv(header: list[str], body: list[list[Any]]) -> str:
    return csv_text(header, [[DASH if is_missing(value) else value for value in row] for row in body])


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


def _markdown(header: list[str], cells: list[list[str]], numeric: list[bool]) -> str:
    def line(row: list[str]) -> str:
        return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split("\n")) for cell in row) + " |"

    rule = "| " + " | ".join("---:" if right else "---" for right in numeric) + " |"
    return "\n".join([line(header), rule, *map(line, cells)]) + "\n"


def latex_cell(text: str, letters: Mapping[str, str] = LATEX) -> str:
    """Return text for a cell of a LaTeX table: on one line, special characters escaped, unprintable ones as "?"."""
    return "".join(letters.get(c, c if c.isprintable() else "?") for c in " ".join(text.split()))


def _latex(header: list[str], cells: list[list[str]], numeric: list[bool]) -> str:
    def line(row: list[str]) -> str:
        return " & ".join(latex_cell(cell) for cell in row) + r" \\"

    columns = "".join("r" if right else "l" for right in numeric)
    return "\n".join([
        rf"\begin{{tabular}}{{{columns}}}", r"\toprule", line(header), r"\midrule", *map(line, cells),
        r"\bottomrule", r"\end{tabular}", "",
    ])  # fmt: skip
