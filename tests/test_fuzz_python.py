"""Fuzzing the door of the Python API, seeded and bounded: right calls with one or two arguments that are strange.

What comes back is a result, or one sentence. What a function of the caller raises goes through as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from good_calls import CALLS, MODEL, PAIRS, ROWS, SIGNALS, TREE
from vestige.errors import BULLET, InputError, MissingExtra

ITSELF: list[Any] = [1]
ITSELF.append(ITSELF)
STRANGE: dict[str, Any] = {
    "None": None, "True": True, "-1": -1, "0": 0, "2.5": 2.5, "NaN": float("nan"), "infinite": float("inf"), "beyond 64 bits": 2**70,
    "huge": 10**400, "complex": 1j, "no text": "", "text": "x", "NUL": "a\0b", "half a character": "\ud800", "long text": "x" * 5000, "bytes": b"a",
    "[]": [], "()": (), "{}": {}, "[1]": [1], "['a']": ["a"], "[None]": [None], "ragged": [[1], [2, 3]], "itself": ITSELF, "a mapping": {"a": 1}, "a set": {1},
    "range": range(3), "object": object(), "a type": int, "NumPy's number": np.float32(3), "NaNs": np.full(60, np.nan), "no rows": np.zeros(0),
    "two by two": np.zeros((2, 2)), "mask": np.zeros((60, 3), bool), "texts": np.array(["a", "b"]), "objects": np.array([None, {}], dtype=object),
    "dates": np.full(60, "2020-01-01", dtype="M8[D]"), "frame": pd.DataFrame({"a": [1, 2]}), "path": Path("x"), "root": "/", "tensor": torch.zeros(60, 3),
    "Dataset": ROWS, "Signals": SIGNALS, "PosteriorPairs": PAIRS, "network": MODEL, "estimator": TREE,
}  # fmt: skip
CALLBACKS = ("on_epoch", "say")
SLOW = {("leaks.make_pairs", "workers"), ("train_fleet", "workers"), ("train_private", "epsilon")}
"""Arguments that a good value of another kind makes slow: processes, and the search for a noise."""
PLACES = [
    (call, name)
    for call, (_, arguments) in CALLS.items()
    for name in arguments
    if name not in CALLBACKS and (call, name) not in SLOW
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def answered(call: str, changes: dict[str, Any]) -> None:
    function, arguments = CALLS[call]
    try:
        function(**{**arguments, **changes})
    except (InputError, MissingExtra) as error:
        assert str(error) and "\n" not in str(error).replace(BULLET, " ") and len(str(error)) <= 3_000
        str(error).encode()


@settings(
    max_examples=350, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(place=st.sampled_from(PLACES), kind=st.sampled_from(sorted(STRANGE)))
@example(place=("leaks.Setting", "sets"), kind="text")
@example(place=("leaks.figures", "sets"), kind="ragged")
@example(place=("leaks.three_way", "model"), kind="a type")
@example(place=("evaluation.forgetting_score", "test_accuracy"), kind="half a character")
@example(place=("Audit.to_html", "path"), kind="root")
@example(place=("Signals.save", "folder"), kind="long text")
@example(place=("make_split", "holdout"), kind="huge")
@example(place=("train_fleet", "models"), kind="['a']")
@example(place=("collect_logits", "device"), kind="text")
@example(place=("train", "rows"), kind="frame")
@example(place=("build_model", "classes"), kind="beyond 64 bits")
def test_a_strange_argument(place, kind):
    answered(place[0], {place[1]: STRANGE[kind]})


@settings(
    max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(data=st.data(), call=st.sampled_from(sorted(CALLS)))
def test_two_strange_arguments(data, call):
    names = [name for other, name in PLACES if other == call]
    chosen = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    answered(call, {name: STRANGE[data.draw(st.sampled_from(sorted(STRANGE)))] for name in chosen})
