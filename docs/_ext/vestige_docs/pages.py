"""Write the pages of methods and measures before the sources are listed; their tables of comparison are a directive.

`{vestige-entries} methods` writes the table of a family: methods, text methods, measures or text measures.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from vestige.measures import MEASURES
from vestige.unlearning import METHODS
from vestige_docs import entries, figures

FOLDERS = ("methods/samples", "methods/texts", "measures/samples", "measures/texts")


class Entries(SphinxDirective):
    """The table of comparison of a family."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(entries.index(self.arguments[0]))


def write(app: Sphinx) -> None:
    """Write the pages, and leave those alone that have not changed."""
    docs = Path(app.srcdir)
    pages = entries.pages()
    for folder in FOLDERS:
        (docs / folder).mkdir(parents=True, exist_ok=True)
        for path in (docs / folder).glob("*.md"):
            if f"{folder}/{path.name}" not in pages:
                path.unlink()
    for name, text in pages.items():
        path = docs / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    figures.of_methods(docs / FOLDERS[0], METHODS)
    figures.of_measures(docs / FOLDERS[2], MEASURES)


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages, and add the directive."""
    app.connect("builder-inited", write)
    app.add_directive("vestige-entries", Entries)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
