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
    "errors", "interrupts", "values", "files", "store", "arguments", "registry", "config", "report", "data", "estimators", "models",
    "graph", "training", "signals", "measures", "unlearning", "methods", "evaluation", "leaks", "systems", "evidence",
    "monitoring", "experiments", "ledger", "llm",
    "listing",
    "machine", "projects", "cli", "__main__",
)  # fmt: skip
"""Each may import from itself and from those before it."""
MODULES = {
    ".".join(("vestige", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in FILES
}


def arrows(path: Path, typing: bool) -> set[str]:
    """Return the modules of vestige that a file imports, also inside functions; for types alone where `typing`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not typing and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= parts & MODULES.keys() or {node.module}
    return names & MODULES.keys() - {"vestige"}  # the version, and names that are loaded when they are used


def upward(room: str, names: set[str]) -> list[str]:
    """Return what a file of a room imports from rooms above it."""
    return [name for name in sorted(names) if ROOMS.index(name.split(".")[1]) > ROOMS.index(room)]


def circles(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules from which a chain of imports leads back to them."""
    reached = {name: set(names) for name, names in imports.items()}
    for between in imports:
        for name in imports:
            if between in reached[name]:
                reached[name] |= reached[between]
    return sorted(name for name, names in reached.items() if name in names)


def test_every_arrow_between_rooms_points_down():
    """Also those in functions, and those for types alone."""
    rooms = {name: name.split(".")[1] for name in MODULES if "." in name}
    faults = {name: upward(room, arrows(MODULES[name], typing=True)) for name, room in rooms.items()}
    assert not {name: found for name, found in faults.items() if found}


def test_no_file_imports_what_imports_it():
    assert circles({name: arrows(path, typing=False) for name, path in MODULES.items()}) == []


def test_an_upward_arrow_and_a_circle_are_seen(tmp_path):
    file = tmp_path / "x.py"
    file.write_text(
        "def f():\n    from vestige.report import page, table\n    import vestige.evaluation.audits\n"
    )
    names = arrows(file, typing=False)
    assert names == {"vestige.report.page", "vestige.evaluation.audits"}
    assert upward("report", names) == ["vestige.evaluation.audits"] and upward("evaluation", names) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c"]


@pytest.mark.parametrize("package", ["measures", "evaluation", "report", "evidence", "monitoring"])
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
    *(
        f"vestige.{name}"
        for name in (
            "signals",
            "measures",
            "evaluation",
            "report",
            "cli",
            "leaks",
            "ledger",
            "llm",
            "evidence",
            "monitoring",
        )
    ),
]


def test_torch_is_not_imported_by_the_light_rooms():
    """One process imports them one after another; the first after which torch is loaded is at fault."""
    code = f"import importlib, sys\nfor m in {LIGHT}: importlib.import_module(m); 'torch' in sys.modules and sys.exit(m)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


def test_every_public_name_is_there():
    assert all(getattr(vestige, name) is not None for name in vestige.__all__)
    name = "audti"
    with pytest.raises(AttributeError, match="no attribute 'audti'"):
        getattr(vestige, name)
