"""Twenty alike records a person: is the promised rate kept where they are named, and what if they are not?

    python -m benchmarks.persons [--worlds 40] [--persons 10 1]

Location-30. A person is a record; twenty of it are made by resampling: each feature is, one time in ten, that of
another record of the same class. Of 200 persons 70 are trained on (some of them are forgotten), 60 are held out, and a
shadow is trained on the other 70. Exact retrains and the untouched original are audited, with the persons named by
`cluster`, not named, and named where the held-out persons have one record each, so that nobody is comparable with
twenty.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

import numpy as np

import vestige
from benchmarks.claims import interval
from vestige.signals import Signals, collect_logits

RECORDS, RESAMPLED = 20, 0.1
PEOPLE = {"trained": 70, "holdout": 60, "shadow": 70}
RECIPE = vestige.Recipe(epochs=15, batch_size=64, lr=0.05)
WAYS = ("named", "not named", "named, alone in the holdout")


def people(seed: int) -> tuple[vestige.Dataset, np.ndarray]:
    """Return twenty records of each of 200 persons, and who they are of, from 0."""
    data, rng = vestige.load_dataset("location30"), np.random.default_rng(seed)
    chosen = rng.permutation(len(data))[: sum(PEOPLE.values())]
    who = np.repeat(np.arange(len(chosen)), RECORDS)
    x, y = data.x[chosen][who].copy(), data.y[chosen][who]
    for label in np.unique(y):
        rows, alike = np.flatnonzero(y == label), np.flatnonzero(data.y == label)
        others = data.x[rng.choice(alike, (len(rows), x.shape[1])), np.arange(x.shape[1])]
        x[rows] = np.where(rng.random(others.shape) < RESAMPLED, others, x[rows])
    return vestige.Dataset("persons", x, y, np.arange(len(y)), data.classes), who


def world(seed: int, forget: int) -> dict[str, Signals]:
    """Return the signals of an exact retrain ("retrain") and of the original, with the persons named."""
    data, who = people(seed)
    first, second = PEOPLE["trained"], PEOPLE["trained"] + PEOPLE["holdout"]

    def fit(rows: np.ndarray, number: int):
        fresh = vestige.build_model("mlp", data.shape, len(data.classes), seed=number, hidden=(128,))
        return vestige.train(
            fresh, data.take(np.flatnonzero(rows)), RECIPE.model_copy(update={"seed": number})
        ).model

    asked = np.flatnonzero(who < second)
    role = np.where(who < forget, "forget", np.where(who < first, "retain", "holdout"))[asked]
    part = data.take(asked)
    rows = {"original": who < first, "retrain": (who >= forget) & (who < first), "shadow": who >= second}
    said = {
        name: collect_logits(fit(which, 10 * seed + k), part) for k, (name, which) in enumerate(rows.items())
    }
    names = who[asked].astype(str)
    return {
        name: Signals(part.y, said[name], said["original"], said["shadow"], role=role, ids=part.ids, cluster=names)
        for name in ("retrain", "original")
    }  # fmt: skip


def way_of(signals: Signals, way: str) -> Signals:
    if way == "not named":
        return signals.without("cluster")
    if way == "named":
        return signals
    _, first = np.unique(signals.cluster, return_index=True)
    return signals.take(np.sort(np.union1d(first, np.flatnonzero(signals.roles != "holdout"))))


def main(worlds: int, counts: list[int]) -> None:
    print("| persons forgotten | audited | persons | worlds | accused [95 %] | undecided | blocked |")
    print("| ---: | --- | --- | ---: | ---: | ---: | ---: |")
    for forget in counts:
        verdicts: dict[tuple[str, str], list] = {}
        for seed in range(worlds):
            for audited, signals in world(seed, forget).items():
                for way in WAYS:
                    own = way_of(signals, way)
                    verdicts.setdefault((audited, way), []).append(vestige.audit(own, ["random"]).verdict)
        for (audited, way), rows in verdicts.items():
            outcomes = Counter(verdict.outcome for verdict in rows)
            accused = outcomes["under"] + outcomes["over"]
            low, high = interval(accused, len(rows))
            cells = [
                forget, audited, way, len(rows), f"{accused / len(rows):.0%} [{low:.0%}, {high:.0%}]",
                outcomes["undecided"], sum(bool(verdict.blocked_by) for verdict in rows),
            ]  # fmt: skip
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--persons", type=int, nargs="+", default=[10, 1])
    options = parser.parse_args()
    sys.exit(main(options.worlds, options.persons))
