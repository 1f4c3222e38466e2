"""A step is named by everything that decides its result, and by nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from graph_steps import Add, Folder, Refuse

import vestige
from vestige.data import load_dataset
from vestige.data.source import Samples, Source
from vestige.errors import InputError
from vestige.experiments.config import ModelConfig
from vestige.graph import Step
from vestige.graph.step import UNNAMED, ordered


@dataclass(frozen=True, eq=False, kw_only=True)
class Everything(Step):
    number: float = 1.0
    model: ModelConfig = field(default_factory=ModelConfig)
    array: np.ndarray = field(default_factory=lambda: np.arange(3))
    names: tuple[str, ...] = ("a", "b")
    below: dict[str, Step] = field(default_factory=dict)
    note: str = field(default="", metadata=UNNAMED)


def test_what_decides_the_result_is_in_the_key():
    plain = Everything()
    assert plain.key == Everything(label="another word", note="a note").key and plain.kind == "everything"
    others = [
        Everything(number=2.0), Everything(model=ModelConfig(name="cnn")), Everything(array=np.arange(4)),
        Everything(array=np.arange(3.0)), Everything(names=("b", "a")), Everything(below={"x": Add()}),
        Everything(below={"x": Add(value=2)}), Everything(below={"y": Add()}),
    ]  # fmt: skip
    assert len({step.key for step in (plain, *others)}) == 1 + len(others)
    assert Add().key != Refuse().key  # of the same fields, but another kind
    with pytest.raises(TypeError, match="cannot name a set"):
        _ = Everything(names={1}).key


def test_a_version_of_the_library_takes_no_result_of_another(monkeypatch):
    before = Everything().key
    monkeypatch.setattr(vestige, "__version__", "0.0.0")
    assert Everything().key != before


def test_inputs_are_found_wherever_they_stand():
    one, two = Add(value=1), Add(value=2, below=(Add(value=1),))
    assert Everything(below={"x": one, "y": two}).inputs == (one, two)
    assert [step.value for step in ordered([two, one])] == [1, 2]
    assert Folder().file == f"folder/{Folder().key}"


def test_samples_are_named_by_content():
    data = load_dataset("digits")
    source = Source.holding(data)
    rows = np.array([3, 1, 2])
    assert (
        Samples(source, rows).key == Samples(Source.holding(data.take(np.arange(len(data)))), rows.copy()).key
    )
    assert Samples(source, rows).key != Samples(source, rows[::-1]).key
    assert (Samples(source, rows).load().ids == data.ids[rows]).all()


def test_a_source_refuses_data_that_its_key_does_not_name(tmp_path):
    from vestige.data import DataConfig
    from vestige.data.source import read_anew

    path = tmp_path / "points.npz"

    def points(seed):
        x = np.random.default_rng(seed).normal(size=(30, 4)).astype(np.float32)
        np.savez(path, x=x, y=(x[:, 0] > 0).astype(int))

    points(1)
    source = Source.of(DataConfig(name=str(path)))
    points(2)  # another machine has another file
    read_anew()
    with pytest.raises(InputError, match="not those that it was planned with"):
        source.load()
