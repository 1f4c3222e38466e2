"""The report of texts: the verdict, each text with its answer, and where in it the trace sits."""

from __future__ import annotations

import re

from tiny import TEXTS
from vestige.data.texts import as_texts
from vestige.evaluation.page.texts import _pieces, write_texts_report


def test_the_report_of_texts(text_audits, tmp_path):
    texts = dict(zip(as_texts(TEXTS).ids, TEXTS, strict=True))
    one = write_texts_report(
        tmp_path / "a.html", text_audits["original"], texts, words=0.9, manifest={"vestige": "0"}
    )
    two = write_texts_report(
        tmp_path / "b.html", text_audits["original"], texts, words=0.9, manifest={"vestige": "0"}
    )
    page = one.read_text()
    assert page == two.read_text() and "<script" not in page
    assert (
        "A vestige remains" in page
        and "by their words alone (AUC 0.9)" in page
        and 'class="token more-' in page
    )
    verdict = text_audits["original"].audit.verdict
    head = page[: page.index("Forget texts, token by token")]
    assert head.index("A vestige remains") < head.index(verdict.sharpness)
    assert "Could be untouched unseen" not in head  # a limit of what was not found; here a trace was
    assert f"<strong>{verdict.counts['under']}</strong> flagged as under" in head and "Left at most" in head
    assert page.count("▼</span> Flagged as under</span>") == 20  # each text that is shown bears its answer
    bare = re.sub(r"<[^>]+>", "", page)
    first = text_audits["original"].traces[0]["id"]
    assert texts[first].replace("'", "&#39;") in bare
    assert not re.search(r"\b(nan|None)\b", re.sub(r"<style>.*?</style>", "", page, flags=re.S))


def test_pieces_hold_the_whole_text_and_nothing_else():
    trace = {"start": [2, 4, 5], "end": [4, 5, 9], "gap": [0.1, 3.0, -0.6]}
    assert _pieces("abcdefghi", trace) == [("", "abcd"), ("more-3", "e"), ("less-1", "fghi")]
