"""The two examples of CONTRIBUTING.md, as a package of their own: the tests that all methods and measures share pass."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SHARED = ("tests/unlearning/test_contract.py", "tests/measures/test_measures.py", "tests/test_entries.py")
NAMES = ("noisy_finetune", "margin_to_shadows")


def run(folder, *command):
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


pytestmark = pytest.mark.slow


@pytest.fixture
def package(tmp_path):
    """The two files of the page in a package `ours`, installed with the entry points of the page."""
    files = dict(zip(re.findall(r"Save this as `\S+/(\w+\.py)`", TEXT), blocks("python"), strict=False))
    (tmp_path / "ours").mkdir()
    for name, text in {"__init__.py": "", **files}.items():
        (tmp_path / "ours" / name).write_text(text, encoding="utf-8")
    facts = tmp_path / "ours-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n", encoding="utf-8")
    groups = tomllib.loads("".join(blocks("toml")))["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {module}\n" for name, module in points.items())
        for group, points in groups.items()
    ]
    (facts / "entry_points.txt").write_text("".join(lines), encoding="utf-8")
    return tmp_path


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_examples_are_listed_from_a_package_of_their_own(package):
    for what, name in zip(("methods", "measures"), NAMES, strict=True):
        assert f'"{name}"' in run(package, "vestige", "list", what, "--json")


def test_the_examples_pass_the_tests_that_all_share(package):
    ended = run(
        package, "pytest", "-p", "no:cacheprovider", *SHARED, "-m", "not slow", "-k", " or ".join(NAMES)
    )
    assert int(re.search(r"(\d+) passed", ended)[1]) > 50
