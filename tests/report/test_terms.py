"""Terms of a report are links to its own glossary, by the anchors of the site."""

from __future__ import annotations

import re

import pytest

from vestige.report import Badge, Card, Column, Page, Section, Table, Text
from vestige.report.blocks import Listing, Panel
from vestige.report.glossary import ABBREVIATIONS, TERMS, anchor, meanings
from vestige.report.terms import explained


@pytest.mark.parametrize(
    ("term", "name"),
    [
        ("AUC", "term-AUC"),
        ("Shadow model", "term-Shadow-model"),
        ("p_under", "term-p_under"),
        ("Forget, retain, holdout", "term-Forget-retain-holdout"),
        ("TPR at 1 % FPR", "term-TPR-at-1-FPR"),
        ("95 %", "term-95"),
    ],
)
def test_anchors_are_those_of_the_site(term, name):
    """As Sphinx writes them; building the site compares every one."""
    assert anchor(term) == name


def test_every_entry_has_an_anchor_of_its_own():
    names = {*TERMS, *ABBREVIATIONS}
    assert len({anchor(name) for name in names}) == len(names)


def test_a_term_is_linked_once_a_section_in_any_case_and_number():
    html = "<section><p>Shadow models, and a shadow model.</p></section><section><td>A SHADOW MODEL</td></section>"
    text = explained(html, ["Shadow model"]).text
    link = '<a class="term" href="#term-Shadow-model">'
    assert text == (
        f"<section><p>{link}Shadow model</a>s, and a shadow model.</p></section>"
        f"<section><td>A {link}SHADOW MODEL</a></td></section>"
    )


@pytest.mark.parametrize(
    "html",
    [
        "<p>nothing of it: tracer, retrace, Score-board</p>",
        '<a href="#x">Trace</a>',
        "<h2>Trace <span>trace</span></h2>",
        '<svg class="trace"><text>Trace</text></svg>',
        "<script>let trace = 1 < 2</script>",
        '<div aria-hidden="true"><div>Trace</div> trace</div>',
        '<p title="Trace"></p>',
        "<p>&Trace; &#Trace</p>",
    ],
)
def test_what_is_no_term_and_no_text_stays_as_it_is(html):
    assert explained(html, ["Trace", "Score"]).text == html


def test_abbreviations_that_stand_there_are_explained_with_the_terms():
    result = explained("<p>A TPR, an FPR, and a TPR; no roc, no DPR.</p>", ["Score"])
    assert [name for _, name, _ in result.entries] == ["Score", "FPR", "TPR"]
    assert result.entries[2] == ("term-TPR", "TPR", meanings(["TPR"])["TPR"])
    assert meanings(["TPR"])["TPR"].startswith("True positive rate, ")


def test_a_term_with_commas_stands_for_its_parts():
    text = explained("<p>A holdout sample.</p>", ["Forget, retain, holdout"]).text
    assert '<a class="term" href="#term-Forget-retain-holdout">holdout</a>' in text


def test_links_of_a_report_lead_within_it():
    card = Card(Badge("under", "Undecided", "?"), "The completeness is 1; its AUC is 0.5.")
    blocks = [
        Text("A trace; 1 < 2 <b>AUC</b>."),
        Table("Trace", [Column("Degree"), Column("Trace")], [["1", "AUC"]]),
        Panel([Text("A trace again.")], 0),
        Listing(
            [("Degree", "id"), ("Trace", "number")],
            [(["AUC", "1"], [1.0])],
            [("under", "Trace", "?")],
            "Degree",
            0,
        ),
    ]
    glossary = ["Completeness", "Degree", "Trace", "Undecided"]
    page = Page("Trace", [card], [Section("one", "Trace", "Trace", blocks)], glossary).html()
    targets = re.findall(r'class="term" href="#([^"]+)"', page)
    # the answer itself has no links; in the section AUC, Degree and Trace are linked once, Trace in the panel again
    assert targets[0] == "term-Undecided"
    assert sorted(targets[1:]) == ["term-AUC", "term-Degree", "term-Trace", "term-Trace"]
    assert set(targets) <= set(re.findall(r'<dt id="([^"]+)"', page))
    ids = re.findall(r' id="([^"]+)"', page)
    assert "&lt;b&gt;" in page and len(ids) == len(set(ids))
