"""An audit of outputs of every kind: the right verdict, figures that are right or absent, and measures that say why not."""

from __future__ import annotations

from html import unescape

import numpy as np
import pytest

import vestige
from kind_worlds import ROLE, outcomes, world
from pages import unlinked
from vestige.errors import InputError
from vestige.evaluation import mia_efficacy
from vestige.evaluation.verdict import judge_signals
from vestige.experiments.steps import shadow_fields
from vestige.measures import MEASURES
from vestige.signals.kinds import KINDS, LIMITS, OF_CLASSES
from vestige.signals.transforms import loss, of_losses

EXACT, UNTOUCHED = 12, 3


def signals_of(kind, seed, unlearning="exact"):
    truth, outputs = world(kind, seed, unlearning)
    return vestige.Signals.from_outputs(kind, truth, **outputs, role=ROLE)


@pytest.mark.parametrize("kind", ["logits", "labels", "predictions", "multilabel"])  # the others: see below
def test_exact_deletions_are_not_accused_and_untouched_ones_are(kind):
    assert not {"under", "over"} & set(outcomes(kind, "exact", EXACT))
    assert outcomes(kind, "nothing", UNTOUCHED) == ["under"] * UNTOUCHED


@pytest.mark.parametrize("kind", ["log_probabilities", "probabilities", "losses"])
def test_the_same_models_have_the_same_verdict_whatever_they_say(kind):
    one, other = (vestige.audit(signals_of(k, 3), ["iam", "random"]) for k in ("logits", kind))
    ours, theirs = one.verdict, other.verdict
    assert (ours.outcome, ours.p_under, ours.p_over, ours.counts, ours.power) == (
        theirs.outcome, theirs.p_under, theirs.p_over, theirs.counts, theirs.power,
    )  # fmt: skip
    assert (ours.completeness, ours.low, ours.high) == pytest.approx(
        (theirs.completeness, theirs.low, theirs.high)
    )
    for column in ("score", "p_under", "p_over", "label"):
        assert one.scores[column].to_numpy(float) == pytest.approx(
            other.scores[column].to_numpy(float), rel=1e-6, nan_ok=True
        )


def true_label(signals):
    """The same record, of which only the probability of the true label is known."""
    labels = signals.labels
    stacks = {name: [loss(m, labels) for m in getattr(signals, name)] for name in ("shadow_out",)}
    more = {
        name: true_label(getattr(signals, name))
        for name in ("population", "calibration")
        if getattr(signals, name) is not None
    }
    if signals.population_in is not None:
        more["population_in"] = loss(signals.population_in, signals.population.labels)
    return vestige.Signals.from_outputs(
        "losses", labels, unlearned=loss(signals.unlearned, labels),
        original=None if signals.original is None else loss(signals.original, labels), role=signals.role,
        ids=signals.ids, shadow_fit=signals.shadow_fit, **stacks, **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def records():
    import oracles

    whole = oracles.gaussian_world(5)
    return whole, true_label(whole)


TAKES_MORE = ("quantile",)
"""Measures that read every class where there are more, and do without where there are not."""


@pytest.mark.parametrize("preset", ["recommended", "paper"])
@pytest.mark.parametrize("name", [name for name in MEASURES if MEASURES[name].of_samples])
def test_a_measure_reads_what_it_declares(records, name, preset):
    """What reads the true label alone scores the same from its probability; all else is refused in a sentence."""
    whole, alone = records
    entry = MEASURES[name]
    values = entry.resolve({}, preset)
    declared = entry.distribution
    more = declared is True or any(values.get(k) in v for k, v in (declared or {}).items())
    if more:
        with pytest.raises(
            InputError, match=f"{name} .*reads the probability of every class; of these samples"
        ):
            vestige.measure(name, alone, preset=preset)
        return
    same = vestige.measure(name, alone, preset=preset)
    assert name in TAKES_MORE or same == pytest.approx(
        vestige.measure(name, whole, preset=preset), rel=1e-6, abs=1e-9
    )


@pytest.mark.parametrize("kind", ["losses", "labels"])
def test_simulated_deletions_of_the_same_kind_give_degrees(kind):
    """As a run builds them: three shadow models on parts of a pool."""
    rng = np.random.default_rng(0)
    pool, members = np.zeros(400, int), np.stack([rng.permutation(400) < 200 for _ in range(3)])
    losses = [np.where(rng.random(400) < 0.3 + 0.6 * m, 0.1, 2.3) for m in members]
    if kind == "losses":
        losses = [rng.gamma(2, np.where(m, 0.2, 1.0)) for m in members]
    audited = signals_of(kind, 0)
    fields = shadow_fields(
        pool, np.arange(400).astype(str), members, [of_losses(one) for one in losses],
        [*audited.shadow_out, audited.shadow_out[0]], simulate=True, seed=0, kind=audited.kind,
    )  # fmt: skip
    ids = [f"own/{name}" for name in audited.names]
    whole = audited.with_(ids=ids, **{k: np.stack(v) if k == "shadow_out" else v for k, v in fields.items()})
    audit = vestige.audit(whole, ["lira_offline"])
    figure = audit.metric("lira_offline", "detectable_influence")
    assert whole.calibration.kind == audited.kind
    if kind == "labels":
        assert figure.reason == "There are no degrees between a right and a wrong prediction."
    else:
        assert audit.scores.query("measure == 'lira_offline' and role == 'forget'")["degree"].notna().all()


def test_what_a_true_label_does_not_tell_is_absent_with_its_reason():
    audit = vestige.audit(signals_of("losses", 0), ["iam", "mia_entropy", "rmia_offline"])
    model = {m.name: m for m in audit.figures if m.measure == "model"}
    for name in ("unlearning_accuracy", "retain_accuracy", "test_accuracy"):
        assert model[name].value is None and "only how likely the truth is" in model[name].reason
    assert model["mia_efficacy"].value is not None
    reasons = {run.measure: run.reason for run in audit.measures}
    assert reasons["iam"] is None
    assert reasons["mia_entropy"] == (
        "mia_entropy reads the probability of every class; of these samples that of the true label alone is known."
    )
    assert "rmia_offline with parameters='cifar10'" in reasons["rmia_offline"]
    assert LIMITS["losses"] in audit.limits
    with pytest.raises(InputError, match="MIA by entropy reads the probability of every class"):
        mia_efficacy(signals_of("losses", 0), feature="entropy")


def test_accuracies_of_predicted_labels_are_those_of_the_logits():
    one, other = (
        {m.name: m.value for m in vestige.audit(signals_of(kind, 1), ["iam"]).figures if m.measure == "model"}
        for kind in ("logits", "labels")
    )
    for name in ("unlearning_accuracy", "retain_accuracy", "test_accuracy"):
        assert one[name] == other[name] is not None


def test_records_of_a_forgotten_class_are_compared_within_it():
    """The audited model favours a class, whoever it saw: without the classes a request of it would look remembered."""
    rng = np.random.default_rng(0)
    truth = np.where(ROLE == "forget", 1, rng.integers(0, 2, len(ROLE)))
    hard = rng.gamma(2, 1, len(ROLE))
    losses = [hard * rng.gamma(8, 1 / 8, len(ROLE)) for _ in range(3)]
    models = {"unlearned": losses[0] * np.where(truth == 1, 0.5, 1.0), "shadow_out": losses[1:]}
    known, unknown = (vestige.Signals.from_outputs("losses", t, **models, role=ROLE) for t in (truth, None))
    assert judge_signals(known, alpha=0.05, tolerance=0.1, seed=0).verdict.p_under > 0.025
    assert judge_signals(unknown, alpha=0.05, tolerance=0.1, seed=0).verdict.p_under < 0.025


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in OF_CLASSES])
def test_an_audit_is_written_and_read_back(tmp_path, kind):
    audit = vestige.audit(signals_of(kind, 2), ["iam", "mia_probability"], name=kind)
    audit.save(tmp_path / "a")
    again = vestige.evaluation.Audit.load(tmp_path / "a")
    assert again.signals.kind == audit.signals.kind and again.limits == audit.limits
    assert again.scores["label"].isna().all() == (kind in ("predictions", "multilabel"))
    page = unescape(unlinked((tmp_path / "a" / "report.html").read_text()))
    assert audit.signals.known in page and audit.signals.notes[-1] in page
