"""Kill the Ray head at random moments of `vestige bench run`, start both again each time, compare with a local run.

    python -m benchmarks.kill_head EXPERIMENT.yaml [TIMES]

Prints after how many seconds each kill came, how long the runner took to end by itself, and whether the result file is
the same in the end, to the byte.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

RAY = str(Path(sys.executable).with_name("ray"))
PORT = 6391
PATIENCE = 180


def head() -> subprocess.Popen[bytes]:
    """Start a head with two workers, in the foreground of a process group of its own."""
    command = [
        RAY,
        "start",
        "--head",
        f"--port={PORT}",
        "--num-cpus=2",
        "--include-dashboard=false",
        "--block",
    ]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if started.poll() is not None:
            sys.exit(f"the head did not start: exit code {started.returncode}")
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", PORT)) == 0:
                time.sleep(3)  # its workers
                return started
        time.sleep(0.2)
    sys.exit("the head does not answer")


def kill(cluster: subprocess.Popen[bytes]) -> None:
    """Kill every process of this cluster at once, as a machine does that loses its power."""
    leader = psutil.Process(cluster.pid)
    for one in (leader, *leader.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    cluster.wait()


def run(experiment: str, store: Path, *engine: str) -> subprocess.Popen[bytes]:
    code = "from vestige.cli import main\nif __name__ == '__main__': main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "bench", "run", experiment, "--store", str(store), "--quiet", *engine],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def result(store: Path) -> bytes:
    (path,) = (store / "results").glob("*.json")
    return path.read_bytes()


def main(experiment: str, times: int = 3) -> None:
    os.environ |= {"RAY_gcs_rpc_server_reconnect_timeout_s": "10", "RAY_AUTH_MODE": "disabled"}
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Path(folder) / "whole", Path(folder) / "broken"
        if run(experiment, whole).wait():
            sys.exit("the undisturbed run failed")
        ray = ("--engine", "ray", "--address", f"127.0.0.1:{PORT}")
        for _ in range(times):
            cluster, runner = head(), run(experiment, broken, *ray)
            moment = rng.uniform(8, 25)
            time.sleep(moment)
            through = runner.poll() is not None
            kill(cluster)
            began = time.perf_counter()
            try:
                code = runner.wait(timeout=PATIENCE)
                ended = f"ended by itself after {time.perf_counter() - began:.0f} s, exit code {code}"
            except subprocess.TimeoutExpired:
                runner.kill()
                runner.wait()
                ended = f"had not ended after {PATIENCE} s and was killed"
            done = len(list(broken.glob("*/*.json")))
            print(
                f"head killed after {moment:.1f} s{' (run was through)' if through else ''}: the runner {ended}; ",
                end="",
            )
            print(f"{done} files of steps", flush=True)
        cluster = head()
        try:
            code = run(experiment, broken, *ray).wait()
        finally:
            kill(cluster)
        same = code == 0 and result(whole) == result(broken)
        print(
            f"started once more: {'the same result file, to the byte' if same else f'exit code {code}, DIFFERENT'}"
        )
        sys.exit(not same)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
