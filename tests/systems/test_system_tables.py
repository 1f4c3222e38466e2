"""The forms in which users have their data: ids, and columns by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from vestige.data import Dataset
from vestige.errors import InputError
from vestige.systems.tables import read_tables


def frame(n: int = 40, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "customer": [f"{k:05d}" for k in range(n)],
            "age": rng.normal(size=n),
            "city": rng.choice(["Bern", "Uri"], n),
            "churn": rng.choice(["yes", "no"], n),
        }
    )


def read(data, **options):
    return read_tables(data, **({"label": "churn"} | options))


def test_label_id_cluster_and_dropped_columns_are_no_features():
    table = read(frame().assign(house="a", noise=0.5), id="customer", cluster="house", drop=["noise"])
    assert list(table.x.columns) == ["age", "city"]
    assert table.ids[:2].tolist() == ["00000", "00001"] and set(table.cluster) == {"a"}


@pytest.mark.parametrize(
    "ids, first",
    [
        (None, "0"),
        (np.arange(7, 47), "7"),
        ([f"x{k}" for k in range(40)], "x0"),
        (pd.Series(range(40)).astype(str) + "e1", "0e1"),
    ],
)
def test_ids_are_text_as_written(ids, first):
    assert read(frame().drop(columns="customer"), id=ids).ids[0] == first


def test_the_index_names_records():
    data = frame().set_index("customer")
    assert read(data).ids[3] == read(data, id="customer").ids[3] == "00003"
    shuffled = frame().drop(columns="customer").sample(frac=1, random_state=0)
    assert read(shuffled).ids.tolist() == shuffled.index.astype(str).tolist()


def test_pairs_arrays_sparse_and_data_sets_are_read():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    for features in (x, x.tolist(), sparse.csr_matrix(x), pd.DataFrame(x, columns=list("abc"))):
        table = read((features, y), label=None)
        rows = table.features(np.array([5, 2]))
        values = rows.toarray() if sparse.issparse(rows) else np.asarray(rows)
        assert np.array_equal(values, x[[5, 2]]) and len(table) == 40
    data = Dataset("d", x.astype(np.float32), y, [f"d/{k}" for k in range(40)], ("no", "yes"))
    table = read(data, label=None)
    assert table.ids[1] == "d/1" and table.y[1] == "yes"


def test_a_hugging_face_data_set_is_read():
    datasets = pytest.importorskip("datasets")
    table = read(datasets.Dataset.from_pandas(frame()), id="customer")
    assert list(table.x.columns) == ["age", "city"] and len(table) == 40
    with pytest.raises(InputError, match="mapping with train"):
        read(datasets.DatasetDict({"train": datasets.Dataset.from_pandas(frame())}))


def test_unseen_tables_are_matched_by_name():
    other = frame(30, seed=1)[["city", "churn", "age", "customer"]]
    other["customer"] = [f"n{k}" for k in range(30)]
    table = read(frame(), id="customer", unseen=other)
    assert (len(table), table.count) == (70, 40) and table.ids[40] == "n0"
    assert (table.x.age[40:].to_numpy() == other.age.to_numpy()).all()
    assert list(table.x.columns) == ["age", "city"] and table.y[41] == other.churn[1]


def test_unseen_rows_without_ids_are_named():
    table = read(frame().drop(columns="customer"), unseen=frame(5, 1).drop(columns="customer"))
    assert table.ids[40] == "unseen-0" and "unseen-0" in table.notes[0]
    one = frame(60).drop(columns="customer")
    assert read(one[:40], unseen=one[40:]).ids[40] == "40"


def test_categories_of_two_tables_stay_categories():
    one, two = frame().astype({"city": "category"}), frame(30, 1)
    two = two.assign(city="Zug", customer=[f"n{k}" for k in range(30)]).astype({"city": "category"})
    column = read(one, id="customer", unseen=two).x.city
    assert column.cat.categories.tolist() == ["Bern", "Uri", "Zug"] and column[45] == "Zug"


def test_columns_come_in_the_order_that_the_model_knows():
    table = read(frame(), id="customer", features=["city", "age"])
    assert list(table.x.columns) == ["city", "age"]


def test_a_row_number_of_pandas_is_left_out_and_said(tmp_path):
    frame().to_csv(tmp_path / "t.csv")
    data = pd.read_csv(tmp_path / "t.csv", dtype={"customer": str})
    table = read(data, id="customer")
    assert (
        list(table.x.columns) == ["age", "city"]
        and "Left out, for it numbers the rows: Unnamed: 0." in table.notes
    )
    with pytest.raises(InputError, match="no name in the file"):
        read(data.sample(20, random_state=0), id="customer")


def test_what_decides_a_fit_is_in_the_fingerprint():
    table = read(frame(), id="customer")
    assert table.fingerprint == read(frame(), id="customer").fingerprint
    for changed in (frame().assign(age=lambda d: d.age + 1e-9), frame().rename(columns={"age": "Age"})):
        assert read(changed, id="customer").fingerprint != table.fingerprint


X, Y = np.zeros((40, 2)), np.zeros(40)
REFUSED = {
    "label is missing": lambda: read(frame(), label=None),
    "Did you mean 'churn'": lambda: read(frame(), label="chrun"),
    "id: There is no column of data 'customr'": lambda: read(frame(), id="customr"),
    "name that the|drop|column 'x'": lambda: read(frame(), drop=["x"]),
    "appears twice": lambda: read(frame().assign(customer="a"), id="customer"),
    "the index: '0' appears twice": lambda: read(pd.concat([frame(), frame()])),
    "text or integers are wanted": lambda: read(frame().assign(customer=np.arange(40) / 2), id="customer"),
    "id has 3 entries for 40": lambda: read(frame(), id=["a", "b", "c"]),
    "40 ids are in data and in unseen": lambda: read(frame(), id="customer", unseen=frame()),
    "unseen has no column 'age'": lambda: read(frame(), unseen=frame().drop(columns="age")),
    "does not know, 'new'": lambda: read(frame(), unseen=frame().assign(new=1)),
    "no column 'height', which the model knows": lambda: read(frame(), features=["age", "height"]),
    "'age' is float64 in data and": lambda: read(
        frame().drop(columns="customer"), unseen=frame().drop(columns="customer").assign(age="old")
    ),
    "numbers the rows, and as a feature": lambda: read(frame().assign(number=range(40))),
    "column 'age' is there twice": lambda: read(pd.concat([frame(), frame()[["age"]]], axis=1)),
    "y holds the labels": lambda: read((X, Y)),
    "x has 40 rows and y 39": lambda: read((X, Y[1:]), label=None),
    "differ in their order": lambda: read((frame()[["age"]], frame().churn[::-1]), label=None),
    "has no columns; give a list": lambda: read((X, Y), label=None, id="customer"),
    "leave out label": lambda: read(Dataset("d", np.zeros((2, 1), np.float32), [0, 1], [0, 1], ("a", "b"))),
    "a DataFrame, \\(x, y\\)": lambda: read("table.csv"),
    "no rows": lambda: read(frame()[:0]),
    "levels": lambda: read(frame().set_index(["customer", "city"])),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_read_is_refused_in_a_sentence(message):
    with pytest.raises(InputError, match=message):
        REFUSED[message]()
