import numpy as np
import pytest
import torch

from vestige.data import Dataset, make_split
from vestige.errors import InputError

X, Y, IDS = np.zeros((3, 2), np.float32), np.array([0, 1, 1]), np.array(["a", "b", "c"])


def test_take_keeps_ids_with_rows_and_fingerprint_tells_data_apart():
    data = Dataset("d", np.arange(6, dtype=np.float32).reshape(3, 2), Y, IDS, ("x", "y"))
    part = data.take(np.array([2, 0]))
    assert part.ids.tolist() == ["c", "a"] and part.x.tolist() == [[4, 5], [0, 1]] and part.shape == (2,)
    assert data.fingerprint == data.take(np.arange(3)).fingerprint != part.fingerprint
    assert data.positions(["c", "a"]).tolist() == [2, 0]


PIXELS = np.zeros((3, 8, 8, 3), np.uint8)
BAD = {
    r"shape \(3, 8, 8, 3\), with channels last; .*move the channels": (PIXELS, Y, IDS),
    r"shape \(3, 8, 8, 1\), with channels last": (PIXELS[..., :1], Y, IDS),
    r"shape \(3, 8, 8, 6\), with channels last": (PIXELS[..., [0, 1, 2] * 2], Y, IDS),
    "masked entries": (np.ma.masked_equal(X, 0), Y, IDS),
    "imaginary part": (X * 1j, Y, IDS),
    "'abc' is one text": (X, Y, "abc"),
    "half a character": (X, Y, ["a", "b", "\ud800"]),
    "the id in row 1 is of type float": (X, Y, ["a", 1.5, "c"]),
    "x has shape": (np.zeros(3, np.float32), Y, IDS),
    "float32 .N, F. is wanted": (X.astype(np.float64), Y, IDS),
    "uint8 or float32 .N, C, H, W. is wanted": (np.zeros((3, 1, 2, 2)), Y, IDS),
    "they must be as many": (X, Y, IDS[:2]),
    "label 2 is outside 0..1": (X, np.array([0, 2, 1]), IDS),
    "'b' has a feature that is NaN": (np.array([[0, 0], [np.nan, 0], [0, 0]], np.float32), Y, IDS),
    "'a' appears twice": (X, Y, np.array(["a", "b", "a"])),
    "'1' appears twice": (X, Y, [1, "1", 2]),
    "x cannot be made a NumPy array": (torch.zeros(3, 2, requires_grad=True), Y, IDS),
    r"y has shape \(3, 1\)": (X, Y[:, None], IDS),
    "y is <U1": (X, np.array(["0", "1", "1"]), IDS),
    "label 1.5 is not a whole number": (X, np.array([0, 1.5, 1]), IDS),
    "label nan is not a whole number": (X, np.array([0, np.nan, 1]), IDS),
    "ids are float64": (X, Y, np.arange(3.0)),
    "the id in row 1 is missing": (X, Y, np.array(["a", None, "c"], object)),
    r"ids have shape \(3, 1\)": (X, Y, IDS[:, None]),
}


@pytest.mark.parametrize("message", BAD)
def test_what_does_not_fit_is_named(message):
    with pytest.raises(InputError, match=message):
        Dataset("d", *BAD[message], ("x", "y"))


@pytest.mark.parametrize("ids", [np.arange(3), [0, 1, 2], np.array([0, 1, 2], object), torch.arange(3)])
def test_ids_are_text(ids):
    data = Dataset("d", X, Y, ids, ("x", "y"))
    assert data.ids.tolist() == ["0", "1", "2"] and data.ids.dtype.kind == "U"
    assert data.fingerprint == Dataset("d", X, Y, np.array(["0", "1", "2"]), ("x", "y")).fingerprint
    assert data.positions([2, "0"]).tolist() == [2, 0]
    split = make_split(data, "ids", ids=[np.int64(1)], train=3, holdout=0, shadow=0)
    assert split.rows("forget").ids.tolist() == ["1"]


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, 1],
        Y.astype(np.int32),
        Y.astype(bool),
        Y.astype(np.float32),
        Y.astype(np.uint8),
        torch.from_numpy(Y),
    ],
)
def test_whole_numbers_are_labels(y):
    data = Dataset("d", X, y, IDS, ("x", "y"))
    assert data.y.dtype == np.int64 and data.y.tolist() == [0, 1, 1]


def test_x_is_copied_only_where_an_axis_is_reversed():
    pixels = np.arange(3 * 3 * 2 * 2, dtype=np.uint8).reshape(3, 3, 2, 2)
    for x in (X, pixels, pixels.transpose(0, 1, 3, 2), torch.zeros(3, 2)):
        assert np.shares_memory(Dataset("d", x, Y, IDS, ("x", "y")).x, np.asarray(x))
    turned = Dataset("d", pixels[:, ::-1], Y[::-1], IDS, ("x", "y"))  # BGR to RGB
    assert np.array_equal(turned.x, pixels[:, ::-1])
    assert torch.equal(torch.from_numpy(turned.x)[:, 0], torch.from_numpy(pixels)[:, 2])
    assert torch.from_numpy(turned.y).tolist() == [1, 1, 0]


def test_positions_and_rows_that_are_not_there():
    data = Dataset("d", X, Y, ["007", "NA", "1e1"], ("x", "y"))
    assert data.positions(["1e1", "007"]).tolist() == [2, 0] and data.positions({"NA"}).tolist() == [1]
    for ids, message in (
        ("007", "one text"),
        (["7"], "look like '007'"),
        ([7.0], "float"),
        ([None], "missing"),
        (3, "of type int"),
    ):
        with pytest.raises(InputError, match=message):
            data.positions(ids)
    for rows, message in (([3], "position 3"), ([-1], "position -1"), ([0.5], "float64")):
        with pytest.raises(InputError, match=message):
            data.take(rows)


def test_images_of_floats_reach_a_network_as_they_are():
    from vestige.training import batches

    x = np.random.default_rng(0).normal(size=(3, 1, 2, 2)).astype(np.float32)
    data = Dataset("d", x, Y, IDS, ("x", "y"))
    assert data.is_image
    assert np.array_equal(next(batches(data, 3, shuffle=False))[0].numpy(), x)
    x[1, 0, 1, 1] = np.nan
    with pytest.raises(InputError, match=f"sample {str(data.ids[1])!r} has a feature that is NaN"):
        Dataset("d", x, Y, IDS, ("x", "y"))
