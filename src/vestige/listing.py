"""What can be named: data sets, models, recipes, methods and measures, each with what is known of it."""

from __future__ import annotations

import importlib
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
        {"what": "summary", "needs": "needs", "uses": "uses", "options": "options", "cites": "cites",
         "reads_every_class": "distribution"},
    ),
    "text-methods": (
        "vestige.unlearning.text", "METHODS",
        {"what": "summary", "reads": "needs", "options": "options", "cites": "cites"},
    ),
}  # fmt: skip
"""Where what can be named is kept, and which of its attributes are shown under which word."""
WITH_TORCH = ("models", "recipes", "methods")


def listing(what: str) -> list[dict[str, Any]]:
    """Return a row for each thing that can be named: "datasets", "models", "recipes", "methods", "measures", ...

    Raises `InputError` for another word.
    """
    others = {"recipes": _recipes, "text-measures": _text_measures}
    if what not in LISTS and what not in others:
        raise InputError(unknown("list", what, (*LISTS, *others)))
    if what in WITH_TORCH:
        need("torch", "torch", f"Listing {what}")
    return others[what]() if what in others else _rows(*LISTS[what])


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
