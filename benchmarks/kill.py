"""Kill `vestige run` at random moments, restart it each time, and compare with an undisturbed run.

    python -m benchmarks.kill CONFIG.yaml [TIMES]

Prints after how many seconds each kill came, and whether the scores are identical in the end.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd


def start(config: str, folder: Path) -> subprocess.Popen[bytes]:
    code = "from vestige.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "run", config, "--out", str(folder), "--quiet"],
        stdout=subprocess.DEVNULL,
    )


def scores(folder: Path) -> dict[str, pd.DataFrame]:
    return {p.parent.name: pd.read_parquet(p) for p in sorted(folder.glob("audits/*/scores.parquet"))}


def main(config: str, times: int) -> None:
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Path(folder) / "whole", Path(folder) / "broken"
        began = time.perf_counter()
        if start(config, whole).wait():
            sys.exit("the undisturbed run failed")
        length = time.perf_counter() - began
        killed, finished = [], 0
        while len(killed) < times:
            process = start(config, broken)
            moment = rng.uniform(0.5, max(3.0, 0.6 * length))
            try:
                process.wait(timeout=moment)
                finished += 1
                if process.returncode:
                    sys.exit(f"a restarted run failed with exit code {process.returncode}")
                for path in sorted(broken.rglob("*"), reverse=True):  # it got through: begin again
                    path.rmdir() if path.is_dir() else path.unlink()
                broken.rmdir()
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed.append(round(moment, 1))
        if start(config, broken).wait():
            sys.exit("the last restart failed")
        one, other = scores(whole), scores(broken)
        same = one.keys() == other.keys() and all(one[name].equals(other[name]) for name in one)
        print(
            f"undisturbed {length:.1f} s; killed after {killed} s; {finished} restarts got through in between"
        )
        print(f"scores of {', '.join(one)}: {'identical' if same else 'DIFFERENT'}")
        sys.exit(0 if same else 1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20)
