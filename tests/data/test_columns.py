"""What the columns of a table become, and which are refused by name."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import vestige
from vestige.errors import InputError

N = 60
RNG = np.random.default_rng(0)
BASE = pd.DataFrame({"a": RNG.normal(size=N), "label": np.resize([0, 1], N)})


def load(folder, frame, ending="csv", index=False, **options):
    path = folder / f"t.{ending}"
    frame.to_csv(path, index=index) if ending == "csv" else frame.to_parquet(path, index=index)
    return vestige.load_dataset(path, **options)


REFUSED = {
    "60 different texts in 60 rows, such as 'u0'": [f"u{i}" for i in range(N)],
    "60 different texts such as .*numbers with a comma": [f"{i},5" for i in range(N)],
    "2 different texts such as '1,5'": ["1,5", "2,5"] * (N // 2),
    "58 different texts .*such as '[?]'": ["?", "?", "?", *map(str, range(57))],
    "column 'more' numbers the rows": np.arange(N),
    "'more' numbers the rows, .*drop": RNG.permutation(N) + 1,
    "'more' numbers the rows, and as": np.sort(RNG.permutation(3 * N)[:N]),
    "28 different dates or times such as '2024-01-01'": [f"2024-01-{i % 28 + 1:02d}" for i in range(N)],
    "12 different dates or times such as '1.1.2024'": [f"1.{i % 12 + 1}.2024" for i in range(N)],
    "12 different dates or times such as '00:00'": [f"{i % 12:02d}:00" for i in range(N)],
    "integers of more digits than a number keeps, such as 1000": [10**29 + i % 7 for i in range(N)],
    "'more' is empty in row 3": np.where(np.arange(N) == 3, np.nan, BASE["a"]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_columns_of_a_csv_that_are_no_features(tmp_path, message):
    frame = BASE.assign(more=REFUSED[message])
    with pytest.raises(InputError, match=message):
        load(tmp_path, frame)
    assert load(tmp_path, frame, drop=["more"]).features == ("a",)


TYPES = {
    "60 different values of type Timestamp": pd.date_range("2024", periods=N, freq="h"),
    "60 different values of type Timedelta": pd.to_timedelta(np.arange(N), unit="s"),
    "1 different values of type date": [pd.Timestamp("2024").date()] * N,
    "values of type ndarray": [[1, 2]] * N,
    "values of type bytes": [b"a"] * N,
}


@pytest.mark.parametrize("message", TYPES)
def test_columns_of_parquet_that_are_no_features(tmp_path, message):
    with pytest.raises(InputError, match=f"column 'more' holds {message}|{message}"):
        load(tmp_path, BASE.assign(more=TYPES[message]), "parquet")


def test_an_id_column_is_no_feature(tmp_path):
    frame = BASE.assign(customer_id=RNG.permutation(10**6)[:N])
    with pytest.raises(InputError, match="'customer_id' names the rows .60 different numbers."):
        load(tmp_path, frame)
    assert load(tmp_path, frame, id="customer_id").ids.tolist() == frame["customer_id"].astype(str).tolist()


@pytest.mark.parametrize("name", ["index", "customer_no", "orderNumber", "row"])
def test_a_column_of_distinct_numbers_that_is_called_so_is_no_feature(tmp_path, name):
    frame = BASE.assign(**{name: RNG.permutation(10**6)[:N]})
    with pytest.raises(InputError, match=f"{name}' (is an index|names the rows)"):
        load(tmp_path, frame)
    frame[name] = frame[name] % 7
    assert load(tmp_path, frame).features == ("a", name)


QUANTITIES = {
    "seconds in order, far apart": np.arange(N) ** 2 * 3 + 10**9,
    "prices in order": np.sort(RNG.permutation(10**6)[:N])[::-1],
    "years that are written as numbers with a point": 1950.0 + np.arange(N),
    "amountPaid": RNG.permutation(10**6)[:N],
    "casino": RNG.permutation(10**6)[:N],
    "reynolds_number": RNG.permutation(10**6)[:N] + 0.0,
    "index": RNG.normal(size=N),
    "level_1": np.arange(N) % 5,
}


@pytest.mark.parametrize("name", QUANTITIES)
def test_different_whole_numbers_may_be_a_quantity(tmp_path, name):
    data = load(tmp_path, BASE.assign(**{name: QUANTITIES[name]}))
    assert data.features == ("a", name) and np.array_equal(data.x[:, 1], np.float32(QUANTITIES[name]))


def test_dates_and_times_that_many_rows_share_are_categories(tmp_path):
    many = BASE.loc[np.resize(np.arange(N), 10 * N)]
    data = load(tmp_path, many.assign(slot=[f"{i % 24:02d}:00" for i in range(10 * N)]))
    assert data.features == ("a", *(f"slot={hour:02d}:00" for hour in range(24)))
    assert load(tmp_path, BASE.assign(v=[f"1.{i % 12}.10" for i in range(N)])).features[1] == "v=1.0.10"


def test_no_feature_is_written_over_by_another(tmp_path):
    with pytest.raises(InputError, match="two columns become the feature 'c=x'"):
        load(tmp_path, BASE.assign(**{"c": ["x", "y"] * (N // 2), "c=x": np.resize([1, 2], N)}))
    with pytest.raises(InputError, match="holds 'missing' as a category and 20 missing entries"):
        load(tmp_path, BASE.assign(c=np.resize(["x", None, "missing"], N)), "parquet")


@pytest.mark.parametrize("text", ["NA", "None", "nan", ""])
def test_a_label_that_stands_for_a_missing_one(tmp_path, text):
    sign = f" .it is '{text}'; if this is the name" if text else r"\."
    for other in ("DE", "1"):
        with pytest.raises(InputError, match=f"column 'label': the label of row 1 is missing{sign}"):
            load(tmp_path, BASE.assign(label=np.resize([other, text], N)))
    with pytest.raises(InputError, match="every record is of the class '1'; two"):
        load(tmp_path, BASE.assign(label=1))


def test_decimals_are_numbers_and_few_texts_one_hot_columns_by_name(tmp_path):
    prices = [Decimal(f"{v:.3f}") for v in RNG.normal(size=N)]
    frame = BASE.assign(price=prices, city=np.resize(["Bern", "Arth", None], N))
    data = load(tmp_path, frame, "parquet")
    assert data.features == ("a", "price", "city=Arth", "city=Bern", "city=missing")
    assert np.allclose(data.x[:, 1], [float(p) for p in prices]) and data.x[:3, 2:].tolist() == [
        [0, 1, 0],
        [1, 0, 0],
        [0, 0, 1],
    ]
    assert data.notes == (
        "One-hot encoded: city (Arth, Bern, missing).",
        "Missing entries are a category 'missing' of their own: city (20 rows).",
    )
    assert data.take(np.arange(3)).features == data.features


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_index_of_the_rows_is_left_out_and_said(tmp_path, ending):
    data = load(tmp_path, BASE.sample(frac=1, random_state=0), ending, index=True)
    assert data.features == ("a",) and len(data.notes) == 1
    assert data.notes[0].startswith(
        ("Left out, for it numbers the rows: Unnamed: 0", "The index of the file")
    )
    with pytest.raises(InputError, match="'Unnamed: 0' has no name"):
        load(tmp_path, BASE.set_index(RNG.normal(size=N)), index=True)


def test_two_tables_of_other_categories_are_told_apart(tmp_path):
    train = load(tmp_path, BASE.assign(city=np.resize(["x", "y"], N)))
    fewer = BASE.assign(city=["y"] * N)[["city", "label", "a"]]
    assert load(tmp_path, fewer).x.shape == (N, 2)
    like = load(tmp_path, fewer, like=train)
    assert like.features == train.features == ("a", "city=x", "city=y")
    assert np.allclose(like.x, np.stack([BASE["a"], np.zeros(N), np.ones(N)], axis=1))
    one_class = load(tmp_path, BASE.assign(city="x", label=1), like=train)
    assert one_class.classes == ("0", "1") and set(one_class.y) == {1}
    for frame, message in (
        (BASE.assign(city="z"), "'z' in row 0, which is no category"), (BASE, "'city=x' is not in this table"), (BASE.assign(city="x", b=1.5), "'b' is not in the other"),
        (BASE.assign(city="x", label=7), "no class '7'"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            load(tmp_path, frame, like=train)


def test_what_loses_digits_is_said(tmp_path):
    data = load(
        tmp_path, BASE.assign(n=np.arange(N) % 50 * 3 + 2**30, m=np.arange(N) % 50, near=1e9 + RNG.random(N))
    )
    assert data.notes == ("Rounded to single precision: n, near.",)


OPTIONS = {
    "drop is 'a'; list or tuple": {"drop": "a"}, "no column 'b'": {"drop": ["b"]}, "name one column twice": {"drop": ["label"]}, "no column besides": {"drop": ["a"]},
    "like is 3; Dataset is wanted": {"like": 3}, "label is 3; a valid string": {"label": 3}, "no column 'who'": {"id": "who"},
}  # fmt: skip


@pytest.mark.parametrize("message", OPTIONS)
def test_options_of_a_table(tmp_path, message):
    with pytest.raises(InputError, match=message):
        load(tmp_path, BASE, **OPTIONS[message])


def test_arrays_of_an_npz_are_all_known(tmp_path):
    def save(**arrays):
        np.savez(tmp_path / "d.npz", **arrays)
        return vestige.load_dataset(tmp_path / "d.npz")

    x, y = RNG.normal(size=(4, 2, 3)), [0, 1, 1, 0]
    assert save(x=x, y=y).notes == ("Samples of shape [2, 3] were flattened to 6 features.",)
    for wide in (np.array([[2**60], [2**60 + 1]] * 2), np.array([[1e9 + 0.1], [1e9 + 0.2]] * 2)):
        assert save(x=wide, y=y).notes == ("Features were rounded to single precision.",)
    assert save(x=RNG.normal(size=(4, 2)), y=y).notes == ()
    for arrays, message in (
        ({"X_test": x}, "no array 'X_test'"),
        ({"x": x * 1j}, "complex"),
        ({"ids": np.arange(4.0)}, "ids are float64"),
    ):
        with pytest.raises(InputError, match=message):
            save(**{"x": x, "y": y} | arrays)
    with pytest.raises(InputError, match="channels last; .*move the channels"):
        save(x=np.zeros((4, 8, 8, 3), np.uint8), y=y)
