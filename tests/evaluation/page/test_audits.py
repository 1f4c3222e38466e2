"""The page as a whole: complete, self-contained, escaped, the same bytes every time, small."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import vestige
from pages import unlinked
from vestige.errors import InputError
from vestige.evaluation.page import audits as pages
from vestige.evaluation.page import write_report
from vestige.evaluation.result import Audit
from vestige.report import words

MISSING = re.compile(r"\b(nan|NaN|None|null|undefined|Infinity)\b")
TERM_LINK = re.compile(r'<a class="term" href="([^"]*)"')
VOID = {"meta", "link", "br", "input", "wbr"}


class Page(HTMLParser):
    """Checks nesting and unique ids, and keeps the visible text and the ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(unlinked(text))
        self.links += TERM_LINK.findall(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found[name] or "" for name in ("href", "src") if name in found]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def render(audits: dict[str, Audit], **options: Any) -> str:
    return pages.page(audits, **options).html()


def page_of(text: str) -> Page:
    page = Page(text)
    assert len(page.ids) == len(set(page.ids)), "ids are unique"
    assert all(link.startswith("#") or link == "data:," for link in page.links), "nothing is loaded"
    assert not {link[1:] for link in page.links if link.startswith("#")} - set(page.ids), (
        "links lead somewhere"
    )
    assert not MISSING.search(" ".join(page.text))
    assert not re.search(r"\bNaN\b|\bNone\b", text)
    return page


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no roles": {"roles": (80, 0, 0), "original": False},
    "one shadow": {"shadows": 1, "classes": 2},
    "no shadow": {"shadows": 0},
    "binary": {"classes": 2},
    "not comparable": {"failing": "reference"},
    "blunt": {"name": "retrain", "failing": "sharpness"},
    "blunt, but found": {"failing": "sharpness"},
    "undecided": {"name": "retrain", "outcome": "undecided"},
    "one sample": {"roles": (1, 0, 0)},
    "one measure": {"measures": ("iam",), "failed_measure": False},
}


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_is_a_whole_page(
    audit: Callable[..., Audit], tmp_path: Path, options: dict[str, Any]
) -> None:
    made = audit(**options)
    path = write_report(tmp_path / "sub" / "report.html", {"finetune": made})
    text = path.read_text(encoding="utf-8")
    page = page_of(text)
    shown = " ".join(page.text)
    assert text.startswith("<!DOCTYPE html>")
    assert words.unbroken(made.verdict.sentence) in shown
    assert_first_lines(shown, made)
    if options.get("failed_measure", True):
        assert "rmia needs `population`" in shown
    if not made.controls:
        assert "No control was run." in shown


def assert_first_lines(shown: str, made: Audit) -> None:
    """Verdict, advice, sharpness, completeness, what could be left, and counts stand in this order before all else."""
    verdict, (first, _) = made.verdict, shown.split("Key figures", 1)
    lines = [words.unbroken(verdict.sentence), verdict.advice, verdict.sharpness]
    if verdict.completeness is not None:
        assert verdict.left_at_most is not None
        lines += [words.completeness_words(verdict.completeness, verdict.low, verdict.high), "Left at most"]
        lines += [f"({100 * verdict.tolerance:g} % allowed)"]
        if verdict.outcome in ("unlearned", "undecided"):
            lines += ["Could be untouched unseen"]
            lines += [f"{verdict.could_be_whole} of {verdict.n} ({verdict.allowed} allowed)"]
    else:
        lines += ["completeness is withheld" if verdict.blocked_by else "No completeness"]
        assert "Left at most" not in first
    at = 0
    for line in [
        *lines,
        f"{verdict.counts['cleared']}  cleared",
        f"{verdict.counts['undecided']}  undecided",
    ]:
        at = first.index(line, at)


def test_sections_come_in_order(audit: Callable[..., Audit], manifest: dict[str, Any]) -> None:
    page = Page(render({"x": audit()}, manifest=manifest))
    order = [found["id"] for tag, found in page.tags if tag == "section"]
    assert order == [
        "verdict", "methods", "controls", "scores", "roc", "before-after", "samples", "retained", "measures",
        "limits", "configuration", "reading",
    ]  # fmt: skip
    shown = " ".join(page.text)
    for piece in ("train.lr", "not set", "9f2c" * 16, "class 3", "vestige 0.1.0", "2026-11-21T18:00:00Z"):
        assert piece in shown
    charts = [found for tag, found in page.tags if tag == "svg"]
    assert len(charts) == 4 * 3 + 1  # of the trace and three measures
    assert all(found["role"] == "img" and found["aria-label"] for found in charts)


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("kind", ["reference", "sharpness"])
def test_what_blocks_a_verdict_is_said_before_everything(audit: Callable[..., Audit], kind: str) -> None:
    made = audit("retrain", failing=kind)
    shown = " ".join(Page(render({"x": made}, manifest={})).text)
    (name,) = made.verdict.blocked_by
    assert shown.index("Undecided, blocked") < shown.index(f"blocked by the control “{name}”")
    assert shown.index(f"blocked by the control “{name}”") < shown.index("Key figures")
    assert "The completeness is withheld" in shown and "– (a control failed)" in shown
    assert shown.count("A control failed: no sample is cleared.") == 1


@pytest.mark.usefixtures("no_pictures")
def test_a_trace_found_by_a_blunt_audit_stands(audit: Callable[..., Audit]) -> None:
    shown = " ".join(Page(render({"x": audit(failing="sharpness")}, manifest={})).text)
    assert "Under-unlearned" in shown and "blocked" not in shown
    assert "what is flagged stands, but a sample that is not flagged is not cleared" in shown


def test_ten_thousand_samples_eight_measures_three_methods(
    three: dict[str, Audit], manifest: dict[str, Any], tmp_path: Path
) -> None:
    path = write_report(tmp_path / "report.html", three, manifest=manifest)
    assert path.stat().st_size < 2_000_000
    page = page_of(path.read_text(encoding="utf-8"))
    assert len([tag for tag, _ in page.tags if tag == "svg"]) == 3 * (9 * 3 + 1)
    assert "3 methods audited: 1 unlearned (" in " ".join(page.text)


@pytest.mark.usefixtures("no_pictures")
def test_many_methods_are_a_table_with_the_cards_folded(audit: Callable[..., Audit]) -> None:
    """Up to six methods have a card each; more are rows, a dash in place of each reason, which the card tells."""
    made = {
        f"method_{k}": audit("finetune", failing="reference" if k == 0 else "", measures=("iam",))
        for k in range(7)
    }
    page = page_of(render(made, manifest={}))
    tables = [found["class"] for tag, found in page.tags if tag == "table" and "class" in found]
    assert "compared by-method" in tables and "Every verdict in words" in " ".join(page.text)
    assert next(found["class"] for tag, found in page.tags if tag == "details") == "folded"
    few = page_of(render(dict(list(made.items())[:6]), manifest={}))
    assert "Every verdict in words" not in " ".join(few.text)


def test_same_audit_same_bytes(
    audit: Callable[..., Audit], manifest: dict[str, Any], png: Callable[..., bytes], tmp_path: Path
) -> None:
    made = {name: audit(name, measures=("iam",)) for name in ("retrain", "finetune")}

    def write(name: str) -> bytes:
        found = write_report(
            tmp_path / name, made, manifest=manifest, pictures=lambda ids: {i: png(int(i)) for i in ids}
        )
        return found.read_bytes()

    assert write("one.html") == write("two.html")


def test_hostile_text_is_escaped(audit: Callable[..., Audit]) -> None:
    evil = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'&"
    ids = [f"{evil}{i}" for i in range(50)]
    made = replace(audit(evil, roles=(50, 0, 0), ids=ids), name=evil, limits=(evil,))
    made = replace(made, verdict=replace(made.verdict, sentence=evil))
    text = render({evil: made}, title=evil, manifest={evil: {evil: evil}, "created": evil, "vestige": evil})
    assert evil not in text
    page = page_of(text)
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 2
    assert evil in "".join(page.text)


@pytest.mark.usefixtures("no_pictures")
def test_pictures_are_embedded_once(audit: Callable[..., Audit], png: Callable[..., bytes]) -> None:
    made = {"a": audit("retrain"), "b": audit("finetune")}
    text = render(made, manifest={}, pictures=lambda ids: {name: png(int(name)) for name in ids})
    assert text.count("data:image/png;base64,") == 60
    assert 'class="picture picture-0"' in text
    page_of(text)


def test_many_figures_are_left_out_with_a_reason(
    audit: Callable[..., Audit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vestige.evaluation.page.drawn.MOST_FIGURES", 3)
    page = page_of(render({"x": audit()}, manifest={}))
    assert len([tag for tag, _ in page.tags if tag == "svg"]) == 3 + 1
    assert "Left out to keep this report small; figures are drawn for trace only." in " ".join(page.text)
    shown = [
        p for tag, p in page.tags if p.get("class") == "panel" and "hidden" not in p and "data-measure" in p
    ]
    drawn = {p["data-measure"] for p in shown}
    chosen = next(p["value"] for tag, p in page.tags if tag == "option" and "selected" in p)
    assert drawn == {chosen} == {"0"}  # the measure that is drawn is the one that is shown


def test_an_audit_without_any_score(audit: Callable[..., Audit]) -> None:
    made = audit()
    failed = tuple(run for run in made.measures if run.status == "failed")
    empty = replace(
        made, measures=failed, scores=made.scores.head(0), figures=(), limits=(), controls=(),
        verdict=audit(shadows=0).verdict,
    )  # fmt: skip
    shown = " ".join(page_of(render({"x": empty}, manifest={})).text)
    for piece in (
        "no sample to list",
        "No figure was computed.",
        "No limit was stated.",
        "rmia needs `population`",
    ):
        assert piece in shown


@pytest.mark.usefixtures("no_pictures")
def test_a_measure_of_one_method_only(audit: Callable[..., Audit]) -> None:
    made = {"a": audit("retrain"), "b": audit("finetune", measures=("iam",))}
    assert "lira was not requested for this method." in " ".join(page_of(render(made, manifest={})).text)


@pytest.mark.usefixtures("no_pictures")
def test_a_true_audit_with_a_repeated_measure(audit: Callable[..., Audit]) -> None:
    signals = audit(roles=(60, 200, 120)).signals
    made = vestige.audit(signals, ["confidence", "iam", {"name": "iam", "family": "norm"}], name="x")
    shown = " ".join(page_of(render({"x": made}, manifest={})).text)
    assert "iam (2)" in shown
    assert words.unbroken(made.verdict.sentence) in shown


def test_no_audit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one audit"):
        write_report(tmp_path / "report.html", {})
    assert not list(tmp_path.iterdir())
