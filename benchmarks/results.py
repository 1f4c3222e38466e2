"""The tables of docs/labbook/results.md, from the folder of a finished run.

    python -m benchmarks.results FOLDER [METHOD]

Every measure's separation of the forget samples from the retained ones under the exactly retrained model, and
the paired difference of its AUC to that of `iam`: the same bootstrap draws of samples for both.
"""

from __future__ import annotations

import sys

import numpy as np
from sklearn.metrics import roc_auc_score

from vestige.evaluation import Audit


def paired(one, other, forget, draws=1000, seed=0):
    """Return the difference of AUC, one minus other, with its 95 % interval over stratified draws of samples."""
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(forget), np.flatnonzero(~forget)]
    gaps = []
    for draw in range(draws + 1):
        rows = np.concatenate([g if draw == 0 else rng.choice(g, len(g)) for g in groups])
        gaps.append(roc_auc_score(forget[rows], one[rows]) - roc_auc_score(forget[rows], other[rows]))
    return gaps[0], *np.quantile(gaps[1:], [0.025, 0.975])


def main(folder: str, method: str = "retrain") -> None:
    audit = Audit.load(f"{folder}/audits/{method}")
    roles = audit.signals.roles
    known = roles != "holdout"
    forget = roles[known] == "forget"
    scores = {m: t["score"].to_numpy()[known] for m, t in audit.scores.groupby("measure", observed=True)}
    print("| measure | AUC | TNR at FNR 1 % | AUC minus iam's | p-values from | seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    known_areas = [run for run in audit.measures if audit.metric(run.measure, "auc") is not None]
    scored = [run for run in known_areas if run.status == "scored"]
    for run in sorted(scored, key=lambda r: -audit.metric(r.measure, "auc").value):
        area, rate = audit.metric(run.measure, "auc"), audit.metric(run.measure, "tnr_at_fnr_1%")
        gap = ""
        if run.measure != "iam":
            mean, low, high = paired(scores[run.measure], scores["iam"], forget)
            gap = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
        null = "" if run.null is None else run.null.split(" samples")[0].split(", and")[0]
        print(
            f"| `{run.measure}` | {area.value:.3f} [{area.low:.3f}, {area.high:.3f}] "
            f"| {rate.value:.3f} [{rate.low:.3f}, {rate.high:.3f}] | {gap} | {null} | {run.seconds:.2f} |"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
