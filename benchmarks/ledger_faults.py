"""What goes wrong while the ledger works: nothing is lost, and nothing is said done that is not.

    python -m benchmarks.ledger_faults [CASE ...] [TIMES]      cases: execute monitor full clock copy; default: all, 50

    execute  SIGKILL at a random moment of `request execute`, then the same command again
    monitor  SIGKILL at a random moment of `monitor`, three commitments and a new version each time, then once more
    full     a disk of a few megabytes runs full (needs the right to mount one), and is enlarged
    clock    the clock goes back by an hour between two events, and by a second
    copy     the database is replaced by yesterday's copy

Each on SQLite and on PostgreSQL. After each fault the ledger is verified. Kills come in the time that an undisturbed
call takes.
"""

from __future__ import annotations

import collections
import contextlib
import multiprocessing
import os
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ledger"))
import postgres

FORK = multiprocessing.get_context("fork")
RECORDS, SEEN, ASKED = 500, 200, 20
SYSTEM = f"""
import time, numpy as np
from vestige.systems import Outputs, Records, System

class Slow(System):
    name = "slow"
    def __init__(self):
        self.x = np.random.default_rng(0).normal(size=({RECORDS}, 4))
        labels = (self.x[:, 0] + np.random.default_rng(1).normal(size={RECORDS}) > 0).astype(int)
        self.records = Records([f"row-{{k}}" for k in range({RECORDS})], labels, ("no", "yes"))
        self.seen = np.arange({SEEN})
    def fit(self, rows, seed):
        time.sleep(0.1)
        return np.asarray(rows)
    def outputs(self, model, rows):
        near = np.exp(-((self.x[rows, None] - self.x[model]) ** 2).sum(axis=2))
        y = self.records.labels[model]
        return Outputs(np.log(np.stack([near @ (y == k) + 1e-3 for k in (0, 1)], axis=1)), "logits")
    def save(self, model, folder):
        for number, part in enumerate(np.array_split(model, 20)):
            np.save(folder / f"rows-{{number:02}}.npy", part)
            time.sleep(0.005)
    def load(self, folder):
        return np.concatenate([np.load(path) for path in sorted(folder.glob("*.npy"))])
"""


class World:
    """A ledger with a live version, and what it takes to open it in another process."""

    def __init__(self, url: str, folder: Path) -> None:
        from vestige.ledger import Key, Ledger
        from vestige.systems.source import SystemSource

        self.url, self.folder = url, folder
        (folder / "slow.py").write_text(SYSTEM)
        self.place, self.key = f"{folder}/slow.py:Slow", Key.create(folder / "safe" / "key").path
        self.ledger = Ledger.create(url, self.key)
        self.system = SystemSource.of(self.place).load()
        self.version("v1", range(SEEN), live=True)

    def version(self, name: str, rows: Any, *, live: bool = False) -> None:
        """Register a version that saw these records."""
        import numpy as np

        place = self.folder / "models" / name
        place.mkdir(parents=True)
        self.system.save(np.array(rows), place)
        ids = [f"row-{row}" for row in rows]
        self.ledger.models.add("slow", name, place, manifest=ids, state="live" if live else "candidate")

    def asked(self, *rows: int) -> str:
        """Receive and scope a request for these records."""
        request = self.ledger.requests.new(f"person {rows[0]}", [f"row-{row}" for row in rows]).id
        return self.ledger.requests.scope(request).id

    def begun(self, work: Callable[..., None], *arguments: Any) -> multiprocessing.process.BaseProcess:
        """Begin a piece of work in a process of its own; a connection is never shared with one that may be killed."""
        self.ledger.close()
        process = FORK.Process(
            target=work, args=(self.url, self.key, self.place, self.folder / "runs", *arguments)
        )
        process.start()
        return process


def execute(url: str, key: Path, place: str, folder: Path, request: str) -> None:
    from vestige.ledger import Ledger

    Ledger(url, key).requests.execute(request, system=place, folder=folder, costs=False)


def monitor(url: str, key: Path, place: str, folder: Path) -> None:
    from vestige.ledger import Ledger

    Ledger(url, key).monitor("slow", system=place, folder=folder, seed=1)


def killed(
    world: World, times: int, begin: Callable[[int], Any], after: Callable[[Any], str]
) -> tuple[float, Any, list[str]]:
    """Kill so many pieces of work; return their undisturbed seconds, the states after the kills, and the faults.

    Parameters
    ----------
    begin : Callable[[int], Any]
        Prepares the work of a number, and returns it as a function that begins the process, and a token.
    after : Callable[[Any], str]
        Says in which state the work of a token is, and raises where that cannot be.
    """
    rng, states, faults, whole = random.Random(0), collections.Counter[str](), [], 0.0
    for number in range(times + 2):
        token, work = begin(number)
        start, process = time.perf_counter(), work()
        if number < 2:  # the first loads what the others find loaded
            process.join()
            whole = time.perf_counter() - start
            continue
        time.sleep(whole * rng.random())
        process.kill()
        process.join()
        result = world.ledger.verify()
        try:
            states[after(token)] += 1
        except AssertionError as error:
            faults.append(f"{token}: {error}")
        if result.fault:
            faults.append(f"{token}: {result.fault}")
        again = work()
        again.join()
        try:
            state = after(token)
        except AssertionError as error:
            state = str(error)
        if again.exitcode or state != "done" or world.ledger.verify().fault:
            faults.append(f"{token} is {state} after another try")
    return whole, states, faults


def case_execute(world: World, times: int) -> str:
    def begin(number: int) -> Any:
        request = world.asked(number % SEEN, (number + 100) % SEEN)
        return request, lambda: world.begun(execute, request)

    def after(request: str) -> str:
        record = world.ledger.requests.show(request)
        return "done" if record.state == "executed" else record.state

    return _told(times, *killed(world, times, begin, after))


def case_monitor(world: World, times: int) -> str:
    """Three commitments, and a new version each time that is monitored."""
    from vestige.evidence import new_key

    private, _ = new_key(world.folder / "signer", encrypt=False)
    requests = []
    for first in range(0, 3 * ASKED, ASKED):
        rows = range(first, first + ASKED)
        request = world.asked(*rows)
        world.ledger.requests.keep(
            request, {f"row-{row}": {"row": row} for row in rows}, "escrow", "2999-01-01"
        )
        requests.append(request)
    quick = {"measures": ["scaled_logit_difference"]}
    world.ledger.requests.execute(
        requests, system=world.place, folder=world.folder / "runs", costs=False, audit=quick
    )
    for request in requests:
        world.ledger.requests.audit(request)
        world.ledger.requests.certify(request, key=private)

    def begin(number: int) -> Any:
        world.version(f"n{number}", [*range(3 * ASKED, SEEN), *range(SEEN + number, SEEN + number + 3)])
        return f"slow@n{number}", lambda: world.begun(monitor)

    def after(version: str) -> str:
        from vestige.ledger import watch

        cells = world.ledger.matrix("slow")
        decided = [row[version] for row in cells.values() if version in row]
        every = [cell for row in cells.values() for cell in row.values() if cell in ("kept", "reopened")]
        tests = watch.budget_of(world.ledger, "slow").tests
        assert tests == len(every), f"{len(every)} decisions and a budget of {tests} tests"
        for request, row in cells.items():
            if version in row:
                place = (
                    world.folder / "runs" / "monitor-slow" / "audits" / version.partition("@")[2] / request
                )
                assert (place / "audit.json").is_file(), f"{request} is decided without an audit"
        return "done" if len(decided) == len(requests) else f"{len(decided)} of {len(requests)} decided"

    return _told(times, *killed(world, times, begin, after))


def _told(times: int, whole: float, states: Any, faults: list[str]) -> str:
    known = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return f"{times} kills within {whole:.2f} s; after them {known}; faults: {len(faults)}" + "".join(
        f"\n  {fault}" for fault in faults
    )


def case_clock(world: World, times: int) -> str:
    """The clock goes back between events."""
    from vestige.ledger import chain

    true, told = chain.now, []
    for back in (timedelta(hours=1), timedelta(seconds=1)):
        world.ledger.requests.new("before", ["row-1"])
        chain.now = lambda back=back: true() - back
        world.ledger.requests.new(f"after {back}", ["row-2"])
        chain.now = true
        said, result = len(world.ledger.events(chain.CLOCK)), world.ledger.verify()
        told.append(f"back by {back}: {said} events say so, {result.sentence}")
    return "; ".join(told)


def case_copy(world: World, times: int) -> str:
    """Yesterday's copy takes the place of the database; it is refused until that is accepted."""
    from vestige.errors import InputError

    world.ledger.requests.new("yesterday", ["row-1"])
    with copied(world) as restore:
        for number in range(3):
            world.ledger.requests.new(f"today {number}", ["row-2"])
        restore()
    named = world.ledger.verify().fault
    try:
        world.ledger.requests.new("after", ["row-3"])
        refused = "written to, which is a FAULT"
    except InputError as error:
        refused = f"refused ({str(error).rpartition(': ')[2][:60]}...)"
    world.ledger.accept("the disk broke")
    world.ledger.requests.new("after", ["row-3"])
    return f"named: {named}; writing is {refused}; after accept: {world.ledger.verify().sentence}"


@contextlib.contextmanager
def copied(world: World) -> Iterator[Callable[[], None]]:
    """Copy the database, and give what puts the copy back."""
    world.ledger.close()
    if world.url.startswith("sqlite"):
        file, copy = world.folder / "book.db", world.folder / "copy.db"
        with contextlib.closing(__import__("sqlite3").connect(file)) as one:
            one.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(file, copy)

        def restore() -> None:
            world.ledger.close()
            for name in ("book.db", "book.db-wal", "book.db-shm"):
                (world.folder / name).unlink(missing_ok=True)
            shutil.copyfile(copy, file)
    else:
        import sqlalchemy as sa

        name = world.ledger.engine.url.database
        admin = sa.create_engine(
            world.ledger.engine.url.set(database="template1"), isolation_level="AUTOCOMMIT"
        )

        def said(*statements: str) -> None:
            with admin.connect() as connection:
                for statement in statements:
                    connection.exec_driver_sql(statement)
            admin.dispose()

        said(f"CREATE DATABASE copy TEMPLATE {name}")

        def restore() -> None:
            world.ledger.close()
            said(f"DROP DATABASE {name}", f"ALTER DATABASE copy RENAME TO {name}")

    yield restore


def case_full(world: World, times: int) -> str:
    """Large requests until the disk is full; then more room."""
    from vestige.errors import InputError

    written, sentence = 0, ""
    while not sentence and written < 500:
        try:
            world.ledger.requests.new(f"person {written}", ["row-1"], note=secrets.token_hex(100_000))
            written += 1
        except InputError as error:
            sentence = str(error).rpartition("db: ")[2].partition(": ")[2] or str(error)
    kept, first = len(world.ledger.requests.list()), world.ledger.verify()
    subprocess.run(["mount", "-o", "remount,size=256m", str(world.folder / "small")], check=True)
    world.ledger.requests.new("after", ["row-1"], note=secrets.token_hex(100_000))
    last = world.ledger.verify()
    return (
        f"full after {written} requests, said: {sentence[-120:]!r}; {kept} are there, {first.sentence} "
        f"With more room: {len(world.ledger.requests.list())}, {last.sentence}"
    )


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Give a disk of a few megabytes. Raises `CalledProcessError` where none may be mounted."""
    place = folder / "small"
    place.mkdir(parents=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(place)], check=True, capture_output=True
    )
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


@contextlib.contextmanager
def database(kind: str, case: str, folder: Path) -> Iterator[str]:
    """Give the URL of an empty database; for the case "full" it lies on a small disk."""
    with contextlib.ExitStack() as stack:
        small = stack.enter_context(small_disk(folder)) if case == "full" else None
        if kind == "sqlite":
            yield f"sqlite:///{small or folder}/book.db"
            return
        url = stack.enter_context(postgres.server(folder / "server"))
        if small is None:
            name, place = "book", ""
        else:
            import sqlalchemy as sa

            (small / "space").mkdir()
            shutil.chown(small / "space", postgres.owner() if not os.getuid() else None)
            name, place = "book", " TABLESPACE small"
        import sqlalchemy as sa

        admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            if small is not None:
                connection.exec_driver_sql(f"CREATE TABLESPACE small LOCATION '{small}/space'")
            connection.exec_driver_sql(f"CREATE DATABASE {name}{place}")
        admin.dispose()
        yield url.replace("/postgres?", f"/{name}?")


CASES: dict[str, Callable[[World, int], str]] = {
    "execute": case_execute, "monitor": case_monitor, "full": case_full, "clock": case_clock, "copy": case_copy,
}  # fmt: skip


def main(arguments: list[str]) -> None:
    times = next((int(text) for text in arguments if text.isdigit()), 50)
    for case in [text for text in arguments if text in CASES] or list(CASES):
        for kind in [text for text in arguments if text in ("sqlite", "postgresql")] or [
            "sqlite",
            "postgresql",
        ]:
            if kind == "postgresql" and postgres.missing():
                print(f"{case}, postgresql: skipped, {postgres.missing()}", flush=True)
                continue
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                try:
                    with database(kind, case, folder) as url:
                        world = World(url, folder)
                        print(f"{case}, {kind}: {CASES[case](world, times)}", flush=True)
                        world.ledger.close()
                except subprocess.CalledProcessError as error:
                    print(f"{case}, {kind}: skipped, {error.cmd[0]} is not allowed here", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
