"""The house rules that no single module can keep: who imports whom, what is never read, how quick a start is."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vestige

SOURCE = Path(vestige.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


ROOMS = (
    "errors", "registry", "values", "arguments", "files", "config", "store", "graph", "data", "models", "training", "signals",
    "measures", "unlearning", "evaluation", "leaks", "report", "experiments", "cli",
)  # fmt: skip
"""From the ground up: a room imports from those before it. `llm` names what stands in them."""
UPWARD = {
    ("config.py", "training"), ("graph/engines.py", "models"), ("evaluation/result.py", "report"),
    ("report/leaderboard.py", "experiments"),
}  # fmt: skip
"""Arrows that still point up."""


def test_arrows_point_down():
    arrows = set()
    for path in FILES:
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for name in imported(path):
            other = name.split(".")[1] if name.startswith("vestige.") else ""
            if {room, other} <= set(ROOMS) and ROOMS.index(other) > ROOMS.index(room):
                arrows.add((path.relative_to(SOURCE).as_posix(), other))
    assert arrows <= UPWARD


def test_no_room_reads_the_facade_of_language_models():
    for path in FILES:
        if path.relative_to(SOURCE).parts[0] not in ("llm", "cli"):
            assert "vestige.llm" not in imported(path), path


@pytest.mark.parametrize("package", ["measures", "evaluation", "report"])
def test_measuring_knows_nothing_of_training(package):
    for path in (SOURCE / package).rglob("*.py"):
        if path.name == "samia.py":
            continue  # an attacker that is a network itself; it imports torch when it is called
        for name in imported(path):
            assert not name.startswith(
                ("torch", "vestige.training", "vestige.unlearning", "vestige.models")
            ), path


def test_no_pickle_no_torchvision_and_no_global_seed():
    for path in FILES:
        names = imported(path)
        assert not names & {"pickle", "joblib", "dill", "torchvision"}, path
        text = path.read_text(encoding="utf-8")
        for call in ("np.random.seed(", "torch.load(", "allow_pickle=True"):
            assert call not in text or "weights_only=True" in text, f"{path}: {call}"


LIGHT = [
    "vestige",
    *(f"vestige.{name}" for name in ("signals", "measures", "evaluation", "report", "cli", "leaks", "llm")),
]


@pytest.mark.parametrize("module", LIGHT)
def test_torch_is_not_imported_by(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_public_name_is_there():
    assert all(getattr(vestige, name) is not None for name in vestige.__all__)
    name = "audti"
    with pytest.raises(AttributeError, match="no attribute 'audti'"):
        getattr(vestige, name)
