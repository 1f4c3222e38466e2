import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestige.data import Dataset, Split, make_split
from vestige.errors import InputError

N = 120
DATA = Dataset(
    "toy",
    np.zeros((N, 2), np.float32),
    np.arange(N) % 3,
    np.array([f"toy/{i:03d}" for i in range(N)]),
    ("a", "b", "c"),
)
COUNTS = {"train": 60, "holdout": 20, "shadow": 40}


def requests():
    return st.one_of(
        st.builds(lambda f, s: ("random", {"forget": f, "seed": s}), st.integers(1, 59), st.integers(0, 9)),
        st.builds(lambda f, s: ("random", {"forget": f, "seed": s}), st.floats(0.05, 0.9), st.integers(0, 9)),
        st.builds(lambda c, s: ("class", {"label": c, "seed": s}), st.integers(0, 2), st.integers(0, 9)),
        st.builds(lambda c, s: ("partial_class", {"label": c, "seed": s}), st.sampled_from("abc"), st.integers(0, 9)),
        st.builds(
            lambda i, s: ("ids", {"ids": [DATA.ids[k] for k in i], "seed": s}),
            st.sets(st.integers(0, N - 1), min_size=1, max_size=30), st.integers(0, 9),
        ),
    )  # fmt: skip


@given(requests())
@settings(max_examples=150, deadline=None)
def test_sets_are_disjoint_complete_and_drawn_again_alike(request):
    scenario, options = request
    split = make_split(DATA, scenario, **COUNTS, **options)
    parts = [split.forget, split.retain, split.holdout, split.shadow]
    joined = np.concatenate(parts)
    assert len(np.unique(joined)) == len(joined) == sum(COUNTS.values())
    assert len(split.train) == 60 and len(split.holdout) == 20 and len(split.shadow) == 40
    again = make_split(DATA, scenario, **COUNTS, **options)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(parts, [again.forget, again.retain, again.holdout, again.shadow], strict=True)
    )
    if scenario == "ids":
        assert set(DATA.ids[split.forget]) == set(options["ids"])
    if scenario == "class":
        assert (
            set(DATA.y[split.forget]) == {options["label"]} and options["label"] not in DATA.y[split.retain]
        )


def test_another_forget_count_leaves_the_other_sets_alone():
    few, many = (make_split(DATA, forget=f, **COUNTS) for f in (3, 30))
    assert np.array_equal(few.train, many.train) and np.array_equal(few.shadow, many.shadow)


BAD = {
    "seed is -1; greater than or equal to 0 is wanted": {"seed": -1},
    "seed is 1.5": {"seed": 1.5},
    "request is -1": {"request": -1},
    "train is '60'": {"train": "60"},
    "holdout is True": {"holdout": True},
    "label is given, which the scenario 'random' does not read": {"label": 1},
    "forget is given, which the scenario 'class' does not read; did you mean 'partial_class'": {
        "scenario": "class",
        "label": 1,
        "forget": 3,
    },
    "forget is given, which the scenario 'ids' does not": {
        "scenario": "ids",
        "ids": ["toy/003"],
        "forget": 3,
    },
    "'partial_class' needs a label, one of": {"scenario": "partial_class"},
    "ids is given, .*did you mean 'ids'": {"ids": ["toy/003"]},
    "'toy/003' is one text; a list of ids": {"scenario": "ids", "ids": "toy/003"},
    "type float; text or an integer": {"scenario": "ids", "ids": ["toy/003", 1.0]},
    "There is no class 3": {"scenario": "class", "label": 3},
    "There is no scenario 'clas'. Did you mean 'class'": {"scenario": "clas"},
    "There is no class 'd'": {"scenario": "class", "label": "d"},
    "leaves nothing to retain": {"forget": 60},
    "a count or a fraction": {"forget": 0},
    "forget is '3', which is text; a number is wanted": {"forget": "3"},
    "forget is 2.5; a count, or a fraction": {"forget": 2.5},
    "holdout is nan; a finite number is wanted": {"holdout": float("nan")},
    "do not fit in the 120": {"train": 70, "forget": 3},
    "'toy/999' is not in toy": {"scenario": "ids", "ids": ["toy/999"]},
    "'toy/003' appears twice": {"scenario": "ids", "ids": ["toy/003", "toy/003"]},
    "at least one id": {"scenario": "ids", "ids": []},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_requests(message):
    with pytest.raises(InputError, match=message):
        make_split(DATA, **COUNTS | BAD[message])


def test_overlaps_are_found_not_assumed_away():
    rows = np.arange(10)
    with pytest.raises(InputError, match="forget and shadow overlap in 2 samples, among them 'toy/000'"):
        Split(DATA, rows[:2], rows[2:5], rows[5:6], rows[:3][:2])
    with pytest.raises(InputError, match="retain set is empty"):
        Split(DATA, rows, rows[:0], rows[:0], rows[:0])
    with pytest.raises(InputError, match="names a sample twice"):
        Split(DATA, np.array([1, 1]), rows[2:], rows[:0], rows[:0])


def test_numpy_scalars_are_numbers():
    plain = make_split(DATA, "partial_class", label=1, forget=0.25, train=60, holdout=20, shadow=40)
    numpy = make_split(
        DATA, "partial_class", label=np.unique(DATA.y)[1], forget=np.float32(0.25), train=np.int32(60),
        holdout=np.int64(20), shadow=np.uint8(40),
    )  # fmt: skip
    for role in ("forget", "retain", "holdout", "shadow"):
        assert np.array_equal(getattr(plain, role), getattr(numpy, role)), role
    assert len(make_split(DATA, forget=np.float32(0.1), **COUNTS).forget) == 6


def test_a_split_is_of_positions():
    rows, none = np.arange(10), np.zeros(0, np.int64)
    for forget, message in (
        (np.arange(N) < 3, "The forget set is bool of shape .120,.; positions, integers .N., are wanted"),
        (DATA.ids[:3], r"data.positions\(ids\)"),
        (rows[:3] / 1, "is float64"),
        (rows[:3, None], "of shape .3, 1."),
        (np.array([0, 500]), "names position 500; the data has 0..119"),
        (np.array([0, -1]), "names position -1"),
    ):
        with pytest.raises(InputError, match=message):
            Split(DATA, forget, rows[5:], none, none)
    split = Split(DATA, [0, 1], rows[5:].astype(np.int32), [], np.array([]))
    assert all(getattr(split, role).dtype == np.int64 for role in ("forget", "retain", "holdout", "shadow"))
    assert split.rows("forget").ids.tolist() == ["toy/000", "toy/001"] and len(split.rows("shadow")) == 0
