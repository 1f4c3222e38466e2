"""The two tables of `python -m benchmarks.lifecycle`, from the lines that it left."""

from __future__ import annotations

from typing import Any

import pandas as pd
from scipy import stats

SIZES = ((1, 2), (3, 5), (10, 14), (15, 24), (25, 40))


def years(records: list[dict[str, Any]]) -> str:
    """Return as Markdown what was found and what was false, with the copy of March and without."""
    rows = []
    for snapshot in (True, False):
        lived = [one for one in records if one["snapshot"] is snapshot]
        at_once = sum(
            any(fact["reopened"] and fact["version"] == "august" for fact in one["returned"]) for one in lived
        )
        false = [sum(not fact["bears"] for fact in one["reopened"]) for one in lived]
        rows.append({
            "year": "with the copy of March" if snapshot else "without it",
            "found in August": share(at_once, len(lived)) if snapshot else "–",
            "tests": f"{sum(one['tests'] for one in lived):,}",
            "false re-openings": sum(false),
            "years with one": share(sum(map(bool, false)), len(lived)),
        })  # fmt: skip
    return markdown(rows)


def sizes(records: list[dict[str, Any]]) -> str:
    """Return as Markdown how many of those who came back in August were found, by the number of their records."""
    facts = pd.DataFrame([fact for one in records if one["snapshot"] for fact in one["returned"]])
    facts = facts[facts.version == "august"]
    rows = []
    for low, high in SIZES:
        own = facts[facts.records.between(low, high)]
        rows.append({
            "records": f"{low} to {high}", "opened again": share(int(own.reopened.sum()), len(own)),
            "median e-value": plain(own.e.median()) if len(own) else "–",
        })  # fmt: skip
    return markdown(rows)


def share(hits: int, count: int) -> str:
    """Return "19 of 20, 95 % [75, 100]" (Clopper and Pearson)."""
    if not count:
        return "–"
    low, high = stats.binomtest(hits, count).proportion_ci(0.95, "exact")
    return f"{hits} of {count}, {100 * hits / count:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def plain(value: float) -> str:
    """Return two digits of a number as it is read: 3.3, 40, 7,100,000, 4.9e12."""
    value = float(f"{value:.2g}")
    if value >= 1e9:
        return f"{value:.2g}".replace("e+", "e")
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return rows as a table in Markdown."""
    lines = [f"| {' | '.join(rows[0])} |", f"|{' --- |' * len(rows[0])}"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row.values()))} |" for row in rows)])
