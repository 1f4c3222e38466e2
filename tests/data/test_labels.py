"""Which class a number means, and what a column of labels is made of."""

import numpy as np
import pandas as pd
import pytest

import vestige
from vestige.data import Dataset, make_split
from vestige.data.labels import class_index
from vestige.errors import InputError

RIGHT = [
    (("1", "2", "3"), 2, 1), (("1", "2", "10"), 10, 2), (("0.0", "1.0", "2.0"), 2, 2), (("00", "01", "02"), 2, 2), (("2", "02"), 2, 0), (("2", "02"), "02", 1),
    (("-1", "1"), -1, 0), (("0.5", "1.5"), 1.5, 1), (("1", "2"), 2.0, 1), (("a", "b"), 1, 1), (("a", "b"), "b", 1), ((1, 0), 1, 0), (("1", "a"), 1, 0),
    (("0e0", "10e0", "2e0"), 2, 2), (("٠", "١٠", "٢"), 2, 2), (("1e+16", "2e+16"), 2 * 10**16, 1), (("False", "True"), True, 1), (("class 0", "class 1"), 1, 1),
    ((str(2**63), str(2**63 + 1)), 2**63 + 1, 1), (("<=50K", ">50K"), 1, 1),
]  # fmt: skip
WRONG = [
    (("1", "2"), 0, "no class 0"), (("a", "b"), 2, "no class 2"), (("a", "1"), 0, "ambiguous"), (("02", "002"), 2, "ambiguous"), ((0, 1), "0", "a text; .*label=0"),
    (("a", "b"), -1, "no class -1"), (("a", "b"), 1.5, "no class 1.5"), (("0", "1"), True, "no class True"), (("a", "b"), None, "no class None"), (("a", "b"), [1], "no class"),
    (("1.5", "2.5"), 2, "no class 2"), (("cat", "dog"), "cta", "Did you mean 'cat'"),
    (("digit 0", "digit 1", "digit 10", "digit 2"), 2, "at place 2 is 'digit 10', and 'digit 2' has that number"), (("no", "yes"), True, "in YAML in quotes, such as 'no'"),
]  # fmt: skip


@pytest.mark.parametrize(("classes", "label", "place"), RIGHT)
def test_a_number_is_the_class_of_that_name(classes, label, place):
    assert class_index(classes, label) == place


@pytest.mark.parametrize(("classes", "label", "message"), WRONG)
def test_what_could_be_another_class_is_refused(classes, label, message):
    with pytest.raises(InputError, match=message):
        class_index(classes, label)


N = 600
LABELS = {
    "integers": np.resize(np.arange(1, 11), N), "floats": np.resize(np.arange(12.0), N), "text": np.resize(np.arange(12), N).astype(str),
    "zeros": np.array([f"{i % 12:03d}" for i in range(N)]), "negative": np.resize(np.arange(-3, 5), N),
}  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("kind", [*LABELS, "category"])
def test_a_request_for_class_2_forgets_class_2(tmp_path, kind, ending):
    labels = LABELS.get(kind, LABELS["text"])
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(size=N), "label": labels})
    if kind == "category":
        frame["label"] = frame["label"].astype("category")
    path = tmp_path / f"t.{ending}"
    frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path, index=False)
    data = vestige.load_dataset(path)
    split = make_split(data, "class", label=2, holdout=100, shadow=100)
    assert {float(value) for value in frame["label"].iloc[split.forget]} == {2.0}
    numbers = [float(name) for name in data.classes]
    assert numbers == sorted(numbers)
    assert data.classes[0] == ("000" if kind == "zeros" else str(int(numbers[0])))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.random.default_rng(0).normal(size=60), "60 different numbers: a target to regress on"),
        ([f"u{i}" for i in range(60)], "60 different values"),
        (np.arange(60), "60 different values"),
        ([None, *range(59)], "row 0 is missing"),
        (["NA", *map(str, [0, 1] * 29), "1"], "row 0 is missing"),
        ([np.inf, *np.resize([0.0, 1.0], 59)], "not finite"),
    ],
)
def test_what_is_no_class_is_refused(tmp_path, labels, message):
    pd.DataFrame({"a": np.random.default_rng(1).normal(size=60), "label": labels}).to_csv(
        tmp_path / "t.csv", index=False
    )
    with pytest.raises(InputError, match=message):
        vestige.load_dataset(tmp_path / "t.csv")


def test_labels_of_an_npz_are_places_or_names_but_not_both(tmp_path):
    def load(y, classes):
        np.savez(tmp_path / "d.npz", x=np.zeros((len(y), 2)), y=y, classes=classes)
        return vestige.load_dataset(tmp_path / "d.npz")

    assert load([0, 1, 2], ["1", "2", "3"]).y.tolist() == [0, 1, 2]
    assert load([1, 3, 3], ["1", "2", "3"]).y.tolist() == [0, 2, 2]
    assert load([1.0, 0.0], ["a", "b"]).y.tolist() == [1, 0]
    with pytest.raises(InputError, match="a place in `classes` and the name of another"):
        load([1, 2], ["1", "2", "3"])


@pytest.mark.parametrize(
    ("classes", "message"),
    [("abc", "one text 'abc'"), (("a", "a"), "'a' appears twice"), (("a", None), "row 1 is missing"), ((0, 1, "1"), "'1' appears twice"), (3, "of type int"), ((0.5, 1.5), "float")],
)  # fmt: skip
def test_class_names_are_a_list_of_distinct_names(classes, message):
    with pytest.raises(InputError, match=message):
        Dataset("d", np.zeros((2, 2), np.float32), [0, 1], ["a", "b"], classes)
