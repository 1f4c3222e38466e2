"""Does a verdict keep its word? Simulated worlds of known truth, and what was said of them.

    python -m benchmarks.claims simulate FILE.jsonl [--worlds 200] [--only TEXT]   appends a line for each row
    python -m benchmarks.claims table FILE.jsonl                                   prints the lab book's table

A world is one number per record and model, the scaled logit of the true label:

    margin = scale (ease + gap seen + noise) + offset,   scale and offset of each model, noise of each record and model

A row of the table counts, over its worlds, how often something false was said with confidence, how often the true thing
was said, and how often each bound missed the truth. False are: "a vestige remains" where no record bears a trace,
"over-unlearned" where nothing is damaged, "unlearned" where more than the tolerance is left on average or more records
are whole than allowed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from vestige.evaluation.verdict import Margins, by_cluster, judge
from vestige.evaluation.verdict.decision import allowed

NOISE, EASE = 0.7, 1.5
MIDDLE = 2.0
"""Standard deviations of a model's noise and of the records' ease, and its mean."""


@dataclass(frozen=True)
class Row:
    """One kind of world.

    Attributes
    ----------
    share, strength : float
        Of the request bear a trace, of so much of the influence; below 0: damaged.
    rest : float
        Influence left in the other records.
    gap : float
        Effect of having seen a record, in standard deviations of the noise.
    chosen : str
        How the forget set came about.
    saturation, seen_noise : float
        How much of a record's difficulty training on it takes out of the answer (1: all of it), and the noise of such
        an answer, where that of others is 1.
    """

    name: str
    n: int = 200
    m: int = 800
    pool: int = 200
    q: int = 1000
    shadows: int = 1
    gap: float = 4.0
    share: float = 0.0
    strength: float = 1.0
    rest: float = 0.0
    chosen: str = "random"
    scale: float = 0.1
    offset: float = 0.3
    tails: str = "normal"
    classes: int = 10
    imbalance: float = 0.0
    label_noise: float = 0.0
    alike: float = 0.0
    cluster: int = 1
    named: bool = True
    holdout_seen: float = 0.0
    shadow_saw: str = ""
    class_removed: bool = False
    broken: str = ""
    saturation: float = 0.0
    seen_noise: float = 1.0
    worlds: int | None = None


@dataclass(frozen=True)
class World:
    """Margins, with the influence left in each forget record (0 = none, 1 = all)."""

    margins: Margins
    left: np.ndarray
    unit: str = "record"


def world(row: Row, seed: int) -> World:
    """Draw one world of a row."""
    rng = np.random.default_rng([seed, 7])
    trained = row.n + row.q
    count = trained + row.m + row.pool
    person = np.arange(count) // row.cluster
    labels = rng.choice(row.classes, person.max() + 1, p=_class_rates(row))[person]
    ease = rng.normal(MIDDLE, EASE, count) + rng.normal(0, 1.0, row.classes)[labels]
    noisy = rng.random(count) < row.label_noise
    ease = np.where(noisy, ease - 4, ease)
    common = rng.normal(0, 1, (12, person.max() + 1))  # shared by a person's records, one draw for each model

    def model(seen: np.ndarray, number: int) -> np.ndarray:
        scale, offset = np.exp(rng.normal(0, row.scale)), rng.normal(0, row.offset)
        each = _noise(rng, row.tails, count)
        each = np.sqrt(1 - row.alike) * each + np.sqrt(row.alike) * common[number % 12, person]
        answered = ease + row.saturation * seen * (MIDDLE - ease)
        noise = NOISE * (1 + (row.seen_noise - 1) * seen)
        return scale * (answered + row.gap * NOISE * seen + noise * each) + offset

    in_training = np.arange(count) < trained
    in_training |= (np.arange(count) >= trained) & (np.arange(count) < trained + row.m) & (
        rng.random(count) < row.holdout_seen
    )  # fmt: skip
    original = model(in_training.astype(float), 0)
    nobody = np.zeros(count)
    shadows = [model(nobody, 1 + s) for s in range(row.shadows)]
    candidates = np.arange(trained)
    forget = _chosen(row, rng, candidates, labels, ease, original, shadows, noisy)
    left = np.full(len(forget), row.rest)
    left[: round(row.share * len(forget))] = row.strength
    rng.shuffle(left)
    seen = in_training.astype(float)
    seen[forget] = left
    unlearned = model(seen, 11)
    if row.class_removed:
        unlearned = np.where(labels == labels[forget[0]], unlearned - 8, unlearned)
    if row.broken == "constant":
        unlearned = np.zeros(count)
    elif row.broken == "random":
        unlearned = rng.normal(0, 1, count)
    elif row.broken == "nearly constant":
        unlearned = 1e-3 * unlearned
    if row.shadow_saw:
        shadows = _leaky(row, rng, model, original, in_training, forget, shadows)
    role = np.where(in_training & (np.arange(count) < trained), "retain", "holdout").astype("<U7")
    role[forget] = "forget"
    source = np.where(np.arange(count) < trained + row.m, "holdout", "pool")
    empty = np.zeros((0, count))
    margins = Margins(
        unlearned, np.stack(shadows), labels, role, original, empty, source, np.ones(count, np.int64)
    )
    order = rng.permutation(count)
    if row.cluster > 1 and row.named:
        grouped, _ = by_cluster(margins.take(order), person[order].astype(str))
        return World(grouped, np.array([left.mean()] * int(grouped.of("forget").sum())), "cluster")
    return World(margins.take(order), left)


def _class_rates(row: Row) -> np.ndarray:
    rates = np.exp(-row.imbalance * np.arange(row.classes))
    return rates / rates.sum()


def _noise(rng: np.random.Generator, tails: str, count: int) -> np.ndarray:
    if tails == "t4":
        return rng.standard_t(4, count) / np.sqrt(2)
    if tails == "skewed":
        return rng.gamma(2.0, 1 / np.sqrt(2), count) - np.sqrt(2)
    return rng.normal(0, 1, count)


def _chosen(
    row: Row, rng: np.random.Generator, candidates: np.ndarray, labels: np.ndarray, ease: np.ndarray,
    original: np.ndarray, shadows: list[np.ndarray], noisy: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Return the positions of the forget records, as `row.chosen` says."""
    how, _, by = row.chosen.partition(" by ")
    if how in ("hard", "easy"):
        ranks = {
            "truth": ease,
            "original": original,
            "shadow": shadows[0],
            "shadows": np.mean(shadows, axis=0),
        }[by]
        ordered = candidates[np.argsort(ranks[candidates])]
        return ordered[: row.n] if how == "hard" else ordered[-row.n :]
    if how == "classes":
        return rng.permutation(candidates[np.isin(labels[candidates], np.arange(int(by)))])[: row.n]
    if how == "rare class":
        return rng.permutation(candidates[labels[candidates] == row.classes - 1])[: row.n]
    if how == "noisy":
        return np.concatenate([candidates[noisy[candidates]], candidates[~noisy[candidates]]])[: row.n]
    if how == "persons":
        return candidates[: row.n]
    return rng.permutation(candidates)[: row.n]


def _leaky(
    row: Row, rng: np.random.Generator, model: Callable[..., np.ndarray], original: np.ndarray,
    in_training: np.ndarray, forget: np.ndarray, shadows: list[np.ndarray],
) -> list[np.ndarray]:  # fmt: skip
    if row.shadow_saw == "is the original":
        return [original] * len(shadows)
    seen = np.zeros(len(original))
    if row.shadow_saw in ("training set", "one of them the training set"):
        seen[in_training] = 1
    else:
        seen[forget] = 1
    leaky = [model(seen, 1 + s) for s in range(len(shadows))]
    return [leaky[0], *shadows[1:]] if row.shadow_saw.startswith("one of them") else leaky


def rows() -> Iterator[Row]:
    """Every kind of world, in the order of the table."""
    for n in (1, 5, 20, 50, 500, 5000):
        for m in (20, 50, 200, 5000):
            yield Row(f"exact, n {n}, m {m}", n=n, m=m, pool=0, worlds=60 if n == 5000 else None)
    for shadows in (1, 3, 8):
        for gap in (0.8, 2.0, 4.0, 8.0):
            yield Row(
                f"exact, n 500, m 2000, {shadows} shadows, gap {gap:g}",
                n=500,
                m=2000,
                shadows=shadows,
                gap=gap,
            )
    for share in (0.002, 0.01, 0.05, 0.2, 1.0):
        for strength in (0.1, 0.25, 0.5, 1.0):
            yield Row(
                f"trace of {strength:.0%} in {share:.1%} of 500",
                n=500,
                m=2000,
                share=share,
                strength=strength,
            )
    base = Row("", n=500, m=2000, share=0.01, gap=8)
    yield replace(base, name="5 of 500 whole, gap 8")
    yield replace(base, name="5 of 500 whole, gap 8, m 500", m=500)
    yield replace(base, name="25 of 500 whole, gap 8, m 500", share=0.05, m=500)
    yield replace(base, name="5 of 500 whole, gap 8, m 5000, three shadows", m=5000, shadows=3)
    yield replace(base, name="20 of 500 whole, gap 60", share=0.04, gap=60, m=500)
    yield Row("5 of 50 whole, m 200", n=50, m=200, share=0.1)
    yield Row("5 of 50 whole, m 200, gap 8", n=50, m=200, share=0.1, gap=8)
    yield Row("1 of 1 whole, m 200, gap 8", n=1, m=200, share=1.0, gap=8)
    yield Row("22 % left in 2,000, gap 2", n=2000, m=2000, gap=2, share=1.0, strength=0.22)
    yield Row("all over by half", share=1.0, strength=-0.5, shadows=3)
    yield Row("all over by half, one shadow, one source", share=1.0, strength=-0.5, pool=0)
    yield Row("8 of 200 whole, others over by 0.3", share=0.04, rest=-0.3, shadows=3)
    yield Row("8 of 200 whole, others over by 2", share=0.04, rest=-2.0, shadows=3)
    for how in ("hard", "easy"):
        for by in ("truth", "original", "shadow", "shadows"):
            yield Row(
                f"{how} fifth by {by}", n=340, chosen=f"{how} by {by}", shadows=1 if by == "shadow" else 3
            )
        yield Row(f"{how} fifth by truth, 5 % whole", n=340, chosen=f"{how} by truth", share=0.05)
        yield Row(f"{how} fifth by truth, m 200, one shadow", n=100, q=400, m=200, chosen=f"{how} by truth")
    yield Row("one class", n=60, chosen="classes by 1")
    yield Row("one class, retrained without it", n=60, chosen="classes by 1", class_removed=True)
    yield Row("one class, untouched", n=60, chosen="classes by 1", share=1.0)
    yield Row(
        "one class without never-seen records of it", n=60, m=60, pool=0, classes=30, chosen="classes by 1"
    )
    yield Row("three of ten classes", n=200, chosen="classes by 3")
    yield Row("imbalance 1 to 90", imbalance=0.5, n=200)
    yield Row("imbalance 1 to 90, the rarest class", imbalance=0.5, n=20, chosen="rare class", q=3000, m=2000)
    yield Row("label noise 10 %", label_noise=0.1)
    yield Row("label noise, all of it in the request", label_noise=0.05, n=80, chosen="noisy")
    for named in (True, False):
        words = "named" if named else "not named"
        yield Row(
            f"one person, 20 alike records, {words}", n=20, cluster=20, alike=0.5, q=2000, m=2000, pool=0,
            chosen="persons", named=named,
        )  # fmt: skip
        yield Row(
            f"ten persons, 20 alike records each, {words}", n=200, cluster=20, alike=0.5, q=4000, m=4000, pool=0,
            chosen="persons", named=named,
        )  # fmt: skip
    yield Row("scales differ (sd 0.3)", scale=0.3)
    yield Row("scales differ (sd 0.3), n 1, m 20", scale=0.3, n=1, m=20, pool=0)
    yield Row("heavy tails", tails="t4")
    yield Row("skewed noise", tails="skewed")
    for seen in (0.5, 0.1, 0.02):
        yield Row(f"holdout {seen:.0%} seen", holdout_seen=seen)
        yield Row(f"holdout {seen:.0%} seen, one source", holdout_seen=seen, pool=0)
        yield Row(f"holdout {seen:.0%} seen, one source, three shadows", holdout_seen=seen, pool=0, shadows=3)
    yield Row(
        "holdout 50% seen, one source, 30 % left",
        holdout_seen=0.5,
        pool=0,
        share=1.0,
        strength=0.3,
        shadows=3,
    )
    for saw in ("is the original", "training set", "request"):
        yield Row(f"shadow: {saw}", shadow_saw=saw)
        yield Row(f"shadow: {saw}, half left", shadow_saw=saw, share=1.0, strength=0.5)
    yield Row("shadow: one of them the training set", shadow_saw="one of them the training set", shadows=3)
    for broken in ("constant", "random", "nearly constant"):
        yield Row(f"audited model {broken}", broken=broken)


FALSE_UNDER, FALSE_OVER, FALSE_CLEAR = "false under", "false over", "false unlearned"


def said(one: World) -> dict[str, Any]:
    """Return what the verdict said of a world, and whether it was true."""
    verdict = judge(one.margins, unit=one.unit, with_power=False).verdict
    mean, n = float(one.left.mean()), len(one.left)
    is_whole = int((one.left >= 0.999).sum())
    truth = "under" if (one.left > 0).any() else "over" if mean < 0 else "unlearned"
    false = {
        FALSE_UNDER: verdict.outcome == "under" and not (one.left > 0).any(),
        FALSE_OVER: verdict.outcome == "over" and mean >= 0,
        FALSE_CLEAR: verdict.outcome == "unlearned" and (abs(mean) > 0.1 or is_whole > allowed(n)),
    }
    return {
        "outcome": verdict.outcome,
        "blocked": bool(verdict.blocked_by),
        "true": verdict.outcome == truth or (verdict.outcome == "under" and truth == "over" and is_whole > 0),
        "false": any(false.values()),
        **false,
        "left missed above": verdict.low is not None and 1 - verdict.low < mean,
        "left missed below": verdict.high is not None and 1 - verdict.high > mean,
        "bounded": verdict.low is not None and verdict.high is not None,
        "left at most": verdict.left_at_most,
        "could be whole": verdict.could_be_whole,
        "whole missed": verdict.could_be_whole is not None and verdict.could_be_whole < is_whole,
        "at least missed": verdict.at_least > (one.left > 0).sum() and not verdict.blocked_by,
    }


def simulate(file: Path, worlds: int, only: str, part: int, parts: int) -> None:
    done = (
        {json.loads(line)["row"]["name"] for line in file.read_text().splitlines()}
        if file.exists()
        else set()
    )
    for number, row in enumerate(rows()):
        if row.name in done or only not in row.name or number % parts != part:
            continue
        start = time.perf_counter()
        answers = [said(world(row, seed)) for seed in range(row.worlds or worlds)]
        record = {"row": asdict(row), "worlds": len(answers), "seconds": time.perf_counter() - start}
        record["outcomes"] = {o: sum(a["outcome"] == o for a in answers) for o in OUTCOMES}
        for key in COUNTED:
            record[key] = int(sum(a[key] for a in answers))
        for key in ("left at most", "could be whole"):
            values = [a[key] for a in answers if a[key] is not None]
            record[key] = float(np.median(values)) if values else None
        with file.open("a") as out:
            out.write(json.dumps(record) + "\n")
        print(line_of(record), flush=True)


OUTCOMES = ("unlearned", "under", "over", "undecided")
COUNTED = (
    "false", FALSE_UNDER, FALSE_OVER, FALSE_CLEAR, "true", "blocked", "bounded", "left missed above",
    "left missed below", "whole missed", "at least missed",
)  # fmt: skip
HEADER = (
    "| world | worlds | false thing said [95 %] | true thing said | blocked | left at most (median) | could be whole "
    "(median) | interval misses | whole missed | at least missed |\n| --- |" + " ---: |" * 9
)


def line_of(record: dict[str, Any]) -> str:
    n = record["worlds"]
    bounded = max(record["bounded"], 1)
    misses = record["left missed above"] + record["left missed below"]
    low, high = interval(record["false"], n)
    most = record["left at most"]
    cells = [
        record["row"]["name"] + (" †" if record.get("earlier") else ""), n,
        f"{record['false'] / n:.1%} [{low:.1%}, {high:.1%}]", f"{record['true'] / n:.0%}",
        f"{record['blocked'] / n:.0%}", "–" if most is None else f"{most:.2f}",
        "–" if record["could be whole"] is None else f"{record['could be whole']:.0f}",
        f"{misses / bounded:.1%}" if record["bounded"] else "–", f"{record['whole missed'] / n:.1%}",
        f"{record['at least missed'] / n:.1%}",
    ]  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


def interval(count: int, n: int) -> tuple[float, float]:
    """Return Clopper and Pearson's 95 % interval."""
    low = stats.beta.ppf(0.025, count, n - count + 1) if count else 0.0
    high = stats.beta.ppf(0.975, count + 1, n - count) if count < n else 1.0
    return float(low), float(high)


def table(file: Path) -> str:
    """Return the rows of a file as a table in Markdown."""
    lines = [line_of(json.loads(line)) for line in file.read_text().splitlines()]
    return "\n".join([HEADER, *lines, ""])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("simulate", "table"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    parser.add_argument(
        "--part", type=int, nargs=2, default=(0, 1), help="part k of n, for n processes at once"
    )
    chosen = parser.parse_args()
    if chosen.what == "table":
        sys.exit(print(table(chosen.file)))
    sys.exit(simulate(chosen.file, chosen.worlds, chosen.only, *chosen.part))
