"""Trained worlds for the tables on real data: networks trained, retrained and unlearned, their answers in files.

    python -m benchmarks.worlds FOLDER DATA [--seeds 40] [--first 0] [--shadows 3] [--methods finetune]
        DATA: digits, location30, adult, us_accidents, cifar10 (a small MLP), cifar10_dense_cnn; from VESTIGE_DATA

For each seed: another split, an original, shadows, one shadow of another shape, and for each request an exact retrain
and models of the approximate methods. Requests are random, the hardest and the easiest fifth by a model that takes no
part in the audit, half a class, and one class. FOLDER/DATA-SEED.npz keeps the answers as scaled logits of the true
label, so that the tables are made in minutes; `seen` [shadows, rows] says which shadow was trained on which of the
pool's records. What a file has already is not trained again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

import vestige
from vestige.models.classifier import Classifier
from vestige.models.initial import seeded
from vestige.signals import collect_logits
from vestige.signals.transforms import scaled_logit

Rows = NDArray[np.int64]
FIRST_SHADOWS = 3  # drawn with the requests; further ones have a generator of their own
KNOBS: Mapping[str, Mapping[str, Any]] = {"finetune": {"epochs": 2}}  # of methods, where not their defaults
ORDERED = ("hard", "easy")


@dataclass(frozen=True)
class Study:
    """Sizes and networks on one data set.

    Attributes
    ----------
    other, others
        The shape of the shadows that differ from the original, and how many there are; 0: one, where there are more
        than three shadows.
    of_class
        Records of a request of one class, where they are not `forget`.
    data
        The data set, where it is not the name of the study.
    """

    counts: Mapping[str, int]
    forget: int
    shadow: int
    model: tuple[str, Mapping[str, Any]]
    other: tuple[str, Mapping[str, Any]]
    epochs: int
    requests: tuple[str, ...] = ("random", "hard", "easy", "class", "partial")
    recipe: Mapping[str, Any] = field(default_factory=dict)
    others: int = 0
    of_class: int = 0
    data: str = ""


STUDIES = {
    "digits": Study(
        {"train": 500, "holdout": 500, "shadow": 797}, 100, 400,
        ("mlp", {"hidden": (64,)}), ("mlp", {"hidden": (32, 32)}), 30,
    ),
    "location30": Study(
        {"train": 1700, "holdout": 710, "shadow": 2600}, 300, 1400,
        ("mlp", {"hidden": (256, 128)}), ("mlp", {"hidden": (512,)}), 40,
    ),
    "adult": Study(
        {"train": 3000, "holdout": 2000, "shadow": 5000}, 300, 2700,
        ("mlp", {"hidden": (128, 64)}), ("mlp", {"hidden": (256,)}), 30,
    ),
    "us_accidents": Study(
        {"train": 1700, "holdout": 900, "shadow": 2400}, 300, 1400,
        ("mlp", {"hidden": (128, 64)}), ("mlp", {"hidden": (256,)}), 30,
        ("random", "class", "partial"),
    ),
    "cifar10": Study(
        {"train": 1500, "holdout": 1000, "shadow": 2400}, 200, 1200,
        ("mlp", {"hidden": (64,)}), ("cnn", {"width": 16}), 20,
        ("random", "class", "partial"), {"augment": "none"},
    ),
    "cifar10_dense_cnn": Study(
        {"train": 1500, "holdout": 1000, "shadow": 2400}, 100, 1200,
        ("dense_cnn", {"width": 16}), ("mlp", {"hidden": (64,)}), 20,
        ("random", "class"), {"augment": "none", "batch_size": 32}, others=3, of_class=200, data="cifar10",
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Draw:
    """The rows of one world: training set, holdout, pool, in this order; `seen` [S, rows] of the shadows."""

    rows: Rows
    split: vestige.Split
    seen: NDArray[np.bool_]
    judge: Rows
    rng: np.random.Generator


def train(
    folder: Path,
    name: str,
    seeds: Sequence[int],
    shadows: int,
    methods: Sequence[str],
    requests: Sequence[str] | None = None,
) -> None:
    """Train what the files of these seeds do not have; `requests`: these only, or all of the study."""
    study = STUDIES[name]
    data = vestige.load_dataset(study.data or name)
    if requests is not None:
        study = replace(study, requests=tuple(one for one in study.requests if one in requests))
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        file, start = folder / f"{name}-{seed}.npz", time.perf_counter()
        world: dict[str, NDArray[Any]] = {}
        if file.exists():
            with np.load(file) as arrays:
                world = {key: arrays[key] for key in arrays}
        before = len(world)
        for key, value in _answers(study, data, seed, shadows, methods, world):
            world[key] = value
        if len(world) > before:
            part = file.with_suffix(".part.npz")
            np.savez(part, **world)
            os.replace(part, file)
        print(f"{name} {seed}: {len(world) - before} arrays, {time.perf_counter() - start:.0f} s", flush=True)


def _answers(
    study: Study,
    data: vestige.Dataset,
    seed: int,
    shadows: int,
    methods: Sequence[str],
    world: dict[str, Any],
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield what `world` lacks, by name; it holds what was yielded when the next is computed."""
    draw = draw_world(study, data, seed, shadows)
    asked, models = data.take(draw.rows), {}

    def fit(rows: Rows, number: int, shape: tuple[str, Mapping[str, Any]] = study.model) -> Any:
        return trained_model(study, data.take(rows), 100 * seed + number, shape)

    def margins(model: Any) -> NDArray[np.float32]:
        return margins_under(model, asked)

    def original() -> Any:
        if "original" not in models:
            models["original"] = fit(draw.split.train, 0)
        return models["original"]

    trained = len(draw.split.train)
    yield "labels", asked.y
    yield (
        "source",
        np.repeat(
            ["train", "holdout", "pool"],
            [len(p) for p in (draw.split.train, draw.split.holdout, draw.split.shadow)],
        ),
    )
    yield "seen", draw.seen
    if "original" not in world:
        yield "original", margins(original())
    for number in range(shadows):
        if f"shadow-{number}" not in world:
            # 1 to 8 as ever, 9 is the judge of difficulty, further ones from 40
            yield (
                f"shadow-{number}",
                margins(fit(draw.rows[draw.seen[number]], 1 + number if number < 8 else 32 + number)),
            )
    for number in range(study.others or int(shadows > FIRST_SHADOWS)):
        if f"other-{number}" not in world:
            yield f"other-{number}", margins(fit(draw.rows[draw.seen[number]], 30 + number, study.other))
    judged = None
    if set(ORDERED) & set(study.requests) - {key.removeprefix("forget-") for key in world}:
        judged = margins(fit(draw.judge, 9))
    for number, request in enumerate(study.requests):
        if f"forget-{request}" not in world:
            n = study.of_class or study.forget if request == "class" else study.forget
            forget = _forget(request, asked.y, judged, trained, n, draw.rng)
            yield f"forget-{request}", np.isin(np.arange(len(draw.rows)), forget)
        forget = np.flatnonzero(world[f"forget-{request}"])
        kept = np.setdiff1d(np.arange(trained), forget)
        if f"retrain-{request}" not in world:
            yield f"retrain-{request}", margins(fit(draw.rows[kept], 20 + number))
        one = vestige.Split(data, draw.rows[forget], draw.rows[kept], draw.split.holdout, draw.split.shadow)
        for method in methods:
            if f"{method}-{request}" in world or (request in ORDERED and method != "finetune"):
                continue
            knobs = KNOBS.get(method, {})
            yield (
                f"{method}-{request}",
                margins(vestige.unlearn(method, original(), one, seed=seed, **knobs).model),
            )


def trained_model(
    study: Study, data: vestige.Dataset, seed: int, shape: tuple[str, Mapping[str, Any]] | None = None
) -> Any:
    """Return a network of the study, trained on `data` from scratch."""
    recipe = vestige.Recipe(epochs=study.epochs, seed=seed, **{"batch_size": 64, "lr": 0.05, **study.recipe})
    return vestige.train(untrained(shape or study.model, data, seed), data, recipe).model


def untrained(network: tuple[str, Mapping[str, Any]], data: vestige.Dataset, seed: int) -> nn.Module:
    """Return a network of these parts that has not been trained: `dense_cnn`, or one of vestige's."""
    name, options = network
    if name != "dense_cnn":
        return vestige.build_model(name, data.shape, len(data.classes), seed=seed, **options)
    with seeded(seed):
        return dense_cnn(data.shape, len(data.classes), **options)


def dense_cnn(shape: tuple[int, ...], classes: int, width: int) -> nn.Module:
    """Return two convolutions, two max-pools and a dense layer: it memorises 1,500 images in seconds.

    The network `cnn` averages over the image before its last layer, and memorises nothing at that cost.
    """
    pixels = (shape[1] // 8) * (shape[2] // 8)
    body = nn.Sequential(
        nn.Conv2d(shape[0], width, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(2 * width * pixels, 64), nn.ReLU(),
    )  # fmt: skip
    return Classifier(shape, body, 64, classes)


def margins_under(model: Any, data: vestige.Dataset) -> NDArray[np.float32]:
    """Return the scaled logit of the true label of each record."""
    return scaled_logit(collect_logits(model, data), data.y).astype(np.float32)


def draw_world(study: Study, data: vestige.Dataset, seed: int, shadows: int) -> Draw:
    """Draw split, shadow training sets and the generator of the requests of a seed."""
    split = vestige.make_split(data, "random", forget=study.forget, seed=seed, **study.counts)
    rng, more = np.random.default_rng([seed, 3]), np.random.default_rng([seed, 4])
    first = [rng.permutation(len(split.shadow))[: study.shadow] for _ in range(FIRST_SHADOWS + 1)]
    further = [more.permutation(len(split.shadow))[: study.shadow] for _ in range(shadows - FIRST_SHADOWS)]
    rows = np.concatenate([split.train, split.holdout, split.shadow])
    members = [*first[:FIRST_SHADOWS], *further][:shadows]
    seen = np.stack([np.isin(rows, split.shadow[chosen]) for chosen in members])
    return Draw(rows, split, seen, split.shadow[first[FIRST_SHADOWS]], rng)


def _forget(
    request: str,
    labels: Rows,
    ease: NDArray[np.float32] | None,
    trained: int,
    n: int,
    rng: np.random.Generator,
) -> Rows:
    """Return the rows of a request among the first `trained`."""
    if request == "random":
        return np.sort(rng.permutation(trained)[:n])
    of_class = np.flatnonzero(labels[:trained] == 1)
    if request == "class":
        return of_class[:n]
    if request == "partial":
        half = min(n, len(of_class) // 2)
        return np.sort(np.random.default_rng(trained).permutation(of_class)[:half])
    assert ease is not None
    order = np.argsort(ease[:trained])
    return np.sort(order[: trained // 5] if request == "hard" else order[-(trained // 5) :])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("data", choices=tuple(STUDIES))
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--shadows", type=int, default=FIRST_SHADOWS)
    parser.add_argument("--methods", nargs="+", default=["finetune"])
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    sys.exit(train(options.folder, options.data, seeds, options.shadows, options.methods))
