"""What can be named: data sets, models, recipes, methods and measures, each with what is known of it.

The lists are written down in `listing.json`, so that they are there at once, without torch; `make stubs` writes it from
the registries. Where another package has added something, or a name is not written down yet, the registries are asked.
"""

from __future__ import annotations

import importlib
import json
import re
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from vestige.errors import InputError, need, unknown

LISTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "datasets": ("vestige.data.registry", "DATASETS", {"what": "description", "from": "home"}),
    "models": ("vestige.models", "MODELS", {"what": "summary", "options": "options", "cites": "cites"}),
    "methods": (
        "vestige.unlearning", "METHODS",
        {"what": "summary", "reads": "needs", "on": "worlds", "options": "options", "steps": "own_steps",
         "cites": "cites"},
    ),
    "measures": (
        "vestige.measures", "MEASURES",
        {"what": "summary", "needs": "needs", "uses": "uses", "options": "options", "cites": "cites"},
    ),
    "text-methods": (
        "vestige.unlearning.text", "METHODS",
        {"what": "summary", "reads": "needs", "options": "options", "cites": "cites"},
    ),
}  # fmt: skip
"""Where what can be named is kept, and which of its attributes are shown under which word."""
NAMES = ("datasets", "models", "recipes", "methods", "measures", "text-methods", "text-measures")
WITH_TORCH = ("models", "recipes", "methods")
REGISTERED = re.compile(r'^@register\(\s*"([^"]+)"', re.MULTILINE)
FOLDER = Path(__file__).parent
WRITTEN = FOLDER / "listing.json"
HOMES = {
    "datasets": ("data", "vestige.datasets"),
    "models": ("models", "vestige.models"),
    "recipes": ("training", ""),
    "methods": ("unlearning", "vestige.methods"),
    "measures": ("measures", "vestige.measures"),
    "text-methods": ("unlearning/text", "vestige.llm.unlearning"),
    "text-measures": ("measures", "vestige.measures"),
}
"""The folder of the modules of each list, and the entry points by which other packages add to it."""


def listing(what: str) -> list[dict[str, Any]]:
    """Return a row for each thing that can be named: "datasets", "models", "recipes", "methods", "measures", ...

    Raises `InputError` for another word.
    """
    if what not in NAMES:
        raise InputError(unknown("list", what, NAMES))
    folder, group = HOMES[what]
    written = json.loads(WRITTEN.read_text(encoding="utf-8")) if WRITTEN.is_file() else {}
    if written.get("names", {}).get(folder) == names_in(folder) and not (group and entry_points(group=group)):
        rows: list[dict[str, Any]] = written["lists"][what]
        return rows
    if what in WITH_TORCH:
        need("torch", "torch", f"Listing {what}")
    return registered(what)


def names_in(folder: str) -> list[str]:
    """Return what the modules in a folder of vestige register, as their text says."""
    texts = (path.read_text(encoding="utf-8") for path in (FOLDER / folder).glob("*.py"))
    return sorted(name for text in texts for name in REGISTERED.findall(text))


def registered(what: str) -> list[dict[str, Any]]:
    """Return the rows of a list as the registries say them, of values that JSON has."""
    others = {"recipes": _recipes, "text-measures": _text_measures}
    rows: list[dict[str, Any]] = json.loads(
        json.dumps(others[what]() if what in others else _rows(*LISTS[what]))
    )
    return rows


def written() -> str:
    """Return what `listing.json` should hold: every list, a row on a line."""
    names = {folder: names_in(folder) for folder in dict.fromkeys(folder for folder, _ in HOMES.values())}
    lists = (
        f"{json.dumps(what)}: [\n" + ",\n".join(map(json.dumps, registered(what))) + "\n]" for what in NAMES
    )
    return f'{{"names": {json.dumps(names)},\n"lists": {{\n' + ",\n".join(lists) + "\n}}\n"


def _rows(module: str, registry: str, shown: dict[str, str]) -> list[dict[str, Any]]:
    entries, rows = getattr(importlib.import_module(module), registry), []
    for name in entries:
        if not getattr(entries[name], "of_samples", True):
            continue
        row = {"name": name, **{word: getattr(entries[name], attribute) for word, attribute in shown.items()}}
        if "steps" in row:  # they stand by themselves
            row["options"] = {k: v for k, v in row["options"].items() if k not in row["steps"]}
        rows.append(row)
    return rows


def _recipes() -> list[dict[str, Any]]:
    from vestige.training import PRESETS

    return [{"name": name, "fields": fields} for name, fields in PRESETS.items()]


def _text_measures() -> list[dict[str, Any]]:
    from vestige.measures.texts import MEASURES, preset_on_texts

    return [
        {
            "name": m.name, "what": m.summary, "needs": m.texts,
            "options": m.resolve({}, preset_on_texts(m.name, "recommended")), "cites": m.cites,
        }
        for m in MEASURES.values()
    ]  # fmt: skip
