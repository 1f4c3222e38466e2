"""What the tab key completes: names that are known without loading a model, or torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Complete = Callable[[str], list[tuple[str, str]]]


def listed(what: str) -> Complete:
    """Return what completes the names of a list, such as "methods", each with what it is."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        from vestige.listing import listing

        rows = ((str(row["name"]), str(row.get("what", ""))) for row in listing(what))
        return [(name, text) for name, text in rows if name.startswith(incomplete)]

    return complete


def one_of(*names: str) -> Complete:
    """Return what completes some words."""
    return lambda incomplete: _beginning(incomplete, names)


def experiments(incomplete: str) -> list[tuple[str, str]]:
    """Complete the name of a table or figure of the papers."""
    from importlib.resources import files

    catalogue = files("vestige").joinpath("experiments/catalogue").iterdir()
    return _beginning(
        incomplete, sorted(p.name.removesuffix(".yaml") for p in catalogue if p.name.endswith(".yaml"))
    )


def lists(incomplete: str) -> list[tuple[str, str]]:
    """Complete the name of a list."""
    from vestige.listing import NAMES

    return _beginning(incomplete, NAMES)


def _beginning(incomplete: str, names: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, "") for name in names if name.startswith(incomplete)]
