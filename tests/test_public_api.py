"""What a reader meets in a notebook: short descriptions, the public names alone, packages without another import."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

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


FORKS = """
import os, sys, numpy, pandas, scipy.stats, sklearn.ensemble, torch
assert "vestige" not in sys.modules
for package in sys.argv[1:]:
    if os.fork() == 0:
        import vestige
        print(getattr(vestige, package).__name__, flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, package
"""


def test_packages_need_no_import_of_their_own():
    """Each in a process that has imported vestige alone, forked from one that has loaded the libraries."""
    packages = ["llm", "leaks", "training", "evaluation", "report"]
    process = subprocess.run([sys.executable, "-c", FORKS, *packages], capture_output=True, text=True)
    assert process.stdout.split() == [f"vestige.{package}" for package in packages], process.stderr


def test_dir_shows_the_public_names_alone():
    shown = dir(vestige)
    assert set(vestige.__all__) <= set(shown) and {"llm", "leaks"} <= set(shown)
    assert not {"importlib", "annotations", "TYPE_CHECKING", "Any", "_HOME"} & set(shown)
    assert all(getattr(vestige, name) is not None for name in shown)
