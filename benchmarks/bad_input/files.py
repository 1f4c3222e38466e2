"""The door of files: arrays, records, texts and images that are broken, hostile, or not what they seem."""

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

import vestige
from benchmarks.bad_input import tables
from vestige import llm
from vestige.errors import InputError
from vestige.files import read_ids
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
    for part in (_kinds_of_files, _npz, _packed, _json, _texts, _folders, _named_sets):
        inner = folder / part.__name__
        inner.mkdir()
        yield from part(inner)
    yield from tables.cases(folder)


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
        "bytes": _header(0, raw=b"\xff\xfe\x00"), "empty": b"", "magic only": b"\x93NUMPY",
        "version 9": b"\x93NUMPY\x09\x00aa",
        "no npy": b"hello", "short": _header((N, C)) + b"\0" * 100,
        "huge header": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f",
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
        "dates": good | {"unlearned": LOGITS.astype("M8[s]")},
        "no rows": {"labels": LABELS[:0], "unlearned": LOGITS[:0]},
        "unknown": good | {"logits": LOGITS}, "plural": good | {"roles": ["forget"] * N},
        "float ids": good | {"ids": np.arange(N) * 1.0}, "bytes ids": good | {"ids": np.arange(N).astype("S")},
        "repeated ids": good | {"ids": np.zeros(N, int)}, "bool ids": good | {"ids": np.zeros(N, bool)},
        "NaN": good | {"original": LOGITS * np.nan}, "probabilities": good | {"original": np.full((N, C), 1 / C)},
        "scalar": good | {"ids": "a"}, "labels of floats": good | {"labels": LABELS + 0.5},
        "huge labels": good | {"labels": LABELS * 1e300},
        "uint64": good | {"labels": np.full(N, 2**64 - 1, np.uint64)},
        "deep": good | {"population/" * 50 + "labels": LABELS}, "half a record": good | {"population/labels": LABELS},
        "saw them": good | {"ids": np.arange(N), "shadow_ids": ["3"], "shadow_out": LOGITS},
    }  # fmt: skip
    for name, arrays in odd.items():
        path = folder / f"{name}.npz"
        np.savez(path, **arrays)
        yield f"signals: {name}", lambda p=path: vestige.Signals.load(p), InputError
    rows = {"x": RNG.normal(size=(N, 2)), "y": LABELS}
    odd = {
        "complex": rows | {"x": rows["x"] + 1j}, "text": rows | {"x": rows["x"].astype(str)},
        "unknown": rows | {"X_test": LABELS},
        "channels last": {"x": np.zeros((N, 8, 8, 3), np.uint8), "y": LABELS}, "short y": rows | {"y": LABELS[:5]},
        "scalar": rows | {"x": np.float64(3)}, "targets": rows | {"y": RNG.normal(size=N)},
        "NaN y": rows | {"y": LABELS * np.nan},
        "ids as y": rows | {"y": np.arange(N)}, "class names": rows | {"classes": ["a", "b"]},
        "ambiguous": rows | {"classes": ["1", "2", "0"]},
        "same classes": rows | {"classes": ["a", "a", "b"]}, "float ids": rows | {"ids": np.arange(N) / 2},
        "inf": rows | {"x": rows["x"] * 1e300},
        "bytes y": rows | {"y": np.array([b"\xff"] * N)}, "empty ids": rows | {"ids": [""] * N},
        "matrix y": rows | {"y": LABELS[:, None]},
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


def _json(folder: Path) -> Iterator[Case]:
    """Records of signals and of any kind."""
    vestige.Signals(LABELS, LOGITS).save(folder / "good")
    record = json.loads((folder / "good" / "signals.json").read_text())
    deep = "[" * 100_000
    texts = {
        "deep": deep, "deep objects": '{"a":' * 50_000, "digits": "1" * 5000, "cut": '{"a": ', "nothing": "",
        "NaN": '{"a": NaN}', "twice": '{"a": 1, "a": 2}',
        "two": "{} {}", "comma": "[1,]", "long key": '{"' + "a" * 10_000_000, "balanced": "[" * 500 + "]" * 500,
    }  # fmt: skip
    for name, text in texts.items():
        (folder / f"{name}.json").write_text(text)
        yield f"json: {name}", lambda p=folder / f"{name}.json": read_json(p), InputError
    (folder / "bytes.json").write_bytes(b"\xff\xfe")
    yield "json: bytes", lambda: read_json(folder / "bytes.json"), InputError
    manifests: dict[str, Any] = {
        "a list": [], "null": None, "a number": 3, "no hashes": {"attached": []},
        "hashes of a list": record | {"sha256": ["a"]},
        "attached of text": record | {"attached": "population"},
        "attached outside": record | {"attached": ["../good"]}, "no attached": {"sha256": record["sha256"]},
        "hashes outside": record | {"sha256": record["sha256"] | {"../../etc/passwd": "0"}},
        "other hashes": record | {"sha256": dict.fromkeys(record["sha256"], "0")},
        "hashes of numbers": record | {"sha256": dict.fromkeys(record["sha256"], 3)},
        "one hash": record | {"sha256": {"rows.parquet": "0"}},
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
        "nothing": b"", "long header": struct.pack("<Q", 2**62), "no json": struct.pack("<Q", 3) + b"abc",
        "a list": struct.pack("<Q", 2) + b"[]",
        "bf16": _tensors("BF16", [2, 2], 8), "f8": _tensors("F8_E4M3", [2, 2], 4),
        "huge": _tensors("F64", [10**12, 3], 8), "short": _tensors("F64", [N, C], 8),
        "deep": struct.pack("<Q", 20_000) + b'{"a":' * 4000, "negative": _tensors("F64", [-1], 8),
        "other": _tensors("F64", [2, 2], 32, "logits"),
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
        "surrogate": rb'{"text": "\ud800"}', "no text": b'{"txt": "a"}', "number": b"3", "null": b"null",
        "empty": b'{"text": " "}', "cut": b'{"text": "a',
        "latin": b'{"text": "\xe4"}', "id null": b'{"text": "a", "id": null}',
        "id float": b'{"text": "a", "id": 1.0}', "id true": b'{"text": "a", "id": true}',
        "id list": b'{"text": "a", "id": [1]}', "id twice": b'{"text": "a", "id": 1}\n{"text": "b", "id": "1"}',
        "id empty": b'{"text": "a", "id": ""}',
        "id surrogate": rb'{"text": "a", "id": "\ud800"}', "deep": b"[" * 10_000, "nothing": b"", "blank": b"\n\n",
        "digits": b'{"text": "a", "id": ' + b"1" * 5000 + b"}",
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
        images = put(name, content)
        yield f"image: {name}", lambda p=images: vestige.load_dataset(p), InputError
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
