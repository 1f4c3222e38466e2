"""The glossary of the reports as a page, with an anchor for each word.

`{vestige-glossary}` in a page writes the words of `vestige.report.glossary` and its abbreviations; `{term}` refers to
one of them.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from vestige.report.glossary import ABBREVIATIONS, TERMS, anchor, meanings


class Glossary(SphinxDirective):
    """Every word of the reports with its meaning."""

    def run(self) -> list[nodes.Node]:
        texts = meanings([*ABBREVIATIONS, *(term for term in TERMS if term not in ABBREVIATIONS)])
        entries = [line for term, meaning in texts.items() for line in (term, f"  {meaning}", "")]
        parts = self.parse_text_to_nodes("\n".join(["```{glossary}", ":sorted:", "", *entries, "```"]))
        terms = [term for part in parts for term in part.findall(nodes.term)]
        for term in terms:
            if anchor(term.astext()) not in term["ids"]:
                raise self.error(f"The anchors {term['ids']} of {term.astext()!r} are not that of a report.")
        return parts


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("vestige-glossary", Glossary)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
