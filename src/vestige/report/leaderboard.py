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
from vestige.files import as_path
from vestige.report.html import page

TOY = ("digits", "synthetic")
GLOSSARY = (
    ("Value", "Mean over splits or seeds, ± half the width of its 95 % interval (Student) from three on."),
    ("In brackets", "The value printed in the paper for that cell, at the paper's scale."),
    ("Bold", "The best of its column; exact retraining and controls are not in the race."),
    ("Negative control", "A measure that knows nothing: it must come out at chance, or the table is wrong."),
    ("Positive control", "Exact retraining: it must come out at no distance from retraining."),
    ("Toy data", "Data that come with the library and are too easy to conclude from."),
)  # fmt: skip


def write_leaderboard(path: Path | str, results: Sequence[dict[str, Any]]) -> Path:
    """Write a self-contained page of result files' contents; the same input gives the same bytes.

    Raises `InputError` where there is none.
    """
    from vestige.store import write_text

    if not results:
        raise InputError(
            "There is no result file to show; make one: vestige bench run NAME --save FOLDER/NAME.json"
        )
    tables = [_table(r) for r in results]
    gaps = sum(t["missing"] for t in tables)
    wrong = [t["name"] for t in tables if any(not c["holds"] for c in t["controls"])]
    said = f"{len(tables)} tables, {sum(t['filled'] for t in tables)} cells filled, {gaps} missing."
    ranked = [a for r in results for a in agreement(r) if a.published_first is not None]
    if ranked:
        kept = sum(same_measure(a.first, a.published_first or "") for a in ranked)
        said += f" In {kept} of {len(ranked)} columns that a paper ranks, what it has first is first here."
    if wrong:
        said += f" A control failed in {', '.join(wrong)}: nothing must be concluded from there."
    text = page(
        "leaderboard.html.jinja", title="vestige: the papers' tables", tables=tables, sentence=said,
        tone="under" if wrong else "unlearned", word="A control failed" if wrong else "Controls hold",
        sign="▼" if wrong else "✓", facts=[f"{len(tables)} result files"], created="", version=results[0]["vestige"],
        blocks=[_configuration(r) for r in results], glossary=GLOSSARY, script="", script_hash="", payload="",
    )  # fmt: skip
    path = as_path(path)
    write_text(path, text)
    return path


def _table(result: dict[str, Any]) -> dict[str, Any]:
    told, cells = result["experiment"], values_of(result)
    columns = list(dict.fromkeys(c.column for c in cells))
    rows = list(dict.fromkeys(c.row for c in cells))
    at = {(c.row, c.column): c for c in cells}
    checks = controls(result)
    aside = set_aside(told)
    best, sign = {}, -1.0 if told["smaller"] else 1.0
    for column in columns:
        own = [c for c in cells if c.column == column and c.mean is not None and c.row not in aside]
        if own and told["smaller"] is not None:
            best[column] = max(own, key=lambda c: sign * (c.mean or 0.0)).row
    digits = digits_of(cells)
    return {
        "name": result["name"], "title": told["title"], "source": told["source"], "note": told["note"],
        "scale": result["scale"], "data": _kind_of_data(result),
        "columns": columns, "reasons": missing_texts(cells),
        "figure": told["figure"] + (", %" if told["percent"] else ""), "smaller": told["smaller"],
        "rows": [
            {"name": row, "cells": [_cell(at[row, column], digits, best.get(column) == row) for column in columns]}
            for row in rows
        ],
        "controls": [c | {"shown": f"{c['value']:.{digits}f}"} for c in checks],
        "agreement": sentences(result),
        "filled": sum(c.mean is not None for c in cells), "missing": sum(c.mean is None for c in cells),
    }  # fmt: skip


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


def _cell(cell: Value, digits: int, best: bool) -> dict[str, Any]:
    text = "missing" if cell.mean is None else f"{cell.mean:.{digits}f}"
    half = "" if cell.half is None else f" ± {cell.half:.{digits}f}"
    paper = "" if cell.published is None else f"({cell.published:.{digits}f})"
    return {"text": text + half, "paper": paper, "best": best}


def _configuration(result: dict[str, Any]) -> dict[str, Any]:
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
    return {"name": f"{result['name']}, {result['scale']} scale", "pairs": pairs}
