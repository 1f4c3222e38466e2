"""Downloads against a server on loopback: whole and checked, or not kept."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from vestige.data import Dataset, load_dataset
from vestige.data.download import fetch
from vestige.data.registry import DATASETS, Download, Source
from vestige.errors import ArtefactError, InputError

CONTENT = b"forty-two bytes of a data set, give or take"


class Home(BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self):
        Home.asked += 1
        self.send_response(404 if self.path == "/gone" else 200)
        self.send_header("Content-Length", str(len(CONTENT) + (100 if self.path == "/cut" else 0)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("VESTIGE_CACHE", str(tmp_path / "cache"))
    server = HTTPServer(("127.0.0.1", 0), Home)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_fetched_once_checked_and_kept(home):
    wanted = (
        Download(f"{home}/a", "a.bin", hashlib.md5(CONTENT).hexdigest()),
        Download(f"{home}/b", "b.bin"),
    )
    Home.asked = 0
    folder = fetch("toy", wanted)
    assert (folder / "a.bin").read_bytes() == CONTENT and Home.asked == 2
    assert fetch("toy", wanted) == folder and Home.asked == 2
    (folder / "b.bin").write_bytes(b"changed")
    with pytest.raises(ArtefactError, match="was changed since it was downloaded"):
        fetch("toy", wanted)


@pytest.mark.parametrize(
    "path,digest,message",
    [
        ("cut", None, "bytes arrived|cannot be downloaded"),
        ("a", "0" * 32, "is published; it was not kept"),
        ("gone", None, "404"),
    ],
)
def test_what_is_not_whole_is_not_kept(home, tmp_path, path, digest, message):
    with pytest.raises(InputError, match=message):
        fetch("toy", (Download(f"{home}/{path}", "x.bin", digest),))
    assert not [p for p in (tmp_path / "cache" / "toy").glob("*")]


def test_an_unreachable_home_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("VESTIGE_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="name its folder by root="):
        fetch("toy", (Download("http://127.0.0.1:9/x", "x"),))


def test_what_nothing_vouches_for_is_said_in_the_data(home, monkeypatch):
    sha = hashlib.sha256(CONTENT).hexdigest()
    downloads = (
        Download(f"{home}/a", "a.bin", hashlib.md5(CONTENT).hexdigest()),
        Download(f"{home}/b", "b.bin"),
    )
    made = Dataset("toy", np.zeros((2, 1), np.float32), [0, 1], ["a", "b"], ("x", "y"), ("a note",))
    monkeypatch.delenv("VESTIGE_DATA", raising=False)
    monkeypatch.setitem(
        DATASETS._entries,
        "toy",
        Source(
            name="toy",
            function=lambda root: made,
            description="",
            home="",
            downloads=downloads,
        ),
    )
    first, note = load_dataset("toy").notes
    assert first == "a note" and f"trusted on first use, SHA-256 {sha}" in note and "over plain http" in note
    assert "b.bin" in note and "a.bin" not in note
    folder = fetch("toy", downloads)
    assert load_dataset("toy", root=folder.parent.parent).notes == ("a note",)  # the user's own folder
