"""Engines: where steps are done. The same steps, the same keys, the same results.

An engine takes a step and gives back a future; which step is ready is decided once, in `execute`.

    inline  in this process, one after another
    local   worker processes on this machine
    ray     tasks on a Ray cluster
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from typing import Any, Protocol

from vestige.arguments import Count, NotNegative, checked
from vestige.errors import InputError, need, told, unknown
from vestige.graph.address import check_address
from vestige.graph.step import Environment, Facts, Step
from vestige.graph.store import Store
from vestige.interrupts import listen

ENGINES = ("inline", "local", "ray")


class WorkerDied(RuntimeError):
    """A worker was killed or crashed; its step is to be tried again."""


class Engine(Protocol):
    """Where steps are done. `workers`: how many at once."""

    workers: int

    def submit(self, step: Step) -> Any: ...

    def finished(self, pending: list[Any], seconds: float) -> list[Any]: ...

    def result(self, future: Any) -> Facts: ...

    def close(self) -> None: ...


def perform_in(folder: str, step: Step, store: Store, environment: Environment) -> Facts:
    """Do a step in a folder, where it is there: relative paths are then those that the runner was given."""
    with contextlib.chdir(folder) if os.path.isdir(folder) else contextlib.nullcontext():
        return perform(step, store, environment)


def perform(step: Step, store: Store, environment: Environment) -> Facts:
    """Do a step; return its record."""
    with _threads(environment.threads):
        return store.perform(step, environment)


@contextlib.contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Let NumPy, scikit-learn and torch, where it is loaded, compute with so many threads; None: as usual."""
    if count is None:
        yield
        return
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(count), contextlib.ExitStack() as stack:
        if "torch" in sys.modules:
            from vestige.models.threads import threads

            stack.enter_context(threads(count))
        yield


class Inline:
    """This process, one step after another."""

    workers = 1

    def __init__(self, store: Store, environment: Environment) -> None:
        self._store, self._environment = store, environment

    def submit(self, step: Step) -> Future[Facts]:
        future: Future[Facts] = Future()
        try:
            future.set_result(perform(step, self._store, self._environment))
        except Exception as error:
            future.set_exception(error)
        return future

    def finished(self, pending: list[Any], seconds: float) -> list[Any]:
        return pending

    def result(self, future: Any) -> Facts:
        return dict(future.result())

    def close(self) -> None:
        """Nothing is open."""


class Local:
    """Worker processes on this machine, one thread each; one that dies takes no other with it."""

    def __init__(self, store: Store, environment: Environment, workers: int | None = None) -> None:
        self._store, self._environment = store, replace(environment, progress=False, threads=1)
        self.workers = workers or os.cpu_count() or 1
        self._idle = [_worker() for _ in range(self.workers)]
        self._busy: dict[Any, ProcessPoolExecutor] = {}

    def submit(self, step: Step) -> Future[Facts]:
        worker = self._idle.pop()
        try:
            future = worker.submit(_perform_until_told, step, self._store, self._environment)
        except BrokenProcessPool:  # it died while it was idle
            worker.shutdown(wait=False)
            worker = _worker()
            future = worker.submit(_perform_until_told, step, self._store, self._environment)
        self._busy[future] = worker
        return future

    def finished(self, pending: list[Any], seconds: float) -> list[Any]:
        return list(wait(pending, timeout=seconds, return_when=FIRST_COMPLETED).done)

    def result(self, future: Any) -> Facts:
        worker = self._busy.pop(future)
        try:
            record = dict(future.result())
        except BrokenProcessPool as error:
            worker.shutdown(wait=False)
            worker = _worker()
            raise WorkerDied(str(error)) from None
        finally:
            self._idle.append(worker)
        return record

    def close(self) -> None:
        """End the workers; a step that is under way is interrupted, and keeps what it can go on from."""
        for worker in self._busy.values():
            for process in list((worker._processes or {}).values()):
                process.terminate()
        for worker in (*self._idle, *self._busy.values()):
            worker.shutdown(wait=False, cancel_futures=True)


def _worker() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=_leave_with, initargs=(os.getpid(),)
    )


def _leave_with(parent: int) -> None:
    """End this worker when the runner is gone, killed or not: nobody would take its results.

    Ctrl-C reaches the workers too; what becomes of their steps is the runner's business.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _perform_until_told(step: Step, store: Store, environment: Environment) -> Facts:
    """Do a step in a worker; SIGTERM interrupts it, as Ctrl-C does in one's own process."""
    listen(signal.SIGTERM)
    try:
        return perform(step, store, environment)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


class RayCluster:
    """Tasks on a Ray cluster. The store must be a folder that all its machines share, or behind a URL.

    Parameters
    ----------
    gpu : float
        Share of a GPU that each step with a network asks for: up to 1, or a whole number.
    """

    def __init__(
        self,
        store: Store,
        environment: Environment,
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
        self._store, self._environment = store.elsewhere(), replace(environment, progress=False, threads=1)
        most = max((node["Resources"].get("GPU", 0) for node in self.ray.nodes() if node["Alive"]), default=0)
        if gpu > most:
            self.close()
            raise InputError(
                f"Each step asks for {gpu:g} GPUs; no machine of this Ray cluster has more than {most:g}."
            )
        cores = int(self.ray.cluster_resources().get("CPU", 1))
        self.workers, self.gpu = workers or max(1, cores), gpu
        self._task, self._folder = self.ray.remote(perform_in), os.getcwd()

    def submit(self, step: Step) -> Any:
        options = {"num_cpus": 1, "num_gpus": self.gpu if step.runs_network else 0, "max_retries": 0}
        return self._task.options(**options).remote(self._folder, step, self._store, self._environment)

    def finished(self, pending: list[Any], seconds: float) -> list[Any]:
        return list(self.ray.wait(pending, num_returns=1, timeout=seconds)[0])

    def result(self, future: Any) -> Facts:
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


@checked
def check_engine(
    name: str | None, *, workers: Count | None = None, address: str | None = None, gpu: NotNegative = 0.0
) -> str:
    """Return the engine's name: None is inline for one worker, and local for several.

    Raises `InputError` for an unknown one, for what it cannot have, and for less than one worker.
    """
    name = name or ("inline" if workers in (None, 1) else "local")
    if name not in ENGINES:
        raise InputError(unknown("engine", name, ENGINES))
    if gpu and name != "ray":
        raise InputError(
            "A share of a GPU is for the engine 'ray'; other engines use the GPU that torch sees."
        )
    if address is not None and name != "ray":
        raise InputError(f"An address is for the engine 'ray'; the engine {name!r} works on this machine.")
    if name == "inline" and workers not in (None, 1):
        raise InputError(f"The engine 'inline' has one worker, not {workers}; choose the engine 'local'.")
    return name


@contextlib.contextmanager
def engine(
    name: str | None,
    store: Store,
    environment: Environment,
    *,
    workers: int | None = None,
    address: str | None = None,
    gpu: float = 0.0,
) -> Iterator[Engine]:
    """Open an engine by name, and close it; see `check_engine`.

    Raises `InputError` as that does, and for GPUs that are not there.
    """
    name = check_engine(name, workers=workers, address=address, gpu=gpu)
    opened: Engine
    if name == "inline":
        opened = Inline(store, environment)
    elif name == "local":
        opened = Local(store, environment, workers)
    else:
        opened = RayCluster(store, environment, address, workers, gpu)
    try:
        yield opened
    finally:
        opened.close()
