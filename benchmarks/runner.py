"""What the runner of experiments costs beside the work: steps of one second, on worker processes.

    python -m benchmarks.runner [STEPS]

Steps sleep, so that the machine is idle; the workers' start is told apart, by taking the difference of two runs.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from vestige.graph import Job, Step, Store, carry_out
from vestige.store import write_json

WORKERS = 2


@dataclass(frozen=True, eq=False, kw_only=True)
class Nap(Step):
    """Sleep for a second."""

    number: int

    suffix: ClassVar[str] = ".json"

    def make(self, job: Job) -> None:
        time.sleep(1)
        write_json(job.path, self.number, flush=False)


def timed(steps: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        wanted = [Nap(number=k) for k in range(steps)]
        start = time.perf_counter()
        outcome = carry_out(wanted, Store(Path(folder)), engine_name="local", workers=WORKERS)
        spent = time.perf_counter() - start
        assert outcome.count("done") == steps
        return spent


def main(steps: int = 40) -> None:
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    )
    few, many = timed(WORKERS * 2), timed(steps + WORKERS * 2)
    work = steps / WORKERS
    print(
        f"{steps} steps of one second on {WORKERS} workers: {many - few - work:.2f} s beside {work:.0f} s of work, ",
        end="",
    )
    print(
        f"{100 * (many - few - work) / work:.2f} % (wanted: under 1 %); start of the workers {few - 2:.1f} s"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
