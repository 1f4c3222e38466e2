"""Runs the corpus and prints, for each door, how many inputs ended right, in a traceback, in a hang, or in silence."""

from __future__ import annotations

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
    """Return `outcome`, from a process of its own that is killed after the limit."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(inlet)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        with os.fdopen(outlet, "wb") as pipe:
            pipe.write(json.dumps(outcome(call, expected)).encode())
        os._exit(0)
    os.close(outlet)
    with os.fdopen(inlet, "rb") as pipe:
        ready, _, _ = select.select([pipe], [], [], SECONDS)
        answer = pipe.read() if ready else b""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if not answer:
        return "hang", f"no answer within {SECONDS} s, or the process was killed"
    kind, told = json.loads(answer)
    return kind, told


def main(doors: list[str]) -> int:
    warnings.simplefilter("ignore")
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
                kind, told = apart(call, expected)
                counts[kind] += 1
                if kind != "right":
                    print(f"{door}: {name}: {kind}: {told.strip()}", flush=True)
        told = ", ".join(f"{kind} {counts[kind]}" for kind in KINDS)
        print(f"{door}: {counts.total()} inputs: {told} ({time.perf_counter() - start:.0f} s)", flush=True)
        total += counts
    print(f"all doors: {total.total()} inputs: {', '.join(f'{kind} {total[kind]}' for kind in KINDS)}")
    return int(total["right"] < total.total())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
