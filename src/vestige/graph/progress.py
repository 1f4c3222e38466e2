"""How far a run is: a file that the runner keeps, and any terminal reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from vestige.errors import ArtefactError, InputError
from vestige.graph.step import Step
from vestige.graph.store import Store
from vestige.store import read_json, write_json

BEAT = 10.0
"""Seconds after which a runner writes its status file though nothing has changed."""
SILENT = 120.0
"""Seconds without a sign of life after which a runner seems to have stopped."""
MOST_NAMES = 10
"""Folders that are named where a folder holds no run but others that do."""


class Watch:
    """Keeps the status file, and shows a bar with the time that is left."""

    def __init__(self, path: Path, steps: list[Step], workers: int, progress: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.path, self.started, self.workers = path, time.time(), workers
        self.steps: dict[str, dict[str, Any]] = {
            step.key: {
                "label": step.label or step.kind,
                "kind": step.alike,
                "state": "waiting",
                "key": step.key,
            }
            for step in steps
        }
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"), disable=not progress,
        )  # fmt: skip
        self._task = self._bar.add_task("steps", total=len(steps), left="")
        self._written = 0.0
        self._lock, self._over = threading.Lock(), threading.Event()
        self._heart = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> Watch:
        self._bar.start()
        self._write()
        self._heart.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._bar.stop()
        self._over.set()
        self._heart.join()
        self._write(ended=time.time(), interrupted=kind is not None and issubclass(kind, KeyboardInterrupt))

    def _live(self) -> None:
        """Show that the runner lives while a step is done in its own process, which may take hours."""
        while not self._over.wait(BEAT / 2):
            self.beat()

    def note(self, step: Step, state: str, **facts: Any) -> None:
        """Note a change of one step's state."""
        with self._lock:
            self.steps[step.key] |= {"state": state} | {name: value for name, value in facts.items() if value}
        if state != "running":
            self._bar.advance(self._task)
            left = time_left(self.steps, self.workers)
            self._bar.update(self._task, left="" if left is None else f"about {left:.0f} s left")
        if state in ("running", "failed") or time.time() - self._written > 0.5:
            self._write()  # what runs now may run for long: nothing would write it later

    def beat(self) -> None:
        """Show that the runner lives, where nothing was written for a while."""
        if time.time() - self._written > BEAT:
            self._write()

    def _write(self, **more: Any) -> None:
        with self._lock:
            self._written = time.time()
            record = {
                "started": self.started, "workers": self.workers, "steps": list(self.steps.values()), **more,
                "written": self._written,
            }  # fmt: skip
            # a full disk: the run does without, and the next write tries again
            with suppress(OSError, InputError):
                write_json(self.path, record, flush=False)


def time_left(steps: dict[str, dict[str, Any]], workers: int) -> float | None:
    """Return about how many seconds are left, from the mean time of each kind of step; None before any is done."""
    spent: dict[str, list[float]] = {}
    for step in steps.values():
        if step["state"] == "done":
            spent.setdefault(step["kind"], []).append(float(step.get("seconds", 0)))
    if not spent:
        return None
    everything = [seconds for kind in spent.values() for seconds in kind]
    usual = sum(everything) / len(everything)
    means = {kind: sum(seconds) / len(seconds) for kind, seconds in spent.items()}
    todo = [step for step in steps.values() if step["state"] in ("waiting", "running")]
    return sum(means.get(step["kind"], usual) for step in todo) / max(1, workers)


def status(place: str | Path) -> list[dict[str, Any]]:
    """Return how far each run in a folder, or behind a URL, is: name, counts by state, failures, seconds left.

    The seconds left are None where they are not known. `interrupted` says that a run was ended by Ctrl-C or SIGTERM.

    A runner that has given no sign of life for two minutes seems to have stopped: the run ended with its last sign, and
    the runner is among what failed. A file that is no status of a run is passed over.

    Raises `InputError` where there is no such folder.
    """
    if "://" not in str(place) and not Path(place).is_dir():
        kind = "is a file" if Path(place).exists() else "does not exist"
        raise InputError(f"{place} {kind}; the folder of a run, or of a store, is wanted.")
    records = {
        path.stem: _record(path) for path in sorted((Store.at(place).folder / "status").glob("*.json"))
    }
    return [_summary(name, record) for name, record in records.items() if record is not None]


def _summary(name: str, record: dict[str, Any]) -> dict[str, Any]:
    steps = {step["key"]: step for step in record["steps"]}
    counts: dict[str, int] = {}
    for step in steps.values():
        counts[step["state"]] = counts.get(step["state"], 0) + 1
    failed = [
        {"label": step["label"], "why": step.get("why", "")}
        for step in steps.values()
        if step["state"] == "failed" and not step.get("below")
    ]
    ended, silent = record.get("ended"), time.time() - record["written"]
    stopped = ended is None and silent > SILENT
    if stopped:
        ended = record["written"]
        ago = f"it seems to have stopped {silent / 60:.0f} minutes ago"
        failed.append({
            "label": "the runner", "why": f"{ago}; the same command goes on, finished steps are kept",
        })  # fmt: skip
    return {
        "name": name, "steps": len(steps), "counts": counts, "failed": failed,
        "running": [step["label"] for step in steps.values() if step["state"] == "running"] if ended is None else [],
        "seconds": (ended or time.time()) - record["started"], "ended": ended is not None, "stopped": stopped,
        "interrupted": bool(record.get("interrupted")),
        "left": None if ended is not None else time_left(steps, record.get("workers", 1)),
    }  # fmt: skip


def _record(path: Path) -> dict[str, Any] | None:
    """Return what a status file holds; None where a crash has cut it off, or it is another file."""
    try:
        record = read_json(path)
    except (ArtefactError, OSError):
        return None
    if not isinstance(record, dict) or not {"started", "written", "steps"} <= record.keys():
        return None
    steps = record["steps"]
    whole = isinstance(steps, list) and all(
        isinstance(step, dict) and {"key", "label", "state"} <= step.keys() for step in steps
    )
    return record if whole else None


def sentences(runs: Sequence[Mapping[str, Any]], place: str) -> list[str]:
    """Return how far each run is as lines of text: what `status` has returned of a folder or URL."""
    if not runs:
        elsewhere = "The status of a run is kept on the machine of its runner; ask there."
        return [f"No run in {place} yet.", *([elsewhere] if "://" in place else _runs_beneath(Path(place)))]
    lines = []
    for run in runs:
        done = run["counts"].get("done", 0) + run["counts"].get("kept", 0)
        left = "" if run["left"] is None else f", about {run['left']:.0f} s left"
        state = (
            "interrupted after" if run["interrupted"] else "ended after" if run["ended"] else "running for"
        )
        goes_on = "; the same command goes on, finished steps are kept" if run["interrupted"] else ""
        lines.append(
            f"{run['name']}: {done} of {run['steps']} steps, {state} {run['seconds']:.0f} s{left}{goes_on}"
        )
        lines += [f"  running  {label}" for label in run["running"]]
        lines += [f"  failed   {gap['label']}: {gap['why']}" for gap in run["failed"]]
    return lines


def _runs_beneath(folder: Path) -> list[str]:
    """Return a line that names the folders right below that hold runs; none where there is no such folder."""
    names = sorted({path.parents[1].name for path in folder.glob("*/status/*.json")})
    if not names:
        return []
    shown = ", ".join(names[:MOST_NAMES]) + (
        f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    )
    return [
        f"There are runs in its folders {shown}: ask for one, such as vestige status {folder / names[0]}."
    ]
