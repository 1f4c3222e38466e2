import numpy as np
import pytest
from sklearn.svm import SVC

from vestige.errors import InputError
from vestige.evaluation import accuracy_figures, average_disparity, mia_efficacy
from vestige.evaluation.accuracy import _feature
from vestige.signals import Signals


def signals(correct, labels=None, roles=None, confident=4.0):
    """Two classes; a sample is right where `correct`, with a margin that grows with its position."""
    n = len(correct)
    labels = np.zeros(n, int) if labels is None else np.asarray(labels)
    logits = np.zeros((n, 2))
    sign = np.where(correct, 1, -1) * np.where(labels == 0, 1, -1)
    logits[:, 0] = sign * (confident + 0.01 * np.arange(n))
    return Signals(labels, logits, role=roles)


ROLES = np.repeat(["forget", "retain", "holdout"], [4, 10, 8])


def test_accuracies_by_hand():
    correct = np.array([1, 0, 0, 1] + [1] * 9 + [0] + [1] * 6 + [0] * 2, bool)
    found = accuracy_figures(signals(correct, roles=ROLES))
    assert (
        found["unlearning_accuracy"] == 50 and found["retain_accuracy"] == 90 and found["test_accuracy"] == 75
    )


def test_holdout_of_a_forgotten_class_is_left_out():
    labels = np.array([1] * 4 + [0] * 10 + [0] * 6 + [1] * 2)
    correct = np.array([0] * 4 + [1] * 10 + [1] * 6 + [0] * 2, bool)
    assert accuracy_figures(signals(correct, labels, ROLES))["test_accuracy"] == 100


def test_mia_efficacy_finds_who_looks_like_a_member():
    margin = np.concatenate([[5.0, 5, 0, 0], np.full(10, 5.0), np.full(8, 0.0)])
    record = Signals(np.zeros(22, int), np.stack([margin, np.zeros(22)], 1), role=ROLES)
    assert mia_efficacy(record) == 50 and mia_efficacy(record, "paper") == 50


def test_paper_preset_is_the_published_svc():
    rng = np.random.default_rng(0)
    role = np.repeat(["forget", "retain", "holdout"], [50, 300, 100])
    margin = rng.normal(np.where(role == "holdout", 1, 3), 2)
    record = Signals(np.zeros(450, int), np.stack([margin, np.zeros(450)], 1), role=role)
    p = 1 / (1 + np.exp(-margin))[:, None]
    attack = SVC(C=3, gamma="auto", kernel="rbf")
    attack.fit(np.concatenate([p[50:150], p[350:]]), np.repeat([1, 0], [100, 100]))
    assert mia_efficacy(record, "paper") == 100 * (attack.predict(p[:50]) == 0).mean()


def test_average_disparity_arithmetic():
    own = {"unlearning_accuracy": 5, "retain_accuracy": 99, "test_accuracy": 90, "mia_efficacy": 10}
    exact = {"unlearning_accuracy": 6, "retain_accuracy": 100, "test_accuracy": 94, "mia_efficacy": 20}
    assert average_disparity(own, exact) == 4 and average_disparity(exact, exact) == 0
    with pytest.raises(InputError, match="test_accuracy"):
        average_disparity({"unlearning_accuracy": 1}, exact)


def test_what_is_missing_is_named():
    with pytest.raises(InputError, match="holdout"):
        mia_efficacy(signals(np.ones(4, bool)))


def test_features_by_hand():
    """Two classes, p = 0.8 for the label: entropy, modified entropy, and the published one without the label."""
    p = np.array([[0.8, 0.2], [0.3, 0.7]])
    entropy = -(p * np.log(p)).sum(axis=1)
    modified = -(1 - p[:, 0]) * np.log(p[:, 0]) - p[:, 1] * np.log(1 - p[:, 1])
    one_class = -((1 - p[:, 0]) * np.log(p[:, 0]) + p[:, 1] * np.log(p[:, 1]))
    both = -((1 - p) * np.log(p)).sum(axis=1)
    labels = np.zeros(2, int)
    for name, expected, paper in (
        ("correctness", [1, 0], True), ("entropy", entropy, True), ("entropy", entropy, False),
        ("modified_entropy", modified, False), ("modified_entropy", one_class, True),
    ):  # fmt: skip
        assert _feature(Signals(labels, np.log(p)), np.arange(2), name, published=paper) == pytest.approx(
            expected
        ), name
    record = Signals([0, 1], np.log(p))
    assert _feature(record, np.arange(2), "modified_entropy", published=True) == pytest.approx(both)


def test_attacks_on_other_features():
    rng = np.random.default_rng(0)
    role = np.repeat(["forget", "retain", "holdout"], [60, 300, 200])
    margin = rng.normal(np.where(role == "holdout", 0.2, 3), 1)
    record = Signals(np.zeros(560, int), np.stack([margin, np.zeros(560)], 1), role=role)
    wrong = accuracy_figures(record)["unlearning_accuracy"]
    assert mia_efficacy(record, "paper", "correctness") == pytest.approx(wrong)
    for preset in ("paper", "recommended"):  # forget samples still look like members
        assert all(
            mia_efficacy(record, preset, f) < 50 for f in ("entropy", "modified_entropy", "correctness")
        )
    with pytest.raises(InputError, match="modified_entropy"):
        mia_efficacy(record, feature="modified_entropie")
    certain = Signals(np.zeros(560, int), 1e4 * np.sign(np.stack([margin, -margin], 1)), role=role)
    assert 0 <= mia_efficacy(certain, feature="modified_entropy") <= 100
