"""Steps for the tests of the graph; workers import them."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from safetensors import SafetensorError

from vestige.errors import InputError
from vestige.graph import Job, Step


def wait_for(answer: Callable[[], bool]) -> None:
    """Wait until the answer is yes, for minutes where the machine is busy."""
    for _ in range(6_000):
        if answer():
            return
        time.sleep(0.02)
    raise TimeoutError


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(Step):
    """Write its value plus those of its inputs."""

    value: int = 1
    below: tuple[Step, ...] = ()

    suffix: ClassVar[str] = ".json"

    def make(self, job: Job) -> None:
        job.path.write_text(
            json.dumps(self.value + sum(json.loads(job.file(s).read_text()) for s in self.below))
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class DieOnce(Add):
    """Be killed at the first try, as by a machine that goes away."""

    mark: str

    def make(self, job: Job) -> None:
        mark = Path(self.mark)
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        super().make(job)


@dataclass(frozen=True, eq=False, kw_only=True)
class DieAlways(Add):
    def make(self, job: Job) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, eq=False, kw_only=True)
class Refuse(Add):
    def make(self, job: Job) -> None:
        raise InputError("this step takes no such value")


@dataclass(frozen=True, eq=False, kw_only=True)
class Full(Add):
    """Find the disk full, as the system says it or as safetensors does."""

    weights: bool = False

    def make(self, job: Job) -> None:
        if self.weights:
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        raise OSError(28, "No space left on device")


@dataclass(frozen=True, eq=False, kw_only=True)
class Waits(Add):
    """End when somebody has written the mark; fail where nobody does."""

    mark: str

    def make(self, job: Job) -> None:
        wait_for(Path(self.mark).exists)
        super().make(job)


@dataclass(frozen=True, eq=False, kw_only=True)
class Long(Add):
    """Take ten minutes, and write whether it was interrupted."""

    mark: str

    def make(self, job: Job) -> None:
        mark = Path(self.mark)
        try:
            mark.write_text("begun")
            time.sleep(600)
        except KeyboardInterrupt:
            mark.write_text("interrupted")
            raise


@dataclass(frozen=True, eq=False, kw_only=True)
class Pid(Add):
    """Tell the process that it was done in."""

    def make(self, job: Job) -> dict[str, int]:
        super().make(job)
        return {"pid": os.getpid()}


@dataclass(frozen=True, eq=False, kw_only=True)
class Gpu(Step):
    """A step that runs a network: which GPU was it given?"""

    suffix: ClassVar[str] = ".txt"
    network: ClassVar[bool] = True

    def make(self, job: Job) -> None:
        job.path.write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))


@dataclass(frozen=True, eq=False, kw_only=True)
class Folder(Step):
    """Write a folder of two files."""

    value: int = 0

    suffix: ClassVar[str] = ""

    def make(self, job: Job) -> None:
        (job.path / "inner").mkdir(parents=True)
        (job.path / "a.txt").write_text("a")
        (job.path / "inner" / "b.txt").write_text("b")
