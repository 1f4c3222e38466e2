"""JSON schemas as tables.

`{vestige-schema} PATH`, a path below src/vestige, writes what an object of the schema holds, a table a definition.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import vestige

HOME = Path(vestige.__file__).parent


def kind(schema: Mapping[str, Any], prefix: str) -> str:
    """Return the type of a value as words, with links to definitions."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        return f"[{name}](#{prefix}-{name.lower()})"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(kind(part, prefix) for part in schema[key])
    types = schema.get("type", "anything")
    text = " or ".join(types) if isinstance(types, list) else str(types)
    if schema.get("items"):
        return f"{text} of {kind(schema['items'], prefix)}"
    inner = schema.get("additionalProperties")
    if isinstance(inner, Mapping) and inner:
        return f"{text} of {kind(inner, prefix)} by name"
    limits = [
        f"{word} {schema[key]}"
        for key, word in LIMITS.items()
        if key in schema and abs(schema[key]) < 2**53 - 1
    ]
    return f"{text} {', '.join(limits)}".strip()


LIMITS = {"minimum": "from", "maximum": "to", "exclusiveMinimum": "above", "exclusiveMaximum": "below"}


def fields(schema: Mapping[str, Any], prefix: str, path: str = "") -> list[str]:
    """Return the rows of an object's fields, those of objects within it under a dotted name."""
    rows: list[str] = []
    required = set(schema.get("required", ()))
    for name, value in schema.get("properties", {}).items():
        label = f"{path}{name}"
        meaning = " ".join(str(value.get("description", "")).split()).replace("|", "\\|")
        needed = "yes" if name in required else ""
        rows.append(f"| `{label}` | {kind(value, prefix)} | {needed} | {meaning} |")
        inner = value.get("items", value) if value.get("type") == "array" else value
        if isinstance(inner, Mapping) and "properties" in inner:
            rows += fields(inner, prefix, f"{label}[]." if inner is not value else f"{label}.")
    return rows


def definition(schema: Mapping[str, Any], prefix: str) -> list[str]:
    """Return an object's description and its table."""
    lines = [str(schema.get("description", "")), ""]
    rows = fields(schema, prefix)
    if rows:
        lines += ["| Field | Type | Always there | Meaning |", "| --- | --- | --- | --- |", *rows, ""]
    else:
        lines += [f"Type: {kind(schema, prefix)}", ""]
    return lines


class Schema(SphinxDirective):
    """One schema."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        path = HOME / self.arguments[0]
        self.env.note_dependency(str(path))
        schema = json.loads(path.read_text(encoding="utf-8"))
        prefix = path.name.split(".")[0]
        lines = definition(schema, prefix)
        for name, value in schema.get("$defs", {}).items():
            lines += [f"({prefix}-{name.lower()})=", f"### {name}", "", *definition(value, prefix)]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("vestige-schema", Schema)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
