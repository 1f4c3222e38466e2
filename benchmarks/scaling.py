"""How an experiment would scale: its steps at the paper's scale, with measured times, on 1 to 1,000 workers.

    VESTIGE_DATA=FOLDER python -m benchmarks.scaling STORE [EXPERIMENT [SCALE [FACTOR [a.b=c ...]]]]

The steps are the real ones, with what they read; a step takes the mean time that steps of its sort (function, network,
data) took at the small scale in STORE, times FACTOR for training. Workers take the ready step that leads
the longest chain. What is not in the simulation: moving files, workers that die, nodes of different speed.
"""

from __future__ import annotations

import heapq
import sys
from collections import defaultdict

from vestige.experiments.bench import experiment
from vestige.experiments.bench.run import cells_of
from vestige.graph import Step, Store
from vestige.graph.step import ordered

WORKERS = (1, 2, 8, 32, 128, 512, 1000)
HEAVY = ("train", "unlearn", "along_training")


def measured(store: str, name: str) -> dict[str, float]:
    """Mean seconds of each sort of step that the small scale of an experiment has in a store."""
    kept, found = Store.at(store), defaultdict(list)
    for one in ordered(cell.step for cell in cells_of(experiment(name), "small", None)):
        if kept.done(one):
            found[one.alike].append(kept.record(one)["seconds"])
    return {sort: sum(own) / len(own) for sort, own in found.items()}


def makespan(steps: list[Step], seconds: dict[str, float], workers: int) -> float:
    """Seconds until the last step ends, by list scheduling on the longest remaining chain."""
    readers = defaultdict(list)
    for one in steps:
        for key in {s.key for s in one.inputs}:
            readers[key].append(one)
    chain: dict[str, float] = {}
    for one in reversed(steps):
        chain[one.key] = seconds[one.key] + max((chain[r.key] for r in readers[one.key]), default=0.0)
    waiting = {one.key: len({s.key for s in one.inputs}) for one in steps}
    ready = [(-chain[s.key], number, s) for number, s in enumerate(steps) if not waiting[s.key]]
    heapq.heapify(ready)
    running: list[tuple[float, int, Step]] = []
    now, number = 0.0, len(steps)
    while ready or running:
        while ready and len(running) < workers:
            _, _, one = heapq.heappop(ready)
            number += 1
            heapq.heappush(running, (now + seconds[one.key], number, one))
        now, _, ended = heapq.heappop(running)
        for one in readers[ended.key]:
            waiting[one.key] -= 1
            if not waiting[one.key]:
                number += 1
                heapq.heappush(ready, (-chain[one.key], number, one))
    return now


def main(
    store: str, name: str = "iam-figure5", scale: str = "paper", factor: str = "1", *overrides: str
) -> None:
    means = measured(store, name)
    steps = ordered(cell.step for cell in cells_of(experiment(name, overrides), scale, None))
    usual = sum(means.values()) / len(means)
    seconds = {s.key: means.get(s.alike, usual) * (float(factor) if s.kind in HEAVY else 1.0) for s in steps}
    alone = makespan(steps, seconds, 1)
    print(f"{name} at {scale} scale: {len(steps)} steps, {alone / 3600:.1f} hours on one worker\n")
    print("| workers | hours | speed-up | share of the workers' time used |")
    print("| ---: | ---: | ---: | ---: |")
    for workers in WORKERS:
        spent = makespan(steps, seconds, workers)
        print(
            f"| {workers:,} | {spent / 3600:.2f} | {alone / spent:.0f}x | {100 * alone / spent / workers:.0f} % |"
        )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
