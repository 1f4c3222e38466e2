"""Synthetic audits with realistic values; what they hold is made up, how it is shaped is not."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vestige.evaluation.result import Audit, Control, MeasureRun, Metric, Verdict
from vestige.signals import Signals

MEASURES = (
    "iam", "lira", "emia", "linear_gap", "confidence", "confidence_difference", "loss_difference", "random",
)  # fmt: skip
# How far unlearning moved the forget samples: 0 = not at all, 1 = to where holdout samples lie.
MOVED = {"retrain": 1.0, "finetune": 0.55, "gradient_ascent": 1.7}
OUTCOME = {"retrain": "unlearned", "finetune": "under", "gradient_ascent": "over"}
SENTENCE = {
    "unlearned": "{name} unlearned the request: {n} forget samples look like samples the model never saw; "
    "{under} are flagged as still present, {over} as damaged.",
    "under": "A vestige remains after {name}: {under} of {n} forget samples are still recognised as training data.",
    "over": "{name} went too far: {over} of {n} forget samples look worse than to a model that never saw them.",
    "undecided": "Undecided for {name}: with one shadow model and no p-values this audit cannot answer.",
}


def make_signals(
    name: str, roles: tuple[int, int, int], classes: int, shadows: int, original: bool, ids: list[str] | None
) -> Signals:
    rng = np.random.default_rng([len(name), sum(roles), classes])
    role = np.repeat(["forget", "retain", "holdout"], roles)
    n = len(role)
    labels = rng.integers(0, classes, n)
    fitted = np.where(role == "holdout", rng.normal(3.0, 2.5, n), rng.normal(8.0, 2.0, n))
    never = rng.normal(3.0, 2.5, n)
    after = np.where(role == "forget", fitted + MOVED.get(name, 1.0) * (never - fitted), fitted)

    def logits(own: np.ndarray) -> np.ndarray:
        values = rng.normal(0, 1, (n, classes)).astype(np.float32)
        values[np.arange(n), labels] = own
        return values

    return Signals(
        labels=labels,
        unlearned=logits(after + rng.normal(0, 0.4, n)),
        original=logits(fitted) if original else None,
        shadow_out=np.stack([logits(never) for _ in range(shadows)]) if shadows else None,
        role=role if sum(roles[1:]) else None,
        ids=None if ids is None else np.array(ids),
    )


def make_scores(signals: Signals, measures: tuple[str, ...], p_values: bool, intervals: bool) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    rows = np.arange(len(signals))
    own = signals.unlearned[rows, signals.labels].astype(float)
    frames = []
    for position, measure in enumerate(measures):
        noise = rng.normal(0, 0.3 + 0.5 * position, len(signals))
        score = np.tanh((6 - own - noise) / 4) if position != 6 else 6 - own + 3 * noise
        if measure == "random":
            score = rng.random(len(signals))
        forget = signals.roles == "forget"
        rank = (np.argsort(np.argsort(score)) + 1) / (len(score) + 1)
        under = np.where(forget & p_values, np.clip(rank**2, 1e-5, 1), np.nan)
        over = np.where(forget & p_values, 1 - under, np.nan)
        verdict = np.where(under < 0.01, "under", np.where(over < 0.01, "over", "unlearned"))
        verdict = np.where(forget, verdict if p_values else "undecided", "")
        spread = 0.04 + 0.02 * rng.random(len(score))
        frames.append(
            pd.DataFrame({
                "id": signals.names, "role": signals.roles, "label": signals.labels, "measure": measure,
                "score": score, "low": score - spread if intervals else np.nan,
                "high": score + spread if intervals else np.nan, "p_under": under, "p_over": over,
                "completeness": under + 0.5, "completeness_low": under, "completeness_high": under + 1,
                "verdict": verdict,
            })
        )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def make_metrics(measures: tuple[str, ...], n: int, with_roles: bool) -> tuple[Metric, ...]:
    closer = "closer to the retrained model is better"
    metrics = []
    for position, measure in enumerate(measures):
        value = 0.93 - 0.06 * position if with_roles else None
        metrics.append(
            Metric(
                measure, "auc", "forget against retain", value, "larger = forget and retain told apart", (0.0, 1.0),
                low=None if value is None else value - 0.012, high=None if value is None else value + 0.012,
                reference=0.5, reference_is="chance", n=n,
                reason=None if with_roles else "No retain samples to compare with.",
            )
        )  # fmt: skip
    if with_roles:
        for name, value in (
            ("unlearning_accuracy", 0.082), ("retain_accuracy", 0.9931), ("test_accuracy", 0.9127),
        ):  # fmt: skip
            metrics.append(
                Metric("model", name, "predictions against labels", value, closer, (0.0, 1.0), value - 0.01,
                       value + 0.01, n=n)
            )  # fmt: skip
        metrics.append(
            Metric("model", "mia_efficacy", "forget against holdout", None, closer, (0.0, 1.0),
                   reason="No retrained model was given.")
        )  # fmt: skip
    return tuple(metrics)


def make_controls(with_roles: bool, failing: bool) -> tuple[Control, ...]:
    if not with_roles:
        return ()
    return (
        Control("negative", "iam", "Share of holdout samples flagged as still present",
                0.118 if failing else 0.004, "at most 0.05", not failing),
        Control("positive", "iam", "Share of retained samples flagged as still present", 0.972, "at least 0.5", True),
        Control("positive", "lira", "Share of retained samples flagged as still present", None, "at least 0.5", None,
                "lira has no p-values with one shadow model."),
    )  # fmt: skip


def make_audit(
    name: str = "finetune",
    *,
    roles: tuple[int, int, int] = (60, 300, 120),
    measures: tuple[str, ...] = MEASURES[:3],
    classes: int = 10,
    shadows: int = 4,
    original: bool = True,
    p_values: bool = True,
    failing: bool = False,
    failed_measure: bool = True,
    outcome: str | None = None,
    ids: list[str] | None = None,
) -> Audit:
    """Return a made-up audit; the keywords are what the tests vary."""
    signals = make_signals(name, roles, classes, shadows, original, ids)
    with_roles = sum(roles[1:]) > 0
    scores = make_scores(signals, measures, p_values, intervals=shadows > 1)
    first = scores[(scores["measure"] == measures[0]) & (scores["role"] == "forget")]
    counts = {
        key: int((first["verdict"] == key).sum()) for key in ("unlearned", "under", "over", "undecided")
    }
    outcome = outcome or (OUTCOME.get(name, "under") if p_values else "undecided")
    sentence = SENTENCE[outcome].format(name=name, n=roles[0], **counts)
    moved = MOVED.get(name, 1.0)
    runs = [
        MeasureRun(m, "recommended", {"family": "gumbel", "steps": None} if m == "iam" else {}, "scored", 0.4321,
                   null="holdout samples" if p_values else None, unit="unlearning score", cites="Wang et al. 2025")
        for m in measures
    ]  # fmt: skip
    if failed_measure:
        runs.append(
            MeasureRun("rmia", "paper", {"gamma": 2.0}, "failed", 0.0021,
                       reason="rmia needs `population`: samples that no audited model was trained on.")
        )  # fmt: skip
    limits = [
        "Says nothing about attacks that were not run.",
        "With 4 shadow models a remaining influence of 0.1 would be detected with probability 0.83.",
    ]
    return Audit(
        name=name,
        signals=signals,
        scores=scores,
        metrics=make_metrics(measures, len(signals), with_roles),
        controls=make_controls(with_roles, failing),
        measures=tuple(runs),
        verdict=Verdict(outcome, sentence, measures[0], counts, 0.05, moved if p_values else None,  # type: ignore[arg-type]
                        moved - 0.04 if p_values else None, moved + 0.05 if p_values else None),
        limits=tuple(limits),
        seconds=12.5,
    )  # fmt: skip


def make_png(seed: int, size: int = 16) -> bytes:
    """Return a small RGB picture as PNG bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    raw = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    )


MANIFEST: dict[str, Any] = {
    "vestige": "0.1.0",
    "created": "2026-11-21T18:00:00Z",
    "data": {"name": "synthetic", "classes": 10, "class_names": [f"class {i}" for i in range(10)]},
    "config": {"train": {"epochs": 20, "lr": 0.1, "schedule": None}, "seed": 0},
    "hashes": {"signals": "9f2c" * 16, "data": "01ab" * 16},
    "timings": {"train": 812.4, "audit": 12.5},
    "models": {"original": {"accuracy": 0.9312}, "finetune": {"accuracy": 0.9127}},
}


@pytest.fixture(scope="session")
def audit() -> Callable[..., Audit]:
    return make_audit


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    return make_png


@pytest.fixture
def manifest() -> dict[str, Any]:
    return dict(MANIFEST)


@pytest.fixture(scope="session")
def three() -> dict[str, Audit]:
    """10,000 samples x 8 measures x 3 methods."""
    return {
        name: make_audit(
            name, roles=(500, 7_500, 2_000), measures=MEASURES, failing=name == "gradient_ascent"
        )
        for name in MOVED
    }
