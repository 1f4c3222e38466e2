"""The two-version attack over data, targets, settings, shadows, defences and methods: tables of docs/labbook/leaks.md.

    VESTIGE_DATA=FOLDER python -m benchmarks.leak_tables run FILE [PART ...]
    python -m benchmarks.leak_tables table FILE

Each result is a line of JSON in FILE; what is there is not run again. AUC on target rows, attacks chosen on shadow
rows; intervals over resampled sets; one seed (7) unless a row says otherwise.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

import vestige
from vestige.leaks import Network, Setting, attack_pairs, hardened, make_pairs
from vestige.leaks.findings import summary

SEED = 7
FULL = Setting("scratch", sets=10, records=1000, deletions=20)
FEW = Setting("scratch", sets=4, records=1000, deletions=10)
ATTACKS = ("logistic-regression", "decision-tree")
TREE, MLP = "decision-tree", Network({"name": "mlp", "hidden": (128,)})
CNN = Network(
    {"name": "cnn", "width": 16, "norm": "group"},
    {"epochs": 15, "batch_size": 64, "lr": 0.05, "precision": "fp32"},
)
DENSE = Network(
    {"name": "densenet", "growth": 8, "depth": 16},
    {"epochs": 8, "batch_size": 64, "lr": 0.1, "precision": "fp32"},
)
RESIDUAL = Network(
    {"name": "resnet18", "width": 8}, {"epochs": 8, "batch_size": 64, "lr": 0.1, "precision": "fp32"}
)
PUBLISHED = ("label_only", "top_k=1", "temperature=10")


def forest(trees: int) -> RandomForestClassifier:
    return RandomForestClassifier(trees, min_samples_leaf=30, random_state=0)


def cells() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (part, row, what to run); `shadow` holds what differs on the adversary's side."""
    for name in ("location30", "adult", "us_accidents", "digits"):
        setting = replace(FULL, records=500) if name == "digits" else FULL
        for target in (TREE, "logistic-regression", "mlp"):
            yield "targets", f"{name}, {target}", {
                "data": name, "target": target, "setting": setting, "defences": PUBLISHED,
            }  # fmt: skip
        if name != "location30":
            yield "targets", f"{name}, forest of 100", {
                "data": name, "target": forest(100), "setting": replace(setting, sets=5, deletions=10),
                "defences": PUBLISHED,
            }  # fmt: skip
    few = replace(FEW, sets=3, deletions=8)
    for title, net in (("CNN", CNN), ("DenseNet", DENSE), ("ResNet-18", RESIDUAL)):
        own = few if net is CNN else replace(few, sets=2, deletions=4)
        defences = ("label_only", "temperature=10", "train_temperature=4") if net is CNN else ()
        yield (
            "networks",
            f"cifar10, {title}",
            {"data": "cifar10", "target": net, "setting": own, "defences": defences},
        )
    for title, setting in (
        ("group of 5", replace(FULL, name="group", group=5)),
        ("5 versions apart", replace(FULL, name="multi_version", group=5)),
        ("3 out, 3 in", replace(FULL, name="online", group=3)),
        ("remaining", replace(FULL, name="remaining")),
        ("SISA of 5", replace(FULL, name="sisa", shards=5)),
        ("SISA of 10", replace(FULL, name="sisa", shards=10)),
        ("scratch, independent seeds", replace(FULL, seeds="independent")),
    ):
        yield "settings", title, {"setting": setting}
    yield "settings", "remaining, logistic regression", {
        "setting": replace(FEW, name="remaining"), "target": "logistic-regression",
    }  # fmt: skip
    for leaves in (10, 40, 160, None):
        tree = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0)
        yield "overfitting", f"tree of {leaves or 'any number of'} leaves", {"target": tree}
    for epochs in (3, 10, 30, 100):
        net = replace(MLP, recipe={**MLP.recipe, "epochs": epochs})
        yield "overfitting", f"network, {epochs} epochs", {"target": net, "setting": FEW}
    for sets in (2, 5, 20):
        yield "shadows", f"{sets} shadow sets", {"shadow": {"setting": replace(FULL, sets=sets)}}
    for records in (200, 500):
        yield "shadows", f"shadow sets of {records}", {"shadow": {"setting": replace(FULL, records=records)}}
    for deletions in (2, 5):
        yield (
            "shadows",
            f"{deletions} deletions a shadow set",
            {"shadow": {"setting": replace(FULL, deletions=deletions)}},
        )
    for first in (TREE, "logistic-regression", "mlp"):
        for second in (TREE, "logistic-regression", "mlp"):
            yield "transfer", f"{first} to {second}", {
                "target": second, "setting": FEW, "shadow": {"target": first},
                "features": ("sorted_diff", "sorted_concat", "l2_distance", "true_confidence_drop", "max_confidence"),
            }  # fmt: skip
    yield "transfer", "digits to location30, trees", {
        "shadow": {"data": "digits", "setting": replace(FULL, records=500)},
        "features": ("sorted_diff", "sorted_concat", "l2_distance", "true_confidence_drop", "max_confidence"),
    }  # fmt: skip
    methods: tuple[tuple[str, dict[str, Any]], ...] = (
        ("retrain", {}), ("finetune", {}), ("gradient_ascent", {}), ("negative_gradient_plus", {}), ("scrub", {}),
        ("influence", {}),
    )  # fmt: skip
    for method, options in methods:
        yield "methods", f"network, {method}", {
            "target": MLP, "setting": replace(FEW, method={"name": method, **options}),
        }  # fmt: skip
    yield "private", "network, not defended", {
        "target": MLP, "setting": FEW, "defences": ("label_only", "train_temperature=4", "dp=8", "dp=1"),
    }  # fmt: skip
    yield (
        "private",
        "network, independent seeds",
        {"target": MLP, "setting": replace(FEW, seeds="independent")},
    )


@cache
def dataset(name: str) -> vestige.Dataset:
    return vestige.load_dataset(name)


def run(path: Path, parts: list[str]) -> None:
    done = {(r["part"], r["row"]) for r in lines(path)}
    pairs = path.with_suffix(".pairs")
    for part, row, what in cells():
        if (part, row) in done or (parts and part not in parts):
            continue
        start = time.process_time()

        def side(name: str, defence: str = "none", what: dict[str, Any] = what) -> Any:
            own = what | (what.get("shadow", {}) if name == "shadow" else {})
            target, left = hardened(own.get("target", TREE), defence)
            data = dataset(own.get("data", "location30"))
            return make_pairs(data, target, own.get("setting", FULL), side=name, seed=SEED, cache=pairs), left

        defences = what.get("defences", ())
        shadow, target = (side(name)[0] for name in ("shadow", "target"))
        refitted = {d: (side("shadow", d)[0], *side("target", d)) for d in defences}
        found = attack_pairs(
            shadow, target, positive="remaining" if "remaining" in row else "deleted", models=ATTACKS,
            features=what.get("features"), defences=defences, refitted=refitted, seed=SEED,
        )  # fmt: skip
        record = found.record()
        by: dict[str, float] = {}
        for one in found.undefended.attacks:  # the best attack model for each feature, chosen on shadow rows
            by.setdefault(one.feature, one.target.auc)
        line = {
            "part": part, "row": row, "cpu_s": round(time.process_time() - start, 1), "by_feature": by,
            **{k: record[k] for k in ("overfitting", "three_way", "summary", "rows", "sets")},
            "defences": {
                n: {k: summary(getattr(d, k)) for k in ("adaptive", "unaware")} for n, d in found.defences.items()
            },
        }  # fmt: skip
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(part, row, line["cpu_s"], {k: round(v, 3) for k, v in by.items()}, flush=True)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


COLUMNS = (
    "true_confidence_drop",
    "l2_distance",
    "sorted_diff",
    "sorted_concat",
    "basic_mia",
    "max_confidence",
    "true_confidence",
)


def table(path: Path) -> None:
    found = lines(path)
    for part in dict.fromkeys(r["part"] for r in found):
        rows = [r for r in found if r["part"] == part]
        print(
            f"\n### {part}\n\n| | overfitting | "
            + " | ".join(f"`{c}`" for c in COLUMNS)
            + " | chosen | gain |"
        )
        print("| --- |" + " ---: |" * (len(COLUMNS) + 1) + " --- | --- |")
        for r in rows:
            s = r["summary"]
            cells = [f"{r['by_feature'][c]:.3f}" if c in r["by_feature"] else "–" for c in COLUMNS]
            print(
                f"| {r['row']} | {r['overfitting']:.3f} | " + " | ".join(cells)
                + f" | `{s['best']}` {s['auc']:.3f} | {s['gain']:+.3f} [{s['gain_low']:+.3f}, {s['gain_high']:+.3f}] |"
            )  # fmt: skip
        if any(r["defences"] for r in rows):
            print(
                "\n| | defence | adaptive AUC | unaware | gain, adaptive | TPR at 1 % |"
                "\n| --- | --- | --- | ---: | --- | ---: |"
            )
            for r in rows:
                plain = r["summary"]
                shown = (
                    {"none": {"adaptive": plain, "unaware": plain}} | r["defences"] if r["defences"] else {}
                )
                for name, both in shown.items():
                    a, u = both["adaptive"], both["unaware"]
                    print(
                        f"| {r['row']} | {name} | {a['auc']:.3f} [{a['low']:.3f}, {a['high']:.3f}] | {u['auc']:.3f} | "
                        f"{a['gain']:+.3f} | {100 * a['tpr_1%']:.0f} % |"
                    )


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("run", "table"):
        sys.exit(__doc__)
    if sys.argv[1] == "run":
        run(Path(sys.argv[2]), sys.argv[3:])
    else:
        table(Path(sys.argv[2]))
