"""Signals in users' tables: every column is understood or refused, and ids are as they are written."""

import json

import numpy as np
import pandas as pd
import pytest

from vestige.errors import ArtefactError, InputError
from vestige.signals import Signals

N = 40
RNG = np.random.default_rng(0)
BASE = pd.DataFrame(
    {"label": RNG.integers(0, 2, N), "unlearned_0": RNG.normal(size=N), "unlearned_1": RNG.normal(size=N)}
)
NAMES = [f"c{i}" for i in range(N)]


def load(folder, frame, ending="csv", index=False):
    path = folder / f"t.{ending}"
    frame.to_csv(path, index=index) if ending == "csv" else frame.to_parquet(path, index=index)
    return Signals.load(path)


IDS = {
    "zeros": [f"{i:05d}" for i in range(N)], "exponents": [f"1e{i}" for i in range(N)], "big": [str(2**53 + i) for i in range(N)],
    "NA": ["NA", "nan", "null", *NAMES[3:]], "points": [f"{i}.0" for i in range(N)], "blanks": [f" {i} " for i in range(N)],
}  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("kind", IDS)
def test_ids_are_as_they_are_written(tmp_path, kind, ending):
    assert load(tmp_path, BASE.assign(id=IDS[kind]), ending).names.tolist() == IDS[kind]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_missing_or_repeated_id_is_refused(tmp_path, ending):
    with pytest.raises(InputError, match="the id in row 5 is missing"):
        load(tmp_path, BASE.assign(id=[*NAMES[:5], None, *NAMES[6:]]), ending)
    with pytest.raises(InputError, match="'c1' appears twice"):
        load(tmp_path, BASE.assign(id=["c1", *NAMES[1:]]), ending)
    with pytest.raises(InputError, match="ids are float64"):
        load(tmp_path, BASE.assign(id=np.arange(N) * 1.0), "parquet")


UNKNOWN = {
    "no column 'orig_0'. Did you mean 'original_0'": {"orig_0": 1.0}, "no column 'shadow_0'. Did you mean 'shadow0_0'": {"shadow_0": 1.0},
    "no column 'retrain0_0'. Did you mean 'retrained0_0'": {"retrain0_0": 1.0}, "no column 'ID'": {"ID": NAMES}, "no column 'Role'. Did you mean 'role'": {"Role": "forget"},
    "no column 'population/labels'": {"population/labels": 1}, "shadow0_0, shadow1_0, ... without a gap": {"shadow1_0": 1.0, "shadow1_1": 2.0}, "unlearned_1, ... without a gap": {"unlearned_3": 1.0},
}  # fmt: skip


@pytest.mark.parametrize("message", UNKNOWN)
def test_a_column_that_is_not_understood_is_refused(tmp_path, message):
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        load(tmp_path, BASE.assign(**UNKNOWN[message]))


def test_an_index_is_an_id_where_it_says_so(tmp_path):
    named = BASE.set_index(pd.Index(NAMES, name="id"))
    assert load(tmp_path, named, "parquet", index=True).names.tolist() == NAMES
    for frame, ending, message in (
        (named.rename_axis("ID"), "parquet", "no column 'ID'"), (named.rename_axis(None), "parquet", "its index has no name"), (BASE, "csv", "'Unnamed: 0' has no name"),
        (BASE.iloc[::-1], "parquet", "its index has no name"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            load(tmp_path, frame, ending, index=True)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (BASE[:0], "there are no rows"), (BASE.assign(unlearned_0="1,5"), "'unlearned_0' holds text"), (BASE.assign(unlearned_0=BASE["unlearned_0"] > 0), "holds bool"),
        (BASE.assign(unlearned_0=[np.nan] + [1.0] * (N - 1)), "NaN or an infinity in row 0"), (BASE.assign(role=[None] + ["forget"] * (N - 1)), "no role ''"), (BASE.drop(columns="label"), "no column 'label'"),
    ],
)  # fmt: skip
def test_tables_without_signals(tmp_path, frame, message):
    with pytest.raises(InputError, match=message):
        load(tmp_path, frame)


MANIFESTS = {
    "JSON object is wanted": [], "hashes of": {"attached": []}, "does not hold the hashes": {"sha256": {"../secret": "0"}, "attached": []}, "'attached' is no list": "population",
    "no list of population": ["../other"],
}  # fmt: skip


@pytest.mark.parametrize("message", MANIFESTS)
def test_a_manifest_of_other_things_is_refused(tmp_path, message):
    Signals(BASE["label"], BASE[["unlearned_0", "unlearned_1"]]).save(tmp_path / "s")
    path = tmp_path / "s" / "signals.json"
    record, value = json.loads(path.read_text()), MANIFESTS[message]
    path.write_text(
        json.dumps(record | {"attached": value} if "list of" in message or "no list" in message else value)
    )
    with pytest.raises(ArtefactError, match=message):
        Signals.load(tmp_path / "s")


def test_records_that_hold_each_other_end(tmp_path):
    signals = Signals(BASE["label"], BASE[["unlearned_0", "unlearned_1"]])
    signals.with_(population=signals).save(tmp_path / "s")
    for path in sorted((tmp_path / "s" / "population").iterdir()):
        path.unlink()
    (tmp_path / "s" / "population").rmdir()
    (tmp_path / "s" / "population").symlink_to(tmp_path / "s")
    with pytest.raises(ArtefactError, match="more than 4 levels"):
        Signals.load(tmp_path / "s")
