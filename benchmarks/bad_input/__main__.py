"""Runs the corpus and prints, for each door, how many inputs ended right, in a traceback, in a hang, or in silence."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

DOORS = ("files", "configuration", "python", "networks", "texts")
KINDS = ("right", "traceback", "hang", "silent")
SECONDS, MEMORY = 20, 12 * 2**30
"""Limits of one input: wall-clock seconds, and bytes of address space."""
MESSAGE = 1_500
"""Characters of a message that is still one sentence or two."""
TOLD = 4_000
"""Characters of an end that are printed."""


def outcome(call: Callable[[], Any], expected: Any) -> tuple[str, str]:
    """Return the kind of end that a call comes to, and what it said."""
    wanted = expected if isinstance(expected, type) and issubclass(expected, BaseException) else None
    try:
        result = call()
    except BaseException as error:
        text = str(error)
        if wanted is not None and isinstance(error, wanted):
            readable = text and "\n" not in text.replace("\n  - ", " ") and len(text) <= MESSAGE
            return ("right" if readable else "traceback"), f"{type(error).__name__}: {text}"
        return "traceback", "".join(traceback.format_exception_only(error)) + traceback.format_exc(limit=-2)
    if wanted is not None:
        return "silent", f"returned {type(result).__name__}"
    right = bool(expected(result))
    return ("right" if right else "silent"), f"returned {str(result)[:200]}"


def apart(call: Callable[[], Any], expected: Any) -> tuple[str, str]:
    """Return `outcome`, from a process of its own that is killed after the limit, with all that it started."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(inlet)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        kind, said = outcome(call, expected)
        os.write(outlet, json.dumps((kind, said[:TOLD])).encode())
        os._exit(0)
    os.close(outlet)
    # An answer is one write of less than a pipe holds, and one read: a process that the child started, and that keeps
    # the pipe open, is not waited for.
    ready, _, _ = select.select([inlet], [], [], SECONDS)
    answer = os.read(inlet, select.PIPE_BUF * 16) if ready else b""
    os.close(inlet)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if not answer:
        return "hang", f"no answer within {SECONDS} s, or the process was killed"
    kind, said = json.loads(answer)
    return kind, said


def main(doors: list[str]) -> int:
    """Run the doors, all by default, and return 1 where an input did not end right.

    Libraries that compute run one thread: a process that is forked beside their threads waits for threads it has not.
    """
    warnings.simplefilter("ignore")
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    total: Counter[str] = Counter()
    for door in doors or DOORS:
        try:
            module = importlib.import_module(f"benchmarks.bad_input.{door}")
        except ModuleNotFoundError as error:
            if error.name != f"benchmarks.bad_input.{door}":
                raise
            continue
        counts, start = Counter(), time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            for name, call, expected in module.cases(Path(folder)):
                kind, said = apart(call, expected)
                counts[kind] += 1
                if kind != "right":
                    print(f"{door}: {name}: {kind}: {said.strip()}", flush=True)
        figures = ", ".join(f"{kind} {counts[kind]}" for kind in KINDS)
        print(f"{door}: {counts.total()} inputs: {figures} ({time.perf_counter() - start:.0f} s)", flush=True)
        total += counts
    print(f"all doors: {total.total()} inputs: {', '.join(f'{kind} {total[kind]}' for kind in KINDS)}")
    return int(total["right"] < total.total())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
