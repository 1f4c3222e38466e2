"""Synthetic audits with realistic values; what they hold is made up, how it is shaped is not."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vestige.evaluation.result import Audit, MeasureRun, Metric
from vestige.evaluation.verdict import RECORD_OUTCOMES, Control, Power, Verdict, answer
from vestige.signals import Signals

MEASURES = (
    "iam", "lira", "emia", "linear_gap", "confidence", "confidence_difference", "loss_difference", "random",
)  # fmt: skip
# How far unlearning moved the forget samples: 0 = not at all, 1 = to where holdout samples lie.
MOVED = {"retrain": 1.0, "finetune": 0.55, "gradient_ascent": 1.7}
OUTCOME = {"retrain": "unlearned", "finetune": "under", "gradient_ascent": "over"}
MATCHED = "20 matched records at least, at most 10 % outside"
NO_SHADOW = "no shadow model is given, so a hard record cannot be told from one that was unlearned"


@pytest.fixture(scope="module", autouse=True)
def pictures():
    """As they are: these tests look at them."""


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


def make_scores(
    signals: Signals, measures: tuple[str, ...], compared: bool, blocked: bool, intervals: bool
) -> pd.DataFrame:
    """Return the rows of the trace, with the answers, where something could be `compared`; then those of measures."""
    rng = np.random.default_rng(7)
    own = signals.unlearned[np.arange(len(signals)), signals.labels].astype(float)
    frames = []
    if compared:
        score = (3 - own) / 2.5 + rng.normal(0, 0.2, len(signals))
        rows = make_rows(signals, "trace", score, p_values=True)
        grades = [score < -1.5, score > 1.8, score > -0.5]
        answers = np.select(grades, ["under", "over", "cleared"], "undecided")
        answers = np.full_like(answers, "undecided") if blocked else answers
        frames.append(rows.assign(verdict=np.where(signals.roles == "forget", answers, "")))
    for position, measure in enumerate(measures):
        noise = rng.normal(0, 0.3 + 0.5 * position, len(signals))
        score = np.tanh((6 - own - noise) / 4) if position != 6 else 6 - own + 3 * noise
        if measure == "random":
            score = rng.random(len(signals))
        spread = 0.04 + 0.02 * rng.random(len(score))
        rows = make_rows(signals, measure, score, p_values=compared)
        if intervals:
            rows = rows.assign(low=score - spread, high=score + spread)
        degree = np.where(signals.roles == "holdout", np.nan, np.clip(0.75 + 1.6 * score, -0.5, 2))
        rows = rows.assign(
            degree=degree, degree_low=np.maximum(degree - 0.8, -0.5), degree_high=np.minimum(degree + 0.7, 2)
        )
        frames.append(rows)
    return pd.concat(frames, ignore_index=True)


def make_rows(signals: Signals, measure: str, score: np.ndarray, p_values: bool) -> pd.DataFrame:
    rank = (np.argsort(np.argsort(score)) + 1) / (len(score) + 1)
    under = np.clip(rank**2, 1e-5, 1) if p_values else np.full(len(score), np.nan)
    nothing = {name: np.nan for name in ("low", "high", "degree", "degree_low", "degree_high")}
    return pd.DataFrame({
        "id": signals.names, "role": signals.roles, "label": signals.labels, "measure": measure, "score": score,
        "p_under": under, "p_over": 1 - under, **nothing, "verdict": "",
    })  # fmt: skip


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


def make_controls(failing: str) -> tuple[Control, ...]:
    """Return controls of both kinds, one of them not run; the one of the kind `failing` did not hold."""
    seen, shift = (0.38, -0.02) if failing == "sharpness" else (0.005, 0.71 if failing else -0.02)
    return (
        Control("shadows fit training records no better", "reference",
                f"The shadows fit the training records {shift:+.2f} standard deviations better than never-seen ones.",
                shift, "within 0.3", abs(shift) <= 0.3),
        Control("difficulty is matched", "reference", "The matched records amount to 104.", 104.0, MATCHED, True),
        Control("never-seen sources agree", "reference", "Never-seen records were not compared with others.", None, "",
                None, "there is one source of never-seen records; that none was trained on is an assumption"),
        Control("retained records are recognised", "sharpness",
                f"200 retained records in place of the forgotten ones: p {seen:.2g}.", seen, "p <= 0.01", seen <= 0.01),
    )  # fmt: skip


def make_power(n: int) -> tuple[Power, ...]:
    rare = [Power(f"{k:,} of {n:,} whole", k, 1.0, p) for k, p in ((1, 0.34), (max(1, n // 20), 0.98))]
    shares = ((0.05, 0.22), (0.1, 0.61), (0.25, 1.0))
    weak = [Power(f"{share:.0%} of the influence in every record", n, share, p) for share, p in shares]
    return (*rare, *weak)


def make_verdict(
    outcome: str, moved: float, answers: pd.Series, roles: tuple[int, int, int], failing: Control | None
) -> Verdict:
    """Return a verdict on what was compared, in the words of the library; `failing` blocks it."""
    n, kept, null = roles
    counts = {key: int((answers == key).sum()) for key in RECORD_OUTCOMES}
    p_under, p_over = 0.0002 if outcome == "under" else 0.41, 0.0004 if outcome == "over" else 0.63
    wide = 0.3 if outcome == "undecided" else 0.0
    left = (1 - moved, 1 - moved - 0.05 - wide, 1 - moved + 0.04 + wide)
    whole = {"unlearned": 0, "over": 0, "under": n // 3, "undecided": 4}[outcome]
    figures = answer.Figures(
        n, p_under, p_over, *left, whole, 1, counts["under"], counts["under"], 0.05, 0.1, null, kept, "record"
    )
    sentence = {
        "unlearned": answer.unlearned_sentence(figures), "under": answer.under_sentence(figures),
        "over": answer.over_sentence(figures), "undecided": answer.undecided_sentence(figures, True),
    }[outcome]  # fmt: skip
    advice = "How many could be untouched shrinks with more shadow models." if outcome == "undecided" else ""
    completeness: tuple[float | None, ...] = (moved, 1 - left[2], 1 - left[1])
    if failing is not None:
        outcome, sentence = "undecided", answer.blocked_sentence((failing.name,), [failing.statement])
        advice, completeness = (
            "Bring never-seen records of the same kind; then audit again.",
            (None, None, None),
        )
    return Verdict(
        outcome, sentence, advice, () if failing is None else (failing.name,), 0.05, 0.1, counts, p_under, p_over,  # type: ignore[arg-type]
        *completeness, None if failing else whole, 1, counts["under"], n, null, kept, 104.0, make_power(n),
    )  # fmt: skip


def make_audit(
    name: str = "finetune",
    *,
    roles: tuple[int, int, int] = (60, 300, 120),
    measures: tuple[str, ...] = MEASURES[:3],
    classes: int = 10,
    shadows: int = 4,
    original: bool = True,
    failing: str = "",
    failed_measure: bool = True,
    outcome: str | None = None,
    ids: list[str] | None = None,
) -> Audit:
    """Return a made-up audit; the keywords are what the tests vary.

    Parameters
    ----------
    failing : str
        The kind of control that does not hold, "reference" or "sharpness"; a trace is found all the same
        where the latter fails. Without shadows or never-seen records nothing is compared, as in a true audit.
    """
    signals = make_signals(name, roles, classes, shadows, original, ids)
    compared = shadows > 0 and roles[2] > 0
    outcome = outcome or OUTCOME.get(name, "under")
    controls = make_controls(failing) if compared else ()
    blocking = [c for c in controls if c.passed is False and (c.kind == "reference" or outcome != "under")]
    scores = make_scores(signals, measures, compared, bool(blocking), intervals=shadows > 1)
    answers = scores[(scores["measure"] == "trace") & (scores["role"] == "forget")]["verdict"]
    if compared:
        verdict = make_verdict(outcome, MOVED.get(name, 1.0), answers, roles, next(iter(blocking), None))
    else:
        counts = dict.fromkeys(RECORD_OUTCOMES, 0) | {"undecided": roles[0]}
        advice = "Add the outputs of at least one model that never saw these records."
        verdict = Verdict("undecided", f"Undecided: {NO_SHADOW}.", advice, (), 0.05, 0.1, counts, n=roles[0])
    runs = [
        MeasureRun("trace", "recommended", {"alpha": 0.05}, "scored" if compared else "failed", 0.8,
                   None if compared else verdict.sentence, "120 never-seen records" if compared else None,
                   "standard deviations of never-seen records", "docs/labbook/claims.md"),
        *(MeasureRun(m, "recommended", {"family": "gumbel", "steps": None} if m == "iam" else {}, "scored", 0.4321,
                     null="holdout samples" if compared else None, unit="unlearning score", cites="Wang et al. 2025")
          for m in measures),
    ]  # fmt: skip
    if failed_measure:
        runs.append(
            MeasureRun("rmia", "paper", {"gamma": 2.0}, "failed", 0.0021,
                       reason="rmia needs `population`: samples that no audited model was trained on.")
        )  # fmt: skip
    limits = [
        "Says nothing about attacks that were not run.",
        "Records are taken as independent of each other.",
    ]
    return Audit(
        name=name,
        signals=signals,
        scores=scores,
        figures=make_metrics(measures, len(signals), sum(roles[1:]) > 0),
        controls=controls,
        measures=tuple(runs),
        verdict=verdict,
        limits=tuple(limits),
        seconds=12.5,
    )


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
            name,
            roles=(500, 7_500, 2_000),
            measures=MEASURES,
            failing="reference" if name == "gradient_ascent" else "",
        )
        for name in MOVED
    }
