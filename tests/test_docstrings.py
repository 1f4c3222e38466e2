"""Docstrings are those of numpydoc, and name nothing that is not there."""

import ast
from itertools import takewhile
from pathlib import Path

from vestige_docs.sections import meanings, sections

SOURCE = Path(__file__).parent.parent / "src" / "vestige"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
ORDER = ("", "Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "References", "Examples")


def documented(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and ast.get_docstring(node):
            yield node, sections(ast.get_docstring(node))


def arguments(function: ast.FunctionDef) -> set[str]:
    parts = function.args
    names = [*parts.posonlyargs, *parts.args, *parts.kwonlyargs, parts.vararg, parts.kwarg]
    return {one.arg for one in names if one is not None}


def called_with(node: ast.AST) -> set[str]:
    if isinstance(node, FUNCTIONS):
        return arguments(node)
    fields = {one.target.id for one in node.body if isinstance(one, ast.AnnAssign)}
    return fields.union(*(arguments(one) for one in node.body if getattr(one, "name", "") == "__init__"))


def test_parameters_are_those_of_the_function():
    for path in SOURCE.rglob("*.py"):
        for node, parts in documented(ast.parse(path.read_text(encoding="utf-8"))):
            names = {name.lstrip("*") for name in meanings(parts.get("Parameters", []))}
            assert names <= called_with(node), (path, node.name)
            assert list(parts) == [name for name in ORDER if name in parts], (path, node.name)


def test_nothing_is_listed_in_columns():
    for path in SOURCE.rglob("*.py"):
        for node, parts in documented(ast.parse(path.read_text(encoding="utf-8"))):
            for line in takewhile(lambda line: ">>>" not in line, parts[""]):
                assert not ("  " in line.strip() and line[:1].isalpha()), (path, node.name, line)
