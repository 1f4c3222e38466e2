"""The year of examples/lifecycle, many times: is the return of deleted data found where it happens, and what is false?

    python -m benchmarks.lifecycle --seeds 20              goes on where it was stopped, prints the tables
    python -m benchmarks.lifecycle --seeds 20 --made-up    on the made-up table in place of Adult

A seed draws the contracts, who holds them and every tree. Each year is lived twice: with the copy of March trained on
in August, and without. Models, requests, who is asked about what and when, e-values and decisions are those of the
example; signed evidence and the audits after each deletion are left out, and so is the ledger, which changes no
decision. A version of May that was fine-tuned is taken to be refused, as it is in the example.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lifecycle_tables import sizes, years
from vestige import Signals
from vestige.experiments.requests import split
from vestige.experiments.settings import ShadowConfig
from vestige.monitoring import Test, decide, group_e_value, start

EXAMPLE = Path(__file__).parents[1] / "examples" / "lifecycle"
RESULTS = Path(__file__).parent / "results" / "lifecycle.jsonl"
sys.path.insert(0, str(EXAMPLE))
churn, script = importlib.import_module("churn"), importlib.import_module("year")

ALPHA = 0.05


@dataclass
class Commitment:
    """The contracts of a request; `state` is "pending", "watched" or "open again"."""

    name: str
    rows: np.ndarray
    state: str = "pending"


@dataclass
class Life:
    """What is carried from month to month; rows are positions in the table of all contracts."""

    present: np.ndarray
    commitments: list[Commitment] = field(default_factory=list)
    control: dict[str, Any] = field(default_factory=lambda: start("elond", ALPHA))
    ever: np.ndarray | None = None  # who was in any version, by its manifest
    live: Any = None
    copy: np.ndarray | None = None
    manifests: dict[str, np.ndarray] = field(default_factory=dict)
    reopened: list[dict[str, Any]] = field(default_factory=list)
    returned: list[dict[str, Any]] = field(default_factory=list)


class Years:
    """The two years of a seed."""

    def __init__(self, seed: int) -> None:
        self.seed, self.table = seed, churn.contracts(seed)
        self.labels = (self.table.leaves == "yes").to_numpy().astype(int)
        self.since = self.table.since.to_numpy()
        self.asked, free = {}, iter(range(len(self.table)))
        for person, count in dict.fromkeys(one for month in script.REQUESTS.values() for one in month):
            self.asked[person, count] = np.array([next(free) for _ in range(count)])

    def both(self) -> list[dict[str, Any]]:
        """Return the records of the year with the copy, and of that without."""
        life = Life(np.ones(len(self.table), bool), ever=np.zeros(len(self.table), bool))
        august = script.MONTHS.index("august")
        for month in script.MONTHS[:august]:
            self.month(life, month, False)
        lives = {snapshot: deepcopy(life) for snapshot in (True, False)}
        for snapshot, one in lives.items():
            for month in script.MONTHS[august:]:
                self.month(one, month, snapshot)
        return [
            {
                "seed": self.seed, "data": "adult" if churn.has_adult() else "made up", "snapshot": snapshot,
                "tests": one.control["tests"], "reopened": one.reopened, "returned": one.returned,
            }
            for snapshot, one in lives.items()
        ]  # fmt: skip

    def month(self, life: Life, month: str, snapshot: bool) -> None:
        """Live a month: train, ask the version about every commitment, and once more where it does not hold."""
        rows = np.flatnonzero(
            life.present & (self.since > 0) & (self.since <= 1 + script.MONTHS.index(month))
        )
        if month == "march":
            life.copy = rows
        if month == "may":
            tuned = churn.fine_tune(life.live, self.table.iloc[rows])
            april = life.manifests["april"]
            self.ask(life, month, tuned, rows, np.union1d(rows, april))
        trained = life.copy if month == "august" and snapshot else rows
        assert trained is not None
        model = self.fit(month, trained, again=month == "may")
        name = "may-again" if month == "may" else month
        opened = self.ask(life, name, model, rows, trained)
        if (opened and month != "may") or trained is not rows:
            model = self.fit(month, rows, again=True)
            self.ask(life, f"{month}-again", model, rows, rows)
        for one in life.commitments:
            one.state = "watched"
        life.live = model
        if month == "october":
            for one in life.commitments:
                if np.isin(one.rows, life.manifests["april"]).any():
                    one.state = "open again"
            life.live = None  # the version of April is used; nothing goes on training it
        for person, count in script.REQUESTS.get(month, []):
            fresh = life.present[self.asked[person, count]].all()
            if fresh and person != script.DENIED:
                life.present[self.asked[person, count]] = False
                life.commitments.append(Commitment(f"{person}/{count}", self.asked[person, count]))

    def fit(self, month: str, rows: np.ndarray, again: bool = False) -> Any:
        seed = 100 * self.seed + script.MONTHS.index(month) + 50 * again
        return churn.train(self.table.iloc[rows], seed)

    def ask(self, life: Life, name: str, model: Any, manifest: np.ndarray, trained: np.ndarray) -> bool:
        """Decide on every commitment that is watched; return whether the version re-opens any.

        Parameters
        ----------
        manifest, trained : ndarray
            What the version is said to have seen, and what it did see.
        """
        assert life.ever is not None
        life.manifests[name], life.ever[manifest] = manifest, True
        watched = [one for one in life.commitments if one.state == "watched"]
        if not watched:
            return False
        forget = np.unique(np.concatenate([one.rows for one in watched]))
        unseen = np.flatnonzero(life.present & ~life.ever)
        roles = split(forget, np.setdiff1d(manifest, forget), unseen, ShadowConfig(count=1), self.seed)
        shadow = churn.train(self.table.iloc[roles.shadow], 7_000 + 100 * self.seed + len(life.manifests))
        null = np.concatenate([roles.holdout, roles.aside])
        source = np.repeat(["holdout", "pool"], [len(roles.holdout), len(roles.aside)])
        rows = np.concatenate([forget, null])
        answers, others = (self.answers(one, rows) for one in (model, shadow))
        any_opened = False
        for one in watched:
            places = np.concatenate(
                [np.flatnonzero(np.isin(forget, one.rows)), len(forget) + np.arange(len(null))]
            )
            count = len(one.rows)
            signals = Signals.from_outputs(
                "probabilities", self.labels[rows[places]], unlearned=answers[places], shadow_out=[others[places]],
                role=np.repeat(["forget", "holdout"], [count, len(null)]),
                source=np.concatenate([np.full(count, "forget"), source]),
                ids=self.table.index[rows[places]].to_numpy().astype(str),
            )  # fmt: skip
            e = group_e_value(signals)
            life.control, (decision,) = decide(life.control, [Test(one.name, name, 1.0, e)])
            bears = int(np.isin(one.rows, trained).sum())
            fact = {
                "version": name, "request": one.name, "records": count, "bears": bears, "e": e,
                "reopened": decision.outcome == "reopened",
            }  # fmt: skip
            if bears:
                life.returned.append(fact)
            if fact["reopened"]:
                life.reopened.append(fact)
                one.state, any_opened = "open again", True
        return any_opened

    def answers(self, model: Any, rows: np.ndarray) -> np.ndarray:
        """Return probabilities [n, 2] of "no" and "yes"."""
        return model.predict_proba(self.table.iloc[rows].drop(columns=[*churn.OWN, "leaves"]))


def run(seeds: int, path: Path) -> list[dict[str, Any]]:
    """Live the years that are not in the file yet, and return all of these seeds."""
    data = "adult" if churn.has_adult() else "made up"

    def known() -> list[dict[str, Any]]:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [one for one in map(json.loads, lines) if one["data"] == data and one["seed"] < seeds]

    for seed in sorted(set(range(seeds)) - {one["seed"] for one in known()}):
        text = "".join(json.dumps(record) + "\n" for record in Years(seed).both())
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
        print(f"seed {seed}", file=sys.stderr, flush=True)
    return known()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--made-up", action="store_true", help="on the made-up table")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    if options.made_up:
        os.environ.pop("VESTIGE_DATA", None)
    records = run(options.seeds, options.out)
    print(f"{years(records)}\n\n{sizes(records)}")


if __name__ == "__main__":
    main()
