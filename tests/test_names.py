"""What a folder is named by is one part of a path, whatever configuration it stands in."""

from __future__ import annotations

import pytest

from vestige.config import validated
from vestige.errors import InputError
from vestige.experiments import RunConfig
from vestige.experiments.bench import Experiment
from vestige.leaks import LeakConfig
from vestige.llm import LlmConfig

KINDS = {
    "run": (RunConfig, {"data": {"name": "digits"}, "methods": ["finetune"]}),
    "leaks": (LeakConfig, {}),
    "llm": (LlmConfig, {"model": {"name": "m"}, "data": {"forget": "f", "retain": "r", "holdout": "h"}}),
    "bench": (
        Experiment,
        {"title": "t", "source": "s", "kind": "separation", "figure": "auc", "measures": {"a": "iam"}},
    ),
}
NAMES = (
    "../x", "a/b", "/etc/x", "..", ".", "", " ", "a b", "a\\b", "a\0b", "a\nb", "~", "~root", "-x", "C:x", "a*", "a?", "x.",
    "\ud800", "a\u202eb", "x" * 300, "...", "a\tb", "<x>", "a|b", '"a"',
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_no_folder_is_refused(kind, name):
    model, values = KINDS[kind]
    for call in (
        lambda: validated(model, {**values, "name": name}, "file"),
        lambda: model(**values, name=name),
    ):
        with pytest.raises(InputError, match="'name'.*plain folder name"):
            call()


@pytest.mark.parametrize("kind", ["run", "leaks", "llm"])
@pytest.mark.parametrize("name", ["a", "iam-figure5", "run_1.2", "ünï", "数据", "a" * 100])
def test_a_plain_name_is_taken(kind, name):
    model, values = KINDS[kind]
    assert model(**values, name=name).name == name


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_made_in_python_is_the_same_sentence(kind):
    model, values = KINDS[kind]
    with pytest.raises(InputError, match=r"There is no key 'nam'. Did you mean 'name'"):
        model(**values, nam="x")
    if kind != "bench":
        for seed in (-1, True, "x", 2**64):
            with pytest.raises(InputError, match="'seed' is"):
                model(**values, name="a", seed=seed)
