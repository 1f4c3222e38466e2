"""What is said of retained records, where the truth is known: does the rate hold, and is planted harm named?

    python -m benchmarks.worlds FOLDER digits|location30|adult [--seeds 40]               trains the worlds
    python -m benchmarks.retained real FOLDER [DATA ...] [--worlds 20]
    python -m benchmarks.retained simulated [--worlds 200] [--only TEXT]

Real worlds: exact retrains, finetuned models, the original itself, and planted harm in exact retrains and in finetuned
models. "Damaged": of a share of the retained records the audited model says what a shadow that takes no part in the
audit says, on the audited model's scale. "Exposed": of a fifth of them it is surer than the original by one and a half
standard deviations. Printed are the worlds in which records are named that were not harmed, the share of these among
the named, on average, and the share of the harmed ones that is named. Exact retraining of a model that memorises is a
second look at everybody, which exposes others rightly: of exposure, the rows of finetuned models and of the same model
tell the false ones.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.calibration import columns, signals_of, worlds_of
from benchmarks.claims import interval
from benchmarks.claims_real import DATA, REQUESTS
from vestige.evaluation.retained import retained_effects
from vestige.signals import Signals

HARMS = ("none", "damaged 5 %", "damaged 20 %", "exposed 20 %")
RISE = 1.5
GAPS = {"strong memory": 4.0, "weak memory": 1.0, "no memory": 0.0}


def harmed(signals: Signals, unseen: np.ndarray, harm: str, seed: int) -> tuple[Signals, np.ndarray]:
    """Return signals in which retained records are harmed, and which of all records are.

    Parameters
    ----------
    unseen : array [N]
        Margins of a model that never saw the records.
    """
    hit = np.zeros(len(signals), bool)
    if harm == "none":
        return signals, hit
    kept = np.flatnonzero(signals.roles == "retain")
    share = int(harm.split()[1]) / 100
    hit[np.random.default_rng(seed).permutation(kept)[: round(share * len(kept))]] = True
    margins, null = signals.scaled_logits("unlearned").copy(), signals.roles == "holdout"
    if harm.startswith("damaged"):
        levels = np.linspace(0.01, 0.99, 50)
        scale = [np.quantile(values[null], levels) for values in (unseen, margins)]
        margins[hit] = np.interp(unseen[hit], *scale)
    else:
        before = signals.scaled_logits("original")
        margins[hit] = before[hit] + RISE * before.std()
    return signals.with_(unlearned=columns(margins, signals.labels, signals.classes)), hit


def figures(signals: Signals, hit: np.ndarray) -> dict[str, tuple[int, int, int]]:
    """Return for each effect how many records are named, how many of them were harmed, and how many were harmed."""
    table = retained_effects(signals).table.set_index("id")
    harmed_ids = signals.names[hit]
    return {
        name: (int(table[name].sum()), int(table.loc[harmed_ids, name].sum()), int(hit.sum()))
        for name in ("exposed", "damaged")
    }


def line(cells: list[str], harm: str, results: list[dict[str, tuple[int, int, int]]]) -> str:
    """Return one row of the table: for each effect the worlds with false names, their share, and the power."""
    shown = []
    for name in ("exposed", "damaged"):
        meant = harm.startswith(name)
        rows = [result[name] for result in results]
        false = [named - right for named, right, _ in rows]  # who was damaged may be given away by that, too
        wrong = sum(count > 0 for count in false)
        low, high = interval(wrong, len(rows))
        rate = np.mean([count / max(named, 1) for count, (named, _, _) in zip(false, rows, strict=True)])
        shown += [f"{wrong} of {len(rows)} [{low:.0%}, {high:.0%}]", f"{rate:.1%}"]
        shown.append(f"{np.mean([right / harmed for _, right, harmed in rows]):.0%}" if meant else "–")
    return "| " + " | ".join([*cells, harm, *shown]) + " |"


HEAD = (
    "| world | request | audited | harm | exposed: worlds with others [95 %] | others of the named | power | "
    "damaged: worlds with others [95 %] | others of the named | power |\n"
    "| --- | --- | --- | --- | --- | ---: | ---: | --- | ---: | ---: |"
)


def real(folder: Path, data: list[str], worlds: int) -> Iterator[str]:
    for name in data or DATA:
        files = worlds_of(folder, name)[:worlds]
        for request in REQUESTS:
            for audited in ("retrain", "finetune", "original"):
                harms = HARMS if request == "random" and audited != "original" else HARMS[:1]
                results: dict[str, list[dict[str, tuple[int, int, int]]]] = {harm: [] for harm in harms}
                for seed, file in enumerate(files):
                    signals = signals_of(file, request, audited, 1, "counterfactual")
                    with np.load(file) as arrays:
                        unseen = arrays["shadow-2"][signals.names.astype(int)].astype(float)
                        outside = ~arrays["seen"][2][signals.names.astype(int)]
                    signals, unseen = signals.take(outside), unseen[outside]
                    for harm in harms:
                        results[harm].append(figures(*harmed(signals, unseen, harm, seed)))
                for harm in harms:
                    yield line([name, request, audited], harm, results[harm])


def simulated_world(gap: float, kind: str, seed: int) -> tuple[Signals, np.ndarray]:
    """Return signals of 200 forgotten, 1,000 retained and 1,000 never-seen records, and what another shadow says.

    Parameters
    ----------
    gap : float
        By how many standard deviations of a run training raises the margin of a record.
    kind : str
        Of audited model: "retrain", "same" as the original, "drift": every retained record a little lower,
        "scaled": all margins by half as much again, "heavy tails": of all noise.
    """
    rng, role = np.random.default_rng(seed), np.repeat(["forget", "retain", "holdout"], [200, 1000, 1000])
    ease = rng.normal(0, 2, len(role))
    effect = gap * rng.gamma(
        4, 0.25, len(role)
    )  # what training on a record adds differs from record to record

    def model(*seen: str) -> np.ndarray:
        noise = rng.standard_t(3, len(role)) if kind == "heavy tails" else rng.normal(size=len(role))
        return ease + noise + effect * np.isin(role, seen)

    original, retrain, shadow, unseen = model("forget", "retain"), model("retain"), model(), model()
    audited = {
        "same": original,
        "drift": retrain - 0.3 * (role == "retain"),
        "scaled": 1.5 * retrain,
    }.get(kind, retrain)
    labels = np.zeros(len(role), np.int64)
    models = (columns(margins, labels, 2) for margins in (audited, original, shadow))
    return Signals(labels, *models, role=role), unseen


def simulated(worlds: int, only: str) -> Iterator[str]:
    for memory, gap in GAPS.items():
        kinds = ("retrain", "same", "drift", "scaled", "heavy tails")
        for kind in [one for one in kinds if only in f"{memory}, {one}"]:
            for harm in HARMS if kind in ("retrain", "same") and gap else HARMS[:1]:
                results = []
                for seed in range(worlds):
                    signals, unseen = simulated_world(gap, kind, seed)
                    results.append(figures(*harmed(signals, unseen, harm, seed)))
                yield line([memory, "random", kind], harm, results)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("real", "simulated"))
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("data", nargs="*")
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument(
        "--only", default="", help="simulated worlds with this in their name: strong memory, retrain"
    )
    options = parser.parse_args()
    print(HEAD, flush=True)
    if options.what == "simulated":
        lines = simulated(options.worlds, options.only)
    else:
        lines = real(
            options.folder or parser.error("name the folder of the worlds"), options.data, options.worlds
        )
    for row in lines:
        print(row, flush=True)
    sys.exit()
