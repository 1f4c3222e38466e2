"""Is `monotone` better than IAM? Trained worlds, requests and models that its form was not chosen on
(docs/labbook/monotone.md).

    python -m benchmarks.claims_real train FOLDER digits|location30|adult [--seeds 40]    trains the worlds
    python -m benchmarks.monotone cost                                                    processor time of 10,000
    python -m benchmarks.monotone FOLDER [DATA ...] [--audited retrain finetune] [--shadows 1 3] [--worlds 40]

Each line: the mean over worlds of the AUC between forgotten and retained records, the share of forgotten records
recognised where 1 % of the retained are missed, the AUC between the forgotten records and the same records under the
untouched original (where a request is hard or easy, the first AUC sees that too), and the difference of each to IAM's
with a 95 % t interval over worlds. Of random requests the first six worlds, on which the form was chosen, are left out.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score

from benchmarks.calibration import signals_of, worlds_of
from benchmarks.claims_real import REQUESTS, STUDIES
from vestige.measures import measure
from vestige.signals import Signals

MEASURES = (
    "iam", "monotone", "loss_difference", "lira_online", "bavaria", "rmia_ratio", "informia", "dratio", "quantile",
)  # fmt: skip
CHOSEN_ON = 6


def separation(file: Path, request: str, audited: str, shadows: str, names: list[str]) -> np.ndarray:
    """Return [measures, 3]: AUC, recognised at 1 % missed, AUC against the same records under the original."""
    way = f"{shadows} counterfactual"
    signals, before = (signals_of(file, request, one, way).remembering() for one in (audited, "original"))
    forget, retain = (signals.roles == role for role in ("forget", "retain"))
    figures = []
    for name in names:
        scores, untouched = measure(name, signals), measure(name, before)
        recognised = (scores[forget] > np.quantile(scores[retain], 0.99)).mean()
        figures.append(
            (_auc(scores[forget], scores[retain]), recognised, _auc(scores[forget], untouched[forget]))
        )
    return np.array(figures)


def _auc(gone: np.ndarray, kept: np.ndarray) -> float:
    truth = np.repeat([True, False], [len(gone), len(kept)])
    return float(roc_auc_score(truth, np.concatenate([gone, kept])))


def _difference(values: np.ndarray) -> str:
    if len(values) < 2:
        return "–"
    mean, reach = (
        values.mean(),
        stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)),
    )
    return f"{mean:+.3f} [{mean - reach:+.3f}, {mean + reach:+.3f}]"


def cost() -> None:
    """Print the seconds of one core that 10,000 records take."""
    rng, n = np.random.default_rng(0), 10_000
    role = np.repeat(["forget", "retain", "holdout"], [1_000, 4_500, 4_500])
    ease = rng.normal(1, 2, n)
    models = [
        ease + rng.normal(size=n) + 3 * np.isin(role, seen) for seen in (["retain"], ["forget", "retain"], [])
    ]
    u, o, s = (np.stack([one, np.zeros(n)], axis=1) for one in models)
    signals = Signals(np.zeros(n, np.int64), u, o, s, role=role)
    measure("monotone", signals.take(np.arange(0, n, 10)))
    start = time.process_time()
    measure("monotone", signals)
    print(
        f"monotone, {n:,} records: {time.process_time() - start:.2f} s of processor time; wanted: at most 2 s"
    )


def main(options: argparse.Namespace) -> None:
    if options.folder == Path("cost"):
        return cost()
    print(
        "| data | request | audited | shadows | worlds | measure | AUC | to iam | at 1 % missed | to iam | "
        "same records | to iam |\n| --- | --- | --- | ---: | ---: | --- |" + " ---: |" * 6
    )
    for data in options.data or STUDIES:
        for request in options.requests:
            for audited in options.audited:
                for shadows in options.shadows:
                    first = CHOSEN_ON if request == "random" and audited == "retrain" else 0
                    files = worlds_of(options.folder, data)[first : options.worlds]
                    if not files:
                        continue
                    every = np.stack(
                        [separation(file, request, audited, shadows, options.measures) for file in files]
                    )
                    for place, name in enumerate(options.measures):
                        cells = [data, request, audited, shadows, str(len(files)), name]
                        for k in range(3):
                            own = every[:, place, k]
                            cells += [f"{own.mean():.3f}", _difference(own - every[:, 0, k]) if place else ""]
                        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("data", nargs="*")
    parser.add_argument("--requests", nargs="+", default=list(REQUESTS))
    parser.add_argument("--audited", nargs="+", default=["retrain", "finetune"])
    parser.add_argument("--shadows", nargs="+", default=["1", "3"])
    parser.add_argument("--measures", nargs="+", default=list(MEASURES), help="the first is compared with")
    parser.add_argument("--worlds", type=int, default=40)
    sys.exit(main(parser.parse_args()))
