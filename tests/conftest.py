"""Shared by all tests: the folder of real data, where there is one, and importable oracles."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
