from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from vestige.arguments import Count, Positive, Seed, Share, checked, shown
from vestige.errors import InputError


class Rows:
    pass


@checked
def work(
    rows: Rows,
    names: Sequence[str] = (),
    *,
    batch_size: Count = 1,
    rate: Positive = 1.0,
    seed: Seed = 0,
    share: Share | None = None,
    how: Literal["mean", "vote"] = "mean",
    path: Path | None = None,
    device: str | Rows = "cpu",
    told: Callable[[int], None] | None = None,
    flag: bool = False,
    **options: object,
) -> dict[str, object]:
    """Return what it was given."""
    return dict(locals())


def test_what_fits_comes_through():
    kept = work(
        Rows(), ["a"], batch_size=np.int64(3), rate=2, share=None, path="x", told=print, flag=True, other=[1]
    )
    assert kept["batch_size"] == 3 and kept["rate"] == 2.0 and kept["path"] == Path("x")
    assert kept["names"] == ["a"] and kept["flag"] is True and kept["options"] == {"other": [1]}
    assert work(Rows(), device=Rows())["batch_size"] == 1


FAULTS = {
    "rows is of type list": {"rows": list(range(1000))},
    "Rows is wanted": {"rows": "abc"},
    "names is 'abc'": {"names": "abc"},
    "batch_size is 0; greater than or equal to 1 is wanted.": {"batch_size": 0},
    "batch_size is -1; greater": {"batch_size": -1},
    "batch_size is 2.5; a valid integer": {"batch_size": 2.5},
    "batch_size is True; a truth value": {"batch_size": True},
    "batch_size is '3', which is text": {"batch_size": "3"},
    "batch_size is None; a valid integer is wanted.": {"batch_size": None},
    "batch_size is of type ndarray; a valid integer": {"batch_size": np.arange(3)},
    "rate is nan; ": {"rate": float("nan")},
    "rate is inf; ": {"rate": float("inf")},
    "rate is '0.5', which is text": {"rate": "0.5"},
    "rate is an integer of more than 40 digits": {"rate": 10**5000},
    "seed is -1; ": {"seed": -1},
    "seed is 9223372036854775808; ": {"seed": 2**63},
    "share is 1.5; ": {"share": 1.5},
    "share is '0.5', which is text": {"share": "0.5"},
    "how is 'sum'; 'mean' or 'vote' is wanted.": {"how": "sum"},
    "path is 3: ": {"path": 3},
    "device is 3; str or Rows is wanted": {"device": 3},
    "told is 3; Callable is wanted": {"told": 3},
    "flag is 'yes', which is text; True or False": {"flag": "yes"},
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_fault_names_the_argument_the_value_and_what_is_wanted(message):
    with pytest.raises(InputError) as caught:
        work(**{"rows": Rows(), **FAULTS[message]})
    text = str(caught.value)
    assert message in text and text.startswith("work: ") and "\n" not in text and len(text) < 200


def test_a_wrong_call_names_the_arguments():
    with pytest.raises(
        InputError, match="^work: missing a required argument: 'rows'; its arguments are rows, "
    ):
        work()
    with pytest.raises(InputError, match="There is no argument 'seeed'. Did you mean 'seed'"):
        checked(lambda rows, seed=0: rows)(1, seeed=0)
    with pytest.raises(InputError, match="^work: too many positional arguments; "):
        work(Rows(), 1, 2)


def test_a_long_value_is_not_repeated():
    assert shown("a" * 1000) == "of type str" and shown(3) == "3" and shown(None) == "None"
