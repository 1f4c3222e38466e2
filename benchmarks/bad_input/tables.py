"""The door of files, the tables: CSV and Parquet whose columns, ids or labels are not what they seem."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import vestige
from vestige.errors import InputError

Case = tuple[str, Callable[[], Any], Any]
RNG = np.random.default_rng(1)
N, C = 40, 3
LABELS, LOGITS = RNG.integers(0, C, N), RNG.normal(size=(N, C))
READERS: dict[str, Callable[[Path], Any]] = {"signals": vestige.Signals.load, "data": vestige.load_dataset}
NUMBERS = {f"unlearned_{j}": LOGITS[:, j] for j in range(C)}


def cases(folder: Path) -> Iterator[Case]:
    for part in (_tables, _data_tables, _parquet):
        inner = folder / part.__name__
        inner.mkdir()
        yield from part(inner)


def _tables(folder: Path) -> Iterator[Case]:
    """CSV files, as signals and as data."""
    header = "label,unlearned_0,unlearned_1"
    texts = {
        "empty": "", "header": header, "blank": "\n\n\n", "semicolons": "label;unlearned_0\n0;1\n",
        "NUL": "\0" * 1000,
        "quote": f'{header}\n0,"1,2\n', "more entries": f"{header}\n0,1,2,3\n1,1,2,3\n",
        "ragged": f"{header}\n0,1,2\n0,1,2,3,4\n",
        "text": f"{header}\n0,a,b\n", "gap": f"{header}\n0,1,\n1,2,3\n",
        "twice": f"label,{header},unlearned_0\n0,0,1,2,3\n",
        "no label": "unlearned_0,unlearned_1\n1,2\n", "a hole": "label,unlearned_0,unlearned_2\n0,1,2\n",
        "one class": "label,unlearned_0\n0,1\n",
        "index": f",{header}\n0,0,1,2\n", "wrong case": f"ID,Role,{header}\na,forget,0,1,2\n",
        "short names": f"{header},orig_0,orig_1\n0,1,2,1,2\n",
        "shadow gap": f"{header},shadow0_0,shadow0_1,shadow2_0,shadow2_1\n0,1,2,1,2,1,2\n",
        "percent": f"{header}\n0,10%,20%\n",
        "comma": f'{header}\n0,"1,5","2,5"\n', "infinite": f"{header}\n0,inf,2\n",
        "missing id": f"id,{header}\n,0,1,2\nb,1,2,3\n",
        "same id": f"id,{header}\nb,0,1,2\nb,1,2,3\n", "role": f"role,{header}\nretained,0,1,2\n",
        "no role": f"role,{header}\n,0,1,2\n",
        "label of text": f"{header}\ncat,1,2\n", "label 7": f"{header}\n7,1,2\n", "label 0.5": f"{header}\n0.5,1,2\n",
        "probabilities": f"{header}\n0,0.5,0.5\n1,0.25,0.75\n", "huge": f"{header}\n{'9' * 5000},1,2\n",
    }  # fmt: skip
    for name, text in texts.items():
        path = folder / f"{name}.csv"
        path.write_text(text)
        yield f"signals: {name}", lambda p=path: vestige.Signals.load(p), InputError
    for name, content in {
        "latin": "label,ä\n".encode("latin-1"),
        "utf-16": header.encode("utf-16"),
        "noise": RNG.bytes(5000),
    }.items():
        (folder / f"{name}.csv").write_bytes(content)
        for reader in ("signals", "data"):
            yield f"{reader}: {name}", lambda r=reader, p=folder / f"{name}.csv": READERS[r](p), InputError
    wide = folder / "wide.csv"
    wide.write_text(",".join(f"c{i}" for i in range(10**6)) + "\n" + "1," * (10**6 - 1) + "1\n")
    for reader in ("signals", "data"):
        yield f"{reader}: 10^6 columns", lambda r=reader: READERS[r](wide), InputError
    for name, ids in {
        "leading zeros": [f"{i:05d}" for i in range(N)], "1e5": [f"1e{i}" for i in range(N)],
        "NA": ["NA", "nan", "None", *map(str, range(N - 3))],
        "big": [str(2**60 + i) for i in range(N)], "points": [f"{i}.0" for i in range(N)],
        "spaces": [f" {i} " for i in range(N)],
    }.items():  # fmt: skip
        path = folder / f"ids {name}.csv"
        pd.DataFrame({"id": ids, "label": LABELS, **NUMBERS}).to_csv(path, index=False)
        yield f"ids: {name}", lambda p=path: vestige.Signals.load(p).names.tolist(), lambda v, w=ids: v == w
        yield (
            f"ids of data: {name}",
            lambda p=path: vestige.load_dataset(p, id="id").ids.tolist(),
            lambda v, w=ids: v == w,
        )


def _data_tables(folder: Path) -> Iterator[Case]:
    base = pd.DataFrame({"a": RNG.normal(size=N), "label": LABELS})
    columns: dict[str, Any] = {
        "names": [f"u{i}" for i in range(N)], "comma": [f"{i},5" for i in range(N)],
        "dates": [f"2024-01-{i % 28 + 1:02d}T{i}" for i in range(N)],
        "few commas": ["1,5", "2,5"] * (N // 2), "counter": np.arange(N), "shuffled counter": RNG.permutation(N),
        "customer_id": RNG.permutation(10**6)[:N],
        "gaps": [None, *range(N - 1)], "infinite": [np.inf] * N, "stray": ["?", *map(str, RNG.normal(size=N - 1))],
        "uuid": [f"{i:x}-a" for i in range(N)],
    }  # fmt: skip
    for name, values in columns.items():
        path = folder / f"data {name}.csv"
        base.assign(**{name: values}).to_csv(path, index=False)
        yield f"data: {name}", lambda p=path: vestige.load_dataset(p), InputError
    for name, label in {
        "target": RNG.normal(size=N),
        "name": columns["names"],
        "gap": [None, *LABELS[1:]],
        "all": np.arange(N),
    }.items():
        path = folder / f"label {name}.csv"
        base.assign(label=label).to_csv(path, index=False)
        yield f"label: {name}", lambda p=path: vestige.load_dataset(p), InputError
    path = folder / "fine.csv"
    base.assign(city=np.resize(["b", "a"], N)).to_csv(path)
    yield (
        "data: an index is left out",
        lambda: vestige.load_dataset(path),
        lambda d: d.features == ("a", "city=a", "city=b") and len(d.notes) == 2,
    )
    for name, options in {
        "no such label": {"label": "lable"}, "no such id": {"id": "cust"}, "id is label": {"id": "label"},
        "drop of text": {"drop": "a"},
        "drop of nothing": {"drop": ["b"]}, "drop of the label": {"drop": ["label"]},
        "all dropped": {"drop": ["a", "city", "Unnamed: 0"]},
        "unknown": {"lable": "a"}, "like": {"like": 3}, "label of a list": {"label": ["a"]},
        "id of a number": {"id": 3}, "root": {"root": "x"},
    }.items():  # fmt: skip
        yield f"options: {name}", lambda o=options: vestige.load_dataset(path, **o), InputError
    classes = {
        "whole": (RNG.integers(1, 11, 400), "2"),
        "floats": (RNG.integers(0, 12, 400) * 1.0, "2"),
        "zeros": ([f"{i % 12:02d}" for i in range(400)], "02"),
    }
    for name, (label, wanted) in classes.items():
        path_ = folder / f"classes {name}.csv"
        pd.DataFrame({"a": RNG.normal(size=400), "label": label}).to_csv(path_, index=False)
        yield f"class 2: {name}", lambda p=path_: _forgets(p, 2), lambda v, w=wanted: v == {w}


def _forgets(path: Path, label: object) -> set[str]:
    data = vestige.load_dataset(path)
    split = vestige.make_split(data, "class", label=label, holdout=50, shadow=50)
    return {data.classes[k] for k in data.y[split.forget]}


def _parquet(folder: Path) -> Iterator[Case]:
    base = pd.DataFrame({"label": LABELS, **NUMBERS})
    base.to_parquet(folder / "good.parquet", index=False)
    raw = (folder / "good.parquet").read_bytes()
    damage = {
        "nothing": b"",
        "magic": b"PAR1PAR1",
        "text": b"hello",
        "long footer": b"PAR1" + b"\xff\xff\xff\x7fPAR1",
    }
    damage |= {f"cut at {place}": raw[:place] for place in range(5, len(raw), len(raw) // 12)}
    for place in range(len(raw) - 700, len(raw) - 1, 61):
        damage[f"footer at {place}"] = raw[:place] + bytes(8) + raw[place + 8 :]
    for name, content in damage.items():
        path = folder / f"{name}.parquet"
        path.write_bytes(content)
        for reader in ("signals", "data"):
            wanted: Any = InputError
            if name.startswith("footer"):  # some bytes of a footer say nothing
                wanted = (
                    (lambda v: v.unlearned.tolist() == LOGITS.tolist())
                    if reader == "signals"
                    else (lambda v: len(v) == N)
                )
            yield (
                f"{reader}: {name}",
                lambda r=reader, p=path, w=wanted: _refused_or(READERS[r], p, w),
                wanted,
            )
    index = {
        "shuffled": base.sample(frac=1, random_state=0), "named ID": base.rename_axis("ID"),
        "two levels": base.set_index([LABELS, np.arange(N)]),
        "dates": base.assign(label=pd.Timestamp("2024")), "lists": base.assign(id=[[1]] * N),
        "no id": base.assign(id=[None, *"a" * 0, *map(str, range(N - 1))]),
        "float ids": base.assign(id=np.arange(N) * 1.0),
        "bytes ids": base.assign(id=[b"a%d" % i for i in range(N)]), "more": base.assign(weight=1.0),
    }  # fmt: skip
    for name, frame in index.items():
        path = folder / f"index {name}.parquet"
        frame.to_parquet(path)
        yield f"signals: {name}", lambda p=path: vestige.Signals.load(p), InputError
    pd.DataFrame({"id": [f"c{i}" for i in range(N)], "label": LABELS, **NUMBERS}).set_index("id").to_parquet(
        folder / "id.parquet"
    )
    yield (
        "signals: id as the index",
        lambda: vestige.Signals.load(folder / "id.parquet").names[7],
        lambda v: v == "c7",
    )
    rows = base.rename(columns={"unlearned_0": "a", "unlearned_1": "b", "unlearned_2": "c"})
    columns = {
        "when": pd.date_range("2024-01-01", periods=N, freq="h"), "took": pd.to_timedelta(np.arange(N), unit="s"),
        "month": pd.period_range("2000-01", periods=N, freq="M"),
        "parts": [[1, 2]] * N, "record": [{"a": 1}] * N, "raw": [b"a"] * N, "day": [pd.Timestamp("2024").date()] * N,
    }  # fmt: skip
    for name, values in columns.items():
        path = folder / f"column {name}.parquet"
        rows.assign(**{name: values}).to_parquet(path, index=False)
        yield f"data: {name}", lambda p=path: vestige.load_dataset(p), InputError


def _refused_or(read: Callable[[Path], Any], path: Path, expected: Any) -> Any:
    """Read a file that may be refused or right; what is refused in a sentence counts as the right value."""
    if isinstance(expected, type):
        return read(path)
    try:
        return read(path)
    except InputError:
        return _Right()


class _Right:
    """Equal to everything that is asked of it."""

    unlearned = LOGITS

    def __len__(self) -> int:
        return N
