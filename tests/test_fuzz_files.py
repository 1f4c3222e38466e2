"""Fuzzing the door of files, seeded and bounded: whatever the bytes are, the answer is a value or one sentence."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import vestige
from vestige.config import parse_yaml
from vestige.errors import InputError
from vestige.leaks import PosteriorPairs
from vestige.llm import read_texts
from vestige.store import file_hash, read_json

BOUNDED = settings(
    max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
RNG = np.random.default_rng(0)
N = 12
LABELS, LOGITS = np.resize([0, 1], N), RNG.normal(size=(N, 2))
IDS = [f"{i:03d}" for i in range(N)]
TABLE = pd.DataFrame({"id": IDS, "label": LABELS, "unlearned_0": LOGITS[:, 0], "unlearned_1": LOGITS[:, 1]})


def packed(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """Return a strategy of the bytes of a good file with some of them cut, changed, put in or taken out."""

    def apply(changes: list[tuple[str, int, bytes]]) -> bytes:
        data = bytearray(content)
        for kind, place, put in changes:
            at = place % (len(data) + 1)
            if kind == "cut":
                del data[at:]
            elif kind == "change":
                data[at : at + len(put)] = put
            elif kind == "put in":
                data[at:at] = put
            else:
                del data[at : at + len(put)]
        return bytes(data)

    near_end = st.integers(max(0, len(content) - 400), len(content))
    places = st.one_of(st.integers(0, len(content)), near_end, st.integers(0, 200))
    puts = st.one_of(
        st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 8, b"\0" * 4, b"\x7f\xff\xff\xff"])
    )
    kinds = st.sampled_from(["change"] * 4 + ["cut", "put in", "take out"])
    return st.lists(st.tuples(kinds, places, puts), min_size=1, max_size=4).map(apply)


def answer(call: Callable[[], Any]) -> Any:
    """Return what a call gives, None where it is refused in a sentence; anything else is raised."""
    try:
        return call()
    except InputError as error:
        assert str(error) and "\n" not in str(error).replace(
            "\n  - ", " "
        )  # a sentence, or a list of several
        return None


SIGNALS = packed(labels=LABELS, unlearned=LOGITS, ids=IDS)
DATA = packed(x=LOGITS, y=LABELS, ids=IDS)
PAIRS = packed(
    original=np.full((N, 2), 0.5), unlearned=np.full((N, 2), 0.5), status=np.resize(["deleted", "outside"], N)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@BOUNDED
@given(signals=damaged(SIGNALS), data=damaged(DATA), pairs=damaged(PAIRS))
def test_npz(folder, signals, data, pairs):
    for name, content in (("signals", signals), ("data", data), ("pairs", pairs)):
        (folder / f"{name}.npz").write_bytes(content)
    made = answer(lambda: vestige.Signals.load(folder / "signals.npz"))
    assert made is None or np.array_equal(made.unlearned, LOGITS)  # a check sum guards each array
    rows = answer(lambda: vestige.load_dataset(folder / "data.npz"))
    assert rows is None or np.array_equal(rows.x, LOGITS.astype(np.float32))
    answer(lambda: PosteriorPairs.load(folder / "pairs.npz"))


@BOUNDED
@given(content=damaged(parquet(TABLE)))
def test_parquet(folder, content):
    path = folder / "t.parquet"
    path.write_bytes(content)
    answer(lambda: vestige.Signals.load(path))
    answer(lambda: vestige.load_dataset(path, id="id"))


NAMES = [
    "label",
    "id",
    "role",
    "unlearned_0",
    "unlearned_1",
    "original_0",
    "original_1",
    "shadow0_0",
    "shadow0_1",
    "Unnamed: 0",
    "",
    "a",
    "a",
    "index",
    "ID",
]
CELLS = [
    "0",
    "1",
    "1.5",
    "-2e3",
    "",
    "NA",
    "nan",
    "inf",
    "1,5",
    '"',
    "007",
    "forget",
    "2024-01-01",
    "x" * 50,
    "\u2028",
    "\0",
    "1e400",
    "9" * 30,
    "True",
    " 1 ",
    "\ufeff",
    "é",
]


@BOUNDED
@given(
    header=st.lists(st.sampled_from(NAMES), max_size=8),
    rows=st.lists(st.lists(st.one_of(st.sampled_from(CELLS), st.text(max_size=5)), max_size=9), max_size=14),
    comma=st.sampled_from([",", ",", ",", ";", "\t"]), end=st.sampled_from(["\n", "\r\n", "\r"]), coding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)  # fmt: skip
def test_csv(folder, header, rows, comma, end, coding):
    path = folder / "t.csv"
    text = end.join(comma.join(line) for line in [header, *rows])
    path.write_bytes(text.encode(coding, "surrogatepass"))
    answer(lambda: vestige.Signals.load(path))
    answer(lambda: vestige.load_dataset(path))
    answer(lambda: vestige.load_dataset(path, label="a", id="id", drop=["index"]))


@BOUNDED
@given(
    ids=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=8),
        min_size=N,
        max_size=N,
        unique=True,
    )
)
def test_ids_of_a_table_are_as_they_are_written(folder, ids):
    frame = TABLE.assign(id=ids)
    frame.to_csv(folder / "ids.csv", index=False)
    frame.to_parquet(folder / "ids.parquet", index=False)
    for ending in ("csv", "parquet"):
        assert vestige.Signals.load(folder / f"ids.{ending}").names.tolist() == ids


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), st.sampled_from(["sha256", "attached", "population", "../x", "arrays.safetensors"])),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["sha256", "attached", "arrays.safetensors", "rows.parquet", "text", "id"]), inner, max_size=4)),
    max_leaves=12,
)  # fmt: skip


@BOUNDED
@given(value=VALUES, cut=st.integers(0, 30))
@example(value=[], cut=0)
def test_json(folder, value, cut):
    text = json.dumps(value)
    path = folder / "signals.json"
    path.write_text(text[: len(text) - cut] if cut < 20 else text, encoding="utf-8")
    answer(lambda: read_json(path))
    answer(lambda: vestige.Signals.load(folder))
    for ending in ("json", "jsonl"):
        (folder / f"t.{ending}").write_text(
            text if ending == "json" else text.replace(", ", "\n"), encoding="utf-8"
        )
        answer(lambda e=ending: read_texts(folder / f"t.{e}"))


@BOUNDED
@given(header=st.one_of(VALUES, st.dictionaries(st.sampled_from(["unlearned", "original", "x", "__metadata__"]), st.fixed_dictionaries({
    "dtype": st.sampled_from(["F64", "F32", "F16", "BF16", "I64", "BOOL", "F8_E4M3", "Q9"]), "shape": st.lists(st.integers(-1, 2**40), max_size=3) | st.just([N, 2]),
    "data_offsets": st.tuples(st.integers(0, 400), st.integers(0, 400)) | st.just((0, 8 * 2 * N)),
}), max_size=3)), size=st.integers(0, 400))  # fmt: skip
def test_safetensors(folder, header, size):
    target = folder / "record"
    vestige.Signals(LABELS, LOGITS).save(target)
    text = json.dumps(header).encode()
    path = target / "arrays.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(size))
    record = json.loads((target / "signals.json").read_text())
    record["sha256"]["arrays.safetensors"] = file_hash(path)
    (target / "signals.json").write_text(json.dumps(record))
    answer(lambda: vestige.Signals.load(target))


WORDS = [
    "a",
    "name",
    ": ",
    ": ",
    "\n",
    "\n  ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "&x ",
    "*x",
    "<<: ",
    "!!int ",
    "!!float ",
    "!!binary ",
    "!!set ",
    "? ",
    "| \n",
    "> \n",
    "'",
    '"',
    "#",
    "%",
    "---\n",
    "\\ud800",
    "1e400",
    "0x",
    "1:2",
    "2024-13-01",
    "null",
    "~",
    "\t",
    "=",
    "@",
    "`",
    "9" * 50,
]


@settings(BOUNDED, max_examples=400)
@given(st.lists(st.sampled_from(WORDS), max_size=25).map("".join))
def test_yaml(text):
    try:
        parse_yaml(text)
    except InputError:
        raise AssertionError("a reason in words is wanted, whoever asked names the place") from None
    except ValueError as error:
        assert "\n" not in str(error) and str(error)


@BOUNDED
@given(st.lists(st.sampled_from(WORDS), max_size=25).map("".join))
def test_configurations(folder, text):
    path: Path = folder / "c.yaml"
    path.write_text(text, encoding="utf-8")
    answer(lambda: vestige.load_config(path))
