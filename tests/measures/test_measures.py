"""What holds for every registered measure."""

import functools

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

import oracles
import vestige
from vestige.errors import InputError
from vestige.measures import MEASURES

pytestmark = pytest.mark.usefixtures("small_attacker")
WORLD = oracles.gaussian_world(5)
FEW = oracles.gaussian_world(5, forget=60, retain=200, holdout=150, pool=200)
"""As many records as it takes to see that scores are finite."""
OPTIONAL = (
    "original", "shadow_out", "shadow_fit", "retrained", "population", "population_in", "calibration", "sensitivity",
)  # fmt: skip
NAMES = [name for name in MEASURES if MEASURES[name].of_samples]
PRESETS = ("recommended", "paper")
AUC_IN = {"random": (0.4, 0.6), "mia_correctness": (0.6, 0.8)}
FAST = {"samia": {"epochs": 3}}  # published: 100


def measured(name, signals, preset="recommended"):
    return vestige.measure(name, signals, preset=preset, **FAST.get(name, {}))


@functools.cache
def usual(name, preset="recommended"):
    """The scores of the world as it is, worked out once."""
    scores = measured(name, WORLD, preset)
    scores.setflags(write=False)
    return scores


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", NAMES)
def test_declared_fields_are_all_that_is_read(name, preset):
    entry = MEASURES[name]
    scores = usual(name, preset)
    undeclared = [f for f in OPTIONAL if f not in entry.needs + entry.uses]
    bare = WORLD.without(*undeclared)
    if "role" not in entry.uses:
        bare = bare.with_(role=None)
    try:
        same = np.array_equal(measured(name, bare, preset), scores)
    except InputError:
        same = False
    read = (
        []
        if same
        else [
            f for f in (*undeclared, "role") if f not in entry.needs + entry.uses and differs(name, f, preset)
        ]
    )
    assert same, f"{name} reads {read} of the signals; declare each in needs= or uses= of @register"


def differs(name, field, preset):
    bare = WORLD.with_(role=None) if field == "role" else WORLD.without(field)
    try:
        return not np.array_equal(measured(name, bare, preset), usual(name, preset))
    except InputError:
        return True


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", NAMES)
def test_needed_fields_are_asked_for(name, preset):
    for field in MEASURES[name].needs:
        if field in OPTIONAL:
            with pytest.raises(InputError, match=field):
                vestige.measure(name, WORLD.without(field), preset=preset)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", NAMES)
def test_larger_is_more_unlearned(name, preset):
    scores = usual(name, preset)
    known = WORLD.roles != "holdout"
    auc = roc_auc_score(WORLD.roles[known] == "forget", scores[known])
    low, high = AUC_IN.get(name, (0.75, 1.0))
    assert low <= auc <= high, (
        f"the AUC of {name} between forgotten and retained is {auc:.3f}, {low} to {high} is wanted: larger = more unlearned"
    )


@pytest.mark.parametrize("name", [n for n in NAMES if n != "random"])
def test_permuted_roles_leave_nothing_to_find(name):
    known = np.flatnonzero(WORLD.roles != "holdout")
    roles = WORLD.roles.copy()
    roles[known] = np.random.default_rng(1).permutation(roles[known])
    scores = measured(name, WORLD.with_(role=roles))
    assert abs(roc_auc_score(roles[known] == "forget", scores[known]) - 0.5) < 0.08


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", NAMES)
def test_order_of_samples_does_not_matter(name, preset):
    if name.startswith(("mia_", "samia")) and preset == "paper":
        return  # published: fitted on the retained samples in their order
    order = np.random.default_rng(2).permutation(len(WORLD))
    scores = usual(name, preset)
    close = {"rtol": 1e-3, "atol": 1e-4} if name == "samia" else {"rtol": 1e-9, "atol": 1e-12}
    assert np.allclose(measured(name, WORLD.take(order), preset), scores[order], **close)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "random"])
def test_a_constant_added_to_each_samples_logits_does_not_matter(name):
    shift = np.random.default_rng(3).normal(size=(len(WORLD), 1)) * 5
    moved = WORLD.with_(
        unlearned=WORLD.unlearned + shift,
        original=WORLD.original - shift,
        shadow_out=WORLD.shadow_out + 2 * shift,
    )
    assert np.allclose(measured(name, moved), usual(name), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_extreme_logits_give_a_score_or_a_reason(name):
    logits = FEW.unlearned.copy()
    logits[3] = 1e30
    logits[4, 0] = -1e30
    try:
        assert np.isfinite(measured(name, FEW.with_(unlearned=logits))).all()
    except InputError as error:
        assert name in str(error)


@pytest.mark.parametrize("name", NAMES)
def test_scores_lie_in_the_declared_range(name):
    low, high = MEASURES[name].range
    scores = usual(name)
    inside = (low is None or scores.min() >= low) and (high is None or scores.max() <= high)
    assert inside, (
        f"{name} declares range=({low}, {high}); its scores go from {scores.min()} to {scores.max()}"
    )


@pytest.mark.parametrize("name", NAMES)
def test_measuring_changes_nothing(name):
    before = [a.copy() for a in (FEW.unlearned, FEW.original, FEW.shadow_out, FEW.labels)]
    state = np.random.get_state()[1].copy()
    measured(name, FEW)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(before, (FEW.unlearned, FEW.original, FEW.shadow_out, FEW.labels), strict=True)
    )
    assert np.array_equal(np.random.get_state()[1], state)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'lira_online'"):
        vestige.measure("lira_onlin", WORLD)
    with pytest.raises(InputError, match="Did you mean 'paper'"):
        vestige.measure("iam", WORLD, preset="papers")


@functools.cache
def degenerate(fault):
    """The world with something missing that every attack would like to have."""
    one = FEW.take(np.arange(1))
    known, population = FEW.calibration, FEW.population
    flat = np.zeros_like(FEW.unlearned)
    few = FEW.shadow_out[:1]
    return {
        "one_sample": one,
        "constant_logits": FEW.with_(unlearned=flat, original=flat, shadow_out=np.stack([flat] * 3)),
        "ties": FEW.with_(unlearned=np.round(FEW.unlearned), original=np.round(FEW.original)),
        "one_shadow": FEW.with_(
            shadow_out=few,
            calibration=known.with_(shadow_out=known.shadow_out[:1]),
            population=population.with_(shadow_out=population.shadow_out[:1]),
        ),
        "absent_class": FEW.take(np.flatnonzero(FEW.labels != 3)),
        "huge": FEW.with_(unlearned=FEW.unlearned.astype(np.float64) * 1e30),
    }[fault]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "fault", ["one_sample", "constant_logits", "ties", "one_shadow", "absent_class", "huge"]
)
@pytest.mark.parametrize("name", NAMES)
def test_degenerate_signals_give_finite_scores_or_a_reason(name, fault, preset):
    signals = degenerate(fault)
    try:
        scores = measured(name, signals, preset)
    except InputError as error:
        assert str(error).endswith(".") and len(str(error)) > 20
        assert fault not in ("ties", "one_shadow", "absent_class"), "these are ordinary requests"
    else:
        assert scores.shape == (len(signals),) and np.isfinite(scores).all()


def test_the_published_quantile_is_a_step_with_one_shadow():
    """Published for whole classes: 1 where the output fell below the one shadow's, else 0; between them with more."""
    labels = np.array([0, 1, 0, 1])
    after = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    shadow = np.array([[[1.0, 0.0], [0.0, 1.0], [0.0, 0.5], [0.0, 4.0]]])
    one = vestige.Signals(labels, after, shadow_out=shadow)
    scores = vestige.measure("lira_offline", one, preset="paper", tail="quantile")
    assert scores.tolist() == [0.0, 1.0, 1.0, 1.0]
    two = vestige.Signals(labels, after, shadow_out=np.concatenate([shadow, shadow + [[[0.5, 0.0]]]]))
    z = (2.0 - np.array([1.0, 1.5])).mean() / 0.25  # lambda is the difference of the two logits
    scores = vestige.measure("lira_offline", two, variance="per_sample", tail="quantile")
    assert scores[0] == pytest.approx(stats.norm.cdf(-z), rel=1e-9)
