"""Error control over time: 200 versions x 50 commitments, exact retrains all, promised 5 %. What is observed?

    python -m benchmarks.monitoring [WORLDS]          the two tables of docs/labbook/monitoring.md, as Markdown
    python -m benchmarks.monitoring 400 --json FILE   the figures as well

A world has 50 requests of 20 records and 400 never-seen ones, each with a number per version, its trace score:

    score = sqrt(rho) record + sqrt(1 - rho) noise of the version

The records stay the same, so that the p-values of one commitment depend on each other from version to version, and
those of one version through the never-seen records that they share: both positively. A commitment's statistic is the
difference of means in standard errors; its permutation p-value is (1 + B) / (1 + R), B binomial with the statistic's
tail probability: as R random permutations give it. "999" is what an audit draws; of "1,000,000" so many are drawn
where 10 of 999 or fewer lie beyond; "e-value" takes 1 / e in their place there. e-LOND takes e itself, and of the other
two kinds an e-value made of p, 0.1 p^-0.9. From version 100 on, one request in the second table
is back, by a shift of all of its scores; and its re-opening is looked for from then on.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special, stats

from vestige.evaluation.verdict.permutation import CLIP
from vestige.monitoring.control import CANDIDATE, PROCEDURES
from vestige.monitoring.e_values import TILTS

VERSIONS, COMMITMENTS, RECORDS, NULL, RETURN = 200, 50, 20, 400, 100
ALPHA = 0.05
FIRST, MORE = 999, 1_000_000
P_VALUES = ("999", "1,000,000", "e-value")
RHOS = (0.0, 0.5, 0.95)
STRENGTHS = (1.0, 1.25, 1.5)


def scores(rng: np.random.Generator, rho: float, shift: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield of each version the scores of the requests [50, 20] and of the never-seen records [400]."""
    own, null = rng.normal(size=(COMMITMENTS, RECORDS)), rng.normal(size=NULL)
    stays, changes = np.sqrt(rho), np.sqrt(1 - rho)
    for version in range(VERSIONS):
        one = stays * own + changes * rng.normal(size=own.shape)
        if version >= RETURN:
            one[0] += shift
        yield one, stays * null + changes * rng.normal(size=NULL)


def tails(own: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return [50] the tail probability of each request's difference of means."""
    n, m = own.shape[1], len(null)
    squares = ((own - own.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) + ((null - null.mean()) ** 2).sum()
    spread = np.sqrt(squares / (n + m - 2) * (1 / n + 1 / m))
    return stats.t.sf((own.mean(axis=1) - null.mean()) / spread, n + m - 2)


def e_values(own: np.ndarray, null: np.ndarray, tail: np.ndarray) -> np.ndarray:
    """Return [50] the e-value of each request, as `vestige.monitoring.e_values` has it, of one stratum.

    Where the tail is above 0.25 it is taken for 1: the least that re-opens anything is 374.
    """
    e, rows = np.ones(len(own)), np.flatnonzero(tail <= 0.25)
    if not len(rows):
        return e
    pool = np.concatenate([own[rows], np.broadcast_to(null, (len(rows), len(null)))], axis=1)
    centre = np.median(pool, axis=1, keepdims=True)
    spread = np.median(np.abs(pool - centre), axis=1, keepdims=True)
    standard = np.clip((pool - centre) / spread, -CLIP, CLIP)
    logs = []
    for tilt, share in TILTS:
        tilted = np.exp(tilt * standard)
        ratio = tilted[:, :RECORDS] / tilted.mean(axis=1, keepdims=True)
        logs.append(np.log1p(share * (ratio - 1)).sum(axis=1))
    e[rows] = np.exp(special.logsumexp(logs, axis=0)) / len(TILTS)
    return e


def drawn(tail: np.ndarray, e: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the p-values of each kind [200, 50]: of 999 permutations, and of the small ones what says more."""
    p = (1 + rng.binomial(FIRST, tail)) / (1 + FIRST)
    finer = {
        "999": p,
        "1,000,000": (1 + rng.binomial(MORE, tail)) / (1 + MORE),
        "e-value": 1 / np.maximum(e, 1),
    }
    return {
        kind: np.where(p <= CANDIDATE, np.minimum(finer[kind], CANDIDATE), p) if kind != "999" else p
        for kind in finer
    }


def stand_out(own: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return [50, 20] which records an audit would name: Benjamini and Hochberg at alpha / 2 in each request."""
    above = NULL - np.searchsorted(np.sort(null), own, side="left")
    p = (1 + above) / (1 + NULL)
    ordered = np.sort(p, axis=1)
    held = ordered <= ALPHA / 2 * np.arange(1, RECORDS + 1) / RECORDS
    limit = np.where(held, ordered, -1.0).max(axis=1)
    return p <= limit[:, None]


def world(seed: int, rho: float, shift: float) -> dict[str, Any]:
    """Return of one world the p-values [200, 50] at each kind, and whether any record stood out twice."""
    rng = np.random.default_rng(seed)
    tail, e, counts = [], [], np.zeros((COMMITMENTS, RECORDS), int)
    for own, null in scores(rng, rho, shift):
        tail.append(tails(own, null))
        e.append(e_values(own, null, tail[-1]))
        counts += stand_out(own, null)
    return {
        "p": drawn(np.stack(tail), np.stack(e), rng),
        "e": np.stack(e),
        "twice": bool((counts >= 2).any()),
    }


@functools.cache
def untouched(name: str) -> np.ndarray:
    """Return the levels of a procedure that rejects nothing; of ADDIS by how many p-values lay from 0.25 to 0.5."""
    test = PROCEDURES[name][1](ALPHA)
    levels = []
    for _ in range(VERSIONS * COMMITMENTS):
        test.test_one(0.0 if name == "elond" else 0.4)
        levels.append(test.last_test_level)
    return np.array(levels)


def follow(name: str, kind: str, one: dict[str, Any]) -> np.ndarray:
    """Return [200, 50] which tests a procedure rejects. Where its first levels reject nothing, it is not run."""
    p = one["p"][kind]
    e = one["e"] if kind == "e-value" else 0.1 * p**-0.9
    values, own = (e.ravel(), 1 / e.ravel()) if name == "elond" else (p.ravel(), p.ravel())
    levels = untouched(name)
    if name == "addis":
        between = np.cumsum((own > 0.25) & (own <= 0.5))
        levels = levels[np.concatenate([[0], between[:-1]])]
    if not (own <= levels * (1 + 1e-12)).any():
        return np.zeros(p.shape, bool)
    test = PROCEDURES[name][1](ALPHA)
    return np.array([test.test_one(value) for value in values.tolist()]).reshape(p.shape)


def share(hits: int, worlds: int) -> str:
    """Return a share in percent with its 95 % interval (Clopper and Pearson)."""
    low, high = stats.binomtest(hits, worlds).proportion_ci(0.95, "exact")
    return f"{100 * hits / worlds:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def nothing_returns(worlds: int) -> list[dict[str, Any]]:
    """Return for each procedure, dependence and kind of p-value in how many worlds something was falsely re-opened."""
    rows = []
    for rho in RHOS:
        hits = {(name, r): 0 for name in PROCEDURES for r in P_VALUES}
        count = dict.fromkeys(hits, 0)
        twice = 0
        for seed in range(worlds):
            one = world(seed, rho, 0.0)
            twice += one["twice"]
            for name, r in hits:
                rejected = follow(name, r, one)
                hits[name, r] += bool(rejected.any())
                count[name, r] += int(rejected.sum())
        rows += [
            {"rho": rho, "procedure": name, "kind": r, "worlds": worlds, "false": hits[name, r],
             "each": count[name, r] / worlds} for name, r in hits
        ]  # fmt: skip
        rows.append(
            {"rho": rho, "procedure": "records", "kind": "", "worlds": worlds, "false": twice, "each": None}
        )
    return rows


def one_returns(worlds: int, rho: float = 0.5) -> list[dict[str, Any]]:
    """Return for each procedure, strength and kind of p-value how many versions pass until the return is found."""
    rows = []
    for strength in STRENGTHS:
        delays: dict[tuple[str, str], list[int]] = {(name, r): [] for name in PROCEDURES for r in P_VALUES}
        for seed in range(worlds):
            one = world(10_000 + seed, rho, strength)
            for name, r in delays:
                versions = np.flatnonzero(follow(name, r, one)[RETURN:, 0])
                delays[name, r].append(int(versions[0]) if len(versions) else VERSIONS)
        for (name, r), every in delays.items():
            late = np.array(every)
            median = float(np.median(late))
            rows.append({
                "strength": strength, "procedure": name, "kind": r, "worlds": worlds,
                "found": int((late < VERSIONS).sum()), "at once": int((late == 0).sum()),
                "delay": None if median >= VERSIONS else median,
            })  # fmt: skip
    return rows


def false_table(rows: list[dict[str, Any]]) -> str:
    """Return the first table as Markdown."""
    lines = ["| procedure | p-values | rho 0 | rho 0.5 | rho 0.95 |", "| --- | --- | --- | --- | --- |"]
    for name in [*PROCEDURES, "records"]:
        for r in P_VALUES if name in PROCEDURES else [""]:
            cells = [
                row
                for rho in RHOS
                for row in rows
                if (row["procedure"], row["kind"], row["rho"]) == (name, r, rho)
            ]
            figures = " | ".join(share(row["false"], row["worlds"]) for row in cells)
            lines.append(f"| {name} | {r} | {figures} |")
    return "\n".join(lines)


def delay_table(rows: list[dict[str, Any]]) -> str:
    """Return the second table as Markdown."""
    heads = " | ".join(f"shift {strength:g}" for strength in STRENGTHS)
    lines = [f"| procedure | p-values | {heads} |", "| --- | --- | --- | --- | --- |"]
    for name in PROCEDURES:
        for r in P_VALUES:
            cells = [row for strength in STRENGTHS for row in rows
                     if (row["procedure"], row["kind"], row["strength"]) == (name, r, strength)]  # fmt: skip
            told = [
                f"{100 * row['found'] / row['worlds']:.0f} %, "
                + ("–" if row["delay"] is None else f"after {row['delay']:g}")
                for row in cells
            ]
            lines.append(f"| {name} | {r} | {' | '.join(told)} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("worlds", nargs="?", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    begin = time.perf_counter()
    false, found = nothing_returns(options.worlds), one_returns(max(options.worlds // 3, 1))
    print("Worlds in which anything was falsely re-opened, of exact retrains alone; promised 5 %\n")
    print(false_table(false))
    print(
        "\nOne request comes back at version 100 of 200: how often it is found, and after how many more versions\n"
    )
    print(delay_table(found))
    print(
        f"\n{options.worlds} worlds, and a third of them for each return; {time.perf_counter() - begin:.0f} s"
    )
    if options.json:
        options.json.write_text(
            json.dumps({"false": false, "found": found}, indent=1) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
