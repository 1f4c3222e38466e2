import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vestige.errors import ArtefactError, InputError
from vestige.store import (
    array_hash,
    folder_at,
    is_done,
    is_vacant,
    key_of,
    make_once,
    plain,
    published,
    read_json,
    read_record,
    sidecar,
    sweep,
    write_json,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a" / "x.txt"
    with published(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(RuntimeError), published(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(path.parent.iterdir()) == [path]


def test_who_has_the_old_file_open_reads_it_to_its_end(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with path.open() as reader:
        with published(path) as temporary:
            temporary.write_text("new, and longer")
        assert reader.read() == "old" and path.read_text() == "new, and longer"


def test_a_step_runs_once_per_key_and_again_when_its_file_is_damaged(tmp_path):
    made = []

    def make(temporary):
        made.append(1)
        temporary.write_text("content")
        return {"accuracy": np.float32(0.5), "loss": float("nan")}

    path = tmp_path / "x.bin"
    first = make_once(path, "k1", make)
    assert make_once(path, "k1", make) == first and len(made) == 1
    assert first["accuracy"] == 0.5 and first["loss"] is None
    make_once(path, "k2", make)
    path.write_text("changed")
    assert not is_done(path, "k2")
    make_once(path, "k2", make)
    sidecar(path).write_text("{")
    make_once(path, "k2", make)
    assert len(made) == 4 and path.read_text() == "content"


def test_a_step_that_fails_leaves_no_record(tmp_path):
    path = tmp_path / "x.bin"
    make_once(path, "k", lambda temporary: temporary.write_text("good") and None)
    with pytest.raises(ZeroDivisionError):
        make_once(path, "other", lambda temporary: {"x": 1 / 0})
    assert not is_done(path, "other") and not is_done(path, "k")


def test_keys_depend_on_content_not_on_order():
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1}) != key_of({"a": 1, "b": [3]})


def test_array_hash_sees_dtype_shape_and_text():
    x = np.arange(6.0)
    hashes = {array_hash(x), array_hash(x.reshape(2, 3)), array_hash(x.astype(np.float32)), array_hash(x + 1)}
    assert len(hashes) == 4
    assert array_hash(np.array(["a", "bc"])) != array_hash(np.array(["ab", "c"]))
    assert array_hash(np.array(["a"], dtype="<U9")) != array_hash(np.array(["b"], dtype="<U9"))


def test_json_holds_no_nan_and_no_numpy(tmp_path):
    value = {
        "a": np.float64("nan"),
        "b": [np.int64(3), np.inf],
        "c": np.array([1.5]),
        "d": np.bool_(True),
        "e": tmp_path,
    }
    write_json(tmp_path / "x.json", value)
    assert json.loads((tmp_path / "x.json").read_text()) == plain(value)
    assert plain(value)["a"] is None and plain(value)["b"] == [3, None]
    (tmp_path / "cut.json").write_text('{"a": ')
    with pytest.raises(ArtefactError, match="cut off or edited"):
        read_json(tmp_path / "cut.json")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "1" * 5000, '{"a": 1, "a": 2}', '{"a": NaN}', r'["\ud800"]', "", "{} {}"]
)
def test_json_that_cannot_be_a_record_is_an_artefact(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ArtefactError, match=r"x\.json: not valid JSON \(.*cut off or edited"):
        read_json(tmp_path / "x.json")
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(ArtefactError, match="is a named pipe"):
        read_json(tmp_path / "pipe.json")


def test_a_record_is_a_json_object(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    assert read_record(path) == {"a": 1}
    write_json(path, [{"a": 1}])
    with pytest.raises(ArtefactError, match=r"x\.json: it holds a list, a JSON object is wanted"):
        read_record(path)


def test_a_file_never_takes_the_place_of_a_folder(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    with pytest.raises(InputError, match="is a folder, and a file is to be written"):
        write_json(tmp_path / "mine", {})
    assert [p.name for p in tmp_path.rglob("*")] == ["mine", "notes.txt"]


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 5000, "file/inner", "/proc/none/x", ""])
def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path, name):
    (tmp_path / "file").write_text("")
    for write in (lambda path: write_json(path, {}), folder_at):
        if write is folder_at and name == "":
            continue
        with pytest.raises(InputError) as caught:
            write(tmp_path / name if name else Path("/"))
        assert "\n" not in str(caught.value)


def test_a_folder_with_half_a_file_alone_is_vacant(tmp_path):
    assert is_vacant(tmp_path) and is_vacant(tmp_path / "new")
    with published(tmp_path / "manifest.json") as temporary:
        temporary.write_text("{")
        assert is_vacant(tmp_path)
        temporary.write_text("{}")
    assert not is_vacant(tmp_path)


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with published(tmp_path / "mine.json") as temporary:
        temporary.write_text("{}")
        left = temporary.with_name(temporary.name.replace(f"-{os.getpid()}-", f"-{dead.pid}-"))
        left.mkdir()
        elsewhere = left.with_name(f".mine.json.0badf00d-{dead.pid}-0123abcd.part")
        elsewhere.touch()
        sweep(tmp_path)
        assert temporary.exists() and elsewhere.exists() and not left.exists()
