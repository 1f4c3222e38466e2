"""A Ray address is of a form that Ray takes and answers in time, or is refused in a sentence."""

from __future__ import annotations

import socket
import threading

import pytest

import vestige.graph.address as address
from vestige.errors import InputError
from vestige.graph import Environment, Store
from vestige.graph.address import check_address, parts_of
from vestige.graph.engines import engine

pytest.importorskip("ray")


@pytest.mark.parametrize(
    "given",
    ["127.0.0.1", "localhost:notaport", "localhost:", ":6379", "", " ", "a b:1", "http://host:1", "ray:/host:1", "host:0",
     "host:65536", "host:99999999999", "host:-1", "host:1/", "host:1\n", "hôst:1", "AUTO", "ray://", "x" * 5000, 6379,
     ("host", 1), b"host:1"],
)  # fmt: skip
def test_another_form_is_refused(given):
    with pytest.raises(InputError, match=r"HOST:PORT") as caught:
        check_address(given)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_forms_that_ray_takes():
    assert parts_of("10.0.0.1:6379") == (False, "10.0.0.1", 6379)
    assert parts_of("ray://head.cluster-1:10001") == (True, "head.cluster-1", 10001)
    assert parts_of("[::1]:6379") == (False, "::1", 6379)
    check_address(None)
    check_address("local")


def test_a_missing_client_is_said(monkeypatch):
    monkeypatch.setattr(address.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'ray\[client\]'"):
        check_address("ray://127.0.0.1:1")


@pytest.fixture
def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


def test_nobody_there(free_port, tmp_path):
    with pytest.raises(InputError, match=r"No Ray cluster answers at 127.0.0.1:\d+: .*refused"):
        with engine("ray", Store(tmp_path), Environment(), address=f"127.0.0.1:{free_port}"):
            pass
    with pytest.raises(InputError, match="No Ray cluster answers at no.such.host.invalid"):
        check_address("no.such.host.invalid:6379")


SLOWLY = [pytest.param(kind, 8.0, marks=pytest.mark.slow) for kind in ("another program", "hangs up")]


@pytest.mark.parametrize(("kind", "seconds"), [("silent", 1.0), *SLOWLY])
def test_a_port_of_another_program_is_given_up_in_time(kind, seconds, monkeypatch):
    monkeypatch.setattr(address, "CLUSTER_SECONDS", seconds)
    over = threading.Event()
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen(8)

        def serve():
            while True:
                try:
                    with one.accept()[0] as caller:
                        if kind == "another program":
                            caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                        if kind == "silent":
                            over.wait()
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(InputError, match="No Ray cluster answers at") as caught:
            check_address(f"127.0.0.1:{one.getsockname()[1]}")
        over.set()
        assert "\n" not in str(caught.value) and (kind != "silent" or "no answer in 1 s" in str(caught.value))


def test_a_host_that_swallows_packets_is_given_up_in_time(monkeypatch):
    def nobody(where, timeout):
        assert timeout == address.PORT_SECONDS
        raise TimeoutError("timed out")

    monkeypatch.setattr(address.socket, "create_connection", nobody)
    with pytest.raises(InputError, match="no answer in 10 s"):
        check_address("192.0.2.1:6379")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"workers": -1}, "workers is -1"),
        ({"workers": 1.5}, "workers is 1.5"),
        ({"workers": "2"}, "workers is '2', which is text"),
        ({"workers": True}, "workers is True"),
        ({"gpu": -1}, "gpu is -1"),
        ({"gpu": float("nan")}, "gpu is nan"),
        ({"gpu": float("inf")}, "gpu is inf"),
        ({"name": "rya"}, "Did you mean 'ray'"),
        ({"address": 3}, "address is 3"),
    ],
)
def test_what_an_engine_cannot_have(options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        with engine(**{"name": "ray", "store": Store(tmp_path), "environment": Environment(), **options}):
            pass
