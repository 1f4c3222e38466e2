"""The papers' tables and figures as data, and how an experiment is read by name or from a file."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from vestige.config import overridden, read_yaml, validated
from vestige.errors import InputError, unknown
from vestige.experiments.experiment import Experiment
from vestige.experiments.kinds import kind_of


def _folder() -> Path:
    return Path(str(resources.files(__name__)))


def experiments() -> list[str]:
    """Return the names of the experiments that come with vestige."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def experiment(name: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read an experiment by its name, or from a YAML file of one's own, with overrides such as "small.shadows=2".

    A file may say `like: NAME`, or `like: OTHER.yaml` for a file beside it: it takes every key that it lacks from that
    experiment, but for the name, title, source, note, published values and favourite.

    Raises `InputError` for an unknown name (with the nearest known one) and for whatever a file has wrong.
    """
    chosen = validated(Experiment, overridden(_read(name), overrides), str(name))
    kind_of(chosen)
    return chosen


OWN = ("name", "title", "source", "note", "published", "favourite")


def _is_file(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml")


def _read(name: str | Path, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    path = Path(name)
    own = _is_file(path)
    place = str(path.resolve()) if own else str(name)
    if place in seen:
        raise InputError(f"{' is like '.join((*seen, place))}: a circle.")
    if not own:
        if str(name) not in experiments():
            raise InputError(unknown("experiment", str(name), experiments()))
        path = _folder() / f"{name}.yaml"
    values = read_yaml(path)
    like = values.pop("like", None)
    if like is None:
        return values
    other = path.parent / str(like) if _is_file(Path(str(like))) else str(like)
    base = _read(other, (*seen, place))
    return {key: value for key, value in base.items() if key not in OWN} | values
