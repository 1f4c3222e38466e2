"""What reports are made of: one skeleton of a page, its blocks, one formatter of numbers, one writer of tables.

Each room puts its own pages together: `vestige.evaluation.page` audits, `vestige.leaks.page` the two-version attack.
"""

from vestige.report.blocks import Badge, Bullets, Card, Cell, Column, Drawing, Heading, Table, Text
from vestige.report.page import Page, Section, write
from vestige.report.tables import table

__all__ = [
    "Badge",
    "Bullets",
    "Card",
    "Cell",
    "Column",
    "Drawing",
    "Heading",
    "Page",
    "Section",
    "Table",
    "Text",
    "table",
    "write",
]
