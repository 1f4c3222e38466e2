"""Every unlearning method on real CIFAR-10: accuracy figures against retraining, cost, and what IAM sees.

    python -m benchmarks.methods run FILE [--size 10000] [--seeds 3] [--blocks random,class,...]
        [--methods core] [--without-iam]
    python -m benchmarks.methods table FILE

ResNet-18 of width 16, 12 epochs; a tenth of the training images at random, or one class; dense, or 95 % sparse by
one-shot magnitude pruning. The six methods of Sharma et al. 2024, Table 1, run with every seed, the others with one,
dense; `--methods` may name some, and `--without-iam` spares the shadow model that IAM wants. Each result is a line of
JSON in FILE; what is there is not run again, so several processes may share the blocks among them. Time is that of the
processor, all threads together. Data come from VESTIGE_DATA.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import vestige
from vestige.errors import InputError
from vestige.evaluation import accuracy_figures, auc, average_disparity
from vestige.signals import Signals, collect_logits
from vestige.training import train_sparse
from vestige.unlearning import METHODS

CORE = ("retrain", "finetune", "gradient_ascent", "fisher_forgetting", "influence", "dau")
NOT_HERE = ("sisa", "deltagrad", "certified_newton")  # they start from models of their own
RECIPE = {"epochs": 12, "batch_size": 128, "lr": 0.2, "schedule": "onecycle", "augment": "flip"}
BLOCKS = {
    "random": ("random", 0.0),
    "class": ("class", 0.0),
    "random sparse": ("random", 0.95),
    "class sparse": ("class", 0.95),
}
KNOBS = {"dau": {"copies": 2}, "l_codec": {"perturbations": 200}, "ssd": {"alpha": 1.5}}


def run(path: Path, size: int, seeds: int, blocks: list[str], which: str, iam: bool = True) -> None:
    data = vestige.load_dataset("cifar10")
    for block in blocks:
        run_block(path, data, block, size, seeds, which, iam)


def run_block(
    path: Path, data: vestige.Dataset, block: str, size: int, seeds: int, which: str, iam: bool
) -> None:
    done = {(r["block"], r["method"], r["seed"]) for r in lines(path)}
    scenario, sparsity = BLOCKS[block]
    request = {"forget": size // 10} if scenario == "random" else {"label": 1}
    split = vestige.make_split(data, scenario, train=size, holdout=2000, shadow=size, seed=1, **request)
    recipe = vestige.Recipe(seed=100, **RECIPE)

    def fit(rows, seed):
        fresh = vestige.build_model("resnet18", data.shape, 10, width=16, seed=seed)
        chosen = recipe.model_copy(update={"seed": seed})
        rows = data.take(rows)
        made = train_sparse(fresh, rows, chosen, sparsity) if sparsity else vestige.train(fresh, rows, chosen)
        return made.model

    others = [n for n in METHODS if n not in CORE + NOT_HERE and not sparsity and which == "all"]
    core, names = (CORE, [*CORE, *others]) if which in ("all", "core") else (which.split(","),) * 2
    plan = [(n, s) for s in range(seeds) for n in (core if s else names) if (block, n, s) not in done]
    if not plan:
        return
    original = fit(split.train, 100)
    models = [original, fit(split.shadow[: len(split.retain)], 200)] if iam else [original]
    asked = np.concatenate([split.forget, split.retain, split.holdout])
    role = np.repeat(
        ["forget", "retain", "holdout"], [len(split.forget), len(split.retain), len(split.holdout)]
    )
    known = [collect_logits(model, data.take(asked)) for model in models]

    def record(name, seed, model, seconds, epochs, steps):
        logits = collect_logits(model, data.take(asked))
        signals = Signals(data.y[asked], logits, *known, role=role, ids=data.ids[asked])
        figures = accuracy_figures(signals, preset="paper")
        line = {
            "block": block, "method": name, "seed": seed, "size": size, "seconds": round(seconds, 2),
            "epochs": round(epochs, 3), "steps": steps, **{k: round(float(v), 5) for k, v in figures.items()},
        }  # fmt: skip
        if iam:
            scores = vestige.measure("iam", signals)
            groups = scores[role == "forget"], scores[role == "retain"]
            line |= {"iam": float(groups[0].mean()), "iam_auc": auc(*groups)}
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)

    if (block, "original", 0) not in done:
        record("original", 0, original, 0.0, 0.0, 0)
    for name, seed in plan:
        start = time.process_time()
        try:
            made = vestige.unlearn(
                name, original, split, recipe=recipe, seed=seed, **KNOBS.get(name, {}),
                **({"mask": "keep"} if name == "retrain" and sparsity else {}),
            )  # fmt: skip
        except InputError as error:
            line = {"block": block, "method": name, "seed": seed, "size": size, "why": str(error)}
            with path.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(line, flush=True)
            continue
        record(name, seed, made.model, time.process_time() - start, made.epochs, made.gradient_steps)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


COLUMNS = ("unlearning_accuracy", "mia_efficacy", "retain_accuracy", "test_accuracy")


HEADER = (
    "| method | seeds | UA % | MIA-efficacy % | RA % | TA % | avg. disparity | IAM of forget | IAM AUC | epochs "
    "| seconds |\n| --- |" + " ---: |" * 10 + "\n"
)


def table(path: Path, block: str) -> str:
    """Return the methods of one block as a table in Markdown: the core ones first, then the others by name."""
    own = [r for r in lines(path) if r["block"] == block]
    rows = [r for r in own if "why" not in r]
    first = ["original", *CORE]
    names = sorted({r["method"] for r in rows}, key=lambda n: (_place(n, first), n))
    table = HEADER
    for name in names:
        cells = figures_of(name, rows)
        table += f"| `{name}` | {' | '.join(cells)} |\n"
    return table + "".join(f"\n`{r['method']}`: {r['why']}\n" for r in own if "why" in r)


def _place(name: str, first: list[str]) -> int:
    return next((i for i, one in enumerate(first) if name.split(" ")[0] == one), len(first))


def disparities(name: str, rows: list[dict]) -> list[float]:
    """Return how far a method is from retraining, in points: for each seed from the retraining of that seed."""
    exact = {r["seed"]: r for r in rows if r["method"] == "retrain"}
    means = {c: np.mean([r[c] for r in exact.values()]) for c in COLUMNS}
    return [
        average_disparity({c: r[c] for c in COLUMNS}, {c: exact.get(r["seed"], means)[c] for c in COLUMNS})
        for r in rows
        if r["method"] == name
    ]


def figures_of(name: str, rows: list[dict]) -> list[str]:
    """Return the cells of a method, as the header has them."""
    own = [r for r in rows if r["method"] == name]
    cells = [str(len(own)), *(spread([r[c] for r in own], 1) for c in COLUMNS)]
    cells += [spread(disparities(name, rows), 2)]
    return cells + [
        spread([r[k] for r in own], d) if all(k in r for r in own) else ""
        for k, d in (("iam", 3), ("iam_auc", 3), ("epochs", 2), ("seconds", 0))
    ]


def spread(values: list[float], digits: int) -> str:
    """Mean, and with three seeds or more the half-width of its 95 % interval (Student's t)."""
    from scipy.stats import t

    mean = f"{np.mean(values):.{digits}f}"
    if len(values) < 3:
        return mean
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{mean} ± {half:.{digits}f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("run", "table"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--size", type=int, default=10000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--blocks", default=",".join(BLOCKS))
    parser.add_argument("--methods", default="all", help="all, core, or names of methods")
    parser.add_argument("--without-iam", action="store_true")
    chosen = parser.parse_args()
    if chosen.command == "run":
        run(
            chosen.file,
            chosen.size,
            chosen.seeds,
            chosen.blocks.split(","),
            chosen.methods,
            not chosen.without_iam,
        )
    else:
        for block in dict.fromkeys(r["block"] for r in lines(chosen.file)):
            print(f"\n### {block}\n\n{table(chosen.file, block)}")
