"""Methods and measures as functions: what they do, what an editor and `help` are told, and the stubs that say so."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

import oracles
import vestige
import vestige.measures
import vestige.methods
from stubs import STUBS
from unlearning.small import MODEL, SPLIT
from vestige.errors import InputError
from vestige.measures import MEASURES, iam
from vestige.methods import scrub
from vestige.unlearning import METHODS

WORLD = oracles.gaussian_world(5)


def test_a_method_by_its_function_is_the_method_by_its_name():
    one, two = scrub(MODEL, SPLIT, epochs=2, seed=3), vestige.unlearn("scrub", MODEL, SPLIT, epochs=2, seed=3)
    assert one.options == two.options and one.method == "scrub"
    for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(InputError, match="Did you mean 'alpha'"):
        scrub(MODEL, SPLIT, alhpa=1)


def test_a_call_without_what_is_measured_is_one_sentence():
    with pytest.raises(
        InputError, match="^iam: missing a required argument: 'signals'; its arguments are signals, preset"
    ):
        iam()
    with pytest.raises(InputError, match="^scrub: missing a required argument: 'model'"):
        scrub()


def test_a_measure_by_its_function_is_the_measure_by_its_name():
    assert np.array_equal(iam(WORLD, family="norm"), vestige.measure("iam", WORLD, family="norm"))
    assert np.array_equal(iam(WORLD, preset="paper"), vestige.measure("iam", WORLD, preset="paper"))


def test_the_signature_holds_every_option_with_its_recommended_value():
    for module, registry in ((vestige.methods, METHODS), (vestige.measures, MEASURES)):
        for entry in registry.entries():
            made = getattr(module, entry.name)
            parameters = inspect.signature(made).parameters
            assert {n: p.default for n, p in parameters.items() if n in entry.options} == entry.options
            assert set(entry.options) <= set(parameters) and "preset" in parameters
            assert not {p.kind for p in parameters.values()} & {inspect.Parameter.VAR_KEYWORD}
            assert made.__doc__.startswith(entry.summary) and made is getattr(module, entry.name)
            assert (
                "see above" not in made.__doc__
            )  # of the module, which help() of the function does not show
            assert pickle.loads(pickle.dumps(made)) is made  # noqa: S301
    alpha = inspect.signature(scrub).parameters["alpha"]
    assert alpha.default == 0.5 and alpha.annotation is float
    assert {"scrub", "ssd"} <= set(dir(vestige.methods)) and {"iam", "measure"} <= set(dir(vestige.measures))
    with pytest.raises(ImportError, match="scrubb"):
        from vestige.methods import scrubb  # noqa: F401


def test_no_measure_has_the_name_of_a_module():
    """`vestige.measures.iam` is the function, whatever was imported before."""
    modules = {entry.function.__module__.rsplit(".", 1)[1] for entry in MEASURES.entries()}
    hidden = modules & set(MEASURES)
    assert not hidden, (
        f"the modules {hidden} of vestige.measures are called as measures are; name them otherwise"
    )


@pytest.mark.parametrize("path", STUBS, ids=lambda path: path.parent.name + "/" + path.name)
def test_the_stubs_say_what_the_registry_says(path):
    """A method or measure that a stub does not know yet is no fault; one that it describes otherwise is."""
    wanted = set(STUBS[path]().splitlines())
    stale = [line for line in path.read_text(encoding="utf-8").splitlines() if line not in wanted]
    assert not stale, f"{path.name} says otherwise than the registry; write it anew by make stubs: {stale}"


def test_measures_and_methods_need_no_torch_before_they_are_called():
    code = "import sys; from vestige.measures import iam; import vestige.methods; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
