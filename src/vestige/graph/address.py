"""A Ray cluster's address: of a form that Ray takes, and answered within a stated time, before Ray itself is asked.

Ray waits for minutes for a host that is silent, and ends the process where a port is another program's. So the port is
tried first, and then a process of its own connects, which can be ended.
"""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys

from vestige.errors import InputError, shown, told

FORMS = "auto, local, HOST:PORT or ray://HOST:PORT"
PORT_SECONDS, CLUSTER_SECONDS = 10.0, 60.0
"""How long the port, and then the cluster, may take to answer."""
PROBE = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False, configure_logging=False); ray.shutdown()"


def check_address(address: str | None) -> None:
    """Raise `InputError` where an address is of another form, or no cluster answers there in time.

    None and "local": a cluster of this process's own, which nothing is asked about.
    """
    if address is None:
        return
    if not isinstance(address, str):
        raise InputError(f"address is {shown(address)}; {FORMS} is wanted.")
    if address == "local":
        return
    if address != "auto":
        client, host, port = parts_of(address)
        if client and importlib.util.find_spec("grpc") is None:
            raise InputError(
                f"The address {address!r} needs Ray's client: pip install 'ray[client]'; or give HOST:PORT of the head."
            )
        _expect_port(address, host, port)
    _expect_cluster(address)


def parts_of(address: str) -> tuple[bool, str, int]:
    """Return whether an address is for Ray's client, its host and its port. Raises `InputError` for another form."""
    found = re.fullmatch(r"(ray://)?(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", address)
    if found is None or not 0 < int(found[3]) < 2**16:
        raise InputError(f"The address {shown(address)} is of no form that Ray takes; {FORMS} is wanted.")
    return found[1] is not None, found[2].strip("[]"), int(found[3])


def _expect_port(address: str, host: str, port: int) -> None:
    try:
        socket.create_connection((host, port), timeout=PORT_SECONDS).close()
    except (OSError, UnicodeError) as error:  # a name that is no host name is a UnicodeError
        why = f"no answer in {PORT_SECONDS:g} s" if isinstance(error, TimeoutError) else told(error)
        raise InputError(f"No Ray cluster answers at {address}: {why}. Is it up?") from None


def _expect_cluster(address: str) -> None:
    try:
        ended = subprocess.run(
            [sys.executable, "-c", PROBE, address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=CLUSTER_SECONDS,
            env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        why = f"no answer in {CLUSTER_SECONDS:g} s"
    else:
        if ended.returncode == 0:
            return
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if re.match(r"[A-Za-z_.]*(Error|Exception)\b", line)]
        why = (errors or lines or [f"the process that asked ended with {ended.returncode}"])[-1][:200].rstrip(
            "."
        )
    raise InputError(
        f"No Ray cluster answers at {address}: {why}. Is it up, and is RAY_AUTH_MODE (token or disabled) the same on "
        "its machines and here?"
    )
