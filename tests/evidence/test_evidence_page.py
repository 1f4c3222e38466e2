"""The page of evidence in a browser: what it says first, what it carries, wide and narrow, light and dark, on paper."""

from __future__ import annotations

import base64
import json

import pytest

from browser import severe, show, started


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    yield from started(tmp_path_factory.mktemp("browser"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_every_screen(browser, case, width, scheme):
    show(browser, case.path.with_name("evidence.html"), width, scheme)
    assert severe(browser) == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    shade = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in shade[4:-1].split(",")) > 384) is (scheme == "light")
    sentence = browser.execute_script("return document.querySelector('.sentence').textContent")
    assert " ".join(sentence.split()) == case.statement["predicate"]["audit"]["verdict"]["sentence"]


def test_it_carries_the_machine_form_and_prints(browser, case):
    show(browser, case.path.with_name("evidence.html"), 1280)
    carried = browser.execute_script("return document.getElementById('evidence').textContent")
    assert json.loads(carried) == case.envelope
    page = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert page.startswith(b"%PDF") and 1 <= page.count(b"/Type /Page\n") <= 8
