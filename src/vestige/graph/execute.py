"""Which step is done next, and what becomes of it.

A step is given out when all that it reads is done, and never where its result is there. A step whose worker died is
given out again, three times in all; a step that refuses its input is not, and what reads it is not tried.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from vestige.errors import ArtefactError, InputError
from vestige.graph.engines import Engine, WorkerDied, engine
from vestige.graph.progress import Watch
from vestige.graph.step import Environment, Facts, Step, ordered
from vestige.graph.store import Store
from vestige.interrupts import expect_none
from vestige.store import FULL, disk_full, folder_at, sweep

TRIES = 3
Say = Callable[[str], None]


@dataclass(frozen=True)
class State:
    """What became of a step.

    Attributes
    ----------
    name : str
        "done", "kept" (its result was there, or nothing needed it), or "failed".
    why : str
        The reason where it failed.
    below : bool
        It failed because a step that it reads did.
    error : BaseException or None
        What it raised.
    """

    name: str
    why: str = ""
    below: bool = False
    error: BaseException | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of all steps, by key."""

    states: dict[str, State]

    def count(self, name: str) -> int:
        """Return how many steps are "done", "kept" or "failed"."""
        return sum(state.name == name for state in self.states.values())

    def why(self, step: Step) -> str:
        """Return why a step failed; "" where it did not."""
        state = self.states.get(step.key)
        return "" if state is None else state.why


def carry_out(
    wanted: Iterable[Step],
    store: Store,
    environment: Environment | None = None,
    *,
    name: str = "run",
    engine_name: str | None = None,
    workers: int | None = None,
    address: str | None = None,
    gpu: float = 0.0,
    say: Say = lambda text: None,
    progress: bool = False,
    stop: bool = False,
    tell: bool = True,
    kept_only: bool = False,
) -> Outcome:
    """Do all steps, and what they read; what is in the store is not done again.

    Parameters
    ----------
    name : str
        Of the status file, which any terminal reads.
    engine_name : str or None
        "inline", "local" or "ray"; None: inline for one worker, local for several.
    workers : int or None
        Steps at once; None: one inline, and as many as the engine has cores elsewhere.
    say : Say
        Is told what failed, and, where `tell`, what begins.
    progress : bool
        Show a bar over all steps.
    stop : bool
        Raise the first failure; otherwise the other steps go on, and it is in the outcome.
    kept_only : bool
        Raise where a step that is wanted is not in the store, rather than do it.

    Raises
    ------
    InputError
        Where an engine cannot be had or the disk has no room.
    """
    environment = environment or Environment()
    wanted = list(wanted)
    steps = ordered(wanted)
    if kept_only:
        return Outcome({step.key: _kept(step, store) for step in wanted})
    _expect_room(store, steps)
    sweep(store.folder)
    for step in steps:  # what an earlier run has done in this folder alone is there for the others too
        store.share(step)
    with ExitStack() as stack:
        where = stack.enter_context(
            engine(engine_name, store, environment, workers=workers, address=address, gpu=gpu)
        )
        watch = stack.enter_context(
            Watch(store.folder / "status" / f"{name}.json", steps, where.workers, progress)
        )
        execution = _Execution(steps, store, where, watch, say, stop, tell)
        outcome = execution.run({step.key for step in wanted})
    if store.behind is not None:  # what other machines have done is fetched
        for step in wanted:
            store.done(step)
    return outcome


def _kept(step: Step, store: Store) -> State:
    if not store.done(step):
        raise InputError(
            f"{store.folder} does not hold {step.label or step.kind!r} of this run on these data; the same command "
            "does what is missing."
        )
    return State("kept")


def _expect_room(store: Store, steps: list[Step]) -> None:
    """Refuse to start where the disk cannot hold what is still to be made."""
    folder_at(store.folder)
    wanted = sum(step.size for step in steps if not store.path(step).exists())
    free = shutil.disk_usage(store.folder).free
    if free < wanted:
        raise InputError(
            f"{store.folder}: the disk has {free / 1e9:.1f} GB free and the run needs about {wanted / 1e9:.1f} GB."
        )


class _Execution:
    """One pass over the steps."""

    def __init__(
        self, steps: list[Step], store: Store, where: Engine, watch: Watch, say: Say, stop: bool, tell: bool
    ) -> None:
        self.steps, self.store, self.where, self.watch = steps, store, where, watch
        self.say, self.stop, self.tell = say, stop, tell
        self.states: dict[str, State] = {}
        self.tries: dict[str, int] = {}

    def run(self, wanted: set[str]) -> Outcome:
        needed = self._needed(wanted)
        waiting = [step for step in self.steps if step.key in needed]
        for step in self.steps:
            if step.key not in needed:
                self._end(step, State("kept"))
        running: dict[Any, Step] = {}
        while waiting or running:
            expect_none()
            self.watch.beat()
            waiting = [step for step in waiting if not self._begin(step, running)]
            for future in self.where.finished(list(running), 0.5) if running else []:
                step = running.pop(future)
                if not self._finish(step, future):
                    waiting.insert(0, step)
        return Outcome(self.states)

    def _needed(self, wanted: set[str]) -> set[str]:
        """Return the keys of what must be done: what is there, and what only finished steps read, is left alone."""
        needed = set(wanted)
        for step in reversed(self.steps):
            if step.key in needed:
                self.watch.beat()
                if self.store.done(step):
                    needed.discard(step.key)
                else:
                    needed |= {other.key for other in step.inputs}
        return needed

    def _begin(self, step: Step, running: dict[Any, Step]) -> bool:
        """Give a step out where it is ready, or end it where one that it reads has failed; say whether it is either."""
        below = [self.states.get(other.key) for other in step.inputs]
        broken = [state for state in below if state is not None and state.name == "failed"]
        if broken:
            self._end(step, State("failed", broken[0].why, below=True))
            return True
        if len(running) >= self.where.workers or any(state is None for state in below):
            return False
        self.tries[step.key] = self.tries.get(step.key, 0) + 1
        self.watch.note(step, "running", started=time.time())
        if self.tell and step.label:
            self.say(step.label)
        running[self.where.submit(step)] = step
        return True

    def _finish(self, step: Step, future: Any) -> bool:
        """Take a step's result; False where its worker died and it is to be tried again."""
        try:
            record: Facts = self.where.result(future)
        except WorkerDied as death:
            if self.tries[step.key] < TRIES:
                return False
            reason = f"its worker died {TRIES} times ({death})"
            self._end(step, State("failed", reason, error=ArtefactError(f"{step.label}: {reason}.")))
        except Exception as error:  # whatever a step raises is its reason, never silence
            self._end(step, State("failed", _why(error), error=error))
        else:
            self._end(step, State("done"), seconds=record.get("seconds", 0.0))
        return True

    def _end(self, step: Step, state: State, **facts: float) -> None:
        self.states[step.key] = state
        self.watch.note(step, state.name, why=state.why, below=state.below, **facts)
        if state.name != "failed" or state.below:
            return
        if self.stop and state.error is not None:
            raise state.error
        self.say(f"{step.label or step.kind}: {state.why}")


def _why(error: BaseException) -> str:
    if disk_full(error):
        return FULL
    text = " ".join(str(error).split())
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"
