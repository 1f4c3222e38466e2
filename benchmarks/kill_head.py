"""Kill the Ray head at random moments of `vestige bench run`, start both again each time, compare with a local run.

    python -m benchmarks.kill_head EXPERIMENT.yaml [TIMES]

Prints after how many seconds each kill came, how long the runner took to end by itself, and whether the result file is
the same in the end, to the byte.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RAY = str(Path(sys.executable).with_name("ray"))
PATIENCE = 180


def head() -> subprocess.Popen[bytes]:
    """Start a head with two workers, in the foreground of a process group of its own."""
    command = [RAY, "start", "--head", "--port=6391", "--num-cpus=2", "--include-dashboard=false", "--block"]
    started = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(8)
    return started


def kill_head() -> None:
    """Kill every process of the cluster at once, as a machine does that loses its power."""
    for name in ("gcs_server", "raylet", "ray::"):
        subprocess.run(["pkill", "-9", "-f", name], check=False)


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
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "10")
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Path(folder) / "whole", Path(folder) / "broken"
        if run(experiment, whole).wait():
            sys.exit("the undisturbed run failed")
        ray = ("--engine", "ray", "--address", "127.0.0.1:6391")
        for _ in range(times):
            cluster, runner = head(), run(experiment, broken, *ray)
            moment = rng.uniform(8, 25)
            time.sleep(moment)
            through = runner.poll() is not None
            kill_head()
            began = time.perf_counter()
            try:
                code = runner.wait(timeout=PATIENCE)
                ended = f"ended by itself after {time.perf_counter() - began:.0f} s, exit code {code}"
            except subprocess.TimeoutExpired:
                runner.send_signal(signal.SIGKILL)
                ended = f"had not ended after {PATIENCE} s and was killed"
            os.killpg(cluster.pid, signal.SIGKILL)
            cluster.wait()
            done = len(list(broken.glob("*/*.json")))
            print(
                f"head killed after {moment:.1f} s{' (run was through)' if through else ''}: the runner {ended}; ",
                end="",
            )
            print(f"{done} files of steps", flush=True)
        cluster = head()
        code = run(experiment, broken, *ray).wait()
        os.killpg(cluster.pid, signal.SIGKILL)
        kill_head()
        same = code == 0 and result(whole) == result(broken)
        print(
            f"started once more: {'the same result file, to the byte' if same else f'exit code {code}, DIFFERENT'}"
        )


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
