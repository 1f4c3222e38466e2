"""Docstrings as they stand in the source: columns become parameters, names in backticks become links.

Beside numpydoc's sections, a docstring may list arguments in columns, a name and what it is a line:

    lr     step size
    steps  how many of them; the word "all" for
           one pass

These become a section of numpydoc: `Parameters` where an argument is among them, `Attributes`
elsewhere. Another indented paragraph is code or a formula, and is shown as it is.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from sphinx import addnodes
from sphinx.application import Sphinx

from vestige_docs.columns import UNDERLINE, Row, columns, paragraphs

TYPE = re.compile(
    r"^((?:int|float|str|bool|Signals|tuple of str)(?: \[[^\]]*\])?)\s{2,}(\S.*)$"
    r"|^(\w+ \[[^\]]*\]) (\S.*)$"
)
FIELD = re.compile(r"^\.\. |^:\w|^>>> ")
CODE = re.compile(r"(``.+?``|`[^`]+`)")


def entry(row: Row) -> list[str]:
    """Return a row as numpydoc writes it: the name, with its type where the text begins with one, and the text."""
    match = TYPE.match(row.text[0])
    kind, first = (match[1] or match[3], match[2] or match[4]) if match else ("", row.text[0])
    return [f"{row.name} : {kind}" if kind else row.name, *(f"    {line}" for line in (first, *row.text[1:]))]


def plain(line: str) -> str:
    """Return a line in which bars and underscores at the end of a word stand for themselves."""
    parts = CODE.split(line)
    return "".join(
        part if i % 2 else re.sub(r"(?<=\w)_(?=\W|$)", r"\\_", part.replace("|", "\\|"))
        for i, part in enumerate(parts)
    )


def sections(lines: list[str], parameters: set[str]) -> list[str]:
    """Return the lines with columns as sections of numpydoc, and other indented paragraphs as they are.

    parameters  what the object is called with; a name among them makes a list of columns one of parameters
    """
    text: list[str] = []
    lists: dict[str, list[str]] = {}
    numpydoc = formula = False
    for block in paragraphs(lines):
        if formula and block[0].startswith(" "):
            text += [*block, ""]
            continue
        formula = block[-1].strip() == ".. math::"
        numpydoc = numpydoc or (len(block) > 1 and bool(UNDERLINE.match(block[1].strip())))
        rows = [] if numpydoc else columns(block)
        if rows:
            names = {name.lstrip("*") for row in rows for name in row.name.split(", ")}
            kind = "Parameters" if names & parameters else "Attributes"
            for row in rows:
                lists.setdefault(kind, []).extend(map(plain, entry(row)))
        elif not numpydoc and text and block[0].startswith("  ") and not FIELD.match(block[0].strip()):
            text += ["::", "", *(f"    {line}" for line in block), ""]
        else:
            text += [*map(plain, block), ""]
    head = next((i for i, line in enumerate(text[1:]) if UNDERLINE.match(line.strip())), len(text))
    tables = [line for kind, rows in lists.items() for line in ("", kind, "-" * len(kind), *rows, "")]
    return [*text[:head], *tables, *text[head:]]


def arguments(value: Any) -> set[str]:
    """Return what an object is called with; nothing for what cannot be called."""
    try:
        return set(inspect.signature(value).parameters)
    except (TypeError, ValueError):
        return set()


def read(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Rewrite a docstring before numpydoc reads it."""
    lines[:] = sections(lines, arguments(value))


def reference(
    name: str,
    rawtext: str,
    text: str,
    lineno: int,
    inliner: Inliner,
    options: Any = None,
    content: Any = None,
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Read `name` in backticks: a link where the site documents it, code where it does not."""
    literal = nodes.literal(rawtext, text, classes=["xref", "py"])
    environment = inliner.document.settings.env
    target = text.removesuffix("()")
    if not re.fullmatch(r"[A-Za-z_][\w.]*", target):
        return [nodes.literal(rawtext, text)], []
    link = addnodes.pending_xref(
        rawtext, literal, refdomain="py", reftype="obj", reftarget=target, refexplicit=False, refwarn=False
    )
    link["py:module"] = environment.ref_context.get("py:module")
    link["py:class"] = environment.ref_context.get("py:class")
    link["refdoc"] = environment.current_document.docname
    link["quiet"] = True
    return [link], []


def setup(app: Sphinx) -> dict[str, bool]:
    """Read docstrings before numpydoc does, and single backticks as names."""
    app.connect("autodoc-process-docstring", read, priority=400)
    app.add_role("vestige", reference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
