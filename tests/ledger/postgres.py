"""A PostgreSQL server of one's own, for tests and benchmarks: started as an ordinary user, on a socket in a folder."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path


def missing() -> str:
    """Say why there can be no server; "" where there can."""
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        return "no PostgreSQL here (initdb and pg_ctl)"
    return "" if owner() else "PostgreSQL does not run as root, and there is no other user to run it as"


def owner() -> str:
    """Return the user that the server runs as: this one, or, where that is root, one that is made for it."""
    if os.getuid():
        return pwd.getpwuid(os.getuid()).pw_name
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    return ""


@contextlib.contextmanager
def server(folder: Path, *, durable: bool = True) -> Iterator[str]:
    """Run a server, and give the URL of an empty database on it; `durable`: its writes wait for the disk."""
    user, data = owner(), folder / "data"
    folder.mkdir(parents=True, exist_ok=True)
    if not os.getuid():
        folder.parent.chmod(0o755)  # where the other user must go through
        shutil.chown(folder, user)

    def run(*command: object) -> None:
        lead = [] if os.getuid() else ["setpriv", f"--reuid={user}", "--clear-groups"]
        home = {**os.environ, "HOME": str(folder)}
        subprocess.run(
            [*lead, *map(str, command)], check=True, capture_output=True, env=home, cwd=folder, timeout=120
        )

    run("initdb", "-D", data, "-U", "vestige", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c max_connections=40"
    options += "" if durable else " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    run("pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
    try:
        yield f"postgresql+psycopg://vestige@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
