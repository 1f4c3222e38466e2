"""Does the interval of completeness cover what moves between training runs? Location-30, exact retrains.

    python -m benchmarks.coverage train FOLDER                        forty worlds, and in FOLDER/repeated more retrains
    python -m benchmarks.coverage run FOLDER FILE                     appends to FILE.jsonl
    python -m benchmarks.coverage table FILE                          prints the table, as `benchmarks.tables` writes it
    python -m benchmarks.coverage noise FOLDER                        prints whether records move independently

Three sets of forty audits, each with one, two and three shadows:

worlds     forty splits, each with an original, shadows, request and exact retrain of its own
retrains   one request of one original and its shadows, forty exact retrains that differ in their seed alone
requests   forty requests of one original and its shadows, one exact retrain each

Every retrain is exact: completeness is 1, and an interval should hold 1 in 95 % of the audits; a group test should have
p <= 2.5 % in each direction in at most 2.5 %.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import vestige
from benchmarks.calibration import signals_of, worlds_of
from benchmarks.claims import interval
from benchmarks.worlds import STUDIES, draw_world, margins_under, train, trained_model
from vestige.evaluation.verdict import Verdict, judge
from vestige.evaluation.verdict.signals import judged_margins

DATA, REQUEST, AUDITS, SHADOWS = "location30", "random", 40, 3
SETS = (("retrains", 0), ("requests", 0), ("retrains", 1), ("retrains", 2), ("requests", 1))
LEVEL = 0.025
FIRST_SEEDS = {"retrains": 1_000_000, "requests": 2_000_000}


def train_all(folder: Path) -> None:
    """Train the retrains of one request and of forty requests, then the other worlds; what is there stays."""
    for kind, seed in SETS:
        train(folder, DATA, [seed], SHADOWS, (), (REQUEST,))
        train_set(folder, kind, seed)
    train(folder, DATA, range(AUDITS), SHADOWS, (), (REQUEST,))


def train_set(folder: Path, kind: str, seed: int) -> None:
    """Train forty retrains of one world: of its request, or of a request each."""
    study, data, start = STUDIES[DATA], vestige.load_dataset(DATA), time.perf_counter()
    file = set_file(folder, kind, seed)
    if file.exists():
        return
    with np.load(folder / f"{DATA}-{seed}.npz") as arrays:
        world = {key: arrays[key] for key in arrays}
    rows = draw_world(study, data, seed, SHADOWS).rows
    asked, own = data.take(rows), np.flatnonzero(world["source"] == "train")
    for k in range(AUDITS):
        forget = np.flatnonzero(world[f"forget-{REQUEST}"])
        if kind == "requests":
            forget = np.random.default_rng([seed, 5, k]).permutation(len(own))[: study.forget]
            world[f"forget-request{k}"] = np.isin(np.arange(len(rows)), forget)
        kept = data.take(rows[np.setdiff1d(own, forget)])
        model = trained_model(study, kept, FIRST_SEEDS[kind] + 1_000 * seed + k)
        name = f"retrain{k}-{REQUEST}" if kind == "retrains" else f"retrain-request{k}"
        world[name] = margins_under(model, asked)
    file.parent.mkdir(exist_ok=True)
    part = file.with_suffix(".part.npz")
    np.savez(part, **world)
    os.replace(part, file)
    print(f"{file.name}: {time.perf_counter() - start:.0f} s", flush=True)


def set_file(folder: Path, kind: str, seed: int) -> Path:
    return folder / "repeated" / f"{kind}-{seed}.npz"


def verdict_of(file: Path, request: str, audited: str, shadows: int) -> Verdict:
    """Return the verdict that an audit of these signals gives, without the power that it could have had."""
    own = judged_margins(signals_of(file, request, audited, shadows, "counterfactual"))
    return judge(own.margins.take(own.rows), with_power=False).verdict


def audits_of(folder: Path) -> Iterator[tuple[str, int | None, list[Callable[[int], Verdict]]]]:
    """Yield each set of forty audits that is trained: kind, world, and what gives the verdicts by number of shadows."""

    def audit(file: Path, request: str, audited: str) -> Callable[[int], Verdict]:
        return lambda shadows: verdict_of(file, request, audited, shadows)

    files = worlds_of(folder, DATA)[:AUDITS]
    if len(files) == AUDITS:
        yield "worlds", None, [audit(file, REQUEST, "retrain") for file in files]
    for kind, seed in SETS:
        file = set_file(folder, kind, seed)
        if not file.exists():
            continue
        if kind == "retrains":
            yield kind, seed, [audit(file, REQUEST, f"retrain{k}") for k in range(AUDITS)]
        else:
            yield kind, seed, [audit(file, f"request{k}", "retrain") for k in range(AUDITS)]


def run(folder: Path, file: Path) -> None:
    """Append what each set of audits says, where the file has it not: one value an audit."""
    lines = file.read_text().splitlines() if file.exists() else []
    done = [json.loads(line) for line in lines]
    for kind, seed, audits in audits_of(folder):
        for shadows in range(1, SHADOWS + 1):
            key = {"data": DATA, "kind": kind, "world": seed, "shadows": shadows}
            if any(key.items() <= one.items() for one in done):
                continue
            start = time.process_time()
            verdicts = [audit(shadows) for audit in audits]
            record = key | {
                name: [_rounded(getattr(verdict, name)) for verdict in verdicts]
                for name in ("completeness", "low", "high", "p_under", "p_over", "outcome")
            }
            with file.open("a") as out:
                out.write(json.dumps(record) + "\n")
            print(*key.values(), f"{time.process_time() - start:.0f} s", flush=True)


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def noise(folder: Path) -> None:
    """Print by how much completeness moves between retrains of one request, and would if records moved independently.

    Where both are alike, what moves between runs is part of the spread over records, which an interval allows for.
    Completeness is the mean of forgotten records between retained (0) and never-seen ones (1), each run on the scale of
    its never-seen records, without an allowance for difficulty.
    """
    for kind, seed in SETS:
        file = set_file(folder, kind, seed)
        if kind != "retrains" or not file.exists():
            continue
        signals = signals_of(file, REQUEST, "retrain0", SHADOWS, "counterfactual")
        forget, retain, never = (signals.roles == role for role in ("forget", "retain", "holdout"))
        with np.load(file) as arrays:
            runs = [arrays[f"retrain{k}-{REQUEST}"][signals.names.astype(int)] for k in range(AUDITS)]
        each = np.stack(runs).astype(float)
        each = (each - each[:, never].mean(axis=1)[:, None]) / each[:, never].std(axis=1)[:, None]
        moved = (1 - each[:, forget].mean(axis=1) / each[:, retain].mean(axis=1)).std(ddof=1)
        of_record = each.var(axis=0, ddof=1)
        independent = np.sqrt(of_record[forget].mean() / forget.sum() + of_record[never].mean() / never.sum())
        expected = independent / each[:, retain].mean()
        print(f"world {seed}: moves by {moved:.4f}; by {expected:.4f} if records moved independently")


WORDS = {
    "worlds": "forty worlds, one retrain each",
    "retrains": "one request, forty retrains: world {}",
    "requests": "forty requests, one retrain each: world {}",
}


def table(file: Path) -> str:
    """Return a line for each set of audits and number of shadows, and one for all retrains of one request."""
    known = [json.loads(line) for line in file.read_text().splitlines()]
    lines = [
        "| Location-30 | shadows | audits | hold 1 [95 %] | 1 above, below | sd of the estimate | half width / 1.96 "
        "(median) | p under <= 2.5 % | p over <= 2.5 % | smallest p: under, over | accused |\n"
        "| --- | ---: | ---: | --- | --- | ---: | ---: | ---: | ---: | --- | ---: |"
    ]
    for kind, words in WORDS.items():
        own = [one for one in known if one["kind"] == kind]
        for shadows in range(1, SHADOWS + 1):
            sets = [one for one in own if one["shadows"] == shadows]
            lines += [_line(words.format(one["world"]), shadows, [one]) for one in sets]
        for shadows in range(1, SHADOWS + 1) if kind == "retrains" else ():
            sets = [one for one in own if one["shadows"] == shadows]
            if len(sets) > 1:
                lines.append(_line(f"one request, forty retrains: all {len(sets)} worlds", shadows, sets))
    return "\n".join(lines)


def _line(words: str, shadows: int, sets: list[dict[str, Any]]) -> str:
    def values(name: str) -> np.ndarray:
        return np.array([value for one in sets for value in one[name]], dtype=float)

    low, high, under, over = (values(name) for name in ("low", "high", "p_under", "p_over"))
    bounded = np.isfinite(low) & np.isfinite(high)
    held = (low <= 1) & (1 <= high)
    n = int(bounded.sum())
    ends = interval(int(held.sum()), n)
    spread = np.mean([np.nanstd(np.array(one["completeness"], dtype=float), ddof=1) for one in sets])
    outcomes = [outcome for one in sets for outcome in one["outcome"]]
    # of several worlds, retrains of one are alike: no interval
    rate = f"{held.sum() / n:.1%}" + (f" [{ends[0]:.0%}, {ends[1]:.0%}]" if len(sets) == 1 else "")
    width = np.median((high - low)[bounded]) / 2 / stats.norm.ppf(0.975)
    cells = [
        words, shadows, len(low) if n == len(low) else f"{n} of {len(low)}", rate,
        f"{(low > 1).sum()}, {(high < 1).sum()}", f"{spread:.3f}", f"{width:.3f}",
        f"{(under <= LEVEL).mean():.1%}", f"{(over <= LEVEL).mean():.1%}", f"{under.min():.3f}, {over.min():.3f}",
        sum(outcome in ("under", "over") for outcome in outcomes),
    ]  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="what", required=True)
    commands.add_parser("train").add_argument("folder", type=Path)
    audited = commands.add_parser("run")
    audited.add_argument("folder", type=Path)
    audited.add_argument("file", type=Path)
    commands.add_parser("table").add_argument("file", type=Path)
    commands.add_parser("noise").add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.what == "train":
        sys.exit(train_all(options.folder))
    if options.what == "noise":
        sys.exit(noise(options.folder))
    if options.what == "run":
        sys.exit(run(options.folder, options.file))
    sys.exit(print(table(options.file)))
