"""A page for each method and each measure, made of its entry and of what is committed of its results.

The pages are written when the site is built, into folders that are not committed. What a page says is declared once,
where the method or measure is registered: its docstring holds the equation, when to use it, when it fails, what it
costs and the references; the rest is the registration. So a new method has its page as soon as it has its file.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from vestige.arguments import plain_type
from vestige.measures import MEASURES, Measure
from vestige.measures.texts import ARRAYS
from vestige.registry import Entry
from vestige.signals.fields import HOW_TO_GET
from vestige.unlearning import METHODS
from vestige.unlearning.text import METHODS as TEXT_METHODS
from vestige_docs import examples, results
from vestige_docs.notes import Notes, implementation, notes_of
from vestige_docs.sections import meanings, sections

LINKS = {
    "lab book, results": "labbook/results.md",
    "lab book, calibration": "labbook/calibration.md",
    "lab book, benchmarks": "labbook/benchmarks.md",
    "lab book, monotone": "labbook/monotone.md",
    "lab book, claims": "labbook/claims.md",
    "reproduction,": "labbook/reproduction.md",
    "lab book, texts": "labbook/texts.md",
}
ROLES = {
    "forget": "the samples to forget",
    "retain": "the retained samples",
    "shadow": "the shadow pool, whose samples it is then trained on: judge nothing on them",
}
WORLDS = {"torch": "networks (torch)", "sklearn": "estimators (scikit-learn)"}


def kind_of(hint: Any) -> str:
    """Return what a value may be, as a reader is told: `number, above 0`."""
    origin = get_origin(hint)
    if origin is Literal:
        return ", ".join(f'`"{value}"`' for value in get_args(hint))
    if origin is Annotated:
        base, *rest = get_args(hint)
        return ", ".join([kind_of(base), *bounds(rest)])
    if origin in (Union, types.UnionType):
        return " or ".join(kind_of(part) for part in get_args(hint))
    if origin is tuple:
        return "several of: " + kind_of(get_args(hint)[0])
    words = {int: "whole number", float: "number", bool: "yes or no", str: "text", type(None): "`None`"}
    return words.get(hint, "anything" if hint is Any else f"`{getattr(plain_type(hint), '__name__', hint)}`")


def bounds(metadata: list[Any]) -> Iterator[str]:
    """Yield the limits that stand in an annotation."""
    words = {"ge": "{} or more", "gt": "above {}", "le": "at most {}", "lt": "below {}"}
    for info in metadata:
        for limit in info.metadata if isinstance(info, FieldInfo) else [info]:
            for name, text in words.items():
                value = getattr(limit, name, None)
                if value is not None and abs(value) < 2**30:
                    yield text.format(f"{value:,}" if isinstance(value, int) else f"{value:g}")


def cell(text: str) -> str:
    """Return a text that a cell of a table can hold."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *([cell(one) for one in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def value(option: Any) -> str:
    """Return a value as code, with quotes as they are written."""
    return "`" + repr(option).replace("'", '"') + "`"


@cache
def meanings_of_steps(steps: type) -> Mapping[str, str]:
    """Return what each setting of the optimiser is, from the docstring of its class."""
    return meanings(sections(inspect.getdoc(steps) or "").get("Attributes", []))


def options_text(entry: Entry, notes: Notes) -> str:
    """Return the table of an entry's options, its own first, and what its presets change."""
    if not entry.options:
        return "It takes no options.\n"
    meanings = {} if entry.steps is None else meanings_of_steps(type(entry.steps))
    rows = []
    for name, default in entry.options.items():
        meaning = notes.options.get(name) or meanings.get(name, "")
        rows.append([f"`{name}`", kind_of(entry.hints.get(name, Any)), value(default), meaning])
    return table(["Option", "What it may be", "Recommended", "Meaning"], rows)


def presets_text(entry: Entry) -> str:
    """Return what `preset="paper"` and further presets change."""
    presets = {"paper": entry.paper, **entry.presets}
    names = [name for name, values in presets.items() if values]
    if not names:
        return 'Nothing: `preset="paper"` is what is recommended.\n'
    changed = [option for option in entry.options if any(option in presets[name] for name in names)]
    rows = [
        [f"`{option}`", value(entry.options[option])]
        + [value(presets[name].get(option, entry.options[option])) for name in names]
        for option in changed
    ]
    return table(["Option", "Recommended", *(f'`preset="{name}"`' for name in names)], rows)


def linked(text: str, depth: int = 2) -> str:
    """Lead the names of pages of the lab book to these pages."""
    for words, target in LINKS.items():
        text = re.sub(
            rf"{re.escape(words.rstrip(','))}(?=[,;:)]|\.?$|\. )",
            lambda match, target=target: f"[{match[0]}]({'../' * depth}{target})",
            text,
        )
    return text


def facts(rows: list[tuple[str, str]]) -> str:
    """Return facts as a list of terms."""
    return "\n".join(f"{term}\n: {text[0].upper()}{text[1:]}\n" for term, text in rows if text)


def page(entry: Entry, what: list[tuple[str, str]], measured: str, call: str, of: str = "") -> str:
    """Return the page of an entry: what all kinds of entries share.

    Parameters
    ----------
    what : list[tuple[str, str]]
        Terms and what they are for this entry.
    measured : str
        Markdown of its committed results, "" where there are none.
    call : str
        Markdown of an example.
    of : str
        What the title says behind the name, where the name alone is also another entry's.
    """
    notes = notes_of(entry)
    own = implementation(entry)
    none = "No result of it is committed: what stands above is reasoned, not measured.\n"
    parts = [
        f"# `{entry.name}`{of}\n\n{notes.summary}\n",
        notes.equation,
        f"## When to use it\n\n{linked(notes.when)}",
        f"## When it fails\n\n{linked(notes.fails)}",
        "## What it needs\n\n" + facts([*what, ("Cost", linked(notes.cost))]),
        f"## Measured\n\n{measured or none}",
        f"## Example\n\n{call}",
        f"## Options\n\n{options_text(entry, notes)}" + (f"\n{notes.body}\n" if notes.body else ""),
        f"## As published\n\n{presets_text(entry)}" + (f"\n{own}\n" if own else ""),
        "## References\n\n" + "\n".join(f"* {reference}" for reference in notes.references),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def method_page(entry: Any) -> str:
    """Return the page of a method on samples."""
    exact = (
        "Yes: the result is distributed as a model that never saw the forget samples."
        if entry.exact
        else "No."
    )
    special = {
        "whole_classes": "It unlearns whole classes only.",
        "own_model": "It starts from a model that was trained for it.",
        "last_layer": "It works on the last layer, and refuses a model where that is frozen.",
    }
    what = [
        ("Reads", ", ".join(ROLES[role] for role in entry.needs) + "."),
        ("Works on", ", ".join(WORLDS[world] for world in entry.worlds) + "."),
        ("Exact", exact),
        ("Limits", " ".join(text for flag, text in special.items() if getattr(entry, flag))),
        ("Publication", entry.cites + "."),
    ]
    return page(
        entry, what, results.of_method(entry.name), examples.of_method(entry, notes_of(entry).example)
    )


def text_method_page(entry: Any) -> str:
    """Return the page of a method on texts."""
    what = [
        ("Reads", " and ".join(f"texts to {side}" for side in entry.needs) + "."),
        ("Works on", "causal language models (transformers), with all weights or with adapters (`lora=`)."),
        ("Publication", entry.cites + "."),
    ]
    return page(entry, what, results.of_text_method(entry.name), examples.of_text_method(entry), " on texts")


def range_text(entry: Measure) -> str:
    """Return between what a score lies."""
    low, high = entry.range
    if low is None and high is None:
        return "Unbounded."
    return f"{low:g} to {high:g}."


def output_kinds(entry: Measure) -> str:
    """Return which outputs of a model a measure can read."""
    every = "Outputs with a probability for every class: logits, log-probabilities, probabilities."
    if not entry.of_samples:
        return "Texts: what a language model says of each token."
    if entry.distribution is True:
        return every
    also = " Token losses of texts too." if entry.texts else ""
    some = "".join(
        f" With {option} {' or '.join(map(value, values))}: of every class only."
        for option, values in (entry.distribution or {}).items()
    )
    return f"Outputs of every [kind](../../guide/outputs.md), labels, losses and predictions among them.{some}{also}"


def measure_page(entry: Measure) -> str:
    """Return the page of a measure, of samples or of texts."""
    of = HOW_TO_GET | {"unlearned": "the outputs of the model after unlearning"}
    needs = [f"`{array}`, {of[array]}" for array in entry.needs] if entry.of_samples else []
    texts = [f"`{array}`, {ARRAYS[array]}" for array in entry.texts]
    what = [
        ("Direction", "Larger = more unlearned."),
        ("Range", range_text(entry)),
        ("Unit", f"{entry.unit}." if entry.unit != "1" else "None, a ratio."),
        ("Needs", "; ".join(needs) + "." if needs else "" if texts else "No model."),
        (
            "Reads where it is there",
            "; ".join(f"`{array}`, {of[array]}" for array in entry.uses) + "." if entry.uses else "",
        ),
        ("Needs, of texts", "; ".join(texts) + "." if texts else ""),
        ("Works on", output_kinds(entry)),
        ("Publication", entry.cites + "."),
    ]
    measured = results.of_measure(entry.name) + results.of_text_measure(entry.name)
    return page(entry, what, measured, examples.of_measure(entry, notes_of(entry).example))


def named(folder: str, entry: Entry) -> str:
    """Return the cell that leads to an entry's page and says what it is."""
    return f"[`{entry.name}`]({folder}/{entry.name}.md) {entry.summary}"


def index(family: str) -> str:
    """Return the comparison table of a family: "methods", "text methods", "measures", "text measures"."""
    if family == "methods":
        head = ["Method", "Reads", "On", *results.METHOD_COLUMNS]
        rows = [
            [named("samples", m), ", ".join(m.needs), ", ".join(m.worlds), *results.method_cells(m.name)]
            for m in METHODS.entries()
        ]
    elif family == "text methods":
        head = ["Method", "Reads", *results.TEXT_METHOD_COLUMNS]
        rows = [
            [named("texts", m), ", ".join(m.needs), *results.text_method_cells(m.name)]
            for m in TEXT_METHODS.entries()
        ]
    elif family == "measures":
        head = ["Measure", "Needs beside the unlearned model", "Range, unit", *results.MEASURE_COLUMNS]
        rows = [
            [
                named("samples", m),
                needs_text(m),
                f"{range_text(m).rstrip('.')}, {m.unit}",
                *results.measure_cells(m.name),
            ]
            for m in MEASURES.entries()
            if m.of_samples
        ]
    else:
        head = ["Measure", "Needs", "Unit", *results.TEXT_MEASURE_COLUMNS]
        rows = [
            [
                named("samples" if m.of_samples else "texts", m),
                ", ".join(f"`{array}`" for array in m.texts),
                m.unit,
                *results.text_measure_cells(m.name),
            ]
            for m in MEASURES.entries()
            if m.texts
        ]
    return table(head, rows)


def needs_text(entry: Measure) -> str:
    """Return what a measure cannot do without, beside the outputs of the unlearned model."""
    return ", ".join(f"`{array}`" for array in entry.needs if array != "unlearned") or "nothing"


def pages() -> dict[str, str]:
    """Return every page by its path below docs/."""
    text: dict[str, str] = {}
    for entry in METHODS.entries():
        text[f"methods/samples/{entry.name}.md"] = method_page(entry)
    for entry in TEXT_METHODS.entries():
        text[f"methods/texts/{entry.name}.md"] = text_method_page(entry)
    for measure in MEASURES.entries():
        folder = "samples" if measure.of_samples else "texts"
        text[f"measures/{folder}/{measure.name}.md"] = measure_page(measure)
    return text
