"""The glossary of the reports as a page, with an anchor for each word.

`{vestige-glossary}` in a page writes `vestige.report.glossary.TERMS`, by topic; `{term}` refers to a word of it.
"""

from __future__ import annotations

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from vestige.report.glossary import TERMS


class Glossary(SphinxDirective):
    """Every word of the reports with its meaning."""

    def run(self) -> list[nodes.Node]:
        lines = [".. glossary::", "   :sorted:", ""]
        for term, meaning in TERMS.items():
            lines += [f"   {term}", f"      {meaning}", ""]
        content = StringList(lines, source="vestige.report.glossary")
        node = nodes.Element()
        self.state.nested_parse(content, self.content_offset, node)
        return node.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("vestige-glossary", Glossary)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
