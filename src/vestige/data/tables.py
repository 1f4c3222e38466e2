"""Tabular data sets: Location-30, Purchase-100, Texas-100, Adult, US Accidents, Insta. All give float32 [N, F]."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vestige.data.dataset import Dataset, numbered
from vestige.data.files import numbers, present
from vestige.data.registry import Download, register
from vestige.errors import InputError, unknown
from vestige.files import check_expansion, read_npy, read_table, reading, regular

PRIVACYTRUST = "github.com/privacytrustlab/datasets"
RAW = "https://github.com/privacytrustlab/datasets/raw/master/"


@register(
    "location30", description="5,010 check-in profiles, 446 binary features, 30 classes",
    home=f"{PRIVACYTRUST} (Shokri et al. 2017)",
    downloads=(Download(RAW + "dataset_location.tgz", "dataset_location.tgz"),),
)  # fmt: skip
def location30(root: Path) -> Dataset:
    """Location-30 from Parquet (label, f1, ...), or the published archive or CSV with the label first."""
    return _privacytrust("location30", root, ("bangkok", "location"), "dataset_location.tgz", 30)


@register(
    "purchase100", description="197,324 shopping histories, 600 binary features, 100 classes",
    home=f"{PRIVACYTRUST} (Shokri et al. 2017)",
    downloads=(Download(RAW + "dataset_purchase.tgz", "dataset_purchase.tgz"),),
)  # fmt: skip
def purchase100(root: Path) -> Dataset:
    """Purchase-100 from Parquet, `.npy` or the published archive or CSV, with the label first."""
    return _privacytrust("purchase100", root, ("dataset_purchase", "purchase"), "dataset_purchase.tgz", 100)


@register(
    "texas100", description="67,330 hospital stays, 6,170 binary features, 100 classes",
    home=f"{PRIVACYTRUST} (Shokri et al. 2017)", downloads=(Download(RAW + "dataset_texas.tgz", "dataset_texas.tgz"),),
)  # fmt: skip
def texas100(root: Path) -> Dataset:
    """Texas-100 from Parquet, or the published archive or its two files feats and labels."""
    parquet = present(root, "texas100.parquet")
    if parquet is not None:
        return _labelled("texas100", read_table(parquet), parquet, 100)
    feats, labels = (_csv(root, (n,), "dataset_texas.tgz", ("texas/100", "100")) for n in ("feats", "labels"))
    feats.insert(0, "label", labels.iloc[:, 0])
    return _labelled("texas100", feats, root, 100)


def _privacytrust(name: str, root: Path, members: tuple[str, ...], archive: str, classes: int) -> Dataset:
    parquet = present(root, f"{name}.parquet")
    array = present(root, *(f"{stem}.npy" for stem in (name, *members)))
    if parquet is not None:
        return _labelled(name, read_table(parquet), parquet, classes)
    if array is not None:
        plain = read_npy(array)
        if plain.ndim != 2 or not plain.size or plain.dtype.kind not in "fiub":
            raise InputError(
                f"{array}: {plain.dtype} of shape {plain.shape}; rows of numbers with the label first are wanted."
            )
        return _labelled(name, pd.DataFrame(plain), array, classes)
    return _labelled(name, _csv(root, (*members, *(f"{m}.csv" for m in members)), archive), root, classes)


def _csv(root: Path, members: tuple[str, ...], archive: str, folders: tuple[str, ...] = ()) -> pd.DataFrame:
    path, packed = present(root, *members, folders=folders), present(root, archive)
    if path is not None:
        return read_table(path, header=None)
    if packed is None:
        raise InputError(f"{root}: none of {', '.join(members)}, {archive} or a Parquet file is there.")
    with reading(packed), tarfile.open(regular(packed)) as tar:
        wanted = {Path(m).name for m in members}
        member = next((m for m in tar if m.isfile() and Path(m.name).name in wanted), None)
        file = tar.extractfile(member) if member is not None else None
        if member is None or file is None:
            raise InputError(f"{packed}: none of {', '.join(sorted(wanted))} is in it.")
        check_expansion(packed, member.size)
        return pd.read_csv(file, header=None)


def _labelled(name: str, table: pd.DataFrame, where: Path, classes: int) -> Dataset:
    """Build a data set from a table whose label (1..classes) is the column "label" or the first one."""
    column = "label" if "label" in table else table.columns[0]
    text = table.pop(column).astype(str).str.strip('"')
    labels = numbers(text.to_frame(), where).iloc[:, 0].to_numpy()
    outside = labels[(labels < 1) | (labels > classes) | (labels % 1 != 0)]
    if len(outside):
        raise InputError(f"{where}: a label is {outside[0]:g}; 1..{classes} is wanted for {name}.")
    labels, table = labels - 1, numbers(table, where)
    return _numbered(name, table.to_numpy(np.float32), labels, tuple(str(i + 1) for i in range(classes)))


def _numbered(
    name: str, x: NDArray[np.float32], y: NDArray[Any], classes: tuple[str, ...], notes: tuple[str, ...] = ()
) -> Dataset:
    return Dataset(name, np.ascontiguousarray(x), y.astype(np.int64), numbered(name, len(x)), classes, notes)


ADULT = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship",
    "race", "gender", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
)  # fmt: skip
ADULT_ALIASES = {
    "type_employer": "workclass", "education_num": "education-num", "educational-num": "education-num",
    "marital": "marital-status", "marital_status": "marital-status", "sex": "gender",
    "capital_gain": "capital-gain", "capital_loss": "capital-loss", "hr_per_week": "hours-per-week",
    "hours_per_week": "hours-per-week", "country": "native-country", "native_country": "native-country",
}  # fmt: skip
ADULT_NUMBERS = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/"


@register(
    "adult", description="census records, 14 attributes, income above 50K or not",
    home="archive.ics.uci.edu (Becker and Kohavi), CC BY 4.0",
    downloads=(Download(UCI + "adult.data", "adult.data"), Download(UCI + "adult.test", "adult.test")),
)  # fmt: skip
def adult(root: Path, *, encoding: Literal["onehot", "label"] = "onehot") -> Dataset:
    """UCI Adult. Missing entries ("?") of the three columns that have them become the commonest one.

    Parameters
    ----------
    encoding : {"onehot", "label"}
        "onehot" (recommended): one column per category, numbers as they are; "label": an integer code per
        category in sorted order, as published with UnlearningLeaks (Chen et al. 2021).
    """
    _check_encoding("adult", encoding, ("onehot", "label"))
    path = present(root, "adult.csv")
    if path is not None:
        table = read_table(path)
    else:
        parts = [p for p in (present(root, "adult.data"), present(root, "adult.test")) if p is not None]
        if not parts:
            raise InputError(f"{root}: adult.csv or adult.data is missing.")
        layout: dict[str, Any] = {"header": None, "names": list(ADULT), "skipinitialspace": True}
        table = pd.concat([read_table(p, skiprows=int(p.suffix == ".test"), **layout) for p in parts])
    table = table.rename(columns=ADULT_ALIASES)
    missing = [c for c in ADULT if c not in table]
    if missing:
        raise InputError(f"{path or root}: {unknown('column', missing[0], map(str, table.columns))}")
    table = table[list(ADULT)].replace("?", np.nan)
    counted = [
        c for c in ADULT_NUMBERS if not pd.api.types.is_numeric_dtype(table[c]) or table[c].isna().any()
    ]
    if counted:
        numbers(table[counted], path or root)
    filled = [c for c in ("workclass", "occupation", "native-country") if table[c].isna().any()]
    for column in filled:
        table[column] = table[column].fillna(table[column].mode()[0])
    income = table.pop("income").astype(str).str.strip(" .")
    strange = sorted(set(income) - {"<=50K", ">50K"})
    if strange:
        raise InputError(f"{path or root}: income is {strange[0]!r}; '<=50K' or '>50K' is wanted.")
    notes = [
        f"Missing entries of {', '.join(filled)} were replaced by the commonest."
        if filled
        else "No entry is missing."
    ]
    notes.append(
        "Categories are one-hot encoded; published: integer codes."
        if encoding == "onehot"
        else "Categories are integer codes, as published."
    )
    return _numbered(
        "adult", _encoded(table, encoding), (income == ">50K").to_numpy(), ("<=50K", ">50K"), tuple(notes)
    )


def _check_encoding(name: str, encoding: str, allowed: tuple[str, ...]) -> None:
    if encoding not in allowed:
        raise InputError(f"{name}: {unknown('encoding', encoding, allowed)}")


def _encoded(table: pd.DataFrame, encoding: str) -> NDArray[np.float32]:
    """Return numbers as they are and text as one-hot columns or integer codes, in the order of the columns."""
    columns = []
    for name in table:
        values = table[name]
        if pd.api.types.is_numeric_dtype(values):
            columns.append(values.to_numpy(np.float32)[:, None])
        elif encoding == "onehot":
            columns.append(pd.get_dummies(values).to_numpy(np.float32))
        else:
            columns.append(np.unique(values.astype(str), return_inverse=True)[1].astype(np.float32)[:, None])
    return np.concatenate(columns, axis=1)


ACCIDENTS = (
    "Source", "TMC", "Start_Lat", "Start_Lng", "Distance", "Side", "County", "State", "Timezone", "Airport_Code",
    "Temperature", "Wind_Chill", "Humidity", "Pressure", "Visibility", "Wind_Direction", "Wind_Speed",
    "Precipitation", "Weather_Condition", "Amenity", "Crossing", "Junction", "Railway", "Station",
    "Traffic_Signal", "Sunrise_Sunset", "Civil_Twilight", "Nautical_Twilight", "Astronomical_Twilight",
)  # fmt: skip
MANY = 64  # categories above which one-hot columns are given up for an integer code


@register(
    "us_accidents", description="traffic accidents, up to 29 attributes, severe or not",
    home="kaggle.com/datasets/sobhanmoosavi/us-accidents (Moosavi et al. 2019), CC BY-NC-SA 4.0; needs a login",
)  # fmt: skip
def us_accidents(root: Path, *, encoding: Literal["onehot", "paper"] = "onehot") -> Dataset:
    """US Accidents: severity 1 and 2 against 3 and 4, from any release, by the columns that it has.

    Parameters
    ----------
    encoding : {"onehot", "paper"}
        "onehot" (recommended): numbers as they are, categories one-hot (an integer code where there are more
        than 64); "paper": numbers in 100 equal-width bins, categories as codes from 1, as published with
        UnlearningLeaks (Chen et al. 2021).
    """
    _check_encoding("us_accidents", encoding, ("onehot", "paper"))
    path = present(root, "*.csv", "*.parquet")
    if path is None:
        raise InputError(f"{root}: no .csv or .parquet file of us_accidents is there.")
    table = read_table(path).rename(columns=lambda c: str(c).split("(")[0])
    if "Severity" not in table:
        raise InputError(f"{path}: {unknown('column', 'Severity', map(str, table.columns))}")
    severity = numbers(table[["Severity"]], path)["Severity"].to_numpy()
    if not np.isin(severity, (1, 2, 3, 4)).all():
        raise InputError(
            f"{path}: Severity is {severity[~np.isin(severity, (1, 2, 3, 4))][0]:g}; 1..4 is wanted."
        )
    severe = severity >= 3
    known = [c for c in ACCIDENTS if c in table]
    absent = [c for c in ACCIDENTS if c not in table]
    notes = [f"{len(known)} of the 29 published attributes are in this file."]
    if absent:
        notes.append(f"Missing in this file and left out: {', '.join(absent)}.")
    columns, coded = [], []
    for name in known:
        values = table[name]
        number = pd.api.types.is_float_dtype(values)
        if number or pd.api.types.is_bool_dtype(values) or pd.api.types.is_integer_dtype(values):
            if values.isna().all():
                raise InputError(f"{path}: the column {name!r} is empty; drop it.")
            filled = values.fillna(values.median()).to_numpy(np.float64)
            columns.append(_binned(filled) if number and encoding == "paper" else filled[:, None])
            continue
        text = values.fillna("missing").astype(str)
        if encoding == "paper" or text.nunique() > MANY:
            coded.append(name)
            columns.append(np.unique(text, return_inverse=True)[1][:, None] + 1.0)
        else:
            columns.append(pd.get_dummies(text).to_numpy(np.float64))
    if encoding == "paper":
        notes.append(
            "Numbers are in 100 equal-width bins over this file's range; the published ranges are not known."
        )
    elif coded:
        notes.append(f"More than {MANY} categories, so an integer code: {', '.join(coded)}.")
    x = np.concatenate(columns, axis=1).astype(np.float32)
    return _numbered("us_accidents", x, severe, ("severity 1-2", "severity 3-4"), tuple(notes))


def _binned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    edges = np.linspace(values.min(), values.max(), 101)[1:-1]
    return np.digitize(values, edges).astype(np.float64)[:, None]


@register(
    "insta", description="locations by check-ins per hour of the week, 168 features, 9 categories",
    home="walk2friends (Backes et al. 2017); ask its authors, no public home",
)  # fmt: skip
def insta(root: Path, *, city: Literal["new_york", "los_angeles"] = "new_york") -> Dataset:
    """Insta-NY or Insta-LA: a CSV with locid first, 168 hourly counts, and the category (0..8) last."""
    files = {"new_york": ("*ny*.csv", "*new_york*.csv"), "los_angeles": ("*la*.csv", "*los_angeles*.csv")}
    if city not in files:
        raise InputError(f"insta: {unknown('city', city, files)}")
    path = present(root, *files[city])
    if path is None:
        raise InputError(f"{root}: no CSV of insta for {city} is there, such as {files[city][1].strip('*')}.")
    table = numbers(read_table(path).drop(columns="locid", errors="ignore"), path)
    labels = table.iloc[:, -1].to_numpy()
    outside = labels[(labels < 0) | (labels > 8) | (labels % 1 != 0)]
    if len(outside):
        raise InputError(f"{path}: a category is {outside[0]:g}; 0..8 is wanted.")
    names = tuple(str(i) for i in range(9))
    return _numbered(f"insta-{city}", table.iloc[:, :-1].to_numpy(np.float32), labels, names)
