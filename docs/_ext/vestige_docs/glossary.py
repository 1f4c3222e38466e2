"""The glossary of the reports as a page, with an anchor for each word.

`{vestige-glossary}` in a page writes the words of `vestige.report.glossary` and its abbreviations; `{term}` refers to
one of them.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from vestige.report.glossary import ABBREVIATIONS, TERMS, anchor


class Glossary(SphinxDirective):
    """Every word of the reports with its meaning."""

    def run(self) -> list[nodes.Node]:
        meanings = {name: f"{long[0].upper()}{long[1:]}." for name, long in ABBREVIATIONS.items()}
        for term, meaning in TERMS.items():
            meanings[term] = f"{meanings[term]} {meaning}" if term in meanings else meaning
        entries = [line for term, meaning in meanings.items() for line in (term, f"  {meaning}", "")]
        parts = self.parse_text_to_nodes("\n".join(["```{glossary}", ":sorted:", "", *entries, "```"]))
        for term in (term for part in parts for term in part.findall(nodes.term)):
            name = anchor(term.astext())  # as in a report, however Sphinx names it
            if name not in term["ids"]:
                term["ids"].append(name)
        return parts


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("vestige-glossary", Glossary)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
