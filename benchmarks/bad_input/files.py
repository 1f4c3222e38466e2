"""The door of files: arrays, tables, records and texts that are broken, hostile, or not what they seem."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import vestige
from vestige import llm
from vestige.errors import InputError
from vestige.experiments.runner import read_ids
from vestige.leaks import PosteriorPairs
from vestige.store import read_json

Case = tuple[str, Callable[[], Any], Any]
RNG = np.random.default_rng(0)
N, C = 40, 3
LABELS, LOGITS = RNG.integers(0, C, N), RNG.normal(size=(N, C))
READERS: dict[str, Callable[[Path], Any]] = {
    "signals": vestige.Signals.load,
    "data": vestige.load_dataset,
    "pairs": PosteriorPairs.load,
}


def cases(folder: Path) -> Iterator[Case]:
    for part in (_kinds_of_files, _npz, _packed, _tables, _parquet, _json, _texts, _folders, _named_sets):
        inner = folder / part.__name__
        inner.mkdir()
        yield from part(inner)


def _kinds_of_files(folder: Path) -> Iterator[Case]:
    """What is no regular file, is not there, or is too large."""
    os.mkfifo(folder / "pipe")
    sparse = folder / "sparse"
    with sparse.open("wb") as file:
        file.truncate(2**42)
    (folder / "inner").mkdir()
    strange: dict[str, Path | str] = {
        "pipe": folder / "pipe", "urandom": Path("/dev/urandom"), "zero": Path("/dev/zero"), "sparse": sparse,
        "gone": folder / "gone", "folder": folder / "inner", "loop": folder / "loop",
    }  # fmt: skip
    (folder / "loop").symlink_to(folder / "loop")
    for kind, target in strange.items():
        for ending in (".npz", ".csv", ".parquet"):
            link = folder / f"{kind}{ending}"
            link.symlink_to(target)
            for reader in ("signals", "data", "pairs"):
                if reader != "pairs" or ending == ".npz":
                    yield f"{reader} of {kind}{ending}", lambda r=reader, p=link: READERS[r](p), InputError
        for ending, read in ((".jsonl", llm.read_texts), (".txt", read_ids), (".yaml", vestige.load_config)):
            link = folder / f"{kind}{ending}"
            link.symlink_to(target)
            yield f"{read.__name__} of {kind}{ending}", lambda f=read, p=link: f(p), InputError
    for path in ("a\0b.npz", "x" * 300 + ".npz", "", "/" * 5000 + ".csv"):
        for reader in ("signals", "data"):
            yield f"{reader} of the path {path[:6]!r}", lambda r=reader, p=path: READERS[r](p), InputError


def _header(shape: object, descr: object = "<f8", order: object = False, raw: bytes = b"") -> bytes:
    text = (
        f"{{'descr': {descr!r}, 'fortran_order': {order!r}, 'shape': {shape!r}, }}".encode()
        if not raw
        else raw
    )
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text + b"\n"


def _zip(path: Path, members: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _npz(folder: Path) -> Iterator[Case]:
    """Arrays with lying headers, and arrays of the wrong kind, in the files of all three readers."""
    headers = {
        "10^12 rows": _header((10**12, 3)), "10^30 rows": _header((10**30,)), "negative": _header((-1, 3)),
        "no tuple": _header("x"), "no type": _header((3,), "<q9"), "object": _header((3,), "|O"),
        "void": _header((2,), "|V1000000000"), "long text": _header((1,), "<U1000000000"),
        "deep": _header(0, raw=b"(" * 5000 + b")" * 5000), "code": _header(0, raw=b"__import__('os')"),
        "bytes": _header(0, raw=b"\xff\xfe\x00"), "empty": b"", "magic only": b"\x93NUMPY", "version 9": b"\x93NUMPY\x09\x00aa",
        "no npy": b"hello", "short": _header((N, C)) + b"\0" * 100, "huge header": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f",
        "keys": _header(0, raw=b"{'descr': '<f8'}"), "float shape": _header((3.5,)), "many axes": _header((1,) * 100),
        "records": _header((2,), [("a", "<f8"), ("b", "<i4")]) + b"\0" * 24, "bools": _header((True, 3)),
    }  # fmt: skip
    for name, content in headers.items():
        _zip(folder / "signals.npz", {"labels.npy": content, "unlearned.npy": content})
        _zip(folder / "data.npz", {"x.npy": content, "y.npy": content})
        _zip(folder / "pairs.npz", {"original.npy": content, "unlearned.npy": content, "status.npy": content})
        for reader in READERS:
            path = folder / f"{reader}.npz"
            yield f"npz of {reader}: {name}", lambda r=reader, p=path: READERS[r](p), InputError
        (folder / "purchase100.npy").write_bytes(content)
        yield f"npy: {name}", lambda: vestige.load_dataset("purchase100", root=folder), InputError
    good = {"labels": LABELS, "unlearned": LOGITS}
    odd: dict[str, dict[str, Any]] = {
        "complex": good | {"unlearned": LOGITS + 1j}, "text": good | {"unlearned": LOGITS.astype(str)},
        "dates": good | {"unlearned": LOGITS.astype("M8[s]")}, "no rows": {"labels": LABELS[:0], "unlearned": LOGITS[:0]},
        "unknown": good | {"logits": LOGITS}, "plural": good | {"roles": ["forget"] * N},
        "float ids": good | {"ids": np.arange(N) * 1.0}, "bytes ids": good | {"ids": np.arange(N).astype("S")},
        "repeated ids": good | {"ids": np.zeros(N, int)}, "bool ids": good | {"ids": np.zeros(N, bool)},
        "NaN": good | {"original": LOGITS * np.nan}, "probabilities": good | {"original": np.full((N, C), 1 / C)},
        "scalar": good | {"ids": "a"}, "labels of floats": good | {"labels": LABELS + 0.5},
        "huge labels": good | {"labels": LABELS * 1e300}, "uint64": good | {"labels": np.full(N, 2**64 - 1, np.uint64)},
        "deep": good | {"population/" * 50 + "labels": LABELS}, "half a record": good | {"population/labels": LABELS},
        "saw them": good | {"ids": np.arange(N), "shadow_ids": ["3"], "shadow_out": LOGITS},
    }  # fmt: skip
    for name, arrays in odd.items():
        path = folder / f"{name}.npz"
        np.savez(path, **arrays)
        yield f"signals: {name}", lambda p=path: vestige.Signals.load(p), InputError
    rows = {"x": RNG.normal(size=(N, 2)), "y": LABELS}
    odd = {
        "complex": rows | {"x": rows["x"] + 1j}, "text": rows | {"x": rows["x"].astype(str)}, "unknown": rows | {"X_test": LABELS},
        "channels last": {"x": np.zeros((N, 8, 8, 3), np.uint8), "y": LABELS}, "short y": rows | {"y": LABELS[:5]},
        "scalar": rows | {"x": np.float64(3)}, "targets": rows | {"y": RNG.normal(size=N)}, "NaN y": rows | {"y": LABELS * np.nan},
        "ids as y": rows | {"y": np.arange(N)}, "class names": rows | {"classes": ["a", "b"]}, "ambiguous": rows | {"classes": ["1", "2", "0"]},
        "same classes": rows | {"classes": ["a", "a", "b"]}, "float ids": rows | {"ids": np.arange(N) / 2}, "inf": rows | {"x": rows["x"] * 1e300},
        "bytes y": rows | {"y": np.array([b"\xff"] * N)}, "empty ids": rows | {"ids": [""] * N}, "matrix y": rows | {"y": LABELS[:, None]},
    }  # fmt: skip
    for name, arrays in odd.items():
        path = folder / f"data {name}.npz"
        np.savez(path, **arrays)
        yield f"data: {name}", lambda p=path: vestige.load_dataset(p), InputError
    np.savez(folder / "fine.npz", **rows, ids=np.arange(N) + 2**60)
    yield (
        "data: big integers are ids",
        lambda: vestige.load_dataset(folder / "fine.npz").ids[1],
        lambda v: v == str(2**60 + 1),
    )


def _packed(folder: Path) -> Iterator[Case]:
    """Archives that expand, break off, or lie."""
    bomb = folder / "bomb.npz"
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("unlearned.npy", "w") as member,
    ):
        member.write(_header((40_000_000, 10)))
        for _ in range(50):
            member.write(bytes(2**23))
    whole = io.BytesIO()
    np.savez_compressed(
        whole, labels=LABELS, unlearned=LOGITS, x=LOGITS, y=LABELS, original=LOGITS, status=LABELS
    )
    raw = whole.getvalue()
    damage = {
        "bomb": bomb.read_bytes(),
        "nothing": b"",
        "text": b"hello",
        "a zip of nothing": b"PK\5\6" + bytes(18),
    }
    for place in range(10, len(raw) - 10, 83):
        flipped = bytearray(raw)
        flipped[place] ^= 0xFF
        damage |= {f"cut at {place}": raw[:place], f"flipped at {place}": bytes(flipped)}
    for name, content in damage.items():
        path = folder / f"{name}.npz"
        path.write_bytes(content)
        # an unknown array or a bad check sum: never an answer, for the good file holds too many arrays already
        for reader in READERS:
            yield f"{reader} of {name}", lambda r=reader, p=path: READERS[r](p), InputError
    encrypted = bytearray(_zip(folder / "e.npz", {"labels.npy": b"1", "unlearned.npy": b"1"}).read_bytes())
    encrypted[6] |= 1
    (folder / "e.npz").write_bytes(
        bytes(encrypted).replace(b"PK\1\2\x14\x03\x14\0\0", b"PK\1\2\x14\x03\x14\0\1")
    )
    yield "encrypted", lambda: vestige.Signals.load(folder / "e.npz"), InputError
    with zipfile.ZipFile(folder / "twice.npz", "w") as archive:
        for _ in range(2):
            archive.writestr("labels.npy", _header((0,)))
    yield "the same array twice", lambda: vestige.Signals.load(folder / "twice.npz"), InputError
    _zip(folder / "many.npz", {f"a{i}.npy": b"" for i in range(20_000)})
    yield "20,000 arrays", lambda: vestige.Signals.load(folder / "many.npz"), InputError


NUMBERS = {f"unlearned_{j}": LOGITS[:, j] for j in range(C)}


def _tables(folder: Path) -> Iterator[Case]:
    """CSV files, as signals and as data."""
    header = "label,unlearned_0,unlearned_1"
    texts = {
        "empty": "", "header": header, "blank": "\n\n\n", "semicolons": "label;unlearned_0\n0;1\n", "NUL": "\0" * 1000,
        "quote": f'{header}\n0,"1,2\n', "more entries": f"{header}\n0,1,2,3\n1,1,2,3\n", "ragged": f"{header}\n0,1,2\n0,1,2,3,4\n",
        "text": f"{header}\n0,a,b\n", "gap": f"{header}\n0,1,\n1,2,3\n", "twice": f"label,{header},unlearned_0\n0,0,1,2,3\n",
        "no label": "unlearned_0,unlearned_1\n1,2\n", "a hole": "label,unlearned_0,unlearned_2\n0,1,2\n", "one class": "label,unlearned_0\n0,1\n",
        "index": f",{header}\n0,0,1,2\n", "wrong case": f"ID,Role,{header}\na,forget,0,1,2\n", "short names": f"{header},orig_0,orig_1\n0,1,2,1,2\n",
        "shadow gap": f"{header},shadow0_0,shadow0_1,shadow2_0,shadow2_1\n0,1,2,1,2,1,2\n", "percent": f"{header}\n0,10%,20%\n",
        "comma": f'{header}\n0,"1,5","2,5"\n', "infinite": f"{header}\n0,inf,2\n", "missing id": f"id,{header}\n,0,1,2\nb,1,2,3\n",
        "same id": f"id,{header}\nb,0,1,2\nb,1,2,3\n", "role": f"role,{header}\nretained,0,1,2\n", "no role": f"role,{header}\n,0,1,2\n",
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
        "leading zeros": [f"{i:05d}" for i in range(N)], "1e5": [f"1e{i}" for i in range(N)], "NA": ["NA", "nan", "None", *map(str, range(N - 3))],
        "big": [str(2**60 + i) for i in range(N)], "points": [f"{i}.0" for i in range(N)], "spaces": [f" {i} " for i in range(N)],
    }.items():  # fmt: skip
        path = folder / f"ids {name}.csv"
        pd.DataFrame({"id": ids, "label": LABELS, **NUMBERS}).to_csv(path, index=False)
        yield f"ids: {name}", lambda p=path: vestige.Signals.load(p).names.tolist(), lambda v, w=ids: v == w
        yield (
            f"ids of data: {name}",
            lambda p=path: vestige.load_dataset(p, id="id").ids.tolist(),
            lambda v, w=ids: v == w,
        )
    yield from _data_tables(folder)


def _data_tables(folder: Path) -> Iterator[Case]:
    base = pd.DataFrame({"a": RNG.normal(size=N), "label": LABELS})
    columns: dict[str, Any] = {
        "names": [f"u{i}" for i in range(N)], "comma": [f"{i},5" for i in range(N)], "dates": [f"2024-01-{i % 28 + 1:02d}T{i}" for i in range(N)],
        "few commas": ["1,5", "2,5"] * (N // 2), "counter": np.arange(N), "shuffled counter": RNG.permutation(N), "customer_id": RNG.permutation(10**6)[:N],
        "gaps": [None, *range(N - 1)], "infinite": [np.inf] * N, "stray": ["?", *map(str, RNG.normal(size=N - 1))], "uuid": [f"{i:x}-a" for i in range(N)],
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
        "no such label": {"label": "lable"}, "no such id": {"id": "cust"}, "id is label": {"id": "label"}, "drop of text": {"drop": "a"},
        "drop of nothing": {"drop": ["b"]}, "drop of the label": {"drop": ["label"]}, "all dropped": {"drop": ["a", "city", "Unnamed: 0"]},
        "unknown": {"lable": "a"}, "like": {"like": 3}, "label of a list": {"label": ["a"]}, "id of a number": {"id": 3}, "root": {"root": "x"},
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
        "shuffled": base.sample(frac=1, random_state=0), "named ID": base.rename_axis("ID"), "two levels": base.set_index([LABELS, np.arange(N)]),
        "dates": base.assign(label=pd.Timestamp("2024")), "lists": base.assign(id=[[1]] * N), "no id": base.assign(id=[None, *"a" * 0, *map(str, range(N - 1))]),
        "float ids": base.assign(id=np.arange(N) * 1.0), "bytes ids": base.assign(id=[b"a%d" % i for i in range(N)]), "more": base.assign(weight=1.0),
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
        "when": pd.date_range("2024-01-01", periods=N, freq="h"), "took": pd.to_timedelta(np.arange(N), unit="s"), "month": pd.period_range("2000-01", periods=N, freq="M"),
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


def _json(folder: Path) -> Iterator[Case]:
    """Records of signals and of any kind."""
    vestige.Signals(LABELS, LOGITS).save(folder / "good")
    record = json.loads((folder / "good" / "signals.json").read_text())
    deep = "[" * 100_000
    texts = {
        "deep": deep, "deep objects": '{"a":' * 50_000, "digits": "1" * 5000, "cut": '{"a": ', "nothing": "", "NaN": '{"a": NaN}', "twice": '{"a": 1, "a": 2}',
        "two": "{} {}", "comma": "[1,]", "long key": '{"' + "a" * 10_000_000, "balanced": "[" * 500 + "]" * 500,
    }  # fmt: skip
    for name, text in texts.items():
        (folder / f"{name}.json").write_text(text)
        yield f"json: {name}", lambda p=folder / f"{name}.json": read_json(p), InputError
    (folder / "bytes.json").write_bytes(b"\xff\xfe")
    yield "json: bytes", lambda: read_json(folder / "bytes.json"), InputError
    manifests: dict[str, Any] = {
        "a list": [], "null": None, "a number": 3, "no hashes": {"attached": []}, "hashes of a list": record | {"sha256": ["a"]},
        "attached of text": record | {"attached": "population"}, "attached outside": record | {"attached": ["../good"]}, "no attached": {"sha256": record["sha256"]},
        "hashes outside": record | {"sha256": record["sha256"] | {"../../etc/passwd": "0"}}, "other hashes": record | {"sha256": dict.fromkeys(record["sha256"], "0")},
        "hashes of numbers": record | {"sha256": dict.fromkeys(record["sha256"], 3)}, "one hash": record | {"sha256": {"rows.parquet": "0"}},
        "itself": record | {"attached": ["population"]}, "attached of lists": record | {"attached": [["population"]]},
    }  # fmt: skip
    for name, value in manifests.items():
        copy = folder / f"m {name}"
        shutil.copytree(folder / "good", copy)
        (copy / "signals.json").write_text(json.dumps(value))
        if name == "itself":
            (copy / "population").symlink_to(copy)
        yield f"manifest: {name}", lambda p=copy: vestige.Signals.load(p), InputError
    tensors = {
        "nothing": b"", "long header": struct.pack("<Q", 2**62), "no json": struct.pack("<Q", 3) + b"abc", "a list": struct.pack("<Q", 2) + b"[]",
        "bf16": _tensors("BF16", [2, 2], 8), "f8": _tensors("F8_E4M3", [2, 2], 4), "huge": _tensors("F64", [10**12, 3], 8), "short": _tensors("F64", [N, C], 8),
        "deep": struct.pack("<Q", 20_000) + b'{"a":' * 4000, "negative": _tensors("F64", [-1], 8), "other": _tensors("F64", [2, 2], 32, "logits"),
        "wide": _tensors("F64", [2, 2], 32), "integers": _tensors("I64", [N, C], N * C * 8),
    }  # fmt: skip
    from vestige.store import file_hash

    for name, content in tensors.items():
        copy = folder / f"t {name}"
        shutil.copytree(folder / "good", copy)
        (copy / "arrays.safetensors").write_bytes(content)
        told = record | {
            "sha256": record["sha256"] | {"arrays.safetensors": file_hash(copy / "arrays.safetensors")}
        }
        (copy / "signals.json").write_text(json.dumps(told))
        wanted: Any = (
            (lambda s: len(s) == N) if name == "integers" else InputError
        )  # whole numbers are logits
        yield f"safetensors: {name}", lambda p=copy: vestige.Signals.load(p), wanted


def _tensors(dtype: str, shape: list[int], size: int, name: str = "unlearned") -> bytes:
    text = json.dumps({name: {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(text)) + text + bytes(size)


def _texts(folder: Path) -> Iterator[Case]:
    """JSON Lines of texts, and lists of ids."""
    bad = {
        "surrogate": rb'{"text": "\ud800"}', "no text": b'{"txt": "a"}', "number": b"3", "null": b"null", "empty": b'{"text": " "}', "cut": b'{"text": "a',
        "latin": b'{"text": "\xe4"}', "id null": b'{"text": "a", "id": null}', "id float": b'{"text": "a", "id": 1.0}', "id true": b'{"text": "a", "id": true}',
        "id list": b'{"text": "a", "id": [1]}', "id twice": b'{"text": "a", "id": 1}\n{"text": "b", "id": "1"}', "id empty": b'{"text": "a", "id": ""}',
        "id surrogate": rb'{"text": "a", "id": "\ud800"}', "deep": b"[" * 10_000, "nothing": b"", "blank": b"\n\n", "digits": b'{"text": "a", "id": ' + b"1" * 5000 + b"}",
        "text twice": b'{"text": "a", "text": "b"}', "a list": b'["a", "b"]',
    }  # fmt: skip
    for name, content in bad.items():
        (folder / f"{name}.jsonl").write_bytes(content)
        yield f"texts: {name}", lambda p=folder / f"{name}.jsonl": llm.read_texts(p), InputError
    for name, content in {"object": b"{}", "numbers": b"[1]", "deep": b"[" * 10_000, "two": b"[] []"}.items():
        (folder / f"{name}.json").write_bytes(content)
        yield f"texts.json: {name}", lambda p=folder / f"{name}.json": llm.read_texts(p), InputError
    for code in ("\u2028", "\u2029", "\u0085", "\x0b", "\x1c"):
        path = folder / f"u{ord(code):04x}.jsonl"
        path.write_bytes(
            json.dumps({"text": f"one{code if code > ' ' else ''}two"}, ensure_ascii=False).encode(
                "utf-8-sig"
            )
        )
        yield f"texts: U+{ord(code):04X}", lambda p=path: len(llm.read_texts(p)), lambda v: v == 1
    (folder / "ids.txt").write_bytes("\ufeff007\r\n1e1\r\n\r\nNA\n x \n".encode())
    yield "ids as written", lambda: read_ids(folder / "ids.txt"), lambda v: v == ["007", "1e1", "NA", " x "]
    (folder / "latin.txt").write_bytes(b"\xe4")
    yield "ids: latin", lambda: read_ids(folder / "latin.txt"), InputError


def _folders(folder: Path) -> Iterator[Case]:
    """Folders of images."""
    from PIL import Image

    def put(name: str, content: bytes) -> Path:
        (folder / name / "a").mkdir(parents=True)
        (folder / name / "a" / "1.png").write_bytes(content)
        return folder / name

    raw = io.BytesIO()
    Image.new("RGB", (8, 8)).save(raw, format="PNG")
    png = raw.getvalue()
    huge = png.replace(struct.pack(">II", 8, 8), struct.pack(">II", 60_000, 60_000), 1)
    for name, content in {
        "noise": RNG.bytes(300),
        "nothing": b"",
        "cut": png[:40],
        "huge": huge,
        "text": b"hello",
    }.items():
        yield f"image: {name}", lambda p=put(name, content): vestige.load_dataset(p), InputError
    two = put("two sizes", png)
    Image.new("RGB", (9, 9)).save(two / "a" / "2.png")
    yield "images of two sizes", lambda: vestige.load_dataset(two), InputError
    pipe = put("pipe", png)
    os.mkfifo(pipe / "a" / "2.png")
    yield "a pipe among images", lambda: vestige.load_dataset(pipe), InputError
    (folder / "none").mkdir()
    yield "no images", lambda: vestige.load_dataset(folder / "none"), InputError


def _named_sets(folder: Path) -> Iterator[Case]:
    """The published files of named data sets, broken."""
    for name, file in (
        ("mnist", "train-images-idx3-ubyte.gz"),
        ("cifar10", "cifar-10-binary.tar.gz"),
        ("location30", "dataset_location.tgz"),
    ):
        bomb = gzip.compress(bytes(300 * 2**20), 9)
        for kind, content in {
            "noise": RNG.bytes(200),
            "nothing": b"",
            "cut": gzip.compress(RNG.bytes(3000))[:500],
            "bomb": bomb,
        }.items():
            root = folder / f"{name} {kind}"
            root.mkdir()
            (root / file).write_bytes(content)
            yield f"{name}: {kind}", lambda n=name, r=root: vestige.load_dataset(n, root=r), InputError
    archive = folder / "tar"
    archive.mkdir()
    with tarfile.open(archive / "dataset_location.tgz", "w:gz") as tar:
        info = tarfile.TarInfo("bangkok")
        info.size = 2**30
        with open("/dev/zero", "rb") as zeros:
            tar.addfile(info, zeros)
    yield (
        "location30: a tar that expands",
        lambda: vestige.load_dataset("location30", root=archive),
        InputError,
    )
