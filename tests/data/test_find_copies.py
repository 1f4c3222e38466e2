"""Copies of forgotten records among the retained ones, against pairs that are planted."""

from __future__ import annotations

import io
import sys

import numpy as np
import pandas as pd
import pytest

from vestige.data import Dataset, copies_in, find_copies, make_split
from vestige.data.copies import MOST
from vestige.data.texts import Texts
from vestige.errors import InputError, MissingExtra


def pairs(copies):
    return copies.table[["forgotten", "retained", "kind"]].values.tolist()


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(400, 6))


def test_exact_and_near_rows_are_listed_by_id_with_their_distance(rows):
    rows[300] = rows[2]
    rows[301] = rows[5] + 1e-9
    rows[7, 0], rows[302] = np.nan, rows[7]
    rows[302, 0] = np.nan
    rows[8], rows[303] = 0.0, -0.0
    ids = [f"r{i:03d}" for i in range(400)]
    copies = find_copies(rows, np.arange(20), np.arange(20, 400), ids=ids)
    assert pairs(copies) == [
        ["r002", "r300", "same"], ["r005", "r301", "near"], ["r007", "r302", "same"], ["r008", "r303", "same"],
    ]  # fmt: skip
    assert copies.table.distance.tolist()[0] == 0 and 0 < copies.table.distance[1] < 1e-8
    assert copies.counts[[2, 5, 9]].tolist() == [[1, 0], [0, 1], [0, 0]]
    assert "4 of 20 forgotten records have copies" in copies.limit and "3 an exact one" in copies.limit
    assert "'r002' by 'r300' (same)" in copies.sentence


def test_exact_alone_and_how_near_is_near(rows):
    rows[300] = rows[5] + 0.02
    call = {"forget": [5], "retain": np.arange(20, 400)}
    assert not len(find_copies(rows, **call, near=False).table)
    assert not len(find_copies(rows, **call, near=0.001).table)
    assert pairs(find_copies(rows, **call, near=0.1)) == [["5", "300", "near"]]
    nothing = find_copies(rows, **call)
    assert nothing.limit == "" and nothing.sentence.startswith("No retained record is a copy")


def test_masks_and_positions_are_one(rows):
    rows[300] = rows[2]
    forget = np.zeros(400, bool)
    forget[:20] = True
    assert pairs(find_copies(rows, forget, ~forget)) == [["2", "300", "same"]]


def test_columns_of_text_must_be_equal_and_large_integers_are_told_apart():
    frame = pd.DataFrame({
        "name": ["a", "b", "a", "b", None, None, "a"],
        "big": [2**60, 2**60, 2**60, 2**60 + 1, 5, 5, 2**60],
        "x": [0.5, 0.5, 0.5, 0.5, 9.5, 9.5, 0.5 + 1e-8],
    }, index=list("tuvwxyz"))  # fmt: skip
    copies = find_copies(frame, [0, 1, 4], [2, 3, 5, 6])
    same = copies.table[copies.table.kind == "same"]
    assert same[["forgotten", "retained"]].values.tolist() == [["t", "v"], ["x", "y"]]
    assert ["t", "z", "near"] in pairs(copies)
    assert not {("t", "w"), ("u", "v")} & set(zip(copies.table.forgotten, copies.table.retained, strict=True))


def test_a_code_of_a_category_is_no_number():
    """Categories beside each other in their order would be near if their places were rounded."""
    frame = pd.DataFrame({"city": [f"c{i:05d}" for i in range(20_000)]})
    assert not len(find_copies(frame, np.arange(10), np.arange(10, 20_000)).table)


def test_texts_are_compared_without_their_spacing():
    texts = Texts(("One  day\n", "other", "One day", "one day"), ("a", "b", "c", "d"))
    copies = find_copies(texts, [0, 1], [2, 3])
    assert pairs(copies) == [["a", "c", "same"]]
    assert pairs(find_copies(["x y", "z", "x  y"], [0], [1, 2]))[0][2] == "same"


def test_many_copies_are_counted_and_some_are_listed():
    rows = np.zeros((1000, 2))
    copies = find_copies(rows, [0, 1], np.arange(2, 1000))
    assert copies.counts.tolist() == [[998, 0], [998, 0]] and len(copies.table) == 2 * MOST


def pictures(rng, n):
    """Smooth pictures, as photographs are; noise has no look that an encoding keeps."""
    from PIL import Image

    small = rng.integers(0, 256, (n, 5, 5, 3), dtype=np.uint8)
    large = [np.asarray(Image.fromarray(one).resize((32, 32), Image.Resampling.BICUBIC)) for one in small]
    return np.moveaxis(np.stack(large), -1, 1).copy()


@pytest.fixture
def images():
    from PIL import Image

    x = pictures(np.random.default_rng(0), 300)
    x[200] = x[3]
    file = io.BytesIO()
    Image.fromarray(np.moveaxis(x[4], 0, -1)).save(file, "JPEG", quality=80)
    x[201] = np.moveaxis(np.asarray(Image.open(file)), -1, 0)
    return x


def test_an_image_that_was_encoded_again_is_near(images):
    pytest.importorskip("imagehash")
    ids = np.array([f"i{k:03d}" for k in range(300)])
    data = Dataset("photos", images, np.zeros(300, int), ids, ("a", "b"))
    split = make_split(data, "ids", ids=["i003", "i004", "i005"], holdout=0, shadow=0)
    copies = copies_in(split)
    assert pairs(copies) == [["i003", "i200", "same"], ["i004", "i201", "near"]]
    assert copies.table.distance[1] <= 4
    floats = np.moveaxis(images, 1, -1) / np.float32(255)  # channels last, from 0 to 1
    assert pairs(find_copies(floats, [3, 4, 5], np.arange(6, 300))) == [
        ["3", "200", "same"],
        ["4", "201", "near"],
    ]


def test_without_the_library_near_images_are_said_not_to_be_looked_for(images, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagehash", None)
    copies = find_copies(images, [3, 4], np.arange(6, 300))
    assert pairs(copies) == [["3", "200", "same"]]
    assert "not looked for" in copies.sentence and "vestige[copies]" in copies.sentence
    with pytest.raises(MissingExtra, match="vestige\\[copies\\]"):
        find_copies(images, [3, 4], np.arange(6, 300), near=2)


@pytest.mark.parametrize(
    ("data", "forget", "retain", "options", "message"),
    [
        (np.ones((4, 2)), [], [1], {}, "forget names no record"),
        (np.ones((4, 2)), [0], [9], {}, "retain name position 9"),
        (np.ones((4, 2)), [0], [1], {"near": -1}, "near"),
        (np.ones((4, 2)), [0], [1], {"ids": ["a"]}, "4 records and 1 ids"),
        (np.ones((4, 0)), [0], [1], {}, "records \\[N"),
        (pd.DataFrame({"a": [[1], [2]]}), [0], [1], {}, "column 'a' holds values that cannot be compared"),
        (pd.DataFrame(index=[0, 1]), [0], [1], {}, "no columns"),
        (7, [0], [1], {}, "records \\[N"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_in_a_sentence(data, forget, retain, options, message):
    with pytest.raises(InputError, match=message):
        find_copies(data, forget, retain, **options)
