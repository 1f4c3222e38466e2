"""What the eight methods of Forget with Precision cost, and how far from retraining they end, on real Location-30.

    VESTIGE_DATA=FOLDER python -m benchmarks.budget [MODELS] [dau]

A small MLP, retrained for 100 epochs as the paper does; each method with its published settings, MODELS (20) times
from one original. Cost is in gradient steps and seconds, as shares of a retraining; epsilon-hat is against MODELS exact
retrains, cross-fitted, beside its null. The paper allows 5 % of retraining: five epochs. With `dau`: the methods that
Sharma et al. 2024 compare, by their recommended settings (DAU with less, see QUICK), without a budget.
"""

from __future__ import annotations

import sys

import numpy as np

import vestige
from vestige.evaluation import epsilon
from vestige.signals import collect_logits
from vestige.training import batch_count

EIGHT = (
    "finetune", "poison", "poison_full", "hybrid", "selective_pruning", "selective_pruning_last_layer",
    "selective_pruning_complex", "activation_reset",
)  # fmt: skip
COMPARED = ("finetune", "gradient_ascent", "fisher_forgetting", "influence", "dau")
QUICK = {"dau": {"copies": 2, "pretrain": 30}}  # noisy copies and steps of the attacker: 10 and 300 otherwise
PUBLISHED = {"finetune": {"epochs": 5, "lr": 0.001, "nesterov": True, "batch_size": 128}}
BUDGET = 3.3  # epochs: with the overfitting of copies, at most 5 % of the seconds of retraining


def main(models: int, compared: bool) -> None:
    data = vestige.load_dataset("location30")
    split = vestige.make_split(data, "random", forget=50, train=2500, holdout=1000, shadow=1000, seed=0)
    recipe = vestige.Recipe(epochs=100, batch_size=128, lr=0.05, schedule="cosine")
    fresh = vestige.build_model("mlp", data.shape, 30, hidden=(128,), seed=0)
    original = vestige.train(fresh, data.take(split.train), recipe).model
    forget, held = split.rows("forget"), split.rows("holdout")

    def logits(model):
        return collect_logits(model, forget)

    def accuracy(made):
        return 100 * np.mean([(collect_logits(m.model, held).argmax(1) == held.y).mean() for m in made])

    def made(name, seed, **options):
        return vestige.unlearn(name, original, split, recipe=recipe, seed=seed, **options)

    names, preset = (COMPARED, "recommended") if compared else (EIGHT, "paper")
    plan = {}
    for limit in (None,) if compared else (None, BUDGET):
        for name in names:
            title = name if limit is None else f"{name}, cut at {limit:g} epochs"
            own = (QUICK if compared else PUBLISHED).get(name, {})
            plan[title] = name, {"max_epochs": limit, "preset": preset} | own
    exact, runs = [], {title: [] for title in plan}
    for seed in range(models):  # side by side, for the speed of a machine changes from minute to minute
        exact.append(made("retrain", seed))
        for title, (name, options) in plan.items():
            runs[title].append(made(name, seed, **options))
    retrained = np.stack([logits(r.model) for r in exact])
    steps = recipe.epochs * batch_count(len(split.retain), recipe.batch_size)
    seconds = np.median([r.seconds for r in exact])
    print(
        f"retraining: {steps:,} steps, {seconds:.2f} s, test accuracy {accuracy(exact):.1f} %, {models} models a side\n"
    )
    print(
        "| method | epochs | % of steps | % of seconds | epsilon-hat | bounded below | at half | null "
        "| test accuracy % |"
    )
    print("| --- |" + " ---: |" * 8)
    for title, each in runs.items():
        if plan[title][1]["max_epochs"] is not None and each[0].stopped is None:
            continue
        found = epsilon(retrained, np.stack([logits(m.model) for m in each]), forget.y)
        share = np.median([m.seconds / r.seconds for m, r in zip(each, exact, strict=True)])
        print(
            f"| `{title}` | {each[0].epochs:.2f} | {100 * each[0].gradient_steps / steps:.1f} | {100 * share:.1f} | "
            f"{found.median:.2f} | {found.median_low:.2f} | {found.at_null_counts:.2f} | {found.null:.2f} | "
            f"{accuracy(each):.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, "dau" in sys.argv)
