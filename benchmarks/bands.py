"""The two-version attack on real Location-30 over several seeds: the figures by which an implementation is known.

    VESTIGE_DATA=FOLDER python -m benchmarks.bands TARGET [SEED ...]      TARGET: a name, or sisa-1, sisa-5 (trees)

10 + 10 originals of 1,000 records, 20 deletions each, both versions with one random state; AUC on target rows.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import vestige
from vestige.evaluation import auc
from vestige.leaks import Setting, attack, defended, features_of, make_pairs, score_of

ATTACKS = ("logistic-regression", "decision-tree")


def main(target: str, seeds: list[int]) -> None:
    data = vestige.load_dataset("location30")
    shards = int(target.split("-")[1]) if target.startswith("sisa-") else 0
    setting = Setting("sisa", shards=shards) if shards else Setting()
    model = "decision-tree" if shards else target
    found: dict[str, list[float]] = {}
    for seed in seeds:
        start = time.perf_counter()
        asked = make_pairs(data, model, setting, side="target", seed=seed)
        truth = asked.of("deleted", "outside")
        positive = truth.status == "deleted"
        own = {
            "l2_distance": features_of(truth, "l2_distance")[:, 0],
            "max_confidence": score_of(truth, "max_confidence"),
            "true_confidence": score_of(truth, "true_confidence"),
            "true_confidence_drop": score_of(truth, "true_confidence_drop"),
            "label only, l2_distance": features_of(defended(truth, "label_only"), "l2_distance")[:, 0],
        }
        values = {name: auc(score[positive], score[~positive]) for name, score in own.items()}
        if target in ("logistic-regression", "mlp"):
            best = attack(
                make_pairs(data, model, setting, side="shadow", seed=seed),
                asked,
                models=ATTACKS,
                features=("sorted_concat", "basic_mia", "l2_threshold", "max_confidence"),
            )
            values["sorted_concat, logistic regression"] = next(
                a.target.auc for a in best.attacks if (a.feature, a.model) == ("sorted_concat", ATTACKS[0])
            )
        for name, value in values.items():
            found.setdefault(name, []).append(value)
        shown = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
        print(f"seed {seed}: {shown} ({time.perf_counter() - start:.0f} s)", flush=True)
    print(f"\n| {target} | mean | lowest | highest |\n| --- | ---: | ---: | ---: |")
    for name, each in found.items():
        print(f"| {name} | {np.mean(each):.3f} | {min(each):.3f} | {max(each):.3f} |")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], [int(s) for s in sys.argv[2:]] or [7, 11, 21, 31, 41])
