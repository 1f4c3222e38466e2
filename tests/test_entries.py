"""What every method and measure has to say of itself, and the pages that are made of it."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import numpy as np
import pytest
from vestige_docs import entries, examples, results

from vestige.measures import MEASURES
from vestige.registry import Entry
from vestige.unlearning import METHODS
from vestige.unlearning.text import METHODS as TEXT_METHODS

ROOT = Path(__file__).parents[1]
FAMILIES = {"method": METHODS, "text method": TEXT_METHODS, "measure": MEASURES}
EVERY = [
    pytest.param(e, id=f"{kind} {e.name}") for kind, family in FAMILIES.items() for e in family.entries()
]


@pytest.mark.parametrize("entry", EVERY)
def test_an_entry_says_what_its_page_needs(entry):
    notes = entries.notes_of(entry)
    absent = [
        name
        for name in ("summary", "equation", "when", "fails", "cost", "references")
        if not getattr(notes, name)
    ]
    assert not absent, f"the docstring of {entry.name} lacks {absent}; see those beside it, from Notes on"
    assert "$$" in notes.equation and entry.cites
    unsaid = [name for name in entry.own_options if name not in notes.options]
    assert not unsaid, f"the docstring of {entry.name} does not say what {unsaid} are"


@pytest.fixture(scope="module")
def figures():
    """Every number that stands on a page of results, and its hundredth, for what is there in percent."""
    text = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs/labbook").glob("*.md"))
    numbers = {float(number) for number in re.findall(r"-?\d*\.?\d+", text.replace(",", ""))}
    return np.array(sorted(numbers | {number / 100 for number in numbers}))


@pytest.mark.parametrize("entry", EVERY)
def test_figures_that_an_entry_cites_stand_on_a_page_of_results(entry, figures):
    notes = entries.notes_of(entry)
    for number in re.findall(r"(?<![\w.])-?\d+\.\d+", f"{notes.when} {notes.fails}"):
        half = 0.5 * 10.0 ** -len(number.split(".")[1]) + 1e-9
        assert (np.abs(figures - float(number)) <= half).any(), f"{entry.name}: {number} is nowhere measured"


@pytest.mark.parametrize("entry", MEASURES.entries(), ids=lambda entry: entry.name)
def test_a_measure_says_direction_range_and_unit(entry):
    page = entries.measure_page(entry)
    assert "Larger = more unlearned." in page and f"\n: {entries.range_text(entry)}\n" in page and entry.unit


def test_pages_and_tables_hold_every_entry_once():
    pages = entries.pages()
    assert len(pages) == len(METHODS) + len(TEXT_METHODS) + len(MEASURES)
    for family, registry in (("methods", METHODS), ("text methods", TEXT_METHODS)):
        assert re.findall(r"^\| \[`(\w+)`\]", entries.index(family), re.MULTILINE) == list(registry)
    named = [
        name
        for family in ("measures", "text measures")
        for name in re.findall(r"^\| \[`(\w+)`\]", entries.index(family), re.MULTILINE)
    ]
    assert set(named) == set(MEASURES)
    for path, page in pages.items():
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+\.md)", page):
            where = ((ROOT / "docs" / path).parent / target).resolve()
            assert where.exists(), f"{path} links to {target}"


def test_figures_are_those_of_the_result_files():
    page = entries.method_page(METHODS["scrub"])
    (row,) = [
        line
        for line in (ROOT / "docs/labbook/results.md").read_text().splitlines()
        if "| `scrub` | 1 |" in line
    ]
    assert f"| the same: points from retraining, 0 = as retrained | {row.split(' | ')[6]} |" in page
    assert "0.974 [0.966, 0.982]" in entries.measure_page(MEASURES["iam"])
    assert "No result of it is committed" in entries.method_page(METHODS["certified_newton"])
    assert results.method_cells("retrain")[0] == "0.00"


def test_a_new_entry_has_its_page_from_its_docstring_alone():
    def halved(signals, *, weight: float = 0.5):
        r"""Half of nothing.

        Parameters
        ----------
        weight : float
            Of the other half.

        Notes
        -----
        .. math::

            s = w \, x

        where x is what is there.

        **When to use.** Never.

        **When it fails.** Always.

        **Cost.** None.

        References
        ----------
        Nobody: Nothing.
        """

    notes = entries.notes_of(Entry(name="halved", function=halved, cites="nobody"))
    assert notes.summary == "Half of nothing." and notes.options == {"weight": "Of the other half."}
    assert notes.equation == "$$\ns = w \\, x\n$$\n\nwhere x is what is there."
    assert (notes.when, notes.fails, notes.cost) == ("Never.", "Always.", "None.")
    assert notes.references == ("Nobody: Nothing.",)


@pytest.mark.slow
@pytest.mark.parametrize("whole_classes", [False, True])
def test_examples_of_methods_run(whole_classes):
    world: dict = {}
    for entry in METHODS.entries():
        lines = entries.notes_of(entry).example
        if lines or entry.whole_classes != whole_classes:
            continue
        if not world:
            exec(examples.model_program(entry), world)
        exec(examples.method_call(entry), world)


@pytest.mark.slow
def test_sessions_run():
    for entry in (*METHODS.entries(), *MEASURES.entries()):
        lines = entries.notes_of(entry).example
        test = doctest.DocTestParser().get_doctest(lines, {}, entry.name, None, 0)
        assert not doctest.DocTestRunner().run(test).failed, entry.name


def test_examples_of_measures_run():
    for entry in MEASURES.entries():
        if not entries.notes_of(entry).example:
            world: dict = {}
            exec(examples.measure_program(entry), world)
            exec(examples.measure_call(entry), world)
