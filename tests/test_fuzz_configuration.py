"""Fuzzing the door of configurations, seeded and bounded: right files with values of other kinds, at any place.

What comes back is a configuration, or one sentence for each fault.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import vestige
from vestige.config import validated
from vestige.errors import BULLET, InputError
from vestige.experiments import RunConfig
from vestige.experiments.experiment import Experiment
from vestige.leaks import LeakConfig
from vestige.llm import LlmConfig
from vestige.training import Recipe

BOUNDED = settings(
    max_examples=250, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
CATALOGUE = Path(vestige.__file__).parent / "experiments" / "catalogue"
BASES: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "run": (RunConfig, {
        "name": "a", "data": {"name": "digits", "root": None}, "split": {"scenario": "random", "forget": 20, "holdout": 0.2},
        "model": {"name": "mlp"}, "recipe": {"epochs": 2, "lr": 0.1, "schedule": "constant"}, "shadows": {"count": 1}, "methods": ["finetune", {"name": "retrain"}],
        "audit": {"measures": ["iam", {"name": "iam"}], "alpha": 0.05}, "seed": 0, "device": "auto"}),
    "leaks": (LeakConfig, {
        "name": "a", "data": {"name": "digits"}, "target": "decision-tree", "setting": {"name": "scratch", "sets": 2, "records": 50},
        "shadow": {"setting": {"sets": 2}}, "attacks": ["decision-tree"], "features": ["sorted_diff"], "defences": ["top_k=2"], "seed": 0}),
    "llm": (LlmConfig, {
        "name": "a", "model": {"name": "m"}, "data": {"forget": "f", "retain": "r", "holdout": "h"}, "learn": {"epochs": 1}, "methods": ["npo"], "relearn": 3, "seed": 0}),
    "bench": (Experiment, yaml.safe_load(CATALOGUE.joinpath("iam-table5.yaml").read_text(encoding="utf-8"))),
    "recipe": (Recipe, {"epochs": 2, "batch_size": 8, "lr": 0.1, "schedule": "multistep", "milestones": [1], "augment": "none", "seed": 0}),
}  # fmt: skip
WORDS = (
    "name",
    "preset",
    "options",
    "epochs",
    "a",
    "",
    "../x",
    "a/b",
    "..",
    "a\0b",
    "\ud800",
    "x" * 300,
    "digits",
    "iam",
    "9" * 30,
    "é",
    "1e400",
    "null",
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(10**60), st.floats(), st.sampled_from(WORDS), st.text(max_size=4), st.binary(max_size=2),
    st.dates(), st.just(object()), st.just(1j),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(WORDS), st.integers(0, 3)), inner, max_size=3),
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to every value of a configuration, and to one key of each mapping that it does not have."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner = [place for key, one in pairs for place in places(one, (*path, key))]
    return [path, *inner, *([(*path, "further")] if isinstance(value, dict) else [])]


def changed(value: dict[str, Any], place: tuple[Any, ...], put: Any) -> Any:
    if not place:
        return put
    value = copy.deepcopy(value)
    inner: Any = value
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = put
    return value


def answered(call: Any) -> Any:
    try:
        return call()
    except InputError as error:
        text = str(error)
        assert text and "\n" not in text.replace(BULLET, " ") and text.encode()
        return None


PLACES = [(base, place) for base, (_, values) in BASES.items() for place in places(values)]


def test_what_is_changed_is_right():
    for model, values in BASES.values():
        assert validated(model, values, "here")


@BOUNDED
@given(where=st.sampled_from(PLACES), put=VALUES)
@example(where=("leaks", ("setting", "sets")), put="x")
@example(where=("run", ("recipe",)), put={"preset": []})
@example(where=("run", ("methods",)), put=[[]])
@example(where=("llm", ("methods", 0)), put={"name": {}})
@example(where=("bench", ("small", "blocks")), put={"a": {"model": 3}})
def test_a_value_of_another_kind_anywhere(where, put):
    base, place = where
    model, values = BASES[base]
    answered(lambda: validated(model, changed(values, place, put), "here"))
    if place and isinstance(place[0], str) and place[0] in model.model_fields:
        answered(lambda: model(**changed(values, place, put)))


@settings(BOUNDED, max_examples=120)
@given(where=st.sampled_from([p for p in PLACES if p[0] == "run"]), put=VALUES, override=st.booleans())
def test_files_and_overrides(tmp_path_factory, where, put, override):
    path = tmp_path_factory.mktemp("configuration") / "run.yaml"
    values, place = BASES["run"][1], where[1]
    try:
        text = yaml.safe_dump(put if override else changed(values, place, put), allow_unicode=True)
    except (yaml.YAMLError, UnicodeError):  # no YAML can say it
        return
    path.write_text(yaml.safe_dump(values) if override else text, encoding="utf-8", errors="surrogatepass")
    overrides = [f"{'.'.join(map(str, place))}={text.strip()}"] if override else []
    answered(lambda: vestige.load_config(path, overrides))
