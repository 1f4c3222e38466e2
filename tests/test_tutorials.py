"""Every tutorial and every page with pictures runs, offline, without data of its own; its last cells check what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
CELL = re.compile(r"```\{code-cell\}[^\n]*\n((?::[^\n]*\n)*)(.*?)```", re.DOTALL)
PAGES = {
    page.relative_to(DOCS).as_posix(): page.read_text(encoding="utf-8")
    for page in sorted(DOCS.glob("*/*.md"))
    if "```{code-cell}" in page.read_text(encoding="utf-8")
}
TUTORIALS = [name for name in PAGES if name.startswith("tutorials/")]


def program(text):
    return "\n".join(code for _, code in CELL.findall(text))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_and_says_what_happens(page, tmp_path):
    outside = {name: value for name, value in os.environ.items() if not name.startswith("VESTIGE_")}
    run = subprocess.run(
        [sys.executable, "-c", program(PAGES[page])], capture_output=True, text=True, cwd=tmp_path,
        env=outside | {"MPLBACKEND": "agg", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("page", TUTORIALS)
def test_a_tutorial_is_short_and_ends_in_a_verdict(page):
    text = PAGES[page]
    assert len(text.splitlines()) <= 260
    for heading in ("verdict", "What the verdict does not say", "What to do next"):
        assert re.search(rf"^## .*{heading}", text, re.MULTILINE), heading
    hidden = [code for tags, code in CELL.findall(text) if "remove-cell" in tags]
    assert hidden and "assert" in hidden[-1]


def test_all_tutorials_stand_in_the_index():
    index = (DOCS / "tutorials" / "index.md").read_text(encoding="utf-8")
    for page in TUTORIALS:
        assert f"]({Path(page).name})" in index and f"\n{Path(page).stem}\n" in index
