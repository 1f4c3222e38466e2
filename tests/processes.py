"""Processes that run a program from its beginning, forked from a server that has loaded the libraries.

Most of what such a process would take is loading them. It is otherwise one of its own: it has its own folder,
environment and outputs, and a signal ends it alone. Where loading is the point, tests start a Python of their own.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType

SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(
    ["torch._dynamo", "sklearn.ensemble", "sklearn.pipeline", "matplotlib.pyplot", "vestige.cli", "vestige.experiments",
     "vestige.experiments.plan", "vestige.ledger", "psycopg", "pytest", "vestige.evaluation.page", "vestige.unlearning", "vestige.measures"]
)  # fmt: skip
COMMAND = "from vestige.cli import main; main()"
"""The program of the command line."""
LONG_RUN = """
name: r
data: {name: digits}
split: {forget: 20, train: 100, holdout: 50, shadow: 100}
model: {name: mlp, hidden: [8]}
recipe: {epochs: 100000}
methods: [retrain]
"""
"""A run file whose training takes minutes, so that a signal finds it at work."""


class Program:
    """A program that runs; `code` when it has ended: negative for the signal that ended it."""

    def __init__(self, text: str, arguments: tuple[object, ...], folder: Path | None, output: Path) -> None:
        self._output = output
        given = [text, [str(argument) for argument in arguments], str(folder or Path.cwd()), dict(os.environ)]
        self._process = SERVER.Process(target=_run, args=(*given, output))
        self._process.start()

    @property
    def code(self) -> int | None:
        return self._process.exitcode

    @property
    def stdout(self) -> str:
        return (self._output / "stdout").read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        return (self._output / "stderr").read_text(encoding="utf-8")

    def send(self, number: int) -> None:
        """Send a signal."""
        if self.code is None:
            os.kill(self._process.pid or 0, number)

    def wait(self, seconds: float = 600) -> int:
        """Wait for the end; return the exit code."""
        self._process.join(seconds)
        assert self.code is not None, f"no end in {seconds} s: {self.stderr}"
        return self.code


@contextmanager
def started(text: str, *arguments: object, folder: Path | None = None) -> Iterator[Program]:
    """Run a program, and end it where it is not at its end when the block is."""
    with tempfile.TemporaryDirectory() as output:
        for name in ("stdout", "stderr"):
            Path(output, name).touch()
        program = Program(text, arguments, folder, Path(output))
        try:
            yield program
        finally:
            program.send(signal.SIGKILL)
            program.wait()


def ended(text: str, *arguments: object, folder: Path | None = None) -> tuple[int, str, str]:
    """Run a program to its end; return its exit code, what it printed, and its errors."""
    with started(text, *arguments, folder=folder) as program:
        return program.wait(), program.stdout, program.stderr


def _run(text: str, arguments: list[str], folder: str, environment: dict[str, str], output: Path) -> None:
    """Be the process: as `python -c text arguments` in a folder."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(output / name, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["-c", *arguments]
    sys.path[:0] = [""]
    sys.modules["__main__"] = module = ModuleType("__main__")
    exec(compile(text, "<string>", "exec"), vars(module))
