"""Shared by all tests: the oracles are importable, and the folder of real data is known where there is one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

REAL_DATA = Path(os.environ.get("VESTIGE_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real data sets; tests that ask for it are skipped where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data in {REAL_DATA}; set VESTIGE_DATA to the folder that holds them")
    return REAL_DATA


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder with published raw outputs; tests that ask for it are skipped where it is absent."""
    folder = Path(os.environ.get("VESTIGE_REFERENCE", Path(__file__).parents[2] / "shared" / "reference"))
    if not folder.is_dir():
        pytest.skip(f"no published outputs in {folder}; set VESTIGE_REFERENCE to the folder that holds them")
    return folder
