"""The door of users' files: what is opened, what is read, and the limits that messages name."""

import io
import json
import os
import struct
import zipfile

import numpy as np
import pandas as pd
import pytest

from vestige import files
from vestige.errors import ArtefactError, InputError


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "random").symlink_to("/dev/urandom")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "large").write_bytes(bytes(2000))
    for name, message in (
        ("pipe", "is a named pipe; a regular file"), ("random", "is a device"), (".", "is a folder"), ("gone", "no such file"),
        ("large", "has 1.953 KB; at most 1000 B"), ("loop", "cannot be opened"), ("a\0b", "cannot be opened"), ("x" * 300, "cannot be opened"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            files.regular(tmp_path / name, 1000)
    with pytest.raises(InputError, match="of type int"):
        files.regular(3)
    assert files.regular(tmp_path / "large") == tmp_path / "large"


def test_lines_end_with_a_newline_alone_and_a_mark_is_left_out(tmp_path):
    (tmp_path / "ids").write_bytes("\ufeff007\r\n a\u2028b \n\n\x85c".encode())
    assert files.read_lines(tmp_path / "ids") == ["007", " a\u2028b ", "", "\x85c"]
    (tmp_path / "latin").write_bytes(b"\xe4")
    with pytest.raises(InputError, match="not UTF-8"):
        files.read_text(tmp_path / "latin")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "deeper than 100 levels"), ('{"a":' * 500 + "1" + "}" * 500, "deeper than 100 levels"), ("1" * 41, "integer of 41 digits"),
        ('{"a": 1, "a": 2}', "key 'a' stands twice"), ("NaN", "NaN is no JSON"), (r'["\ud800"]', "lone surrogate"), ('{"a": ', "Expecting value"), ("", "Expecting value"),
    ],
)  # fmt: skip
def test_json_that_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        files.parse_json(text)


def test_json_that_is_read():
    value = {"a": [1, 10**39, -2.5, None, True, "[[[{{{" * 100, "\U0001f600"], "b": {}}
    assert files.parse_json(json.dumps(value)) == value
    many = [[i] for i in range(1000)]
    assert files.parse_json(json.dumps(many)) == many


def header(shape, descr="<f8"):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def packed(path, members, kind=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize(
    "content",
    [header((10**12, 3)), header((10**30,)), header((-1,)), header((3,), "<q9"), header((1,), "<U1000000000"), b"", b"hello", header((4,)) + b"\0" * 8],
    ids=["10^12", "10^30", "below 0", "no type", "long text", "nothing", "no npy", "short"],
)  # fmt: skip
def test_arrays_whose_header_lies(tmp_path, content):
    with pytest.raises(InputError, match=r"a\.npz: "):
        files.read_npz(packed(tmp_path / "a.npz", {"a": content}))
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npy"):
        files.read_npy(tmp_path / "a.npy")


def test_archives_that_expand_break_off_or_hide_a_member(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "FREE_BYTES", 10_000)
    np.savez(tmp_path / "none.npz")
    with pytest.raises(InputError, match="none.npz holds no arrays"):
        files.read_npz(tmp_path / "none.npz")
    good = io.BytesIO()
    np.savez_compressed(good, a=np.arange(50), b=np.arange(60.0))
    raw = good.getvalue()
    path = tmp_path / "a.npz"
    path.write_bytes(raw)
    assert sorted(files.read_npz(path)) == ["a", "b"]
    for place in range(0, len(raw), 11):
        path.write_bytes(raw[:place])
        with pytest.raises(InputError):
            files.read_npz(path)
        flipped = bytearray(raw)
        flipped[place] ^= 0xFF
        path.write_bytes(flipped)
        try:
            arrays = files.read_npz(path)
        except InputError:
            continue
        assert arrays["a"].tolist() == list(range(50)) and arrays["b"].tolist() == list(range(60))
    packed(path, {"a": header((1_000_000,)) + bytes(8_000_000)})
    with pytest.raises(InputError, match="expands to 7.629 MB; at most 200 times its size"):
        files.read_npz(path)
    monkeypatch.setattr(files, "memory", lambda: 1_000_000)
    with pytest.raises(InputError, match="the memory here"):
        files.read_npz(path)


def test_a_table_is_read_as_written_where_it_is_asked_to(tmp_path):
    (tmp_path / "t.csv").write_text("\ufeffid,x,y\n007,1,NA\nNA,2,\n1e1,3,b\n")
    table = files.read_table(tmp_path / "t.csv", written=["id", "absent"])
    assert table["id"].tolist() == ["007", "NA", "1e1"] and table["x"].tolist() == [1, 2, 3]
    assert table["y"].isna().tolist() == [True, True, False]
    assert files.read_table(tmp_path / "t.csv")["x"].dtype.kind == "i"


@pytest.mark.parametrize("text", ["{}", "\n \t\r\n{}", "\ufeff\n{}", '"id",x\n007,1\n08,2\n'])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ids_are_as_written_whatever_ends_a_line(tmp_path, text, end):
    (tmp_path / "t.csv").write_bytes(text.format("id,x\n007,1\n08,2\n").replace("\n", end).encode())
    table = files.read_table(tmp_path / "t.csv", written=["id"])
    assert table["id"].tolist() == ["007", "08"] and table["x"].tolist() == [1, 2]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_table_that_is_not_utf8(tmp_path, encoding):
    for rows in (1, 9000):
        (tmp_path / "t.csv").write_text("id\n" + "abcdefgh\n" * rows + "\xe4\n", encoding=encoding)
        with pytest.raises(InputError, match="t.csv is not UTF-8; convert it"):
            files.read_table(tmp_path / "t.csv")


def test_tables_that_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "COLUMNS", 50)
    texts = {
        "column 'a' stands twice": "a,b,a\n1,2,3\n", "is empty; a first line": "\n", "has 60 columns; at most 50": ",".join(map(str, range(60))),
        "rows have more entries than its first line, 2": "a,b\n1,2,3\n4,5,6\n", "not readable .*EOF": 'a,b\n"1,2\n',
        "separated by ';'; a comma": "a;b\n1,5;2\n", r"separated by '\\t'": "a\tb\n1\t2\n",
    }  # fmt: skip
    for message, text in texts.items():
        (tmp_path / "t.csv").write_text(text)
        with pytest.raises(InputError, match=message):
            files.read_table(tmp_path / "t.csv")
    pd.DataFrame({str(i): [1] for i in range(60)}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match="has 60 columns"):
        files.read_table(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(b"PAR1" + b"\xff\xff\xff\x7fPAR1")
    with pytest.raises(ArtefactError, match="not readable"):
        files.read_table(tmp_path / "t.parquet")


def test_a_named_index_of_parquet_is_a_column(tmp_path):
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0]}, index=pd.Index(["a", "b", "c"], name="id"))
    frame.to_parquet(tmp_path / "t.parquet")
    assert files.read_table(tmp_path / "t.parquet")["id"].tolist() == ["a", "b", "c"]
    frame.rename_axis(None).to_parquet(tmp_path / "t.parquet")
    assert not files.numbered_plainly(files.read_table(tmp_path / "t.parquet"))


def test_parquet_that_expands(tmp_path, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setattr(files, "FREE_BYTES", 100_000)
    path = tmp_path / "t.parquet"
    zeros = np.zeros(2_000_000, np.int8)
    pq.write_table(pa.table({"a": zeros, "b": zeros}), path)
    with pytest.raises(InputError, match="expands to 3.815 MB; at most 200 times"):
        files.read_table(path)
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(200, np.int32)), pa.array(["a" * 100_000]))
    pq.write_table(pa.table({"a": long.cast(pa.string())}), path)
    with pytest.raises(InputError, match="expands to 19.07 MB; at most 200 times"):
        files.read_table(path)
    pd.DataFrame({"a": ["x", None, "y"] * 100}).to_parquet(path)
    assert files.read_table(path)["a"].isna().sum() == 100
