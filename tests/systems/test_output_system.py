"""A model behind a line, and outputs that are at hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import vestige.systems.output_system as module
from vestige.errors import InputError
from vestige.systems import Asked, Outputs, outputs
from vestige.systems.doors import system_of

TEXTS = ["one", "two", "three", "two", "five"]


def lengths(batch):
    """An answer that depends on the record alone."""
    return np.array([[len(text), 1.0 / 3.0 * len(text) - 9] for text in batch])


class Line:
    """An API that fails so many times, and counts what it is asked."""

    def __init__(self, failures=0, error=None, answer=lengths):
        self.failures, self.answer, self.batches = failures, answer, []
        self.error = error or TimeoutError("no answer")

    def __call__(self, batch):
        self.batches.append(list(batch))
        if len(self.batches) <= self.failures:
            raise self.error
        return self.answer(batch)


@pytest.fixture
def pauses(monkeypatch):
    waited = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    return waited


def test_it_asks_in_batches_and_each_record_once():
    line = Line()
    answer = Asked(line, "logits", batch_size=3)(TEXTS)
    assert line.batches == [["one", "two", "three"], ["five"]]
    assert answer.kind == "logits" and np.array_equal(answer.values, lengths(TEXTS))


def test_a_line_that_breaks_is_tried_again_with_longer_pauses(pauses):
    line = Line(failures=2)
    assert np.array_equal(Asked(line, "logits", wait=0.5)(TEXTS).values, lengths(TEXTS))
    assert pauses == [0.5, 1.0] and len(line.batches) == 3


def test_a_line_that_stays_broken_is_a_sentence(pauses):
    with pytest.raises(InputError, match="churn-api did not answer for 4 records after 3 tries: no answer"):
        Asked(Line(failures=9), "logits", name="churn-api", tries=3)(TEXTS)
    assert pauses == [1.0, 2.0]
    with pytest.raises(ValueError, match="a bug"):  # what is no fault of the line is not tried again
        Asked(Line(failures=9, error=ValueError("a bug")), "logits")(TEXTS)
    assert len(pauses) == 2


def test_a_cache_goes_on_where_a_stopped_call_was(tmp_path, pauses):
    path = tmp_path / "said.sqlite"
    line = Line()
    broken = Asked(
        lambda batch: line(batch) if len(line.batches) < 1 else Line(9)(batch),
        "logits",
        name="v1",
        batch_size=2,
        cache=path,
        tries=1,
    )
    with pytest.raises(InputError, match=r"What was answered is kept in .*said\.sqlite"):
        broken(TEXTS)
    again = Line()
    asked = Asked(again, "logits", name="v1", batch_size=9, cache=path)
    assert np.array_equal(asked(TEXTS).values, lengths(TEXTS))  # the very numbers, thirds included
    assert again.batches == [["three", "five"]]
    assert np.array_equal(asked(TEXTS[::-1]).values, lengths(TEXTS[::-1])) and len(again.batches) == 1
    other = Line()
    Asked(other, "logits", name="v2", cache=path)(TEXTS)  # another model is asked by itself
    assert len(other.batches) == 1


def test_a_cache_that_is_none_is_refused(tmp_path):
    (tmp_path / "said.sqlite").write_text("hello " * 1000)
    with pytest.raises(InputError, match="the cache of answers cannot be used"):
        Asked(Line(), "logits", name="v1", cache=tmp_path / "said.sqlite")(TEXTS)
    with pytest.raises(InputError, match="A cache keeps the answers of one model; say which, name="):
        Asked(Line(), "logits", cache=tmp_path / "x")


def test_records_are_told_apart_by_what_they_hold():
    frame = pd.DataFrame({"a": [1, 1, 2, 1], "b": ["x", "x", "x", None]})
    arrays = np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 1.0]])
    for records, distinct in (
        (frame, 3),
        (arrays, 2),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1}], 2),
        (["1", 1, b"1"], 3),
    ):
        assert len(set(module.digests(records))) == distinct
    seen = []
    Asked(lambda batch: seen.append(batch) or np.ones(len(batch)), "losses")(frame)
    assert isinstance(seen[0], pd.DataFrame) and seen[0].index.tolist() == [0, 2, 3]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda batch: [0.5], "answers with shape .1. for 4 records"),
        (lambda batch: np.full((4, 2), 0.5), "holds probabilities"),
        (lambda batch: [["a"]] * 4, "values has dtype"),
    ],
)
def test_answers_that_do_not_fit_are_refused(answer, message):
    with pytest.raises(InputError, match=message):
        Asked(answer, "logits")(TEXTS)
    with pytest.raises(InputError, match="Did you mean 'logits'"):
        Asked(answer, "logit")


DATA = pd.DataFrame(
    {"who": ["07", "8", "9", "1e1"], "age": [39, 50, 38, 20], "income": [">50K", "<=50K", ">50K", "<=50K"]}
)
SAID = Outputs([[0.25, 0.75], [0.875, 0.125], [0.5, 0.5], [1.0, 0.0]], "probabilities")


def test_a_system_of_outputs_answers_for_its_records():
    system = system_of(SAID, DATA, label="income", id="who", unseen=["1e1"])
    assert system.records.ids.tolist() == ["07", "8", "9", "1e1"] and system.seen.tolist() == [0, 1, 2]
    assert system.records.classes == ("<=50K", ">50K") and system.records.labels.tolist() == [1, 0, 1, 0]
    assert system.outputs(system.original, np.array([3, 0])).values.tolist() == [[1.0, 0.0], [0.25, 0.75]]
    with pytest.raises(InputError, match="has outputs and no model that could be trained"):
        system.fit(system.seen, 0)
    with pytest.raises(InputError, match="are losses, and probabilities were named"):
        system.outputs(Outputs([0.1, 0.2, 0.3, 0.4], "losses"), system.seen)
    with pytest.raises(InputError, match="of 2 records, and the data of 4"):
        outputs(Outputs([[0.5, 0.5]] * 2, "probabilities"), DATA, label="income", unseen=["3"])
    named = outputs(SAID, DATA, label="income", id="who", unseen=["1e1"], classes=[">50K", "<=50K"])
    assert named.records.labels.tolist() == [0, 1, 0, 1] and named.fingerprint() != system.fingerprint()


def test_a_system_asks_for_the_records_that_are_wanted():
    line = Line(answer=lambda batch: np.asarray(batch, float))
    asked = Asked(lambda frame: (line(frame["age"]) - 30) / 10, "logits", name="api")
    system = system_of(asked, DATA, label="income", id="who", unseen=["1e1"])
    assert system.name == "api" and line.batches == []
    assert system.outputs(asked, np.array([2, 0])).values.tolist() == pytest.approx([0.8, 0.9])
    assert line.batches == [[38, 39]]
