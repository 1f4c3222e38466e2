"""What the doctor says of this machine."""

from __future__ import annotations

import tomllib
from pathlib import Path

from vestige.machine import EXTRAS, facts

ROOT = Path(__file__).parents[1]


def test_every_extra_is_known_to_the_doctor_and_to_the_page_on_installing():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"]) - {"docs", "dev", "all"}
    assert set(EXTRAS) == extras
    said = facts()
    assert all(f"extra [{name}]" in said for name in EXTRAS) and said["extra [ledger]"][0].isdigit()
    page = (ROOT / "docs" / "start" / "install.md").read_text(encoding="utf-8")
    assert [name for name in extras if f"vestige[{name}]" not in page] == []
