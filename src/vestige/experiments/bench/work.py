"""What the steps do: train, unlearn, collect outputs, compute the figures of a cell.

A request's forget samples are drawn anew for each split from one training set, so that the original and the shadows are
trained once. Results of figures are JSON: {"cells": [{"row", "group", "figures": {name: [values]}}],
"missing": [{"row", "why"}]}; a gap of one group size alone, among several, names it as its "group".
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from vestige.config import validated
from vestige.data import DataConfig, Dataset, Split, load_dataset, make_split
from vestige.errors import InputError
from vestige.evaluation import (
    accuracy_figures,
    average_disparity,
    epsilon,
    figures,
    mia_efficacy,
    scoreui,
)
from vestige.evaluation.accuracy import FEATURES
from vestige.evaluation.roc import FIGURES as SEPARATION
from vestige.evaluation.roc import tpr_at_fpr
from vestige.experiments.bench.experiment import Counts, Experiment, Request
from vestige.experiments.bench.steps import Job
from vestige.measures import MEASURES, measure
from vestige.models import ModelConfig, build_model
from vestige.signals import Signals, collect_logits, simulated_deletions
from vestige.signals.transforms import confidence
from vestige.store import write_json
from vestige.training import Recipe, descend, load_model, train, train_sparse, write_weights
from vestige.unlearning import MethodConfig, unlearn

if TYPE_CHECKING:
    from vestige.leaks import LeakConfig

Facts = dict[str, Any]


@lru_cache(maxsize=4)
def _dataset(name: str, root: str | None, options: str) -> Dataset:
    return load_dataset(name, root=root, **json.loads(options))


def dataset(data: dict[str, Any], root: str | None) -> Dataset:
    """Load the data set of a step, once in a process."""
    chosen = validated(DataConfig, data, "data")
    own = root if chosen.root is None else str(chosen.root)
    return _dataset(chosen.name, own, json.dumps(chosen.options, sort_keys=True))


def read_anew() -> None:
    """Forget the data sets that were loaded: a plan names data as they are now."""
    _dataset.cache_clear()


def same_data(data: Dataset, fingerprint: str | None) -> Dataset:
    """Return the data of a step, or raise `InputError` where they are not those that its key names."""
    if fingerprint is not None and data.fingerprint != fingerprint:
        raise InputError(
            f"{data.name}: the data that this step reads are not those that it was planned with. Give every machine "
            "the same files, and run the command again."
        )
    return data


def folder_of(root: str | None) -> Path:
    """Return the folder of data sets, for files that are read as they are."""
    return Path(root or os.environ.get("VESTIGE_DATA", "."))


def split_of(what: dict[str, Any], root: str | None) -> Split:
    """Return the split of a step: its data, its counts, its request (any, where it asks for none)."""
    data = same_data(dataset(what["data"], root), what.get("fingerprint"))
    counts = validated(Counts, what["counts"], "counts")
    request = validated(Request, what.get("request") or {"forget": 1}, "request")
    return make_split(
        data, request.scenario, forget=request.forget, label=request.label, train=counts.train,
        holdout=counts.holdout, shadow=counts.shadow, seed=counts.seed, request=what.get("draw"),
    )  # fmt: skip


def members_of(split: Split, counts: Counts, number: int) -> NDArray[np.bool_]:
    """Return [P]: which samples of the pool the shadow model `number` is trained on."""
    size = counts.shadow_size or round(0.65 * len(split.shadow))
    if size > len(split.shadow):
        raise InputError(f"shadow_size is {size}; the shadow pool has {len(split.shadow)} samples.")
    member = np.zeros(len(split.shadow), bool)
    member[np.random.default_rng((counts.seed, 1, number)).permutation(len(member))[:size]] = True
    return member


def rows_of(what: dict[str, Any], root: str | None) -> Dataset:
    """Return the samples that a model is trained on."""
    split = split_of(what, root)
    if what["rows"] == "shadow":
        member = members_of(split, validated(Counts, what["counts"], "counts"), what["number"])
        return split.data.take(split.shadow[member])
    return split.rows(what["rows"])


def fresh(what: dict[str, Any], data: Dataset, seed: int) -> Any:
    """Build the network of a step."""
    model = ModelConfig(**what["model"])
    return build_model(model.name, data.shape, len(data.classes), seed=seed, **model.options)


def trained(job: Job) -> Facts:
    """Train one network, from its input where it has one."""
    what, rows = job.what, rows_of(job.what, job.root)
    recipe = validated(Recipe, what["recipe"] | {"seed": what["seed"]}, "recipe")
    network = fresh(what, rows, what["seed"])
    if job.inputs:
        load_model(job.inputs[0], network)
    sparsity = what["model"]["sparsity"]
    made = train_sparse(network, rows, recipe, sparsity) if sparsity else train(network, rows, recipe)
    write_weights(job.path, made.model)
    return {"rows": len(rows), "epochs": made.epochs, "loss": made.loss[-1]}


def unlearned(job: Job) -> Facts:
    """Run one unlearning method on the original, its only input."""
    what, split = job.what, split_of(job.what, job.root)
    original = load_model(job.inputs[0], fresh(what, split.data, 0))
    method = MethodConfig(**what["method"])
    result = unlearn(
        method.name, original, split, preset=method.preset, seed=what["seed"],
        recipe=validated(Recipe, what["recipe"], "recipe"), max_epochs=method.max_epochs,
        max_seconds=method.max_seconds, **method.options,
    )  # fmt: skip
    write_weights(job.path, result.model)
    return {"epochs": result.epochs, "unlearn_seconds": result.seconds}


def outputs(job: Job) -> None:
    """Collect a model's logits on the training set and the holdout samples; of a shadow, on its pool too."""
    what, split = job.what, split_of(job.what, job.root)
    data = split.data
    model = load_model(job.inputs[0], fresh(what, data, 0))
    asked = {"train": data.take(split.train), "holdout": data.take(split.holdout)}
    if what.get("pool"):
        asked["pool"] = split_of(what["pool"], job.root).rows("shadow")
    save_file({name: collect_logits(model, rows) for name, rows in asked.items()}, job.path)


def along_training(job: Job) -> None:
    """Train a shadow model on the training set; collect its logits on it and on the holdout samples as it goes."""
    what, split = job.what, split_of(job.what, job.root)
    rows = split.data.take(split.train)
    asked = split.data.take(np.concatenate([split.train, split.holdout]))
    recipe = validated(Recipe, what["recipe"] | {"seed": what["seed"]}, "recipe")
    model = load_model(job.inputs[0], fresh(what, rows, 0))
    kept, every = {"0": collect_logits(model, asked)}, max(1, recipe.epochs // what["checkpoints"])

    def keep(epoch: int, loss: float) -> None:
        if epoch % every == 0:
            kept[str(epoch)] = collect_logits(model, asked)

    descend(model, rows, recipe, on_epoch=keep)
    save_file(kept, job.path)


def _record(split: Split, named: dict[str, Path]) -> dict[str, Any]:
    """Return what all signals of a split share: labels, roles, ids, and the logits of every named model."""
    data, asked = split.data, np.concatenate([split.train, split.holdout])
    role = np.where(np.isin(asked, split.forget), "forget", "retain").astype("<U7")
    role[len(split.train) :] = "holdout"
    logits = {name: load_file(path) for name, path in named.items()}
    whole = {name: np.concatenate([parts["train"], parts["holdout"]]) for name, parts in logits.items()}
    return {
        "role": role, "whole": whole, "parts": logits, "labels": data.y[asked], "ids": data.ids[asked],
    }  # fmt: skip


def _named(job: Job) -> dict[str, Path]:
    return dict(zip(job.what["inputs"], job.inputs, strict=True))


def _with_shadows(
    found: dict[str, Any], what: dict[str, Any], root: str | None, chosen: list[int]
) -> dict[str, Any]:
    """Return the fields of `Signals` that a group of shadow models gives."""
    if not chosen:
        return {}
    pool = what["pool"]
    source, counts = split_of(pool, root), validated(Counts, pool["counts"], "counts")
    data, where = source.data, source.shadow
    everyone = list(range(what["shadows"]))
    inside = {k: found["parts"][f"shadow-{k}"]["pool"] for k in everyone}
    member = np.stack([members_of(source, counts, k) for k in everyone])
    fields: dict[str, Any] = {
        "shadow_out": np.stack([found["whole"][f"shadow-{k}"] for k in chosen]),
        "shadow_fit": np.concatenate([confidence(inside[k][member[k]], data.y[where[member[k]]]) for k in chosen]),
        "shadow_ids": data.ids[where[member.any(axis=0)]],
    }  # fmt: skip
    if len(everyone) >= 3:  # what learns from simulated deletions gets all shadows' outputs on their own pool
        fields["calibration"] = simulated_deletions(
            data.y[where], np.stack([inside[k] for k in everyone]), member, ids=data.ids[where],
            out=min(len(chosen), len(everyone) - 2), seed=chosen[0],
        )  # fmt: skip
        fields["shadow_out"] = fields["shadow_out"][: fields["calibration"].shadows]
    return fields


def _signals(found: dict[str, Any], unlearned: NDArray[Any], **fields: Any) -> Signals:
    """Build the record; the holdout samples are the population of measures that want one."""
    held = found["role"] == "holdout"
    shadows = fields.get("shadow_out")
    population = Signals(
        found["labels"][held], unlearned[held], ids=found["ids"][held],
        shadow_out=None if shadows is None else shadows[:, held],
    )  # fmt: skip
    fields["population_in"] = found["parts"].get("population", {}).get("holdout")
    return Signals(
        found["labels"], unlearned, found["whole"]["original"], role=found["role"], ids=found["ids"],
        population=population, **fields,
    )  # fmt: skip


def _scored(spec: str | dict[str, Any], preset: str, signals: Signals) -> NDArray[np.float64]:
    entry, options, beside = MEASURES.chosen(spec)
    return measure(entry.name, signals, preset=beside.get("preset", preset), **options)


def _redrawn(spec: str | dict[str, Any], seed: int) -> str | dict[str, Any]:
    """The negative control is drawn anew each time; other measures stay as they are."""
    return {"name": "random", "seed": seed} if spec == "random" else spec


def _groups(what: dict[str, Any]) -> list[tuple[int, list[int]]]:
    """Return (how many shadows, which) for every disjoint group of every wanted size."""
    if not what["shadows"]:
        return [(0, [])]
    return [
        (size, list(range(start, start + size)))
        for size in what["groups"]
        for start in range(0, what["shadows"] - size + 1, size)
    ]


RATES = tuple(float(rate) for rate in np.logspace(-3, 0, 25).round(4))
"""False positive rates at which a curve is kept."""


def separation(job: Job) -> None:
    """Compute how well each measure tells forgotten from retained samples under the retrained model."""
    what, split = job.what, split_of(job.what, job.root)
    found = _record(split, _named(job))
    groups = {(size, *chosen): _with_shadows(found, what, job.root, chosen) for size, chosen in _groups(what)}
    cells, missing = [], []
    for row, spec in what["measures"].items():
        values: dict[int, dict[str, list[float]]] = {}
        failed: dict[int, str] = {}
        for (size, *_), fields in groups.items():
            if size in failed:
                continue
            signals = _signals(found, found["whole"]["retrained"], **fields)
            drawn = len(values.get(size, {}).get("auc", []))
            try:
                scores = _scored(_redrawn(spec, drawn), what["preset"], signals)
            except InputError as error:
                failed[size] = str(error)
                continue
            forget, retain = (scores[signals.roles == role] for role in ("forget", "retain"))
            own_figures = figures(forget, retain)
            if what.get("curve"):
                own_figures |= {f"tpr_at_{rate:.4f}": tpr_at_fpr(forget, retain, rate) for rate in RATES}
            for name, value in own_figures.items():
                values.setdefault(size, {}).setdefault(name, []).append(float(value))
        cells += [
            {"row": row, "group": size, "figures": own} for size, own in values.items() if size not in failed
        ]
        missing += _gaps(row, failed, what)
    write_json(job.path, {"cells": cells, "missing": missing}, flush=False)


def _gaps(row: str, failed: dict[int, str], what: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is missing of a row: {size: why}, each size named where there are several."""
    several = len(what["groups"]) > 1
    return [{"row": row, "why": why} | ({"group": size} if several else {}) for size, why in failed.items()]


SCOREUI = ("pooled", "per_sample", "kendall")


def degrees(job: Job) -> None:
    """Compute ScoreUI: how each measure follows the degree of training, checkpoint after checkpoint."""
    what, split = job.what, split_of(job.what, job.root)
    named = _named(job)
    path = load_file(named.pop("checkpoints"))
    found = _record(split, named)
    kept = sorted(int(name) for name in path)
    degree = np.array(kept) / kept[-1]
    rows = len(split.train)
    cells, missing = [], []
    for row, spec in what["measures"].items():
        values: dict[int, dict[str, list[float]]] = {}
        failed: dict[int, str] = {}
        for size, chosen in _groups(what):
            if size in failed:
                continue
            fields = _with_shadows(found, what, job.root, chosen)
            scores = []
            try:
                for number, epoch in enumerate(kept):
                    signals = _signals(found, path[str(epoch)], **fields)
                    scores.append(_scored(_redrawn(spec, number), what["preset"], signals)[:rows])
                ui = scoreui(np.stack(scores, axis=1), degree, draws=100)
            except InputError as error:
                failed[size] = str(error)
                continue
            for name in SCOREUI:
                values.setdefault(size, {}).setdefault(name, []).append(float(getattr(ui, name)))
        cells += [
            {"row": row, "group": size, "figures": own} for size, own in values.items() if size not in failed
        ]
        missing += _gaps(row, failed, what)
    write_json(job.path, {"cells": cells, "missing": missing}, flush=False)


FIGURES = ("unlearning_accuracy", "mia_efficacy", "retain_accuracy", "test_accuracy")
AGAINST = (
    *FIGURES, *(f"mia_{f}" for f in FEATURES[1:]), "iam_auc", "membership_forget", "membership_retain", "disparity",
    "mia_disparity", "gap_forget", "gap_retain",
)  # fmt: skip
EPSILON = ("epsilon", "epsilon_cross_fitted", "forget_accuracy", "test_accuracy")
LEAKED = ("auc", "baseline_auc", "gain", "tpr_1%")


def figures_of(experiment: Experiment) -> tuple[str, ...]:
    """Return the figures that a cell of an experiment may have."""
    texts = ("auc", "auc_holdout", "membership_forget", "membership_retain", "under", "over")
    rates = tuple(f"tpr_at_{rate:.4f}" for rate in RATES) if experiment.curve else ()
    return {
        "separation": (*SEPARATION, *rates), "degrees": SCOREUI, "degrees_of_texts": SCOREUI, "texts": texts,
        "methods": AGAINST, "epsilon": EPSILON, "leaks": LEAKED,
    }[experiment.kind]  # fmt: skip


def against_retraining(job: Job) -> None:
    """Compute every figure of one method's model: accuracies, disparity, and what IAM sees of it.

    iam_auc      forgotten above retained, under the method's model
    membership_forget, membership_retain  1 - the mean of IAM's scores: 1 = a member
    mia_*        shares of forget samples that attacks on other features than confidence call non-members, published
                 attacker; mia_disparity, their mean gap to retraining with confidence among them
    gap_forget, gap_retain  those minus retraining's: above 0 on forgotten samples is under-unlearning, below 0 on
                 retained ones is damage
    """
    what, split = job.what, split_of(job.what, job.root)
    found = _record(split, _named(job))
    fields = _with_shadows(found, what, job.root, list(range(what["shadows"])))
    own: dict[str, dict[str, float]] = {}
    for name in ("retrained", "method"):
        signals = _signals(found, found["whole"][name], **fields)
        scores = _scored(what["measure"], what["preset"], signals)
        forget, retain = (scores[signals.roles == role] for role in ("forget", "retain"))
        own[name] = {
            **{k: float(v) for k, v in accuracy_figures(signals, preset="paper").items()},
            **{f"mia_{f}": mia_efficacy(signals, "paper", f) for f in what["attacks"][1:]},
            "iam_auc": figures(forget, retain)["auc"],
            "membership_forget": 1 - float(forget.mean()), "membership_retain": 1 - float(retain.mean()),
        }  # fmt: skip
    exact, made = own["retrained"], own["method"]
    made["disparity"] = average_disparity({k: made[k] for k in FIGURES}, {k: exact[k] for k in FIGURES})
    attacks = ["mia_efficacy", *(f"mia_{f}" for f in what["attacks"][1:])]
    made["mia_disparity"] = float(np.mean([abs(made[k] - exact[k]) for k in attacks]))
    for part in ("forget", "retain"):
        made[f"gap_{part}"] = made[f"membership_{part}"] - exact[f"membership_{part}"]
    cell = {"row": what["row"], "group": what["shadows"], "figures": {k: [v] for k, v in made.items()}}
    write_json(job.path, {"cells": [cell], "missing": []}, flush=False)


def epsilon_hat(job: Job) -> None:
    """Compute epsilon-hat of one method: its models against as many retrained ones, sample by sample."""
    what, split = job.what, split_of(job.what, job.root)
    logits = [load_file(path)["train"] for path in job.inputs]
    at = np.searchsorted(split.train, split.forget)
    half = what["models"]
    exact, made = (np.stack([x[at] for x in part]) for part in (logits[:half], logits[half:]))
    labels = split.data.y[split.forget]
    published = epsilon(exact, made, labels, preset="eth2023")
    crossed = epsilon(exact, made, labels)
    held = [load_file(path)["holdout"] for path in job.inputs[half:]]
    truth = split.data.y[split.holdout]
    values = {
        "epsilon": min(float(published.median), published.largest), "epsilon_cross_fitted": float(crossed.median),
        "forget_accuracy": 100 * float((made.argmax(-1) == labels).mean()),
        "test_accuracy": 100 * float(np.mean([(x.argmax(-1) == truth).mean() for x in held])),
    }  # fmt: skip
    cell = {"row": what["row"], "group": half, "figures": {k: [v] for k, v in values.items()}}
    write_json(job.path, {"cells": [cell], "missing": []}, flush=False)


def leak_config(config: dict[str, Any], root: str | None, where: str) -> LeakConfig:
    """Return a setting of the two-version attack; data sets that name no folder of their own are in `root`."""
    from vestige.leaks import LeakConfig

    asked = validated(LeakConfig, config, where)

    def placed(data: DataConfig) -> DataConfig:
        return data if root is None or data.root is not None else data.model_copy(update={"root": Path(root)})

    other = asked.shadow.data
    shadow = asked.shadow.model_copy(update={"data": None if other is None else placed(other)})
    return asked.model_copy(update={"data": placed(asked.data), "shadow": shadow})


def leak_data(asked: LeakConfig, root: str | None) -> list[Dataset]:
    """Return the data sets that a setting of the two-version attack reads."""
    used = [data for data in (asked.data, asked.shadow.data) if data is not None]
    return [dataset(data.model_dump(mode="json"), root) for data in used]


def leaked(job: Job) -> None:
    """Run one setting of the two-version attack."""
    from vestige.leaks import run_leaks

    asked = leak_config(job.what["config"], job.root, job.what["row"])
    for data, fingerprint in zip(leak_data(asked, job.root), job.what["fingerprints"], strict=True):
        same_data(data, fingerprint)
    found = run_leaks(asked).record()["summary"]
    cell = {"row": job.what["row"], "group": 0, "figures": {k: [float(found[k])] for k in LEAKED}}
    write_json(job.path, {"cells": [cell], "missing": []}, flush=False)
