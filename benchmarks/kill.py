"""Kill a run at random moments, restart it each time, and compare with an undisturbed one: all five kinds of run.

    python -m benchmarks.kill [TIMES [KIND ...]]      KIND: run, request, bench, leaks, texts

Prints after how many seconds each kill came, and whether the numbers are identical in the end. The runs are small, so
that a kill comes at every stage of them.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.same_numbers import numbers, same, tiny_texts

RUN = """name: killed
data: {name: digits}
split: {forget: 40, train: 400, holdout: 300, shadow: 700}
model: {name: mlp}
recipe: {epochs: 150, batch_size: 32, lr: 0.05}
shadows: {count: 3}
methods: [retrain, finetune, gradient_ascent]
"""
SYSTEM = """import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import vestige
from vestige.systems import estimators

data = vestige.load_dataset("profiles").take(np.arange(2400))
table = pd.DataFrame(data.x).add_prefix("f").assign(customer=data.ids, town=np.where(data.x[:, 0] > 0, "Bern", "Uri"))
table["segment"] = [f"segment {k}" for k in data.y]
encode = make_column_transformer((OneHotEncoder(), ["town"]), remainder="passthrough")
model = make_pipeline(encode, ExtraTreesClassifier(30, random_state=0))
model.fit(table[:800].drop(columns=["customer", "segment"]), table.segment[:800])
system = estimators(model, table[:800], label="segment", id="customer", unseen=table[800:])
"""
REQUEST = f"""name: killed
system: FOLDER/churn.py:system
request: {{ids: [{", ".join(f"p{row:04d}" for row in range(37))}]}}
how: [retrain]
shadows: {{count: 3}}
"""
BENCH = """name: killed
title: killed
source: a check
kind: separation
figure: auc
measures: {LiRA: lira_online, IAM: iam}
small:
  splits: 2
  shadows: 3
  blocks:
    digits:
      data: {name: digits}
      counts: {train: 400, holdout: 200, shadow: 900, shadow_size: 400}
      model: {name: mlp}
      recipe: {epochs: 60, batch_size: 32, lr: 0.05}
  requests:
    random: {scenario: random, forget: 40}
"""
LEAKS = """name: killed
data: {name: digits}
target: mlp
setting: {sets: 6, records: 200, deletions: 8}
attacks: [decision-tree]
"""


def command(kind: str, folder: Path, out: Path) -> list[str]:
    """Return the command line of a kind of run; `folder` gets its configuration."""
    path = folder / f"{kind}.yaml"
    if kind == "texts":
        path = tiny_texts(folder)
    elif not path.exists():
        (folder / "churn.py").write_text(SYSTEM)
        text = {"run": RUN, "request": REQUEST, "bench": BENCH, "leaks": LEAKS}[kind]
        path.write_text(text.replace("FOLDER", str(folder)))
    return {
        "run": ["run", str(path), "--out", str(out), "--quiet"],
        "request": ["run", str(path), "--out", str(out), "--quiet"],
        "texts": ["run", str(path), "--out", str(out), "--quiet"],
        "leaks": ["leaks", str(path), "--out", str(out)],
        "bench": ["bench", "run", str(path), "--store", str(out), "--workers", "1", "--quiet"],
    }[kind]


def start(kind: str, folder: Path, out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "vestige", *command(kind, folder, out)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def killed(kind: str, times: int, folder: Path) -> bool:
    """Kill a run so many times; print and return whether its numbers are those of an undisturbed one."""
    rng, whole, broken = random.Random(0), folder / "whole", folder / "broken"
    began = time.perf_counter()
    if start(kind, folder, whole).wait() not in (0, 1):
        sys.exit(f"{kind}: the undisturbed run failed")
    length = time.perf_counter() - began
    moments: list[float] = []
    through = 0
    while len(moments) < times:
        process, moment = start(kind, folder, broken), rng.uniform(0.3, 1.0) * length
        try:
            if process.wait(timeout=moment) not in (0, 1):
                sys.exit(f"{kind}: a restarted run failed with exit code {process.returncode}")
            through += 1
            shutil.rmtree(broken)  # it got through: begin again
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            moments.append(round(moment, 1))
    if start(kind, folder, broken).wait() not in (0, 1):
        sys.exit(f"{kind}: the last restart failed")
    one, other = numbers(whole), numbers(broken)
    identical = one.keys() == other.keys() and all(same(one[place], other[place]) for place in one)
    print(
        f"{kind}: undisturbed {length:.1f} s; killed {times} times, after {min(moments)} to {max(moments)} s; "
        f"{through} "
        f"restarts got through in between; {len(one):,} numbers {'identical' if identical else 'DIFFERENT'}",
        flush=True,
    )
    return identical


def main(times: int, kinds: list[str]) -> int:
    verdicts = []
    for kind in kinds or ["run", "request", "bench", "leaks", "texts"]:
        with tempfile.TemporaryDirectory() as folder:
            verdicts.append(killed(kind, times, Path(folder)))
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, sys.argv[2:]))
