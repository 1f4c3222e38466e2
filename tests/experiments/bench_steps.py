"""Steps for the tests of the engines; workers import them."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from safetensors import SafetensorError

from vestige.errors import InputError
from vestige.experiments.bench.steps import Job, Step

HERE = "bench_steps"


def add(job: Job) -> None:
    below = sum(json.loads(p.read_text()) for p in job.inputs)
    job.path.write_text(json.dumps(job.what["value"] + below))


def die_once(job: Job) -> None:
    """Be killed at the first try, as by a machine that goes away."""
    mark = Path(job.what["mark"])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    add(job)


def die_always(job: Job) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(job: Job) -> None:
    raise InputError("this step takes no such value")


def full(job: Job) -> None:
    raise OSError(28, "No space left on device")


def full_of_weights(job: Job) -> None:
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def told_pid(job: Job) -> dict[str, int]:
    add(job)
    return {"pid": os.getpid()}


def slow(job: Job) -> None:
    time.sleep(1.5)
    add(job)


def outputs(job: Job) -> None:
    """A step of a kind that runs a network: which GPU was it given?"""
    job.path.write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))


def made(call: str, inputs: tuple[Step, ...] = (), **what) -> Step:
    return Step(f"{HERE}:{call}", {"value": 1} | what, inputs, f"{call} {what}", ".json")
