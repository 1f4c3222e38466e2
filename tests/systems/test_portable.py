"""Systems that worker processes cannot take are refused before any work."""

from __future__ import annotations

import functools
import sys
import types

import pytest

import vestige
from own_networks import Cnn, Own, fit, pictures
from vestige import InputError
from vestige.systems import networks
from vestige.systems.portable import expect_guarded, expect_portable


def system(model=Cnn, own=fit, data=Own):
    return networks(model, data(*pictures()), fit=own)


def test_what_modules_define_is_portable():
    expect_portable(system())
    expect_portable(system(model=functools.partial(Cnn, 3)))


@pytest.mark.parametrize("place", ["fit", "model", "data", "layer"])
def test_what_a_function_defines_is_not(place):
    class Inner(Own):
        pass

    class Layer(Cnn):
        pass

    parts = {
        "fit": {"own": lambda model, dataset, seed: None}, "model": {"model": lambda: Cnn()}, "data": {"data": Inner},
        "layer": {"model": functools.partial(Layer)},
    }  # fmt: skip
    with pytest.raises(InputError, match="inside a function, so that worker processes cannot find it"):
        expect_portable(system(**parts[place]))


def test_nor_is_what_a_notebook_defines(monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    monkeypatch.setattr(fit, "__module__", "__main__")
    with pytest.raises(InputError, match="'fit' is defined in a notebook"):
        expect_portable(system())


def test_a_script_that_workers_would_run_again_is_refused(monkeypatch, tmp_path):
    main = types.ModuleType("__main__")
    main.__file__ = str(tmp_path / "deletion.py")
    monkeypatch.setitem(sys.modules, "__main__", main)
    (tmp_path / "deletion.py").write_text("forget()\n")
    with pytest.raises(
        InputError, match=r"deletion\.py would be run again .* under if __name__ == '__main__'"
    ):
        expect_guarded()
    (tmp_path / "deletion.py").write_text("if __name__ == '__main__':\n    forget()\n")
    expect_guarded()


def test_forget_asks_before_it_begins():
    with pytest.raises(InputError, match="leave workers out"):
        vestige.forget(Cnn, Own(*pictures()), [1], fit=lambda model, dataset, seed: None, workers=2)
