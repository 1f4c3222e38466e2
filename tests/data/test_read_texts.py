"""Files of texts: lines of JSON that end with a newline alone, and ids as they are written."""

import json
import os

import pytest

from vestige.errors import InputError
from vestige.llm import read_texts


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
    "ids are float64": '{"text": "a", "id": 1.0}',
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
