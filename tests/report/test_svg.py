"""Inlined SVG: valid, small, unique ids, colours from the style sheet, text untouched."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import matplotlib
import pytest

from vestige.report import svg


@pytest.fixture(scope="module", autouse=True)
def pictures():
    """As they are: these tests look at them."""


def draw(title: str = "title", key: str = "k", label: str = "what is shown") -> str:
    from matplotlib.figure import Figure

    style: dict = svg.STYLE  # type: ignore[type-arg]
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(4.6, 3.4))
        axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
        axes.plot([0, 1], [0, 1], marker="o", color=svg.FORGET)
        axes.set_title(title)
        return svg.inline_svg(figure, key=key, label=label)


def test_role_and_text_alternative() -> None:
    root = ElementTree.fromstring(draw(label='a "quoted" <label>'))
    assert root.tag == "svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'a "quoted" <label>'
    assert root.get("viewBox") == "0 0 331.2 244.8"


def test_ids_of_two_figures_never_meet() -> None:
    ids = [set(re.findall(r'\bid="([^"]+)"', draw(key=key))) for key in ("a", "b")]
    assert ids[0] and ids[1]
    assert not ids[0] & ids[1]
    text = draw(key="a")
    assert set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text)) == ids[0]


def test_colours_are_variables_and_no_style_sheet_leaks() -> None:
    text = draw()
    assert "var(--forget)" in text
    assert "var(--ink)" in text
    assert not re.search(r"#[0-9a-f]{6}", text)
    assert "<style" not in text and "<metadata" not in text and "font-family" not in text


@pytest.mark.parametrize("title", ["$x^2$ & <b>", 'url(#x) id="y" fill: #d55e00', "-1.23456789 0.5555555"])
def test_text_is_kept_as_it_is(title: str) -> None:
    texts = [element.text for element in ElementTree.fromstring(draw(title)).iter("text")]
    assert title in texts


def test_same_figure_same_bytes_whatever_the_users_settings() -> None:
    first = draw()
    with matplotlib.rc_context(
        {"font.size": 30, "axes.grid": False, "svg.fonttype": "path", "figure.dpi": 200}
    ):
        assert draw() == first
