"""What the eight methods of Forget with Precision cost, and how far from retraining they end, on real Location-30.

    VESTIGE_DATA=FOLDER python -m benchmarks.budget [MODELS] [dau]

A small MLP, retrained for 100 epochs as the paper does; each method with its published settings, MODELS (20) times
from one original. Cost is in gradient steps and seconds, as shares of a retraining; epsilon-hat is against MODELS exact
retrains, cross-fitted, beside its null. The paper allows 5 % of retraining: five epochs. With `dau`: the methods that
Sharma et al. 2024 compare, by their recommended settings, without a budget.
"""

from __future__ import annotations

import sys

import numpy as np

import vestige
from vestige.evaluation import epsilon
from vestige.signals import collect_logits

EIGHT = (
    "finetune", "poison", "poison_full", "hybrid", "selective_pruning", "selective_pruning_last_layer",
    "selective_pruning_complex", "activation_reset",
)  # fmt: skip
COMPARED = ("finetune", "gradient_ascent", "fisher_forgetting", "influence", "dau")
PUBLISHED = {"finetune": {"epochs": 5, "lr": 0.001, "nesterov": True, "batch_size": 128}}
BUDGET = (
    4.0  # epochs; with the steps on few forget samples, and their seconds, at most 5 % of those of retraining
)


def main(models: int, compared: bool) -> None:
    data = vestige.load_dataset("location30")
    split = vestige.make_split(data, "random", forget=50, train=2500, holdout=1000, shadow=1000, seed=0)
    recipe = vestige.Recipe(epochs=100, batch_size=128, lr=0.05, schedule="cosine")
    fresh = vestige.build_model("mlp", data.shape, 30, hidden=(128,), seed=0)
    original = vestige.train(fresh, data.take(split.train), recipe).model
    forget, held = split.rows("forget"), split.rows("holdout")

    def logits(model):
        return collect_logits(model, forget)

    exact = [vestige.unlearn("retrain", original, split, recipe=recipe, seed=s) for s in range(models)]
    retrained = np.stack([logits(r.model) for r in exact])
    seconds = float(np.median([r.seconds for r in exact]))
    steps = recipe.epochs * -(-len(split.retain) // recipe.batch_size)
    accuracy = np.mean([(collect_logits(r.model, held).argmax(1) == held.y).mean() for r in exact])
    print(
        f"retraining: {steps:,} steps, {seconds:.2f} s, test accuracy {100 * accuracy:.1f} %, {models} models a side\n"
    )
    print(
        "| method | epochs | % of steps | % of seconds | epsilon-hat | bounded below | at half | null "
        "| test accuracy % |"
    )
    print("| --- |" + " ---: |" * 8)
    names, preset = (COMPARED, "recommended") if compared else (EIGHT, "paper")
    for budget in (None,) if compared else (None, BUDGET):
        for name in names:
            made = [
                vestige.unlearn(
                    name,
                    original,
                    split,
                    preset=preset,
                    recipe=recipe,
                    seed=s,
                    max_epochs=budget,
                    **({} if compared else PUBLISHED.get(name, {})),
                )
                for s in range(models)
            ]
            if budget is not None and made[0].stopped is None:
                continue
            found = epsilon(retrained, np.stack([logits(m.model) for m in made]), forget.y)
            right = np.mean([(collect_logits(m.model, held).argmax(1) == held.y).mean() for m in made])
            title = name if budget is None else f"{name}, cut at {budget:g} epochs"
            print(
                f"| `{title}` | {made[0].epochs:.2f} | {100 * made[0].gradient_steps / steps:.1f} | "
                f"{100 * np.median([m.seconds for m in made]) / seconds:.1f} | {found.median:.2f} | "
                f"{found.median_low:.2f} | {found.at_null_counts:.2f} | {found.null:.2f} | {100 * right:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, "dau" in sys.argv)
