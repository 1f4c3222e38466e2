"""How a ledger grows: 100,000 requests, 1,000,000 events; seconds, memory, and the exponent of growth.

    python -m benchmarks.ledger_scale [EVENTS ...]     default: 10000 100000; another database: VESTIGE_BENCH_URL

One event in ten is a request, the others are facts about it, as monitoring writes them. All is written in transactions
of 10,000 events. Each size is measured in a process of its own; memory is the peak of that process above its start.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOGETHER, RECORDS = 10_000, 3


def measured(events: int, folder: Path) -> dict[str, float]:
    """Return seconds of each verb and the peak of memory for a ledger of so many events."""
    from vestige.ledger import Key, Ledger

    key = Key.create(folder / "safe" / "key").path
    ledger = Ledger.create(os.environ.get("VESTIGE_BENCH_URL", f"sqlite:///{folder}/scale.db"), key)
    start, figures = _peak(), {"events": float(events), "requests": events / 10}

    def timed(name: str, verb: Callable[[], Any]) -> Any:
        begun, worked = time.perf_counter(), time.process_time()
        result = verb()
        figures[name] = time.perf_counter() - begun
        figures[f"{name}, CPU"] = time.process_time() - worked
        return result

    timed("create", lambda: _create(ledger, events))
    figures["create one more"] = min(_one_more(ledger, number) for number in range(5))
    timed("list 100 by due date", lambda: ledger.requests.list("open", limit=100))
    everything = timed("list all", ledger.requests.list)
    assert len(everything) == events // 10 + 5
    result = timed("verify", ledger.verify)
    assert not result.fault and result.events > events
    timed("rebuild", ledger.rebuild)
    figures["memory MB"] = (_peak() - start) / 1e6
    figures["bytes an event"] = sum(p.stat().st_size for p in folder.glob("scale.db*")) / events
    return figures


def _create(ledger: Any, events: int) -> None:
    for first in range(0, events // 10, TOGETHER // 10):
        with ledger.writing() as transaction:
            for number in range(first, min(first + TOGETHER // 10, events // 10)):
                day = f"20{10 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02}"
                records = [f"record {number}-{k}" for k in range(RECORDS)]
                request = ledger.requests.new(
                    f"person {number}", records, external=f"T{number}", received=day
                )
                for k in range(9):
                    transaction.append(
                        "fact.set", f"last seen {number % 100}", {"request": request.id, "p": 0.1 * k}
                    )


def _one_more(ledger: Any, number: int) -> float:
    begun = time.perf_counter()
    ledger.requests.new(f"one more {number}", ["x"])
    return time.perf_counter() - begun


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def main(sizes: list[int]) -> None:
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "benchmarks.ledger_scale", "--one", str(size), folder]
            rows.append(
                json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            )
    names = list(rows[0])
    print(f"{'':24}" + "".join(f"{row['events']:>14,.0f}" for row in rows) + "   exponent")
    for name in names[1:]:
        ends = rows[0][name], rows[-1][name]
        growth = math.log(rows[-1]["events"] / rows[0]["events"]) if len(rows) > 1 else 0
        exponent = f"{math.log(ends[1] / ends[0]) / growth:8.2f}" if growth and min(ends) > 0 else ""
        print(f"{name:24}" + "".join(f"{row[name]:>14,.4g}" for row in rows) + f"   {exponent}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(int(sys.argv[2]), Path(sys.argv[3]))))
    else:
        main([int(text) for text in sys.argv[1:]] or [10_000, 100_000])
