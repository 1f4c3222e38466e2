"""The page in a browser: no console error, sorting, filtering, and a phone that need not scroll sideways."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import severe, show, started
from vestige.evaluation.page import write_report
from vestige.evaluation.result import Audit


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from started(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def report(
    audit: Callable[..., Audit], png: Callable[..., bytes], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The file of a report that has everything."""
    ids = [f"</script>record-{i}" for i in range(480)]
    audits = {
        "retrain": audit("retrain", roles=(120, 240, 120), ids=ids),
        "gradient_ascent": audit("gradient_ascent", roles=(120, 240, 120), ids=ids, failing="reference"),
    }
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(path, audits, pictures=lambda names: {name: png(0) for name in names[:3]})


@pytest.fixture
def page(browser: Any, report: Path) -> Any:
    show(browser, report, 1280)
    return browser


def texts(browser: Any, selector: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent.trim())"
    return list(browser.execute_script(script, selector))


TABLE = "[data-listing='0']"


def test_the_table_sorts_filters_and_turns_pages(page: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

    def find(selector: str) -> Any:
        return page.find_element(By.CSS_SELECTOR, f"{TABLE} {selector}")

    def column(place: int) -> list[str]:
        return texts(page, f"{TABLE} tbody td:nth-child({place})")

    assert (
        texts(page, f"{TABLE} th[data-column]")[-1] == "Score"
    )  # the trace has no intervals: no column of dashes
    suspicions = [float(text) for text in column(6)]
    assert len(suspicions) == 50 and suspicions == sorted(suspicions)

    head = find("th[data-column='7']")
    button = find("th[data-column='7'] button")
    button.click()
    scores = [float(text) for text in column(8)]
    assert head.get_attribute("aria-sort") == "ascending" and scores == sorted(scores)
    button.send_keys(Keys.ENTER)
    scores = [float(text) for text in column(8)]
    assert head.get_attribute("aria-sort") == "descending" and scores == sorted(scores, reverse=True)
    assert len(texts(page, f"{TABLE} th[aria-sort]")) == 1

    find(".next").click()
    assert texts(page, f"{TABLE} .where") == ["51 to 100"]
    find(".find").send_keys("RECORD-11")
    assert set(column(2)) == {f"</script>record-{i}" for i in (11, *range(110, 120))}
    assert texts(page, f"{TABLE} .count") == ["11 of 120 listed"]
    find(".find").send_keys("no such record")
    assert texts(page, f"{TABLE} tbody") == ["No sample matches."]
    find(".find").clear()
    find(".find").send_keys(Keys.BACKSPACE)
    Select(find(".only")).select_by_value("under")
    assert set(column(4)) == {"▼ Flagged as under"}
    Select(find(".only")).select_by_value("cleared")
    assert set(column(4)) == {"✓ Cleared"}
    Select(find(".only")).select_by_value("")
    find("th[data-column='4'] button").click()
    degrees = column(5)
    assert degrees[0].startswith("-0.5 or less (-0.5 or less to ")  # the ends of the scale say that they are
    find("th[data-column='4'] button").click()
    assert column(5)[0].endswith("to 2 or more)")
    assert severe(page) == []


def test_rows_of_the_script_are_the_rows_of_the_page(page: Any) -> None:
    shown = page.execute_script(f'return document.querySelector("{TABLE} tbody").innerHTML')
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.refresh()
        node = page.execute_cdp_cmd("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
        body = {"nodeId": node, "selector": f"{TABLE} tbody"}
        found = page.execute_cdp_cmd("DOM.querySelector", body)
        html = page.execute_cdp_cmd("DOM.getOuterHTML", {"nodeId": found["nodeId"]})["outerHTML"]
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    inside = html.removeprefix("<tbody>").removesuffix("</tbody>").replace("\n", "")
    assert inside == shown


def test_method_and_measure_are_chosen_together(page: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    shown = "return [...document.querySelectorAll('.panel:not([hidden]) h3.of')].map(e => e.textContent)"
    assert set(page.execute_script(shown)) == {"retrain, trace", "retrain"}
    Select(page.find_element(By.ID, "pick-method")).select_by_visible_text("gradient_ascent")
    Select(page.find_element(By.ID, "pick-measure")).select_by_visible_text("rmia (failed)")
    assert set(page.execute_script(shown)) == {"gradient_ascent, rmia", "gradient_ascent"}
    assert any(
        text.startswith("rmia could not be computed") for text in texts(page, ".panel:not([hidden]) .empty")
    )
    assert severe(page) == []


def read_csv(browser: Any, selector: str) -> list[list[str]]:
    """Press the button and return what would be saved; a browser without a screen keeps no file."""
    script = """
        const done = arguments[1], make = URL.createObjectURL;
        URL.createObjectURL = (blob) => { blob.text().then(done); return make.call(URL, blob); };
        document.querySelector(arguments[0]).click();
        URL.createObjectURL = make;
    """
    text = browser.execute_async_script(script, selector)
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


def test_what_is_shown_is_downloaded_as_csv(page: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    rows = read_csv(page, f"{TABLE} .csv")
    assert rows[0] == ["Sample", "Class", "Verdict", "Degree", "p_under", "p_over", "Score"]
    assert len(rows) == 121 and {len(row) for row in rows} == {7}
    suspicions = [float(row[4]) for row in rows[1:]]
    assert suspicions == sorted(suspicions) and len(set(suspicions)) > 50
    assert {row[2] for row in rows[1:]} <= {"cleared", "under", "over", "undecided"}
    Select(page.find_element(By.CSS_SELECTOR, f"{TABLE} .only")).select_by_value("under")
    page.find_element(By.CSS_SELECTOR, f"{TABLE} .find").send_keys("record-1")
    shown = read_csv(page, f"{TABLE} .csv")[1:]
    assert shown and {row[2] for row in shown} == {"under"} and all("record-1" in row[0] for row in shown)
    texts_of = "return ['=1+1', '-3', '@x', 'a\"b', 'a,b'].map(csvText)"
    assert page.execute_script(texts_of) == ['"\'=1+1"', '"-3"', '"\'@x"', '"a""b"', '"a,b"']
    assert severe(page) == []


def test_a_link_shows_the_same_method_and_filter(page: Any, report: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select, WebDriverWait

    path = report.as_uri()
    assert page.current_url == path  # nothing is chosen: a plain address
    Select(page.find_element(By.ID, "pick-method")).select_by_visible_text("gradient_ascent")
    Select(page.find_element(By.ID, "pick-measure")).select_by_visible_text("rmia (failed)")
    second = "[data-listing='1']"
    page.find_element(By.CSS_SELECTOR, f"{second} .find").send_keys("record-11 &=#")
    page.find_element(By.CSS_SELECTOR, f"{second} .find").send_keys(*["\b"] * 4)
    link = page.current_url
    assert link.startswith(path + "#") and "method=gradient_ascent" in link and "find=record-11" in link
    found = texts(page, f"{second} .count")

    def state() -> tuple[str, ...]:
        picked = [Select(page.find_element(By.ID, f"pick-{name}")) for name in ("method", "measure")]
        return *(one.first_selected_option.text for one in picked), *texts(page, f"{second} .count")

    page.get("about:blank")
    page.get(link)
    assert state() == ("gradient_ascent", "rmia (failed)", *found) and found != ["120 of 120 listed"]
    page.find_element(By.CSS_SELECTOR, "nav a[href='#samples']").click()
    kept = path + "#samples&method=gradient_ascent"
    WebDriverWait(page, 20).until(lambda browser: browser.current_url.startswith(kept))
    assert state() == ("gradient_ascent", "rmia (failed)", *found)
    page.get("about:blank")
    page.get(f"{path}#samples&method=no+such+method&verdict=nothing&find=%3Cb%3E")
    assert state()[0] == "retrain" and texts(page, f"{TABLE} tbody") == ["No sample matches."]
    page.get("about:blank")
    page.get(f"{path}#samples&verdict=under")
    assert page.execute_script("return document.querySelector('#samples').getBoundingClientRect().top") < 200
    assert set(texts(page, f"{TABLE} tbody td:nth-child(4)")) == {"▼ Flagged as under"}
    assert severe(page) == []


def test_a_phone_need_not_scroll_sideways(page: Any, report: Path) -> None:
    show(page, report, 390)
    for opened in (False, True):
        page.execute_script(
            "for (const d of document.querySelectorAll('details')) d.open = arguments[0]", opened
        )
        assert page.execute_script("return document.documentElement.scrollWidth") <= 390
    smallest = page.execute_script(
        "return Math.min(...[...document.querySelectorAll('.panel:not([hidden]) svg text')]"
        ".map(e => parseFloat(getComputedStyle(e).fontSize) * e.ownerSVGElement.clientWidth / 331.2))"
    )
    assert smallest >= 9.5
    assert severe(page) == []
