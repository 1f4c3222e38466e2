"""Engines: where steps are done. The same steps, the same keys, the same results.

An engine takes a step and gives back a future; which step is ready is decided once, in `execute`. A step whose worker
died is given out again, three times in all; a step that refuses its input is not, and what reads it is not tried.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Protocol

from vestige.arguments import Count, NotNegative, checked
from vestige.errors import InputError, need, told, unknown
from vestige.experiments.bench.address import check_address
from vestige.experiments.bench.steps import Step, Store, ordered, perform
from vestige.store import FULL, disk_full

TRIES = 3
States = dict[str, dict[str, Any]]
Watch = Callable[[Step, str, dict[str, Any]], None]
Beat = Callable[[], None]


class WorkerDied(RuntimeError):
    """A worker was killed or crashed; its step is to be tried again."""


class Engine(Protocol):
    """Where steps are done. `workers`: how many at once."""

    workers: int

    def submit(self, one: Step) -> Any: ...

    def finished(self, pending: list[Any], seconds: float) -> list[Any]: ...

    def result(self, future: Any) -> dict[str, Any]: ...


class Local:
    """Worker processes on this machine, one thread each; one that dies takes no other with it."""

    def __init__(self, place: str, root: str | None, workers: int | None = None) -> None:
        self.place, self.root = place, root
        self.workers = workers or os.cpu_count() or 1
        self._idle = [_worker() for _ in range(self.workers)]
        self._busy: dict[Any, ProcessPoolExecutor] = {}

    def submit(self, one: Step) -> Future[dict[str, Any]]:
        worker = self._idle.pop()
        try:
            future = worker.submit(perform, one, self.place, self.root)
        except BrokenProcessPool:  # it died while it was idle
            worker.shutdown(wait=False)
            worker = _worker()
            future = worker.submit(perform, one, self.place, self.root)
        self._busy[future] = worker
        return future

    def finished(self, pending: list[Any], seconds: float) -> list[Any]:
        return list(wait(pending, timeout=seconds, return_when=FIRST_COMPLETED).done)

    def result(self, future: Any) -> dict[str, Any]:
        worker = self._busy.pop(future)
        try:
            found = dict(future.result())
        except BrokenProcessPool as error:
            worker.shutdown(wait=False)
            worker = _worker()
            raise WorkerDied(str(error)) from None
        finally:
            self._idle.append(worker)
        return found

    def close(self) -> None:
        for worker in (*self._idle, *self._busy.values()):
            worker.shutdown(wait=False, cancel_futures=True)


def _worker() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=_leave_with, initargs=(os.getpid(),)
    )


def _leave_with(parent: int) -> None:
    """End this worker when the runner is gone, killed or not: nobody would take its results."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


NETWORKS = ("trained", "unlearned", "outputs", "along_training", "audited_texts", "degrees_of_texts")
"""Kinds of steps that run a network."""


class RayCluster:
    """Tasks on a Ray cluster. The store must be a folder that all nodes share, or a URL.

    gpu  share of a GPU that each step with a network asks for: up to 1, or a whole number
    """

    def __init__(
        self,
        place: str,
        root: str | None,
        address: str | None = None,
        workers: int | None = None,
        gpu: float = 0.0,
    ) -> None:
        self.ray: Any = need("ray", "ray", "the engine 'ray'")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        if not (0 <= gpu <= 1 or (math.isfinite(gpu) and gpu == int(gpu) > 0)):
            raise InputError(f"gpu is {gpu}; a share up to 1, or a whole number of GPUs, is wanted.")
        self._opened = not self.ray.is_initialized()
        if self._opened:
            check_address(address)
            try:
                self.ray.init(address=address, log_to_driver=False, ignore_reinit_error=True)
            except Exception as error:  # of whatever kind: there is no cluster to work on
                raise InputError(f"Ray cannot be started at {address or 'local'}: {told(error)}.") from error
        self.place, self.root = place, root
        most = max((node["Resources"].get("GPU", 0) for node in self.ray.nodes() if node["Alive"]), default=0)
        if gpu > most:
            self.close()
            raise InputError(
                f"Each step asks for {gpu:g} GPUs; no machine of this Ray cluster has more than {most:g}."
            )
        cores = int(self.ray.cluster_resources().get("CPU", 1))
        self.workers, self.gpu = workers or max(1, cores), gpu
        self._task = self.ray.remote(perform)

    def submit(self, one: Step) -> Any:
        usual = self.gpu if one.kind in NETWORKS else 0
        options = {
            "num_cpus": one.needs.get("CPU", 1),
            "num_gpus": one.needs.get("GPU", usual),
            "max_retries": 0,
        }
        return self._task.options(**options).remote(one, self.place, self.root)

    def finished(self, pending: list[Any], seconds: float) -> list[Any]:
        return list(self.ray.wait(pending, num_returns=1, timeout=seconds)[0])

    def result(self, future: Any) -> dict[str, Any]:
        lost = self.ray.exceptions
        try:
            return dict(self.ray.get(future))
        except (
            lost.WorkerCrashedError,
            lost.NodeDiedError,
            lost.OutOfMemoryError,
            lost.ObjectLostError,
        ) as error:
            raise WorkerDied(str(error).splitlines()[0]) from None
        except lost.RayTaskError as error:
            raise error.cause from None

    def close(self) -> None:
        if self._opened:
            self.ray.shutdown()


ENGINES = ("local", "ray")


@contextmanager
@checked
def engine(
    name: str,
    place: str,
    root: str | None,
    *,
    workers: Count | None = None,
    address: str | None = None,
    gpu: NotNegative = 0.0,
) -> Iterator[Engine]:
    """Open an engine by name, and close it. Raises `InputError` for an unknown one, for less
    than one worker, and for GPUs that are not there.
    """
    if name not in ENGINES:
        raise InputError(unknown("engine", name, ENGINES))
    if gpu and name != "ray":
        raise InputError(
            "A share of a GPU is for the engine 'ray'; local workers use the GPU that torch sees."
        )
    opened: Local | RayCluster = (
        RayCluster(place, root, address, workers, gpu) if name == "ray" else Local(place, root, workers)
    )
    try:
        yield opened
    finally:
        opened.close()


def execute(
    wanted: list[Step], store: Store, where: Engine, watch: Watch, beat: Beat = lambda: None
) -> States:
    """Do all steps; return, by key, {"state": "done" or "failed", "why" or the record}.

    A step is given out when all that it reads is done; it is never given out where its result is there. `watch` is told
    of every change: "kept", "running", "done", "failed"; a step that fails because one that it reads did, "below" it,
    has the same reason. `beat` is called all the time, whether anything changes or not.
    """
    steps = ordered(wanted)
    needed = _needed(wanted, store, beat)
    states: States = {}
    tries: dict[str, int] = {}
    running: dict[Any, Step] = {}
    left = [s for s in steps if s.key in needed]
    for one in steps:
        if one.key not in needed:
            states[one.key] = {"state": "done", "kept": True}
            watch(one, "kept", {})

    def end(one: Step, state: str, facts: dict[str, Any]) -> None:
        states[one.key] = {"state": state, **facts}
        watch(one, state, facts)

    while left or running:
        beat()
        waiting = []
        for one in left:
            below = [states.get(s.key, {}) for s in one.inputs]
            broken = [s for s, state in zip(one.inputs, below, strict=True) if state.get("state") == "failed"]
            if broken:
                end(one, "failed", {"why": states[broken[0].key]["why"], "below": True})
            elif len(running) < where.workers and all(s.get("state") == "done" for s in below):
                tries[one.key] = tries.get(one.key, 0) + 1
                running[where.submit(one)] = one
                watch(one, "running", {"started": time.time()})
            else:
                waiting.append(one)
        left = waiting
        for future in where.finished(list(running), 0.5) if running else []:
            one = running.pop(future)
            try:
                end(one, "done", where.result(future))
            except WorkerDied as death:
                if tries[one.key] < TRIES:
                    left.insert(0, one)
                else:
                    end(one, "failed", {"why": f"its worker died {TRIES} times ({death})"})
            except Exception as error:  # whatever a step raises is its cell's reason, never silence
                end(one, "failed", {"why": _why(error)})
    return states


def _needed(wanted: list[Step], store: Store, beat: Beat) -> set[str]:
    """Return the keys of what must be done: what is there, and what only finished steps read, is left alone."""
    needed: set[str] = set()
    done: dict[str, bool] = {}

    def visit(one: Step) -> None:
        if one.key not in done:
            beat()
            done[one.key] = store.done(one)
        if not done[one.key] and one.key not in needed:
            needed.add(one.key)
            for other in one.inputs:
                visit(other)

    for one in wanted:
        visit(one)
    return needed


def _why(error: BaseException) -> str:
    if disk_full(error):
        return FULL
    text = " ".join(str(error).split())
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"
