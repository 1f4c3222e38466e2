"""What the runner of experiments costs beside the work: steps of one second, on worker processes.

    python -m benchmarks.runner [STEPS]

Steps sleep, so that the machine is idle; the workers' start is told apart, by taking the difference of two runs.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from vestige.experiments.bench.engines import engine, execute
from vestige.experiments.bench.steps import Job, Step, Store
from vestige.store import write_json

WORKERS = 2


def nap(job: Job) -> None:
    time.sleep(1)
    write_json(job.path, job.what, flush=False)


def timed(steps: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        wanted = [Step("benchmarks.runner:nap", {"number": k}, (), f"nap {k}", ".json") for k in range(steps)]
        start = time.perf_counter()
        with engine("local", folder, None, workers=WORKERS) as where:
            states = execute(wanted, Store(folder), where, lambda one, state, facts: None)
        spent = time.perf_counter() - start
        assert all(s["state"] == "done" for s in states.values())
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
