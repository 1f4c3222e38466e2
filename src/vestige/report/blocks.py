"""What sections are made of: text, tables, drawings, and panels of these; each is shown by its template."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from vestige.report.words import DASH, plain_text


class Block:
    """What stands in a section; a template of the same name, in `blocks.html.jinja`, says how."""

    def __html__(self) -> str:
        """Return the block as HTML; Jinja takes it in place of the escaped text."""
        return str(getattr(templates().get_template("blocks.html.jinja").module, type(self).__name__)(self))


@dataclass(frozen=True)
class Badge(Block):
    """An outcome as a word with a sign, so that colour is never alone; `tone` names the colour in the style sheet."""

    tone: str
    word: str
    sign: str


@dataclass(frozen=True)
class Text(Block):
    """A paragraph; a part that is a pair (class, text) is set off by its class."""

    parts: str | Sequence[str | tuple[str, str]]
    style: str = ""

    @property
    def pieces(self) -> list[tuple[str, str]]:
        """The parts, each with its class or none."""
        parts = [self.parts] if isinstance(self.parts, str) else self.parts
        return [("", part) if isinstance(part, str) else part for part in parts]


@dataclass(frozen=True)
class Heading(Block):
    """A heading inside a section, with an outcome beside it where there is one."""

    text: str
    style: str = ""
    badge: Badge | None = None


@dataclass(frozen=True)
class Bullets(Block):
    """A list of sentences."""

    items: Sequence[str]
    style: str = ""


class Cell(NamedTuple):
    """One cell of a table: its text, and what is special about it.

    Attributes
    ----------
    style : str or None
        Class names; those of the column where None.
    span : int
        How many columns it fills.
    note : str
        Smaller text on a line of its own.
    strong : bool
        The text is bold, what comes `after` it is not.
    """

    text: str
    style: str | None = None
    span: int = 1
    badge: Badge | None = None
    note: str = ""
    strong: bool = False
    after: str = ""


class Column(NamedTuple):
    """A column of a table: its heading, and the class names of its cells, among them "number" and "words".

    Attributes
    ----------
    label : str
        What stands before each cell on a narrow screen, where rows are stacked.
    """

    title: str
    style: str = ""
    label: str = ""


@dataclass(frozen=True)
class Table(Block):
    """A table; a plain text in place of a `Cell` has nothing special about it.

    Attributes
    ----------
    label : str
        What the table is, for those who hear the page.
    style : str
        Class names: "compared", "stacked", ...
    tall : bool
        Long tables scroll inside the page.
    headed : bool
        The first cell of each row is its heading.
    """

    label: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str | Cell]]
    style: str = ""
    tall: bool = False
    headed: bool = True

    @property
    def cells(self) -> list[list[tuple[Cell, Column]]]:
        """Every row as cells, each with its column."""
        return [[*_beside_columns(row, self.columns)] for row in self.rows]


def _beside_columns(row: Sequence[str | Cell], columns: Sequence[Column]) -> list[tuple[Cell, Column]]:
    pairs, at = [], 0
    for cell in row:
        cell = Cell(cell) if isinstance(cell, str) else cell
        pairs.append((cell, columns[at]))
        at += cell.span
    return pairs


@dataclass(frozen=True)
class Drawing(Block):
    """A figure, its numbers as (term, text) and its note; or no figure and the reason as its note."""

    svg: str | None
    note: str
    facts: tuple[tuple[str, str], ...] = ()
    style: str = ""


@dataclass(frozen=True)
class Beside(Block):
    """Blocks next to each other, where the page is wide enough."""

    blocks: Sequence[Block]


@dataclass(frozen=True)
class Panel(Block):
    """Blocks that are shown where their method, and their measure if they have one, is picked; numbers from 0."""

    blocks: Sequence[Block]
    method: int
    measure: int | None = None
    shown: bool = True


@dataclass(frozen=True)
class Picker(Block):
    """Fields in which a reader picks the method and the measure that panels show; a single one is not picked."""

    methods: Sequence[str]
    measures: Sequence[str]
    first: int = 0


@dataclass(frozen=True)
class Card(Block):
    """The answer, before everything else.

    Attributes
    ----------
    badge : Badge
        The outcome.
    label : str
        What the card is, for those who hear the page.
    name : str
        Of the method, where a page has several.
    reasons : Sequence[str]
        Sentences below the answer.
    asides : Sequence[str]
        Sentences in small print below these.
    bar : Mapping[str, Any] or str
        The completeness on its scale, see `vestige.evaluation.page.cards`; or why there is none, as text.
    bounds : Sequence[tuple[str, str]]
        (term, text) of what could be left.
    counts : Sequence[tuple[str, str, str, str, float]]
        Records by outcome: (outcome, word, sign, count, percent).
    basis : str
        What the answer rests on.
    warnings : Sequence[str]
        Sentences that must not be overlooked.
    """

    badge: Badge
    sentence: str
    label: str = "Verdict"
    name: str = ""
    reasons: Sequence[str] = ()
    asides: Sequence[str] = ()
    bar: Mapping[str, Any] | str = ""
    bounds: Sequence[tuple[str, str]] = ()
    counts: Sequence[tuple[str, str, str, str, float]] = ()
    basis: str = ""
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Listing(Block):
    """A long table of records that a reader sorts, searches and turns the pages of.

    Attributes
    ----------
    columns : Sequence[tuple[str, str]]
        (heading, kind): a "picture", the "id", an outcome ("badge"), a "number" or, "", other text.
    rows : Sequence[tuple[Sequence[Any], Sequence[float or None]]]
        (cells, keys): what stands in each column, and what numbers are sorted by; None where it is missing.
        The cell of a picture is its number in the page's style, that of an outcome its place in `outcomes`.
    outcomes : Sequence[tuple[str, str, str]]
        (tone, word, sign) of every outcome.
    sorted_by : str
        The heading of the column in whose order the rows are.
    place : int
        Which listing of the page it is, from 0.
    """

    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[Sequence[Any], Sequence[float | None]]]
    outcomes: Sequence[tuple[str, str, str]]
    sorted_by: str
    place: int

    LENGTH: ClassVar[int] = 50

    @property
    def first(self) -> list[list[tuple[str, Any]]]:
        """The rows of the first page, each cell with the kind of its column."""
        kinds = [kind for _, kind in self.columns]
        return [list(zip(kinds, cells, strict=True)) for cells, _ in self.rows[: self.LENGTH]]

    def payload(self) -> dict[str, Any]:
        """Return what the script makes the other pages from."""
        return {"kinds": [kind for _, kind in self.columns], "rows": [list(row) for row in self.rows],
                "outcomes": self.outcomes, "length": self.LENGTH}  # fmt: skip


@functools.cache
def templates() -> Any:
    """Return the templates of this package; text is escaped, no name may be missing."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("vestige.report", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"markup": markup, "plain_text": plain_text}
    environment.globals["DASH"] = DASH
    return environment


def markup(text: str) -> Any:
    """Mark text that this package made as safe to stand in the page as it is."""
    from markupsafe import Markup

    return Markup(text)
