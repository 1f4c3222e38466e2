"""The skeleton of every report: one HTML page that opens offline, holds all it shows, and says the verdict first.

A page is put together from sections, and a section from blocks: text, tables, drawings, and panels of these.

    Page(title, cards=[Card(...)], sections=[Section("roc", "ROC", "ROC", [Text("..."), drawing])], glossary=["AUC"])
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vestige.report.blocks import (
    Block,
    Bullets,
    Card,
    Heading,
    Listing,
    Panel,
    Picker,
    Text,
    markup,
    templates,
)
from vestige.report.terms import explained
from vestige.report.words import flattened


@dataclass(frozen=True)
class Section:
    """A section: the name of its anchor, its heading, and its shorter name in the list of sections."""

    anchor: str
    title: str
    link: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes
    ----------
    cards : Sequence[Card]
        The answers.
    sections : Sequence[Section or Picker]
        What they rest on; a picker may stand between two.
    glossary : Sequence[str]
        The terms to explain, see `vestige.report.glossary`.
    limits : Sequence[tuple[str, Sequence[str]]] or None
        What cannot be said, in sentences, by whom they concern ("" = all); None: there is no such section.
    limited : str
        What has these limits: "audit", "experiment".
    facts : Sequence[str]
        What was measured, in a line below the title.
    overview : str
        One sentence over all cards.
    folded : bool
        The cards are folded below that sentence, as a table shows them.
    manifest : Mapping[str, Any]
        What is known of the run: "vestige", "created", and the configuration by name.
    style : str
        Rules of style of this page alone.
    carried : Mapping[str, object]
        JSON that the page carries for machines, by the id of its element.
    """

    title: str
    cards: Sequence[Card]
    sections: Sequence[Section | Picker]
    glossary: Sequence[str]
    limits: Sequence[tuple[str, Sequence[str]]] | None = None
    limited: str = "audit"
    facts: Sequence[str] = ()
    overview: str = ""
    folded: bool = False
    manifest: Mapping[str, Any] = field(default_factory=dict)
    style: str = ""
    carried: Mapping[str, object] = field(default_factory=dict)

    def html(self) -> str:
        """Return the page; the same input gives the same text."""
        moving = [block for block in self.blocks() if isinstance(block, (Listing, Panel))]
        script = _file("report.js") if moving else ""
        payload = {
            "listings": {block.place: block.payload() for block in moving if isinstance(block, Listing)}
        }
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
        text: str = templates().get_template("page.html.jinja").render(
            page=self, script=markup(script), script_hash=digest, style=markup(_file("report.css") + self.style),
            payload=markup(json_in_html(payload)), explain=lambda body: explained(str(body), self.glossary),
            configuration=configuration(self.manifest),
            carried=[(name, markup(json_in_html(value))) for name, value in self.carried.items()],
            sections=[*self.sections, *self._limits()],
        )  # fmt: skip
        return text

    def blocks(self) -> Iterator[object]:
        """Yield every block of the sections, also those inside others."""
        waiting: list[object] = list(self.sections)
        while waiting:
            block = waiting.pop(0)
            yield block
            waiting[:0] = getattr(block, "blocks", [])

    def _limits(self) -> list[Section]:
        if self.limits is None:
            return []
        blocks: list[Block] = []
        for whose, sentences in self.limits:
            blocks += [Heading(whose)] if whose else []
            silent = Text("No limit was stated. That does not mean there is none.", "empty")
            blocks.append(Bullets(sentences, "limits") if sentences else silent)
        return [Section("limits", f"What this {self.limited} cannot say", "Limits", blocks)]


def write(path: Path | str, page: Page) -> Path:
    """Write a page to `path` and return it."""
    from vestige.files import as_path
    from vestige.store import write_text

    path = as_path(path)
    write_text(path, page.html())
    return path


def configuration(manifest: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what the section on configuration and hashes shows of a manifest: pairs of text, by name."""
    told = {
        key: value
        for key, value in manifest.items()
        if key not in ("vestige", "created") and value not in (None, {}, [])
    }
    single = {key: value for key, value in told.items() if not isinstance(value, (Mapping, list, tuple))}
    groups = {key: value for key, value in told.items() if key not in single}
    return [
        (str(key).replace("_", " ").capitalize() if str(key).isidentifier() else str(key), flattened(value))
        for key, value in (({"run": single} if single else {}) | groups).items()
    ]


def json_in_html(value: object) -> str:
    """Return JSON that may stand inside a <script> element whatever text it holds."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    unsafe = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
    return "".join(unsafe.get(letter, letter) for letter in text)


def _file(name: str) -> str:
    from importlib.resources import files

    return files("vestige.report").joinpath(name).read_text(encoding="utf-8")
