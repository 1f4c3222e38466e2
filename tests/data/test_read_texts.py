"""Files of texts: lines of JSON that end with a newline alone, and ids as they are written."""

import json
import os

import pandas as pd
import pytest

from vestige.data.texts import Texts, as_texts, read_texts
from vestige.errors import InputError


@pytest.mark.parametrize("letter", ["\u2028", "\u2029", "\u0085", "\x7f"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_unicode_calls_a_line_end_may_stand_in_a_text(tmp_path, letter, end):
    texts = [f"one{letter}two", "three"]
    lines = end.join(json.dumps({"text": text}, ensure_ascii=False) for text in texts)
    (tmp_path / "t.jsonl").write_bytes(lines.encode("utf-8-sig"))
    assert list(read_texts(tmp_path / "t.jsonl").texts) == texts


def test_a_list_in_a_file_of_either_case(tmp_path):
    (tmp_path / "T.JSON").write_text('[{"text": "a b", "id": 7}, {"text": "c d", "id": "007"}]')
    assert read_texts(tmp_path / "T.JSON").ids == ("7", "007")


BAD = {
    "id in row 0 is missing": '{"text": "a", "id": null}',
    "row 0 is of type float": '{"text": "a", "id": 1.0}',
    "are bool|of type bool": '{"text": "a", "id": true}',
    "lone surrogate": r'{"text": "\ud800"}',
    "deeper than 100 levels": "[" * 5000,
    "key 'text' stands twice": '{"text": "a", "text": "b"}',
    "line 2: not valid JSON": '"a"\n"b',
    "distinct": '{"text": "a", "id": 1}\n{"text": "b", "id": "1"}',
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_no_text_or_no_id_is_refused(tmp_path, message):
    (tmp_path / "t.jsonl").write_text(BAD[message])
    with pytest.raises(InputError, match=message) as caught:
        read_texts(tmp_path / "t.jsonl")
    assert "t.jsonl" in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    for name, message in (
        ("", "is a folder"),
        ("pipe.jsonl", "is a named pipe"),
        ("gone.jsonl", "no such file"),
    ):
        with pytest.raises(InputError, match=message):
            read_texts(tmp_path / name)


def test_files_of_texts(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "one", "id": "x"}\n\n{"text": "two", "id": 7}\n')
    assert read_texts(tmp_path / "a.jsonl") == Texts(("one", "two"), ("x", "7"))
    (tmp_path / "b.json").write_text(json.dumps(["one", "two", "one"]))
    one, two, again = read_texts(tmp_path / "b.json").ids
    assert again == f"{one}-2" and one != two
    (tmp_path / "b.json").write_text(json.dumps(["two", "one"]))
    assert read_texts(tmp_path / "b.json").ids == (two, one)  # an id is of the text, not of its place
    lines = "a\u2028b", "c\u0085d", "e\u2029f"
    for mark in (b"", b"\xef\xbb\xbf"):
        content = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        (tmp_path / "s.jsonl").write_bytes(mark + content.replace("\n", "\r\n").encode())
        assert read_texts(tmp_path / "s.jsonl").texts == lines
    for name, content, message in (
        ("c.jsonl", b'{"text": 3}', "entry 1: a string"),
        ("d.jsonl", b'"one"\n{"text"', "line 2: not valid JSON"),
        ("e.jsonl", "caf\xe9".encode("latin-1"), "not UTF-8"),
        ("f.json", b'{"text": "a"}', "JSON list"),
        ("g.jsonl", b"\n", "holds no texts"),
        (
            "h.jsonl",
            b'"one"\n{"text": "two", "id": "x"}',
            "entry 2: ids are wanted for every text, or for none",
        ),
        (
            "i.jsonl",
            b'{"text": "one", "id": "x"}\n"two"',
            "entry 2: ids are wanted for every text, or for none",
        ),
        ("j.jsonl", b'{"text": "one", "id": 1.0}', "row 0 is of type float"),
        ("k.jsonl", b'{"text": "one", "id": null}', "id in row 0 is missing"),
        ("r.jsonl", b'{"text": "one", "ID": 7}', "the key 'ID' is not read; did you mean 'id'"),
        ("l.jsonl", b'{"text": "one", "id": true}', "are bool|of type bool"),
        ("m.jsonl", b'{"text": "one", "id": ""}', "id in row 0 is missing"),
        ("n.jsonl", b'{"text": "a", "id": "x"}\n{"text": "b", "id": "x"}', "Two texts have the id 'x'"),
        ("o.json", b"[" * 100000, "deeper than 100 levels"),
        ("p.json", b"[" + b"9" * 5000 + b"]", "line 1: not valid JSON"),
        ("q.jsonl", b'"half \\ud800"', "half a character"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_texts(tmp_path / name)


def test_a_table_of_texts_is_no_list_of_its_columns():
    with pytest.raises(InputError, match="texts are of type DataFrame; a list is wanted"):
        as_texts(pd.DataFrame({"text": ["one", "two"]}))
    assert as_texts(pd.Series(["one", "two"])).texts == ("one", "two")
