"""Every Python block of the documentation runs: a page is one program, in a process of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import processes

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = {
    page.name: "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
    for page in PAGES
}


@pytest.mark.parametrize("page", [name for name, program in PROGRAMS.items() if program])
def test_page_runs(page, tmp_path):
    code, _, said = processes.ended(PROGRAMS[page], folder=tmp_path)
    assert code == 0, said


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
