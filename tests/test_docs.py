"""Every Python block of the documentation runs, every page can be reached, and every link within it leads somewhere.

A page is one program, in a process of its own. Tutorials are notebooks: `make docs` runs them, and stops at a fault.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import processes

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
WRITTEN_BY_BUILD = (
    "reference/api/",
    "methods/samples/",
    "methods/texts/",
    "measures/samples/",
    "measures/texts/",
)
BUILT = ("_build/", "_ext/", "jupyter_execute/", *WRITTEN_BY_BUILD)
SOURCES = sorted(
    path for path in DOCS.rglob("*.md") if not path.relative_to(DOCS).as_posix().startswith(BUILT)
)  # fmt: skip
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *SOURCES]
}
NOTEBOOK = "```{code-cell}"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HOME = PROJECT["urls"]["Homepage"]
PROGRAMS = {
    name: "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    for name, text in PAGES.items()
    if NOTEBOOK not in text
}
SLOW = ("README.md", "docs/start/model.md", "docs/guide/systems.md")
"""Ten seconds or more each. The first two hold the program of five-minutes.md, tests/systems what the third is about."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(name, marks=pytest.mark.slow if name in SLOW else [])
        for name, program in PROGRAMS.items()
        if program
    ],
)
def test_page_runs(page, tmp_path):
    code, out, said = processes.ended(PROGRAMS[page], folder=tmp_path)
    assert code == 0, said
    for quoted in re.findall(r"```python\n[^`]*```\n\n```text\n(.*?)```", PAGES[page], re.DOTALL):
        assert " ".join(quoted.split()) in " ".join(out.split()), (
            f"{page} quotes what is not printed: {quoted}"
        )


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", PAGES[page]):
        path = (ROOT / page).parent / target
        built = any(folder in str(path.resolve()) for folder in WRITTEN_BY_BUILD)
        assert built or path.exists(), f"{page} links to {target}"


def test_the_package_index_leads_to_pages_of_the_site():
    """Links in the README are absolute, since it is read without the repository beside it; each names a page."""
    text = "\n".join([PAGES["README.md"], *PROJECT["urls"].values()])
    targets = re.findall(re.escape(HOME) + r"([\w./-]*)", text)
    assert len(targets) > 10
    relative = re.findall(r"\]\(([^)]+)\)", (ROOT / "llms.txt").read_text(encoding="utf-8"))
    assert len(relative) > 10
    for target in filter(None, targets + relative):
        path = DOCS / re.sub(r"\.html$", ".md", target)
        assert path.exists(), f"{target} is no page: {path} is not there"
    assert not re.findall(r"\]\((?!https:)", PAGES["README.md"])


def test_the_address_of_the_site_stands_where_nothing_else_would_do():
    """It is not known where the site will be; what lies beside it, or in it, leads to its pages without its address."""
    others = [ROOT / "llms.txt", ROOT / "CITATION.cff", ROOT / "CHANGELOG.md", *SOURCES]
    assert [str(path) for path in others if HOME in path.read_text(encoding="utf-8")] == []


def listed(page, text):
    """Return the pages that the tables of contents of a page name."""
    for tree in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL):
        for line in filter(None, map(str.strip, tree.splitlines())):
            if not line.startswith(":"):
                target = re.sub(r".*<(.+)>", r"\1", line)
                pattern = target if "*" in target else f"{target}.md"
                yield from (DOCS / page).parent.glob(pattern)


def test_every_page_is_in_a_table_of_contents():
    reached = {DOCS / "index.md"}
    for path in SOURCES:
        reached |= {
            match.resolve() for match in listed(path.relative_to(DOCS), path.read_text(encoding="utf-8"))
        }
    assert [str(path.relative_to(DOCS)) for path in SOURCES if path not in reached] == []
