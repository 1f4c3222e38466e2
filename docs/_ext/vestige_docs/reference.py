"""The reference of Python: a page for each package, with everything that its `__all__` names.

The pages are written when the site is built, into docs/reference/api, so that none can miss a name. What a package
names that another one documents already is a link to it.
"""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import desc, pending_xref
from sphinx.application import Sphinx
from sphinx.domains import Domain
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform

PACKAGES = (
    "vestige",
    "vestige.systems",
    "vestige.signals",
    "vestige.data",
    "vestige.evaluation",
    "vestige.experiments",
    "vestige.measures",
    "vestige.unlearning",
    "vestige.unlearning.text",
    "vestige.llm",
    "vestige.leaks",
    "vestige.ledger",
    "vestige.evidence",
    "vestige.monitoring",
    "vestige.training",
    "vestige.models",
    "vestige.report",
    "vestige.projects",
)
"""In the order in which a name's home is decided: the first that names an object documents it."""
FOLDER = Path("reference") / "api"


def names(package: str) -> list[str]:
    """Return what a package offers: `__all__`, or the public classes and functions that are written in it."""
    module = importlib.import_module(package)
    if hasattr(module, "__all__"):
        return sorted(module.__all__, key=str.lower)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isroutine(value))
        and value.__module__ == package
    )


@cache
def homes() -> dict[str, str]:
    """Return, by every name that an object is reached by, the name under which it is documented."""
    by_object: dict[int, str] = {}
    paths: dict[str, str] = {}
    for package in PACKAGES:
        for name in names(package):
            value = getattr(importlib.import_module(package), name)
            own = f"{package}.{name}"
            plain = not (inspect.isclass(value) or inspect.isroutine(value))
            home = own if plain else by_object.setdefault(id(value), own)
            paths[own] = home
            if not plain:
                paths.setdefault(f"{value.__module__}.{value.__qualname__}", home)
    return paths


def directive(value: Any) -> str:
    """Return the directive that documents a value."""
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if inspect.isroutine(value) else "autodata"


def page(package: str) -> str:
    """Return the page of a package, in reStructuredText."""
    module = importlib.import_module(package)
    summary = (inspect.getdoc(module) or "").split("\n\n", 1)[0].replace("\n", " ")
    title = f"``{package}``"
    owned = [f"{package}.{name}" for name in names(package)]
    lines = [
        f".. _api-{package}:",
        "",
        title,
        "=" * len(title),
        "",
        f".. py:module:: {package}",
        "",
        summary,
        "",
    ]
    elsewhere = [homes()[own] for own in owned if homes()[own] != own]
    lines += [
        ".. autosummary::",
        "   :nosignatures:",
        "",
        *(f"   {own.rpartition('.')[2]}" for own in owned if homes()[own] == own),
        "",
    ]
    for own in owned:
        if homes()[own] != own:
            continue
        value = getattr(module, own.rpartition(".")[2])
        lines += [f".. {directive(value)}:: {own}"]
        if directive(value) == "autoclass":
            lines += ["   :members:"]
        if directive(value) == "autodata":
            lines += ["   :no-value:"]
        lines += [""]
    if elsewhere:
        links = ", ".join(f":py:obj:`{home}`" for home in elsewhere)
        lines += ["Named here too, and described where they are at home: " + links + ".", ""]
    return "\n".join(lines)


CALLS = {
    "vestige.methods": (
        "vestige.unlearning",
        "METHODS",
        "methods",
        "Every unlearning method as a function.",
    ),
    "vestige.measures": ("vestige.measures", "MEASURES", "measures", "Every measure as a function."),
}
"""Modules that give each entry of a registry as a function; where its page is."""


def calls(module: str) -> str:
    """Return a line for each entry of a registry: how it is called, what it does, and where its page is."""
    home, registry, folder, what = CALLS[module]
    entries = getattr(importlib.import_module(home), registry)
    lines = [what, ""]
    for name in sorted(entries):
        function = getattr(importlib.import_module(module), name)
        parameters = [p.replace(annotation=p.empty) for p in inspect.signature(function).parameters.values()]
        call = f"{module}.{name}{inspect.Signature(parameters)}"
        lines += [f".. py:function:: {call}", "", f"   {entries[name].summary}", ""]
        of = "samples" if getattr(entries[name], "of_samples", True) else "texts"
        lines += [f"   :doc:`All about it </{folder}/{of}/{name}>`.", ""]
    return "\n".join(lines)


def write(app: Sphinx) -> None:
    """Write the pages, and leave those alone that have not changed."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    pages = {f"{package}.rst": page(package) for package in PACKAGES}
    for module in CALLS:
        title = f"``{module}``\n{'=' * (len(module) + 4)}\n\n.. py:module:: {module}\n\n"
        pages[f"{module}.rst"] = pages.get(f"{module}.rst", title) + "\n" + calls(module)
    for path in folder.glob("*.rst"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def resolve(
    app: Sphinx, environment: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """Lead the name by which the code knows an object to where it is documented."""
    if node.get("refdomain") != "py":
        return None
    target = str(node["reftarget"])
    module = str(node.get("py:module") or "")
    domain = environment.domains["py"]
    for candidate in (target, f"{module}.{target}", f"vestige.{target}"):
        home = homes().get(candidate, candidate)
        if home in domain.objects:
            return domain.resolve_xref(environment, node["refdoc"], app.builder, "obj", home, node, content)
    return None


def silent(app: Sphinx, domain: Domain | None, node: pending_xref) -> bool | None:
    """Let types in signatures be private, and names in docstrings be no links: only roles must resolve."""
    parent = node.parent
    while parent is not None and not isinstance(parent, desc):
        parent = parent.parent
    return True if node.get("quiet") or (parent is not None and node.get("reftype") == "class") else None


class Names(SphinxTransform):
    """Make a name of the library, written as code in a page, a link: `vestige.forget`, `vestige.forget(model, ids)`."""

    default_priority = 690

    def apply(self, **kwargs: Any) -> None:
        for literal in list(self.document.findall(nodes.literal)):
            name = literal.astext().partition("(")[0]
            if (
                not name.startswith("vestige.")
                or name not in homes()
                or isinstance(literal.parent, nodes.reference | pending_xref)
            ):
                continue
            link = pending_xref(
                "",
                literal.deepcopy(),
                refdomain="py",
                reftype="obj",
                reftarget=name,
                refexplicit=True,
                quiet=True,
            )
            link["refdoc"] = self.env.current_document.docname
            literal.parent.replace(literal, link)


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before the sources are listed, and resolve names."""
    app.connect("builder-inited", write)
    app.add_transform(Names)
    app.connect("missing-reference", resolve)
    app.connect("warn-missing-reference", silent)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
