"""Published figures from published raw outputs: what the papers print, what this library computes, the difference.

    VESTIGE_REFERENCE=FOLDER python -m benchmarks.published

FOLDER holds `forget_with_precision` (logits of Krähenmann et al. 2023) and `iam_llm` (token losses of Wang et al.
2025); they are the authors' and are not part of this repository. Where nothing is published for these outputs as they
are (the challenge score; of texts all but IAM and LiRA: the paper's loss and ratio are means over bootstrap draws,
87.46 and 91.26 %), the column holds an independent computation from the formulas.
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

import numpy as np

from vestige import llm
from vestige.evaluation import auc, epsilon, forgetting_score

EPSILON = {"finetune": 3.74, "poison": 4.16, "prune": 3.22, "prune_last_layer": 2.30}
CHALLENGE = {"finetune": 0.009054, "poison": 0.003666, "prune": 0.024406, "prune_last_layer": 0.068854}
TEXTS = {
    "iam": 0.9355,
    "lira_online": 0.9299,
    "rmia_ratio": 0.9304,
    "linear_gap": 0.9219,
    "ratio": 0.9124,
    "loss": 0.8747,
}


def line(name: str, published: float, ours: float, digits: int) -> None:
    shown = round(ours, digits)
    verdict = "equal" if abs(shown - published) < 0.5 * 10**-digits else "DIFFERS"
    print(f"{name:<44} {published:>10.{digits}f} {ours:>12.6f} {ours - published:>+12.6f}   {verdict}")


def logits(folder: Path) -> np.ndarray:
    file = next(folder.glob("logits_*.npy"))
    return np.load(file, allow_pickle=False)


def accuracy(path: Path) -> tuple[float, float]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    retain, test = (float(np.mean([float(row[f"{k}_accuracy"]) for row in rows])) for k in ("retain", "test"))
    return retain, test


def forget_with_precision(folder: Path) -> None:
    packed = logits(folder)
    labels, retrained = packed[:, 0].argmax(axis=1), packed[:, 1:].swapaxes(0, 1)
    base = accuracy(folder / "metrics.csv")
    null = epsilon(retrained[:40], retrained[40:], labels, preset="eth2023").median
    line("median epsilon-hat, baseline (40 against 40)", 0.88, null, 2)
    for name, published in EPSILON.items():
        unlearned = logits(folder / name)[:, 1:].swapaxes(0, 1)
        found = epsilon(retrained, unlearned, labels, preset="eth2023")
        line(f"median epsilon-hat, {name}", published, found.median, 2)
        own = accuracy(folder / name / "metrics.csv")
        score = forgetting_score(
            retrained,
            unlearned,
            labels,
            retain_accuracy=(own[0], base[0]),
            test_accuracy=(own[1], base[1]),
            preset="neurips2023",
            simulated=50,
        )
        line(f"challenge score, {name}", CHALLENGE[name], score.score, 6)


def iam_llm(folder: Path) -> None:
    def column(name: str) -> np.ndarray:
        return np.loadtxt(folder / f"{name}.txt", skiprows=1)

    labels = column("label")
    arrays = {"nll": column("nlloss"), "fit": column("fitRef_nlloss"), "out": column("ref_nlloss")}
    for name, published in TEXTS.items():
        scores = llm.measure(name, preset="paper", **arrays)
        line(f"AUC on MUSE-News, {name}", published, auc(scores[labels == 0], scores[labels == 1]), 4)


def main() -> None:
    root = os.environ.get("VESTIGE_REFERENCE")
    if not root or not Path(root).is_dir():
        sys.exit(__doc__)
    print(f"{'figure':<44} {'published':>10} {'ours':>12} {'difference':>12}")
    forget_with_precision(Path(root) / "forget_with_precision")
    iam_llm(Path(root) / "iam_llm")


if __name__ == "__main__":
    main()
