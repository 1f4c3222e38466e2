"""Kill `request execute` at random moments, on SQLite and PostgreSQL: nothing is lost, nothing said done that is not.

    python -m benchmarks.ledger_faults [TIMES [DATABASE ...]]      default: 50 sqlite postgresql

After each SIGKILL the ledger is verified, a request that is executed must have its version's weights with their
digests, and the same command must end the step. The kill comes in the time that an undisturbed execution takes.
"""

from __future__ import annotations

import collections
import multiprocessing
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ledger"))
import postgres

FORK = multiprocessing.get_context("fork")
SYSTEM = """
import time, numpy as np
from vestige.systems import Outputs, Records, System

class Slow(System):
    name = "slow"
    def __init__(self):
        self.x = np.random.default_rng(0).normal(size=900)
        self.records = Records([f"row-{k}" for k in range(900)], (self.x > 0).astype(int), ("no", "yes"))
        self.seen = np.arange(300)
    def fit(self, rows, seed):
        time.sleep(0.1)
        return np.asarray(rows)
    def outputs(self, model, rows):
        return Outputs(np.stack([-self.x[rows], self.x[rows]], axis=1), "logits")
    def save(self, model, folder):
        for number, part in enumerate(np.array_split(model, 20)):
            np.save(folder / f"rows-{number}.npy", part)
            time.sleep(0.005)
    def load(self, folder):
        return np.concatenate([np.load(path) for path in sorted(folder.glob("*.npy"))])
"""


def execute(url: str, key: Path, place: str, request: str, folder: Path) -> None:
    """Execute a request, in a process of its own."""
    from vestige.ledger import Ledger

    Ledger(url, key).requests.execute(request, system=place, folder=folder, costs=False)


def run(database: str, times: int, folder: Path) -> None:
    """Kill so many executions, and print what the ledger said after each."""
    from vestige.ledger import Key, Ledger
    from vestige.systems.source import SystemSource

    with ExitStack() as stack:
        url = f"sqlite:///{folder}/faults.db"
        if database == "postgresql":
            if postgres.missing():
                print(f"postgresql: skipped, {postgres.missing()}")
                return
            url = stack.enter_context(postgres.server(folder / "server"))
        (folder / "slow.py").write_text(SYSTEM)
        place, key = f"{folder}/slow.py:Slow", Key.create(folder / "safe" / "key").path
        ledger = Ledger.create(url, key)
        (folder / "v1").mkdir()
        system = SystemSource.of(place).load()
        system.save(system.seen, folder / "v1")
        ledger.models.add("slow", "v1", folder / "v1", system=place, state="live")

        def begun(request: str) -> multiprocessing.process.BaseProcess:
            ledger.close()  # a connection is never shared with a process that may be killed
            process = FORK.Process(target=execute, args=(url, key, place, request, folder / "runs"))
            process.start()
            return process

        rng, after, faults, whole = random.Random(0), collections.Counter[str](), [], 0.0
        for number in range(times + 2):
            request = ledger.requests.new(f"person {number}", [f"row-{number}", f"row-{number + 100}"]).id
            ledger.requests.scope(request)
            if number == 0:  # loads what the others find loaded
                execute(url, key, place, request, folder / "runs")
                continue
            start, process = time.perf_counter(), begun(request)
            if number == 1:
                process.join()
                whole = time.perf_counter() - start
                continue
            time.sleep(whole * rng.random())
            process.kill()
            process.join()
            record, result = ledger.requests.show(request), ledger.verify()
            after[record.state] += 1
            if result.fault:
                faults.append(f"{request}: {result.fault}")
            again = begun(request)
            again.join()
            if again.exitcode or ledger.requests.show(request).state != "executed" or ledger.verify().fault:
                faults.append(f"{request} is {ledger.requests.show(request).state} after another try")
        states = ", ".join(f"{count} {state}" for state, count in sorted(after.items()))
        print(f"{database}: {times} kills within {whole:.2f} s; after them {states}; "
              f"faults: {len(faults)}", flush=True)  # fmt: skip
        for fault in faults:
            print(f"  {fault}")
        ledger.close()


def main(times: int, databases: list[str]) -> None:
    for database in databases:
        with tempfile.TemporaryDirectory() as folder:
            run(database, times, Path(folder))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50, sys.argv[2:] or ["sqlite", "postgresql"])
