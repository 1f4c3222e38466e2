"""Features beside outputs: a trace that the outputs hide is told, exact retraining shows none, and silence is said."""

import numpy as np
import pytest

import vestige
from vestige.errors import InputError
from vestige.evaluation import Features
from vestige.evaluation.features import OUTPUTS_ALONE, feature_figures, probe_margins
from vestige.signals import Signals

N = {"forget": 100, "retain": 300, "holdout": 300}
ROLE, CLASSES, WIDTH = np.repeat(list(N), list(N.values())), 5, 12


def world(seed, push=4.0):
    """Return labels and a function that gives features: records that a model saw lie further inside of their class."""
    rng = np.random.default_rng(seed)
    labels, ease = rng.integers(0, CLASSES, len(ROLE)), rng.normal(2, 1, len(ROLE))

    def features(*seen, width=WIDTH):
        directions = np.linalg.qr(rng.normal(size=(width, width)))[0][:CLASSES]
        inside = ease + push * np.isin(ROLE, seen)
        return inside[:, None] * directions[labels] + rng.normal(size=(len(ROLE), width))

    return labels, features


def figures(labels, features, **known):
    signals = Signals(labels, np.zeros((len(labels), CLASSES)), role=ROLE, **known)
    metrics, sentence = feature_figures(signals, features(signals.names), alpha=0.05, tolerance=0.1, seed=0)
    return {metric.name: metric for metric in metrics}, sentence


def of(audited, make, shadows=1, **more):
    return lambda ids: Features(ids, make(*audited), tuple(make() for _ in range(shadows)), **more)


def test_features_that_hold_everything_are_told_from_those_of_a_retrained_model():
    labels, make = world(0)
    kept, sentence = figures(labels, of(("forget", "retain"), make))
    gone, _ = figures(labels, of(("retain",), make))
    assert kept["p_under"].value < 0.01 < 0.025 < gone["p_under"].value and "vestige remains" in sentence
    assert kept["influence_left"].low < 1 < kept["influence_left"].high and kept["influence_left"].value > 0.6
    assert gone["influence_left"].low < 0 < gone["influence_left"].high < 0.5
    assert kept["probe_accuracy"].value > kept["probe_accuracy"].reference + 0.1
    assert abs(gone["probe_accuracy"].value - gone["probe_accuracy"].reference) < 0.15


def test_exact_retrains_are_rarely_accused():
    p = [figures(labels, of(("retain",), make))[0]["p_under"].value for labels, make in map(world, range(30))]
    assert (np.array(p) <= 0.025).sum() <= 3


def test_exactly_retrained_models_are_the_reference_where_they_are_given():
    labels, make = world(1)
    shown, sentence = figures(labels, of(("retain",), make, retrained=(make("retain", width=20),)))
    assert shown["probe_accuracy"].reference_is == "the exactly retrained models'"
    assert "from those of exactly retrained models" in sentence


def test_no_record_is_scored_by_a_probe_that_has_seen_it():
    labels = np.random.default_rng(0).integers(0, 2, 90)
    alone = np.eye(90)  # a probe that has seen a record knows its class, and no other
    assert (probe_margins(alone, labels, np.arange(90).astype(str)) > 0).mean() < 0.7


@pytest.mark.parametrize(
    "change,says",
    [
        ({"unlearned": np.zeros((3, 4))}, r"unlearned has shape \[3, 4\]"),
        ({"shadow_out": (np.full((len(ROLE), 2), np.nan),)}, r"shadow_out\[0\]"),
        ({"ids": np.array(["0"] * len(ROLE))}, "0"),
        ({"ids": np.arange(5, 5 + len(ROLE)).astype(str)}, "not audited, such as"),
    ],
)
def test_features_that_do_not_fit_are_refused(change, says):
    labels, make = world(0)
    given = {
        "ids": np.arange(len(ROLE)).astype(str),
        "unlearned": make("retain"),
        "shadow_out": (make(),),
    } | change
    with pytest.raises(InputError, match=says):
        figures(labels, lambda ids: Features(**given))


def test_one_class_has_no_probe_and_no_shadow_no_answer():
    labels, make = world(0)
    shown, sentence = figures(np.zeros(len(ROLE), int), of(("retain",), make))
    assert (
        shown["p_under"].value is None
        and "two classes" in shown["p_under"].reason
        and "two classes" in sentence
    )
    shown, sentence = figures(labels, of(("retain",), make, shadows=0))
    assert (
        shown["influence_left"].value is None and "no shadow model is given" in shown["influence_left"].reason
    )
    assert shown["probe_accuracy"].reference is None


def test_too_few_records_for_a_probe_are_a_reason_and_no_fault():
    few = np.array([0, 100])
    labels = np.array([0, 1])
    signals = Signals(labels, np.zeros((2, CLASSES)), role=ROLE[few])
    features = Features(signals.names, np.ones((2, 2)), (np.ones((2, 2)),))
    for what in (features, features.probed(labels), features.probed(None)):
        metrics, sentence = feature_figures(signals, what, alpha=0.05, tolerance=0.1, seed=0)
        assert all(metric.value is None and "two classes" in metric.reason for metric in metrics)
        assert "two classes" in sentence


def test_an_audit_of_outputs_alone_says_that_it_is_one_and_another_says_what_features_hold():
    labels, make = world(0)
    rng = np.random.default_rng(9)

    def outputs(*seen):
        inside = 2 + 6 * np.isin(ROLE, seen)
        return rng.normal(size=(len(ROLE), CLASSES)) + inside[:, None] * np.eye(CLASSES)[labels]

    signals = Signals(labels, outputs("retain"), outputs("forget", "retain"), outputs(), role=ROLE)
    alone = vestige.audit(signals, ["random"])
    assert OUTPUTS_ALONE in alone.limits and alone.metric("features", "p_under") is None
    hidden = of(("forget", "retain"), make)(signals.names)
    both = vestige.audit(signals, ["random"], features=hidden)
    assert both.verdict == alone.verdict and OUTPUTS_ALONE not in both.limits
    assert both.verdict.outcome != "under" and both.metric("features", "p_under").value < 0.01
    assert any(
        limit.startswith("Features, read by a linear probe: A vestige remains") for limit in both.limits
    )
