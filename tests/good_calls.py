"""Calls of the public API that are right, each small; whoever tries bad input changes an argument of one."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

import vestige
from vestige import evaluation, leaks, llm
from vestige.training import train_fleet, train_private, train_sparse
from vestige.unlearning.sisa import train_sisa

RNG = np.random.default_rng(0)
N, C = 60, 3
LABELS, LOGITS = np.resize(np.arange(C), N), RNG.normal(size=(N, C))
ROLE = np.resize(["forget", "retain", "holdout"], N)
IDS = [f"r{i}" for i in range(N)]
POSTERIORS = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
STATUS = np.resize(["deleted", "remaining", "outside"], N)
ROWS = vestige.Dataset("d", RNG.normal(size=(N, 4)).astype(np.float32), LABELS, IDS, tuple("abc"))
SPLIT = vestige.make_split(ROWS, "random", forget=5, train=30, holdout=10, shadow=10)
SIGNALS = vestige.Signals(
    LABELS, LOGITS, original=LOGITS + 1, shadow_out=np.stack([LOGITS + 0.5] * 2), role=ROLE, ids=IDS
)
PAIRS = leaks.PosteriorPairs(POSTERIORS, POSTERIORS[::-1], STATUS, np.arange(N) // 15, LABELS)
AUDIT = vestige.audit(SIGNALS, ["confidence"])
ONCE = vestige.Recipe(epochs=1, batch_size=16, lr=0.05)
SCORES = RNG.normal(size=N)
STACK = np.stack([LOGITS + k for k in range(5)])


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, C))


MODEL = net()
TOKENS = llm.TextSignals(
    *(np.full(6, -float(k)) for k in range(1, 6)),
    *(np.arange(6) for _ in range(2)),
    offsets=np.array([0, 2, 4, 6]),
    characters=np.full(3, 9),
    ids=np.array(["x", "y", "z"]),
)
TREE = LogisticRegression().fit(ROWS.x, ROWS.y)

# fmt: off
CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "Signals": (
        vestige.Signals,
        {
            "labels": LABELS,
            "unlearned": LOGITS,
            "original": LOGITS,
            "shadow_out": STACK,
            "shadow_fit": np.full(4, 0.5),
            "retrained": LOGITS,
            "sensitivity": LOGITS,
            "role": ROLE,
            "ids": IDS,
            "population": None,
            "population_in": None,
            "source": None,
            "cluster": None,
        },
    ),
    "Signals.with_": (SIGNALS.with_, {"unlearned": LOGITS, "original": LOGITS}),
    "Signals.take": (SIGNALS.take, {"rows": np.arange(5)}),
    "Signals.save": (SIGNALS.save, {"folder": "saved"}),
    "Signals.load": (vestige.Signals.load, {"path": "none"}),
    "Dataset": (
        vestige.Dataset,
        {"name": "d", "x": ROWS.x, "y": LABELS, "ids": IDS, "classes": tuple("abc")},
    ),
    "Dataset.take": (ROWS.take, {"positions": np.arange(5)}),
    "Split": (
        vestige.Split,
        {
            "data": ROWS,
            "forget": np.arange(2),
            "retain": np.arange(2, 9),
            "holdout": np.arange(9, 12),
            "shadow": np.arange(12, 20),
        },
    ),
    "make_split": (
        vestige.make_split,
        {
            "data": ROWS,
            "scenario": "random",
            "forget": 5,
            "label": None,
            "ids": None,
            "train": 30,
            "holdout": 10,
            "shadow": 10,
            "seed": 0,
            "request": None,
        },
    ),
    "load_dataset": (vestige.load_dataset, {"name": "digits", "root": None}),
    "load_config": (vestige.load_config, {"path": "none.yaml", "overrides": ()}),
    "run": (vestige.run, {"config": None, "folder": None, "say": print, "progress": False}),
    "simulated_deletions": (
        vestige.simulated_deletions,
        {
            "labels": LABELS,
            "logits": STACK,
            "member": RNG.random((5, N)) < 0.6,
            "ids": None,
            "out": None,
            "seed": 0,
        },
    ),
    "exchanged_deletions": (
        vestige.exchanged_deletions,
        {
            "labels": LABELS,
            "logits": STACK[:2],
            "member": RNG.random((2, N)) < 0.5,
            "original": STACK[2],
            "unlearned": STACK[3],
            "ids": None,
        },
    ),
    "measure": (
        vestige.measure,
        {"name": "iam", "signals": SIGNALS, "preset": "recommended", "steps": 20, "family": "gumbel"},
    ),
    "audit": (
        vestige.audit,
        {
            "signals": SIGNALS,
            "measures": ["confidence"],
            "name": "a",
            "preset": "recommended",
            "alpha": 0.05,
            "tolerance": 0.1,
            "seed": 0,
        },
    ),
    "Audit.save": (AUDIT.save, {"folder": "audit"}),
    "Audit.to_html": (AUDIT.to_html, {"path": "r.html"}),
    "Audit.load": (vestige.Audit.load, {"folder": "none"}),
    "build_model": (
        vestige.build_model,
        {"name": "mlp", "shape": (4,), "classes": 3, "seed": 0, "hidden": (3,)},
    ),
    "collect_logits": (
        vestige.collect_logits,
        {"model": MODEL, "rows": ROWS, "batch_size": 7, "device": None},
    ),
    "collect_fit": (vestige.collect_fit, {"model": MODEL, "rows": ROWS, "batch_size": 7}),
    "collect_sensitivity": (
        vestige.collect_sensitivity,
        {
            "model": MODEL,
            "rows": ROWS,
            "copies": 1,
            "sigma": 1e-3,
            "batch_size": 7,
            "device": None,
            "seed": 0,
        },
    ),
    "train": (
        vestige.train,
        {
            "model": MODEL,
            "rows": ROWS,
            "recipe": ONCE,
            "device": "cpu",
            "checkpoint": None,
            "progress": False,
            "on_epoch": None,
        },
    ),
    "train_fleet": (
        train_fleet,
        {"models": [MODEL], "rows": [ROWS], "recipe": ONCE, "seeds": [0], "device": "cpu", "workers": 1},
    ),
    "train_sparse": (
        train_sparse,
        {
            "model": nn.Sequential(nn.Linear(4, 5), nn.Linear(5, C)),
            "rows": ROWS,
            "recipe": ONCE,
            "sparsity": 0.5,
            "rewind": None,
        },
    ),
    "train_private": (
        train_private,
        {
            "model": MODEL,
            "rows": ROWS,
            "recipe": ONCE,
            "epsilon": 5.0,
            "delta": 1e-5,
            "clip": 1.0,
            "public": None,
            "device": "cpu",
        },
    ),
    "train_sisa": (
        train_sisa,
        {
            "model": MODEL,
            "rows": ROWS,
            "recipe": ONCE,
            "shards": 2,
            "slices": 1,
            "aggregation": "mean",
            "seed": 0,
            "device": "cpu",
        },
    ),
    "unlearn": (
        vestige.unlearn,
        {
            "name": "finetune",
            "model": MODEL,
            "split": SPLIT,
            "preset": "recommended",
            "recipe": None,
            "seed": 0,
            "device": "cpu",
            "progress": False,
            "max_epochs": None,
            "max_seconds": None,
            "on_epoch": None,
            "epochs": 1,
            "lr": 0.1,
        },
    ),
    "unlearn an estimator": (vestige.unlearn, {"name": "retrain", "model": TREE, "split": SPLIT, "seed": 0}),
    "evaluation.epsilon": (
        evaluation.epsilon,
        {
            "retrained": STACK,
            "unlearned": STACK,
            "labels": LABELS,
            "preset": "recommended",
            "delta": 0.05,
            "level": 0.95,
        },
    ),
    "evaluation.forgetting_score": (
        evaluation.forgetting_score,
        {
            "retrained": STACK,
            "unlearned": STACK,
            "labels": LABELS,
            "retain_accuracy": (0.9, 0.9),
            "test_accuracy": (0.9, 0.9),
            "preset": "recommended",
            "simulated": 20,
            "seed": 0,
        },
    ),
    "evaluation.distance": (
        evaluation.distance,
        {"unlearned": SCORES, "retrained": SCORES, "draws": 20, "seed": 0},
    ),
    "evaluation.scoreui": (
        evaluation.scoreui,
        {"scores": LOGITS, "degree": [0.0, 0.5, 1.0], "draws": 20, "seed": 0},
    ),
    "evaluation.figures": (evaluation.figures, {"unlearned": SCORES, "retained": SCORES}),
    "evaluation.roc": (evaluation.roc, {"unlearned": SCORES, "retained": SCORES}),
    "evaluation.auc": (evaluation.auc, {"unlearned": SCORES, "retained": SCORES}),
    "evaluation.balanced_accuracy": (evaluation.balanced_accuracy, {"unlearned": SCORES, "retained": SCORES}),
    "evaluation.tpr_at_fpr": (evaluation.tpr_at_fpr, {"unlearned": SCORES, "retained": SCORES, "fpr": 0.1}),
    "evaluation.tnr_at_fnr": (evaluation.tnr_at_fnr, {"unlearned": SCORES, "retained": SCORES, "fnr": 0.1}),
    "evaluation.bootstrap": (
        evaluation.bootstrap,
        {"unlearned": SCORES, "retained": SCORES, "draws": 20, "level": 0.9, "seed": 0},
    ),
    "evaluation.accuracy_figures": (
        evaluation.accuracy_figures,
        {"signals": SIGNALS, "preset": "recommended"},
    ),
    "evaluation.mia_efficacy": (
        evaluation.mia_efficacy,
        {"signals": SIGNALS, "preset": "recommended", "feature": "confidence"},
    ),
    "evaluation.average_disparity": (
        evaluation.average_disparity,
        {
            "figures": dict.fromkeys(
                ("unlearning_accuracy", "retain_accuracy", "test_accuracy", "mia_efficacy"), 1.0
            ),
            "retrained": dict.fromkeys(
                ("unlearning_accuracy", "retain_accuracy", "test_accuracy", "mia_efficacy"), 1.0
            ),
        },
    ),
    "PosteriorPairs": (
        leaks.PosteriorPairs,
        {
            "original": POSTERIORS,
            "unlearned": POSTERIORS,
            "status": STATUS,
            "set_id": np.arange(N),
            "labels": LABELS,
        },
    ),
    "PosteriorPairs.take": (PAIRS.take, {"rows": np.arange(5)}),
    "PosteriorPairs.save": (PAIRS.save, {"path": "pairs.npz"}),
    "PosteriorPairs.load": (leaks.PosteriorPairs.load, {"path": "none"}),
    "leaks.Setting": (
        leaks.Setting,
        {
            "name": "scratch",
            "sets": 1,
            "records": 9,
            "deletions": 2,
            "group": 1,
            "shards": 2,
            "seeds": "shared",
            "method": "retrain",
        },
    ),
    "leaks.Network": (
        leaks.Network,
        {"model": "mlp", "recipe": {"epochs": 1}, "temperature": 1.0, "privacy": None},
    ),
    "leaks.make_pairs": (
        leaks.make_pairs,
        {
            "data": ROWS,
            "target": "decision-tree",
            "setting": leaks.Setting(sets=1, records=9, deletions=2),
            "side": "target",
            "seed": 0,
            "workers": 1,
            "cache": None,
        },
    ),
    "leaks.attack": (
        leaks.attack,
        {
            "shadow": PAIRS,
            "target": PAIRS,
            "positive": "deleted",
            "negative": "outside",
            "models": ["decision-tree"],
            "features": ["sorted_diff", "max_confidence"],
            "defence": "none",
            "adaptive": True,
            "seed": 0,
        },
    ),
    "leaks.attack_pairs": (
        leaks.attack_pairs,
        {
            "shadow": PAIRS,
            "target": PAIRS,
            "positive": "deleted",
            "models": ["decision-tree"],
            "features": ["sorted_diff", "max_confidence"],
            "defences": (),
            "refitted": None,
            "seed": 0,
        },
    ),
    "leaks.three_way": (leaks.three_way, {"shadow": PAIRS, "target": PAIRS, "model": TREE, "seed": 0}),
    "leaks.run_leaks": (leaks.run_leaks, {"config": None, "cache": None, "workers": 1, "say": print}),
    "leaks.defended": (leaks.defended, {"pairs": PAIRS, "defence": "top_k=1"}),
    "leaks.hardened": (leaks.hardened, {"target": "torch:mlp", "defence": "dp=1"}),
    "leaks.features_of": (leaks.features_of, {"pairs": PAIRS, "name": "sorted_diff", "classes": None}),
    "leaks.score_of": (leaks.score_of, {"pairs": PAIRS, "name": "true_confidence_drop"}),
    "leaks.figures": (
        leaks.figures,
        {"score": SCORES, "positive": SCORES > 0, "sets": np.arange(N), "threshold": None},
    ),
    "leaks.clustered_interval": (
        leaks.clustered_interval,
        {
            "score": SCORES,
            "positive": SCORES > 0,
            "sets": np.arange(N) // 6,
            "baseline": None,
            "draws": 20,
            "level": 0.9,
            "seed": 0,
        },
    ),
    "leaks.degradation": (
        leaks.degradation,
        {"probability": POSTERIORS[:, 0], "baseline": POSTERIORS[:, 1], "positive": SCORES > 0},
    ),
    "leaks.overfitting": (leaks.overfitting, {"pairs": PAIRS}),
    "leaks.attack_models": (leaks.attack_models, {"seed": 0}),
    "llm.measure": (llm.measure, {"name": "loss", "preset": "recommended", "nll": np.abs(SCORES)}),
    "llm.Texts": (llm.Texts, {"texts": ("a", "b"), "ids": ("x", "y")}),
    "llm.read_texts": (llm.read_texts, {"path": "none"}),
    "Recipe": (
        vestige.Recipe,
        {"epochs": 1, "lr": 0.1, "optimizer": "sgd", "milestones": (), "augment": "none"},
    ),
    "llm.TextSignals": (functools.partial(dataclasses.replace, TOKENS), {"logp": TOKENS.logp, "mean": TOKENS.mean, "start": TOKENS.start, "offsets": TOKENS.offsets, "characters": TOKENS.characters, "ids": TOKENS.ids, "hashes": None}),
    "llm.TextSignals.save": (TOKENS.save, {"path": "t.parquet"}),
    "llm.TextSignals.load": (llm.TextSignals.load, {"path": "none"}),
    "llm.audit_texts": (llm.audit_texts, {"unlearned": TOKENS, "original": TOKENS, "shadows": [TOKENS], "role": ["forget", "retain", "holdout"], "extra": None, "name": "a", "alpha": 0.05, "tolerance": 0.1, "preset": "recommended"}),
    "llm.degrees": (llm.degrees, {"name": "loss", "checkpoints": [TOKENS, TOKENS], "original": TOKENS, "shadows": [TOKENS], "holdout": None, "extra": None}),
}
