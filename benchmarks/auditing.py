"""What an audit costs: calls, passes over logits and seconds, against an earlier commit of this repository in one run.

    python -m benchmarks auditing             against 41cbc2d, the last before the records of an audit remembered
    BEFORE=COMMIT python -m benchmarks auditing

The earlier commit is checked out beside this one (`git worktree`). Both audit the same signals: 3,000 samples, 10
classes, 4 shadows, simulated deletions, the nine measures of `vestige.audit`. Seconds are processor time, the smaller
of several interleaved processes; counts are of one audit. A pass is one array of logits [n, C] that is transformed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.timing import medians

ROOT = Path(__file__).resolve().parents[1]
BEFORE = os.environ.get("BEFORE", "41cbc2d")
TURNS, AUDITS = 3, 3
PROBE = "--probe"


def example(samples: int = 3000, classes: int = 10, shadows: int = 4):
    """Return signals in which seeing a sample raises the logit of its label, with simulated deletions."""
    from vestige.signals import Signals, simulated_deletions

    rng = np.random.default_rng(0)

    def outputs(labels, ease, seen):
        raised = (2 + ease + 4 * seen)[:, None] * np.eye(classes)[labels]
        return (rng.normal(size=(len(labels), classes)) + raised).astype(np.float32)

    labels, ease = rng.integers(0, classes, samples), rng.normal(size=samples)
    role = np.repeat(["forget", "retain", "holdout"], [samples // 6, samples // 2, samples // 3])
    pool, difficulty = rng.integers(0, classes, 4000), rng.normal(size=4000)
    member = rng.random((shadows + 2, 4000)) < 0.5
    fleet = np.stack([outputs(pool, difficulty, one.astype(float)) for one in member])
    return Signals(
        labels,
        outputs(labels, ease, role == "retain"),
        outputs(labels, ease, role != "holdout"),
        np.stack([outputs(labels, ease, np.zeros(samples)) for _ in range(shadows)]),
        role=role,
        calibration=simulated_deletions(pool, fleet, member, out=shadows, seed=0),
    )


def probe() -> None:
    """Print the costs of an audit by the library that is on the path, as JSON."""
    import cProfile
    import pstats
    import time

    import vestige
    from vestige.signals import record

    signals = example()
    vestige.audit(signals)
    seconds = []
    for _ in range(AUDITS):
        start = time.process_time()
        vestige.audit(signals)
        seconds.append(time.process_time() - start)
    profile = cProfile.Profile()
    profile.enable()
    audit = vestige.audit(signals)
    profile.disable()
    stats = pstats.Stats(profile).stats
    calls = {(Path(file).name, name): count for (file, _, name), (_, count, *_) in stats.items()}
    kernel = "split_logits" if ("transforms.py", "split_logits") in calls else "scaled_logit"
    scores = audit.scores["score"].to_numpy()
    print(
        json.dumps(
            {
                "scored": calls.get(("registry.py", "score")) or calls["registry.py", "measure"],
                "validations": calls.get(("record.py", "__post_init__"), 0),
                "passes": sum(
                    calls.get(("transforms.py", name), 0)
                    for name in (kernel, "softmax", "taylor_soft_margin")
                ),
                "seconds": min(seconds),
                "mean": float(np.nanmean(scores)),
                "outcome": audit.verdict.outcome,
                "record": record.__file__,
            }
        )
    )


def probed(source: Path) -> dict:
    """Run `probe` with the library of `source` in a process of its own."""
    paths = os.pathsep.join([str(source), str(ROOT)])
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.auditing", PROBE],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(run.stdout)
    assert Path(told["record"]).is_relative_to(source), told["record"]
    return told


def published_logloss(logits, labels, eps1=1e-2, eps2=1e-5):
    """The published signal from logits [..., N, C]: softmax, the true label's entry, two logarithms, two bounds."""
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = (p / p.sum(axis=-1, keepdims=True))[..., np.arange(len(labels)), labels]
    low, high = (-np.log(eps1 - np.log(q + eps2)) for q in (0.0, 1.0))
    return (-np.log(eps1 - np.log(p + eps2)) - low) / (high - low)


def from_logits(shadows: int = 128, samples: int = 10_000, classes: int = 10) -> None:
    """`iam` from logits to scores, against the published computation of the same scores."""
    import vestige
    from benchmarks.scoring import materialised
    from vestige.signals import Signals

    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, samples)
    raised = 3 * np.eye(classes)[labels]
    signals = Signals(
        labels,
        rng.normal(size=(samples, classes)) + raised,
        rng.normal(size=(samples, classes)) + 2 * raised,
        rng.normal(size=(shadows, samples, classes)) + raised,
    )

    def published():
        every = (signals.unlearned, signals.shadow_out, signals.original)
        return materialised(*(published_logloss(logits, labels) for logits in every))

    def ours():
        return vestige.measure("iam", signals, preset="paper")

    slow, fast = medians(3, published, ours)
    gap = np.abs(published() - ours()).max()
    print(
        f"iam from logits, {shadows} shadows x {samples:,} samples x {classes} classes: published {slow:.2f} s, "
        f"ours {fast:.3f} s, {slow / fast:.1f}x (wanted: 6x); scores differ by {gap:.0e}"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "before"
        subprocess.run(
            ["git", "worktree", "add", "--quiet", "--detach", str(tree), BEFORE], cwd=ROOT, check=True
        )
        try:
            runs = [(probed(tree / "src"), probed(ROOT / "src")) for _ in range(TURNS)]
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)
    before, after = (
        {**each[0], "seconds": min(one["seconds"] for one in each)} for each in zip(*runs, strict=True)
    )
    print(f"one audit, against {BEFORE}: mean score {before['mean']:.12g} and {after['mean']:.12g}, "
          f"verdict {before['outcome']} and {after['outcome']}")  # fmt: skip
    for name, words in (
        ("scored", "scorings by a measure"),
        ("validations", "whole validations of a record"),
        ("passes", "passes over logits"),
        ("seconds", "seconds of processor time"),
    ):
        a, b = before[name], after[name]
        ratio = f"{a / b:.1f}x" if b else "none left"
        print(f"{words:32} {a:10.4g} {b:10.4g}   {ratio}")
    print("wanted: at least 3x")
    from_logits()


if __name__ == "__main__":
    probe() if PROBE in sys.argv else main()
