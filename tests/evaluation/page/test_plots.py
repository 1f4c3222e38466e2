"""Figures: right numbers in their text alternatives, a reason where there is no figure."""

from __future__ import annotations

import sys
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np

from vestige.evaluation.page import plots
from vestige.evaluation.result import Audit, Metric

AUC = Metric("iam", "auc", "forget against retain", 0.75, "larger", (0.0, 1.0), 0.5, 0.9)


def label_of(drawing: plots.Drawing) -> str:
    assert drawing.svg is not None
    return ElementTree.fromstring(drawing.svg).get("aria-label", "")


def test_roc_points_known_answer() -> None:
    false, true = plots.roc_points(np.array([3.0, 1.0]), np.array([2.0, 0.0]))
    assert list(zip(false, true, strict=True)) == [(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)]


def test_roc_of_ties_is_the_diagonal() -> None:
    false, true = plots.roc_points(np.ones(5), np.ones(9))
    assert list(zip(false, true, strict=True)) == [(0, 0), (1, 1)]


def test_roc_rises_and_its_area_is_the_auc() -> None:
    rng = np.random.default_rng(0)
    forget, retain = rng.normal(1, 1, 300), rng.normal(0, 1, 700)
    false, true = plots.roc_points(forget, retain)
    assert (np.diff(false) >= 0).all() and (np.diff(true) >= 0).all()
    area = np.trapezoid(true, false)
    assert np.isclose(area, (forget[:, None] > retain[None]).mean())


def test_roc_says_its_numbers() -> None:
    scores = {"forget": np.array([3.0, 1.0]), "retain": np.array([2.0, 0.0])}
    linear, loglog = plots.roc(scores, "iam", AUC, "k")
    assert "AUC (chance: 0.5): 0.75 [0.50, 0.90]" in label_of(linear)
    assert "TNR at FNR 1 %: 50 %" in label_of(loglog)
    assert dict(loglog.facts)["TNR at FNR 10 %"] == "50 %"


def test_roc_with_perfect_and_with_no_separation() -> None:
    for gap in (100.0, 0.0, -100.0):
        forget, retain = np.arange(40.0) / 40 + gap, np.arange(60.0) / 60
        drawings = plots.roc({"forget": forget, "retain": retain}, "iam", None, "k")
        assert all(drawing.svg for drawing in drawings)
        pairs = np.sign(forget[:, None] - retain[None])  # without a figure, the area of what is drawn
        assert drawings[0].facts[0] == ("AUC (chance: 0.5)", f"{(1 + pairs.mean()) / 2:.3g}")


def test_roc_without_retain_has_a_reason() -> None:
    for drawing in plots.roc({"forget": np.ones(3)}, "iam", None, "k"):
        assert drawing.svg is None
        assert drawing.note == "No ROC for iam: it has no scores of retain samples to compare."


def test_distributions_say_medians_and_what_is_absent() -> None:
    drawing = plots.distributions({"forget": np.array([0.0, 1.0, 2.0])}, "iam", "nats", "k")
    assert "Forget (3): 1 (0.1 to 1.9)" in label_of(drawing)
    assert drawing.note.endswith("No retain or holdout samples in this audit.")
    assert plots.distributions({}, "iam", "", "k") == plots.Drawing(None, "iam has no scores.")


def test_distributions_of_extreme_scores() -> None:
    constant = plots.distributions({"forget": np.zeros(10), "retain": np.zeros(10)}, "iam", "", "k")
    assert constant.svg is not None
    wild = np.concatenate([np.linspace(0, 1, 2000), [1e6, -1e6]])
    drawing = plots.distributions({"forget": wild}, "iam", "", "k")
    assert "2 samples beyond the axis are counted in the outermost bins." in drawing.note


def test_before_after_shows_a_fixed_choice(audit: Callable[..., Audit]) -> None:
    signals = audit(roles=(700, 3000, 400)).signals
    drawing = plots.before_after(signals, "k")
    assert drawing == plots.before_after(signals, "k")
    assert "Shown: a fixed choice of 1,400 of 4,100 samples" in drawing.note
    assert len(drawing.svg or "") < 120_000
    assert drawing.facts[0][0] == "Forget"


def test_before_after_without_original_has_a_reason(audit: Callable[..., Audit]) -> None:
    drawing = plots.before_after(audit(original=False).signals, "k")
    assert drawing.svg is None
    assert "`original`" in drawing.note


def test_pyplot_is_never_imported(audit: Callable[..., Audit]) -> None:
    before = "matplotlib.pyplot" in sys.modules
    plots.before_after(audit().signals, "k")
    assert ("matplotlib.pyplot" in sys.modules) == before
