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


@pytest.mark.parametrize("package", ["measures", "evaluation", "report"])
def test_measuring_knows_nothing_of_training(package):
    for path in (SOURCE / package).rglob("*.py"):
        if path.name == "self_attention.py":
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
