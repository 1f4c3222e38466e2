import numpy as np
import pytest

from vestige.data import Dataset
from vestige.errors import InputError

X, Y, IDS = np.zeros((3, 2), np.float32), np.array([0, 1, 1]), np.array(["a", "b", "c"])


def test_take_keeps_ids_with_rows_and_fingerprint_tells_data_apart():
    data = Dataset("d", np.arange(6, dtype=np.float32).reshape(3, 2), Y, IDS, ("x", "y"))
    part = data.take(np.array([2, 0]))
    assert part.ids.tolist() == ["c", "a"] and part.x.tolist() == [[4, 5], [0, 1]] and part.shape == (2,)
    assert data.fingerprint == data.take(np.arange(3)).fingerprint != part.fingerprint
    assert data.positions(["c", "a"]).tolist() == [2, 0]


BAD = {
    "x has shape": (np.zeros(3, np.float32), Y, IDS),
    "float32 .N, F. is wanted": (X.astype(np.float64), Y, IDS),
    "uint8 .N, C, H, W. is wanted": (np.zeros((3, 1, 2, 2), np.float32), Y, IDS),
    "they must be as many": (X, Y, IDS[:2]),
    "label 2 is outside 0..1": (X, np.array([0, 2, 1]), IDS),
    "'b' has a feature that is NaN": (np.array([[0, 0], [np.nan, 0], [0, 0]], np.float32), Y, IDS),
    "'a' appears twice": (X, Y, np.array(["a", "b", "a"])),
}


@pytest.mark.parametrize("message", BAD)
def test_what_does_not_fit_is_named(message):
    with pytest.raises(InputError, match=message):
        Dataset("d", *BAD[message], ("x", "y"))
