"""The leaderboard: one page of every kept table, with controls, published values, and whether the data are real."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vestige.errors import InputError
from vestige.experiments.bench.table import (
    Value,
    agreement,
    controls,
    digits_of,
    missing_texts,
    same_measure,
    sentences,
    set_aside,
    values_of,
)
from vestige.report.blocks import Badge, Bullets, Card, Cell, Column, Table, Text
from vestige.report.page import Page, Section, write
from vestige.report.words import fixed

TOY = ("digits", "synthetic")
GLOSSARY = ("Value", "In brackets", "Bold", "Negative control", "Positive control", "Toy data")
HOLDS, FAILED = Badge("unlearned", "Controls hold", "✓"), Badge("under", "A control failed", "▼")


def write_leaderboard(path: Path | str, results: Sequence[dict[str, Any]]) -> Path:
    """Write a self-contained page of result files' contents; the same input gives the same bytes.

    Raises `InputError` where there is none.
    """
    if not results:
        raise InputError(
            "There is no result file to show; make one: vestige bench run NAME --save FOLDER/NAME.json"
        )
    cells = [cell for result in results for cell in values_of(result)]
    filled = sum(cell.mean is not None for cell in cells)
    wrong = [r["name"] for r in results if any(not c["holds"] for c in controls(r))]
    sentence = f"{len(results)} tables, {filled} cells filled, {len(cells) - filled} missing."
    ranked = [a for r in results for a in agreement(r) if a.published_first is not None]
    if ranked:
        kept = sum(same_measure(a.first, a.published_first or "") for a in ranked)
        sentence += (
            f" In {kept} of {len(ranked)} columns that a paper ranks, what it has first is first here."
        )
    if wrong:
        sentence += f" A control failed in {', '.join(wrong)}: nothing must be concluded from there."
    configuration = {f"{r['name']}, {r['scale']} scale": _configuration(r) for r in results}
    page = Page(
        "vestige: the papers' tables",
        [Card(FAILED if wrong else HOLDS, sentence, "Controls")],
        [_section(result) for result in results],
        GLOSSARY,
        facts=[f"{len(results)} result files"],
        manifest={"vestige": ", ".join(sorted({r["vestige"] for r in results})), **configuration},
    )
    return write(path, page)


def _section(result: dict[str, Any]) -> Section:
    told, cells = result["experiment"], values_of(result)
    columns = list(dict.fromkeys(c.column for c in cells))
    at = {(c.row, c.column): c for c in cells}
    best, digits = _best(told, cells), digits_of(cells)
    rows: list[list[str | Cell]] = [
        [row, *(_cell(at[row, column], digits, best.get(column) == row) for column in columns)]
        for row in dict.fromkeys(c.row for c in cells)
    ]
    better = "" if told["smaller"] is None else f", {'smaller' if told['smaller'] else 'larger'} is better"
    figure = told["figure"] + (", %" if told["percent"] else "")
    intro = f"{told['source']}. {_kind_of_data(result)}, {result['scale']} scale; {figure}{better}. {told['note']}"
    checks = [
        f"{c['name']}, {c['column']}: {c['row']} {fixed(c['value'], digits=digits)}, "
        f"{'holds' if c['holds'] else 'FAILED'}."
        for c in controls(result)
    ]
    missing = [f"Missing: {text}" for text in missing_texts(cells)]
    table = Table(told["title"], [Column(""), *(Column(column, "number") for column in columns)], rows)
    blocks = [Text(intro), table, Bullets([*checks, *sentences(result), *missing])]
    return Section(result["name"], told["title"], result["name"], blocks)


def _best(told: dict[str, Any], cells: Sequence[Value]) -> dict[str, str]:
    """Return the best row of each column; none where no direction is better."""
    aside, best = set_aside(told), {}
    if told["smaller"] is None:
        return {}
    sign = -1.0 if told["smaller"] else 1.0
    for column in dict.fromkeys(c.column for c in cells):
        own = [c for c in cells if c.column == column and c.mean is not None and c.row not in aside]
        if own:
            best[column] = max(own, key=lambda c: sign * (c.mean or 0.0)).row
    return best


def _run(result: dict[str, Any]) -> dict[str, Any]:
    """Return the scale that was run; empty for results of the paper's scale that earlier versions wrote."""
    return result["experiment"].get(result["scale"]) or {}


def _kind_of_data(result: dict[str, Any]) -> str:
    run = _run(result)
    sides = [*run.get("blocks", {}).values(), *map(_leak_sides, run.get("leaks", {}).values())]
    names = {data["name"] for side in sides for data in (side["data"], side.get("shadow_data")) if data}
    if not names and not run.get("texts"):
        return "Data not named"
    return "Toy data" if names and names <= set(TOY) else "Real data"


def _leak_sides(config: dict[str, Any]) -> dict[str, Any]:
    """Return the data of both sides of the two-version attack; `LeakConfig` has those that are not named."""
    from vestige.leaks import LeakConfig

    asked = LeakConfig.model_validate(config).model_dump(mode="json")
    return {"data": asked["data"], "shadow_data": asked["shadow"]["data"]}


def _cell(cell: Value, digits: int, best: bool) -> Cell:
    text = "missing" if cell.mean is None else fixed(cell.mean, digits=digits)
    half = "" if cell.half is None else f" ± {fixed(cell.half, digits=digits)}"
    paper = "" if cell.published is None else f"({fixed(cell.published, digits=digits)})"
    return Cell(text + half, after=paper, strong=best)


def _configuration(result: dict[str, Any]) -> dict[str, str]:
    told = result["experiment"]
    pairs = [
        ("kind", told["kind"]),
        ("figure", told["figure"]),
        ("preset", told["preset"]),
        ("content", result["content"]),
    ]
    run = _run(result)
    for name, block in run.get("blocks", {}).items():
        pairs.append(
            (name, f"{block['data']['name']}; {block['counts']}; {block['model']}; {block['recipe']}")
        )
    pairs += [
        (name, str(config)) for part in ("leaks", "texts") for name, config in run.get(part, {}).items()
    ]
    return dict(pairs)
