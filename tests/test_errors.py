"""A message can be printed, whatever it repeats."""

from __future__ import annotations

import copy

import pytest

from vestige.errors import ArtefactError, InputError, unknown


def test_a_message_is_one_line_that_can_be_printed():
    said = str(InputError("a is array([1,\n       2]), \ud800; 3 is\r\nwanted."))
    assert said == "a is array([1, 2]), \\ud800; 3 is wanted."
    said.encode()


def test_of_a_long_message_the_ends_are_kept():
    said = str(InputError(f"There is no {'x' * 10_000}; known: a."))
    assert len(said) <= 1_500 and said.startswith("There is no x") and said.endswith("x; known: a.")


def test_several_faults_have_a_line_each():
    assert str(InputError("run: 2 faults.\n  - a\nb.\n  - c.")) == "run: 2 faults.\n  - a b.\n  - c."


@pytest.mark.parametrize("got", [b"a", 3, None, [1] * 1000, "x" * 10_000, {"a": 1}])
def test_of_an_unknown_name_a_long_value_is_not_repeated(got):
    said = unknown("measure", got, ["iam", "lira"])
    assert len(said) < 200 and said.endswith("Known: iam, lira.")
    assert "Did you mean 'iam'?" in unknown("measure", "imm", ["iam", "lira"])


def test_a_copy_says_the_same():
    for error in (InputError("a\nb"), ArtefactError("c")):
        again = copy.copy(error)
        assert type(again) is type(error) and str(again) == str(error)
