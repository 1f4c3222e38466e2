"""What a reader meets in a notebook: short descriptions, the public names alone, packages without another import."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import vestige
from vestige.llm import Texts, TextSignals


def test_a_record_describes_itself_in_a_line():
    n = 5000
    role = np.repeat(["forget", "retain", "holdout"], [1000, 2000, 2000])
    logits = np.zeros((n, 3))
    record = vestige.Signals(np.zeros(n, int), logits, original=logits, shadow_out=logits, role=role)
    assert repr(record) == (
        "Signals(5,000 samples of 3 classes: 1,000 forget, 2,000 holdout, 2,000 retain; with original, shadow_out)"
    )
    assert repr(Texts(("one", "two"), ("a", "b"))) == "Texts(2 texts: 'a', ...)"
    ones = np.full(4, -1.0, np.float32)
    places = np.zeros(4, np.int32)
    tokens = TextSignals(
        ones,
        ones,
        ones,
        ones,
        ones,
        places,
        places,
        np.array([0, 1, 4]),
        np.array([3, 9]),
        np.array(["a", "b"]),
    )
    assert repr(tokens) == "TextSignals(2 texts, 4 scored tokens, mean loss 1 nats)"


@pytest.mark.parametrize("package", ["llm", "leaks", "training", "evaluation", "report"])
def test_packages_need_no_import_of_their_own(package):
    code = f"import vestige; print(vestige.{package}.__name__)"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == f"vestige.{package}"


def test_dir_shows_the_public_names_alone():
    shown = dir(vestige)
    assert set(vestige.__all__) <= set(shown) and {"llm", "leaks"} <= set(shown)
    assert not {"importlib", "annotations", "TYPE_CHECKING", "Any", "_HOME"} & set(shown)
    assert all(getattr(vestige, name) is not None for name in shown)
