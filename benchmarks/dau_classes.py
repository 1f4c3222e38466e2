"""DAU where a whole class is forgotten, on real CIFAR-10: figures against exact retraining, beside five other methods.

    python -m benchmarks.dau_classes FILE [--size 10000] [--width 16] [--epochs 30] [--batch 128] [--kinds crop,flip]
        [--sparsity 0,0.95] [--labels 1,3,5] [--seeds 0,1,2] [--methods retrain,dau,...] [--retrains own]
    python -m benchmarks.dau_classes FILE --table

A cell is an original (its kind, sparsity and seed), a class and a method; each is a line of JSON in FILE, and what is
there is not run again: stop at any time, and go on by the same command. Kinds of originals, ResNet-18 by one cycle of
the learning rate up to 0.2: "crop" (crops and flips), "flip", and "memorised" (neither). Originals are kept beside
FILE, in the folder FILE.models. A seed is that of the original, of its retraining and of the method; `--retrains one`
judges every seed by the retraining of the first. Seconds are those of the processor. Data come from VESTIGE_DATA.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import vestige
from benchmarks.methods import COLUMNS, lines, spread
from vestige.evaluation import accuracy_figures, average_disparity
from vestige.models.sparsity import expect_masks
from vestige.signals import Signals, collect_logits
from vestige.training import train_sparse

AUGMENT = {"crop": "crop_flip", "flip": "flip", "memorised": "none"}
SAME_CLASS = {  # the game against unseen samples of the same class, as version 0.2.0 had it
    "class_unseen": "same", "class_label": True, "class_pushed": "both", "class_selfsupervised": 1e-3,
    "class_floor": 0.0, "switch_schedule": "constant", "switch_every": 0,
}  # fmt: skip
METHODS = {  # title: method, options; two noisy copies in all of DAU's, for time
    "original": ("original", {}),
    "retrain": ("retrain", {}),
    "dau": ("dau", {"copies": 2}),
    "dau gamma 0.001": ("dau", {"copies": 2, "class_selfsupervised": 1e-3}),
    "dau same class": ("dau", {"copies": 2, **SAME_CLASS}),
    "dau paper": ("dau", {"copies": 2, "preset": "paper"}),
    "finetune": ("finetune", {}),
    "gradient_ascent": ("gradient_ascent", {}),
    "fisher_forgetting": ("fisher_forgetting", {}),
    "influence": ("influence", {}),
}
WITHOUT_BATCH = ("original", "retrain", "gradient_ascent", "fisher_forgetting", "influence")
CELL = ("size", "width", "epochs", "batch", "kind", "sparsity", "label", "seed", "method")


def main(file: Path, chosen: argparse.Namespace) -> None:
    data = vestige.load_dataset("cifar10")
    done = {tuple(line[name] for name in CELL) for line in lines(file)}
    fixed = chosen.size, chosen.width, chosen.epochs, chosen.batch
    for kind, sparsity, seed in itertools.product(chosen.kinds, chosen.sparsity, chosen.seeds):
        original = None
        for label, title in itertools.product(chosen.labels, ("original", *chosen.methods)):
            one_is_enough = title == "retrain" and chosen.retrains == "one" and seed != chosen.seeds[0]
            cell = dict(zip(CELL, (*fixed, kind, sparsity, label, seed, title), strict=True))
            if one_is_enough or tuple(cell.values()) in done:
                continue
            original = original or original_of(file.with_suffix(".models"), data, cell)
            line = cell | figures_of(data, cell, original)
            with file.open("a") as out:
                out.write(json.dumps(line) + "\n")
            print(line, flush=True)


def split_of(data: vestige.Dataset, cell: dict) -> vestige.Split:
    return vestige.make_split(
        data, "class", label=cell["label"], train=cell["size"], holdout=2000, shadow=5000, seed=1
    )


def recipe_of(cell: dict) -> vestige.Recipe:
    return vestige.Recipe(
        epochs=cell["epochs"], batch_size=128, lr=0.2, schedule="onecycle", augment=AUGMENT[cell["kind"]],
        seed=cell["seed"],
    )  # fmt: skip


def original_of(folder: Path, data: vestige.Dataset, cell: dict) -> nn.Module:
    """Return the original, trained or from the folder; its training set is the same for every class."""
    fresh = vestige.build_model("resnet18", data.shape, 10, width=cell["width"], seed=100 + cell["seed"])
    names = ("size", "width", "epochs", "kind", "sparsity", "seed")
    path = folder / ("-".join(str(cell[name]) for name in names) + ".safetensors")
    if path.is_file():
        state = load_file(path)
        expect_masks(fresh, state)
        fresh.load_state_dict(state)
        return fresh.eval()
    rows = data.take(split_of(data, cell).train)
    if cell["sparsity"]:
        model = train_sparse(fresh, rows, recipe_of(cell), cell["sparsity"]).model
    else:
        model = vestige.train(fresh, rows, recipe_of(cell)).model
    folder.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), path)
    return model


def figures_of(data: vestige.Dataset, cell: dict, original: nn.Module) -> dict:
    """Run one method; return what it cost and the four published figures, in percent."""
    split = split_of(data, cell)
    method, options = METHODS[cell["method"]]
    if cell["method"] not in WITHOUT_BATCH:
        options = options | {"batch_size": cell["batch"]}
    if method == "retrain" and cell["sparsity"]:
        options = options | {"mask": "keep"}
    start, cost = time.process_time(), {}
    model = original
    if method != "original":
        result = vestige.unlearn(
            method, original, split, recipe=recipe_of(cell), seed=cell["seed"], **options
        )
        model, cost = result.model, {"passes": round(result.epochs, 3), "steps": result.gradient_steps}
    seconds = round(time.process_time() - start, 1)
    roles = {name: getattr(split, name) for name in ("forget", "retain", "holdout")}
    asked = np.concatenate(list(roles.values()))
    with torch.no_grad():
        after, before = (collect_logits(m, data.take(asked)) for m in (model, original))
    role = np.repeat(list(roles), [len(rows) for rows in roles.values()])
    figures = accuracy_figures(
        Signals(data.y[asked], after, before, role=role, ids=data.ids[asked]), preset="paper"
    )
    return {"seconds": seconds, **cost, **{name: round(float(v), 3) for name, v in figures.items()}}


def table(file: Path, kind: str, sparsity: float) -> str:
    """Return the table of one kind of original: means over classes and seeds, each beside its own retraining."""
    rows = [r for r in lines(file) if (r["kind"], r["sparsity"]) == (kind, sparsity)]
    size, width, epochs, batch = (rows[0][name] for name in ("size", "width", "epochs", "batch"))
    exact = {(r["label"], r["seed"]): r for r in rows if r["method"] == "retrain"}
    first = {label: r for (label, _), r in reversed(exact.items())}
    table = (
        f"**{kind}{', 95 % sparse' if sparsity else ''}: {size:,} images, width {width}, {epochs} epochs, "
        f"batches of {batch}**\n\n"
        "| method | UA % | MIA-efficacy % | RA % | TA % | avg. disparity | worst | cells | passes | seconds |\n"
        "| --- |" + " ---: |" * 9 + "\n"
    )
    for title in METHODS:
        own = [r for r in rows if r["method"] == title and r["label"] in first]
        gaps = [
            average_disparity(
                {c: r[c] for c in COLUMNS},
                {c: exact.get((r["label"], r["seed"]), first[r["label"]])[c] for c in COLUMNS},
            )
            for r in own
        ]
        if own:
            cells = [spread([r[c] for r in own], 1) for c in COLUMNS]
            cells += [spread(gaps, 2), f"{max(gaps):.2f}", str(len(own))]
            cells += [
                spread([r.get("passes", 0) for r in own], 1),
                f"{np.mean([r['seconds'] for r in own]):.0f}",
            ]
            table += f"| `{title}` | {' | '.join(cells)} |\n"
    return table


def kinds(file: Path) -> list[tuple[str, float]]:
    """Return the kinds of originals that a file has results of: what was done to the images, and the sparsity."""
    return list(dict.fromkeys((line["kind"], line["sparsity"]) for line in lines(file)))


def list_of(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Return a reader of values between commas."""
    return lambda text: [kind(part) for part in text.split(",")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--table", action="store_true")
    for name, value in (("size", 10000), ("width", 16), ("epochs", 30), ("batch", 128)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--kinds", type=list_of(str), default=["crop", "flip"])
    parser.add_argument("--sparsity", type=list_of(float), default=[0.0, 0.95])
    parser.add_argument("--labels", type=list_of(int), default=[1, 3, 5])
    parser.add_argument("--seeds", type=list_of(int), default=[0, 1, 2])
    parser.add_argument(
        "--methods", type=list_of(str), default=[name for name in METHODS if name != "original"]
    )
    parser.add_argument("--retrains", choices=("own", "one"), default="own")
    options = parser.parse_args()
    if options.table:
        for kind in kinds(options.file):
            print(table(options.file, *kind))
    else:
        main(options.file, options)
