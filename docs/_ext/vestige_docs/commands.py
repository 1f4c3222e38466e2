"""The pages of the command line, from the Typer application itself.

`{vestige-commands}` in a page writes every command with its arguments, options, examples and exit codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from vestige.cli.app import app as application


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with the words that it is called by, groups before what they hold."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from leaves(child, (*path, name))


def cell(text: object) -> str:
    """Return a text that a cell of a Markdown table can hold."""
    return " ".join(str(text or "").split()).replace("|", "\\|")


def default(parameter: Any) -> str:
    """Return what a parameter is where it is not given; "" where there is nothing to say."""
    value = parameter.default
    if callable(value) or value in (None, False, (), [], ""):
        return ""
    return f"`{', '.join(map(str, value)) if isinstance(value, list | tuple) else value}`"


def parameters(command: Any) -> list[str]:
    """Return the tables of a command's arguments and options."""
    lines: list[str] = []
    for kind, title in (("argument", "Argument"), ("option", "Option")):
        rows = [p for p in command.params if p.param_type_name == kind and not getattr(p, "hidden", False)]
        if not rows:
            continue
        lines += [f"| {title} | Meaning | Where it is not given |", "| --- | --- | --- |"]
        for p in rows:
            name = (
                (p.metavar or p.name.upper())
                if kind == "argument"
                else ", ".join([*p.opts, *p.secondary_opts])
            )
            value = f" {p.metavar}" if kind == "option" and p.metavar and not p.is_flag else ""
            absent = "required" if p.required else default(p)
            lines.append(f"| `{cell(name + value)}` | {cell(p.help)} | {absent} |")
        lines.append("")
    return lines


def closing(command: Any) -> list[str]:
    """Return a command's examples as a block, then its exit codes."""
    parts = [part for part in (command.epilog or "").split("\n\n") if part and not part.startswith("Example")]
    examples = [part for part in parts if part.startswith("vestige ")]
    lines = ["```sh", *examples, "```", ""] if examples else []
    return lines + [line for part in parts if part not in examples for line in (part, "")]


def page(command: Any, name: str) -> list[str]:
    """Return a command and everything below it as Markdown."""
    lines: list[str] = []
    for path, entry in leaves(command, (name,)):
        if entry is not command:
            level = min(len(path), 3)
            lines += [f"({'-'.join(path)})=", f"{'#' * level} `{' '.join(path)}`", ""]
        lines += [*(entry.help or "").replace("\b", "").splitlines(), "", *parameters(entry), *closing(entry)]
    return lines


class Commands(SphinxDirective):
    """Every command."""

    def run(self) -> list[nodes.Node]:
        text = "\n".join(page(typer.main.get_command(application), "vestige"))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("vestige-commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
