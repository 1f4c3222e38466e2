import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import oracles
import vestige
from vestige.errors import MissingArray
from vestige.measures.metric_mia import modified_entropy, published_modified_entropy
from vestige.measures.two_versions import posterior
from vestige.signals import Signals

WORLD = oracles.gaussian_world(8)
NAMES = [
    f"mia_{name}" for name in ("correctness", "confidence", "entropy", "modified_entropy", "probability")
]


def test_modified_entropy_by_hand():
    p = np.array([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25]])
    wanted = [
        -0.3 * np.log(0.7) - 0.2 * np.log(0.8) - 0.1 * np.log(0.9),
        -0.75 * np.log(0.25) - 0.5 * np.log(0.5) - 0.25 * np.log(0.75),
    ]
    assert modified_entropy(np.log(p), np.array([0, 2])) == pytest.approx(wanted)


def test_published_correctness_attack_is_the_error_rate():
    forget = WORLD.roles == "forget"
    wrong = WORLD.unlearned.argmax(axis=1) != WORLD.labels
    decided = vestige.measure("mia_correctness", WORLD, preset="paper")
    assert np.array_equal(decided[forget] == 1, wrong[forget])


@pytest.mark.parametrize("name", ["mia_confidence", "mia_probability"])
def test_published_attacks_see_as_many_members_as_others(name):
    """The first retained samples, as many as there are holdout samples: what the further ones are changes nothing."""
    n, retain = len(WORLD), np.flatnonzero(WORLD.roles == "retain")
    others = np.flatnonzero(WORLD.roles == "holdout")[: len(retain) // 2]
    few = WORLD.take(np.sort(np.concatenate([retain[: len(others)], others])))
    more = WORLD.take(np.sort(np.concatenate([retain, others])))
    assert len(few) < len(more) < n
    assert np.array_equal(
        vestige.measure(name, few, preset="paper"),
        vestige.measure(name, more, preset="paper")[np.isin(more.names, few.names)],
    )


@pytest.mark.parametrize("name", NAMES)
def test_on_pure_noise_the_cross_fitted_attack_finds_nothing(name):
    rng = np.random.default_rng(0)
    n = 1200
    role = np.where(np.arange(n) < 100, "forget", np.where(np.arange(n) % 2, "retain", "holdout"))
    noise = Signals(rng.integers(0, 10, n), rng.normal(size=(n, 10)), role=role)
    scores = vestige.measure(name, noise)
    known = role != "forget"
    assert abs(roc_auc_score(role[known] == "holdout", scores[known]) - 0.5) < 0.06


def test_roles_are_asked_for():
    with pytest.raises(MissingArray, match="retained and 5 holdout"):
        vestige.measure("mia_entropy", WORLD.with_(role=None))


def test_levelled_posterior_by_hand():
    p = np.array([[0.1, 0.4, 0.05, 0.3, 0.15]])
    assert posterior(np.log(p)) == pytest.approx(np.array([[0.075, 0.4, 0.075, 0.3, 0.15]]))
    assert posterior(np.log(p[:, :3])) == pytest.approx(p[:, :3] / p[:, :3].sum())
    assert posterior(np.zeros((1, 4))) == pytest.approx(np.full((1, 4), 0.25))


def test_published_modified_entropy_does_not_know_the_label():
    """-(0.3 log 0.7 + 0.8 log 0.2 + 0.9 log 0.1), whatever the label; the published preset uses it."""
    p = np.array([[0.7, 0.2, 0.1]])
    wanted = -(0.3 * np.log(0.7) + 0.8 * np.log(0.2) + 0.9 * np.log(0.1))
    assert published_modified_entropy(np.log(p)) == pytest.approx([wanted])
    published = vestige.measure("mia_modified_entropy", WORLD, preset="paper")
    assert not np.array_equal(
        published, vestige.measure("mia_modified_entropy", WORLD, preset="paper", form="right")
    )
