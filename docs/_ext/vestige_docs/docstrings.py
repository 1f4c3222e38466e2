"""Docstrings as they stand in the source: names in backticks become links.

An indented paragraph before the first section of numpydoc is code or a formula, and is shown as it is.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from sphinx import addnodes
from sphinx.application import Sphinx

from vestige_docs.sections import UNDERLINE, paragraphs

FIELD = re.compile(r"^\.\. |^:\w|^>>> ")
CODE = re.compile(r"(``.+?``|`[^`]+`)")


def plain(line: str) -> str:
    """Return a line in which bars and underscores at the end of a word stand for themselves."""
    parts = CODE.split(line)
    return "".join(
        part if i % 2 else re.sub(r"(?<=\w)_(?=\W|$)", r"\\_", part.replace("|", "\\|"))
        for i, part in enumerate(parts)
    )


def readable(lines: list[str]) -> list[str]:
    """Return the lines with indented paragraphs as code, and marks that reStructuredText would read as text."""
    text: list[str] = []
    sections = formula = False
    for block in paragraphs(lines):
        if formula and block[0].startswith(" "):
            text += [*block, ""]
            continue
        formula = block[-1].strip() == ".. math::"
        sections = sections or (len(block) > 1 and bool(UNDERLINE.match(block[1].strip())))
        if not sections and text and block[0].startswith("  ") and not FIELD.match(block[0].strip()):
            text += ["::", "", *(f"    {line}" for line in block), ""]
        else:
            text += [*map(plain, block), ""]
    return text


def read(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Rewrite a docstring before numpydoc reads it."""
    lines[:] = readable(lines)


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
