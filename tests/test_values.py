"""What callers bring as arrays: taken without loss, or refused in a sentence."""

from uuid import UUID

import numpy as np
import pandas as pd
import pytest
import torch

from vestige.errors import InputError
from vestige.values import (
    are_probabilities,
    as_array,
    as_floats,
    as_ids,
    as_mask,
    as_rows,
    id_list,
    no_logits,
)

MASKED = np.ma.masked_equal(np.arange(4.0), 2)
BAD = {
    "1 masked entries": MASKED,
    "2 masked entries": [np.ma.masked_equal(np.arange(3), 1), np.arange(3)][::-1] + [np.ma.masked] * 0,
    "complex numbers": np.arange(3) * 1j,
    "inhomogeneous": [[1, 2], [1]],
    "BFloat16; give tensor.detach": torch.zeros(3).bfloat16(),
    "requires grad": torch.zeros(3, requires_grad=True),
    "is of type set": {1, 2},
    "has dtype .*plain numbers": np.zeros(3, [("a", float)]),
}
BAD["2 masked entries"] = [np.arange(3), np.ma.masked_less(np.arange(3), 2)]


@pytest.mark.parametrize("message", BAD)
def test_what_would_lose_something_is_no_array(message):
    with pytest.raises(InputError, match=f"x .*{message}"):
        as_array("x", BAD[message])


def test_arrays_are_not_copied_and_a_mask_of_nothing_is_none():
    x = np.arange(6.0)
    assert as_array("x", x) is x and np.shares_memory(as_array("x", torch.from_numpy(x)), x)
    assert as_array("x", np.ma.masked_array(x)).tolist() == x.tolist()


def test_numbers_keep_what_they_are():
    for kind, wanted in (("f2", "f4"), ("f4", "f4"), ("f8", "f8"), ("g", "f8"), ("i8", "f8"), ("u1", "f8")):
        assert as_floats("x", np.arange(3).astype(kind)).dtype == wanted
    for value, message in (
        ([1, np.nan], "row 1"),
        ([None, 1], "missing in row 0"),
        (["1"], "dtype <U1"),
        ([True], "dtype bool"),
        ([10**400], "dtype object"),
    ):
        with pytest.raises(InputError, match=message):
            as_floats("x", value)


@pytest.mark.parametrize("kind", ["?", "u1", "i8", "f2", "f8"])
def test_a_mask_is_truth_values_of_any_number_type(kind):
    mask = np.array([[1, 0, 1], [0, 0, 1]])
    for value in (mask.astype(kind), mask.astype(kind).tolist()):
        assert as_mask("member", value).tolist() == mask.astype(bool).tolist()


def test_a_mask_of_pandas_own_type_is_one():
    mask = pd.DataFrame([[True, False], [False, True]])
    for value in (mask.astype("boolean"), mask.astype("Int64"), mask.astype(object)):
        assert as_mask("member", value).tolist() == mask.to_numpy().tolist()
    with pytest.raises(InputError, match="member is missing in row 1"):
        as_mask("member", mask.astype("boolean").mask(np.eye(2)[::-1] * [[0, 0], [1, 0]] > 0))


@pytest.mark.parametrize("value", [[0, 2], [1, -1], [0.5, 1], [1, np.nan], ["True"], [None, True], [1j, 0]])
def test_anything_else_is_no_mask(value):
    with pytest.raises(InputError, match="member"):
        as_mask("member", value)


WRITTEN = {
    "zeros": (["007", "08"], ["007", "08"]),
    "exponent": (["1e1", "1.0"], ["1e1", "1.0"]),
    "names of nothing": (["NA", "nan", "None"], ["NA", "nan", "None"]),
    "integers": (np.array([7, 8], np.uint8), ["7", "8"]),
    "big": ([2**70, 2**63], [str(2**70), str(2**63)]),
    "of a database": ([UUID(int=1), UUID(int=2)], [str(UUID(int=1)), str(UUID(int=2))]),
    "hashes": ([2**63 + 5, 7, -1], [str(2**63 + 5), "7", "-1"]),
    "mixed": ([7, "a"], ["7", "a"]),
    "objects": (np.array(["a", 7], object), ["a", "7"]),
    "series": (pd.Series(["a", "b"]), ["a", "b"]),
    "tensor": (torch.arange(2), ["0", "1"]),
    "blanks": ([" a ", "a"], [" a ", "a"]),
    "none at all": ([], []),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_ids_are_as_written(kind):
    value, wanted = WRITTEN[kind]
    assert as_ids("ids", value).tolist() == wanted


NO_IDS = {
    "one text; a list of ids": "abc",
    "are float64": np.array([1.0, 2.0]),
    "the id in row 1 is of type float": ["a", 1.5],
    "ids: the id in row 1 is missing": ["a", float("nan")],
    "row 0 is missing": [None, "a"],
    "row 2 is missing": ["a", "b", ""],
    "row 1 is of type bool": ["a", True],
    "are bool": np.array([True, False]),
    "'1' appears twice": [1, "1"],
    "NUL": ["a\0", "b"],
    "half a character": ["a", "\ud800"],
    r"shape \(2, 1\)": [["a"], ["b"]],
    "is of type set": {"a", "b"},
    "masked": np.ma.masked_equal([1, 2], 2),
    "row 0 is of type int": [10**50, 1],
    "row 1 is of type float": [1, 2.5],
    "row 1 is missing": [1, float("nan")],
    "the id in row 1 is missing": np.array([1, np.nan]),
    "holds the character NUL": np.array(["a", "b\0"], object),
}


@pytest.mark.parametrize("message", NO_IDS)
def test_what_is_no_id_is_named(message):
    with pytest.raises(InputError, match=message):
        as_ids("ids", NO_IDS[message])


def test_a_request_may_be_any_iterable_but_one_text():
    assert id_list("ids", {"a"}).tolist() == ["a"] and id_list("ids", (str(i) for i in (1, 2))).tolist() == [
        "1",
        "2",
    ]
    for value, message in (("a", "one text"), (3, "of type int"), ({1.5}, "type float|are float64")):
        with pytest.raises(InputError, match=message):
            id_list("ids", value)


def test_rows_are_positions_or_a_mask():
    assert as_rows("rows", [True, False, True], 3).tolist() == [True, False, True]
    assert as_rows("rows", [2, 0], 3).tolist() == [2, 0] and len(as_rows("rows", [], 3)) == 0
    for value, message in (
        ([3], "position 3"),
        ([-1], "position -1"),
        ([True], "mask of 3"),
        ([0.0], "float64"),
        ([[0]], "shape"),
    ):
        with pytest.raises(InputError, match=message):
            as_rows("rows", value, 3)


def test_probabilities_are_told_from_logits():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(50, 10)) * 3
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    for rows in (p, p.astype(np.float16), p.round(3), np.eye(10), np.stack([p, p])):
        assert are_probabilities(rows)
    for rows in (
        z,
        np.log(p),
        p * 2,
        p - 0.01,
        np.concatenate([p, z[:1]]),
        p[:1],
        np.zeros((5, 3)),
        p * np.nan,
    ):
        assert not are_probabilities(rows)
    for rows, total in ((p * 100, 100), ((p * 100).round(), 100)):
        assert are_probabilities(rows, total) and not are_probabilities(rows)


def test_what_is_given_in_place_of_logits_is_told():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(50, 10)) * 3
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    for rows, message in (
        (p.round(1), "numbers from 0 to 1 alone"), (1 / (1 + np.exp(-z)), "numbers from 0 to 1 alone"), (p, "probabilities, rows"), ((p * 100).round(), "percentages"),
        (-np.log(p), "negative logarithms"), (np.log2(p), "to the base 2"), (np.log10(p), "to the base 10"), (np.stack([np.log10(p)] * 2), "to the base 10"),
    ):  # fmt: skip
        assert no_logits(rows)[0].startswith(message) or message in no_logits(rows)[0]
    one = np.abs(z[:, :1]) + 5
    saturated = np.where(np.eye(10)[z.argmax(1)] > 0, 0, -80.0)
    for rows in (
        z,
        np.log(p),
        z - z.max(),
        z - z.min(),
        saturated,
        saturated + 80,
        np.hstack([0 * one, one]),
        np.hstack(
            [0 * one, -one]
        ),  # of two classes, by the larger of the two: to the base 10 nearly a sum of 1
        np.hstack([one / 50, 0 * one]),
        p[:1],
        p[:9] * 0.8,
        0 * z,
        0 * z + np.arange(10) / 10,  # of a network that says the same of every record
        np.maximum(z, 0) / 30,
    ):
        assert no_logits(rows) is None


def test_a_name_has_at_most_a_thousand_characters():
    for value in (["a" * 1001, "b"], np.array(["a" * 1001, "b"], object), ("b", "a" * 10**6)):
        with pytest.raises(InputError, match="characters; at most 1,000 are read"):
            as_ids("ids", value)
