import numpy as np
import pytest

import oracles
import vestige
from vestige.errors import ArtefactError, InputError
from vestige.evaluation.calibration import Reference, completeness, p_values, verdicts
from vestige.signals import Signals


@pytest.mark.parametrize(
    "kind,outcome", [("retrain", "unlearned"), ("nothing", "under"), ("half", "under"), ("over", "over")]
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_verdict_is_right_where_the_truth_is_known(kind, outcome, seed):
    result = vestige.audit(oracles.gaussian_world(seed, kind), ["iam"])
    assert result.verdict.outcome == outcome and result.verdict.measure == "iam"
    assert sum(result.verdict.counts.values()) == 150


def test_completeness_covers_its_truth():
    # exact deletions have completeness 1, kept samples 0: worlds drawn anew, 95 % promised for sampling noise
    inside = 0
    for seed in range(60):
        given = vestige.audit(oracles.gaussian_world(seed), ["lira_offline"]).verdict
        inside += given.low <= 1 <= given.high
    assert inside >= 50


def test_promised_rate_holds_on_exact_retrains_over_repetitions():
    rng, shares = np.random.default_rng(0), []
    for _ in range(200):
        null, score = rng.normal(size=300), rng.normal(size=100)
        shares.append((p_values(score, null)[0] <= 0.05).mean())
    assert abs(np.mean(shares) - 0.05) < 0.006


def test_false_discoveries_are_controlled_in_a_mixed_request():
    rng, rates = np.random.default_rng(1), []
    for _ in range(200):
        null, kept = rng.normal(size=1000), rng.normal(-4, 1, 300)
        scores = np.concatenate([rng.normal(size=80), rng.normal(-4, 1, 20)])
        flagged = verdicts(scores, Reference(null, kept, ""), 0.1) == "under"
        rates.append(flagged[:80].sum() / max(flagged.sum(), 1))
    assert np.mean(rates) < 0.1 + 3 * np.std(rates) / np.sqrt(200)


def test_p_values_by_hand():
    under, over = p_values(np.array([0.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0]))
    assert under.tolist() == [0.25, 0.75, 1.0] and over.tolist() == [1.0, 0.75, 0.25]


def test_completeness_by_hand():
    reference = Reference(np.array([3.0, 5.0]), np.array([0.0, 0.0]), "")
    assert completeness(np.array([1.0, 1.0]), reference, draws=10_000)[0] == 0.25
    assert completeness(np.array([1.0, 1.0]), Reference(np.zeros(5), np.zeros(5), "")) is None


WORLD = oracles.gaussian_world(3)


def test_scores_table_has_the_published_columns_and_no_surprise():
    result = vestige.audit(WORLD, ["iam", "random", "loss_difference"])
    table = result.scores
    published = ["id", "role", "label", "measure", "score", "low", "high", "p_under", "p_over"]
    assert list(table) == [*published, "completeness", "completeness_low", "completeness_high", "verdict"]
    assert len(table) == 3 * len(WORLD) and table["score"].notna().all()
    assert (table.loc[table["role"] != "forget", "verdict"] == "").all()
    iam = table[table["measure"] == "iam"]
    assert np.array_equal(iam["score"], vestige.measure("iam", WORLD)) and (iam["low"] <= iam["score"]).all()


def test_a_measure_asked_twice_has_two_labels_everywhere():
    asked = [
        "iam",
        {"name": "iam", "family": "norm"},
        {"name": "iam", "preset": "paper", "label": "iam as published"},
    ]
    result = vestige.audit(WORLD, asked)
    labels = ["iam", "iam (2)", "iam as published"]
    assert [run.label for run in result.measures] == labels
    assert list(result.scores["measure"].unique()) == labels
    assert all(result.metric(label, "auc").value > 0.8 for label in labels)
    assert {c.measure for c in result.controls} == {"iam"}


def test_a_measure_that_cannot_run_is_a_row_with_its_reason():
    result = vestige.audit(WORLD.without("calibration", "shadow_out"), ["iam", "confidence"])
    assert [(r.measure, r.status) for r in result.measures] == [("iam", "failed"), ("confidence", "scored")]
    assert "shadow_out" in result.measures[0].reason
    with pytest.raises(InputError, match="No measure could run"):
        vestige.audit(WORLD.without("calibration", "shadow_out"), ["iam"])


def test_bare_arrays_give_scores_and_an_honest_undecided():
    bare = Signals(WORLD.labels, WORLD.unlearned, WORLD.original, WORLD.shadow_out[0])
    result = vestige.audit(bare)
    assert result.verdict.outcome == "undecided" and "three shadow" in result.verdict.sentence
    assert result.metric("iam", "auc").value is None and "no retained" in result.metric("iam", "auc").reason
    assert all(c.passed is None for c in result.controls)


def test_one_shadow_and_holdout_calibrate_what_does_not_look_at_the_original():
    one = WORLD.with_(calibration=None, shadow_out=WORLD.shadow_out[:1])
    result = vestige.audit(one, ["iam", "lira_offline"])
    assert result.verdict.measure == "lira_offline" and result.verdict.outcome == "unlearned"
    assert result.scores[result.scores["measure"] == "iam"]["p_under"].isna().all()


def test_a_failed_negative_control_blocks_the_verdict():
    # simulated deletions from shadows that fit less: every honest sample looks as if it had a trace
    known = WORLD.calibration
    wrong = known.with_(unlearned=known.unlearned - 6 * np.eye(10)[known.labels])
    result = vestige.audit(WORLD.with_(calibration=wrong, retrained=WORLD.unlearned), ["iam"])
    assert result.verdict.outcome == "undecided" and "blocked" in result.verdict.sentence
    assert any(c.name == "negative" and c.passed is False for c in result.controls)
    assert set(answers(result)) == {"undecided"}  # no record is accused, or cleared, either


def test_a_ruler_without_power_clears_nobody():
    blind = oracles.gaussian_world(0, fit=0.0)
    result = vestige.audit(blind, ["iam"])
    assert result.verdict.outcome == "undecided"
    assert "unlearned" not in set(answers(result)) and result.verdict.counts["unlearned"] == 0


def answers(result):
    """The verdict on each forget record."""
    return result.scores.loc[result.scores["role"] == "forget", "verdict"]


def test_disparity_to_the_retrained_model_is_zero_for_itself():
    result = vestige.audit(WORLD.with_(retrained=WORLD.unlearned), ["confidence"])
    assert result.metric("model", "average_disparity").value == 0
    assert vestige.audit(WORLD, ["confidence"]).metric("model", "average_disparity").value is None


def test_every_metric_says_how_to_read_it_and_holds_no_nan():
    for metric in vestige.audit(WORLD).metrics:
        assert metric.direction and metric.comparison and len(metric.range) == 2
        assert metric.value is None or np.isfinite(metric.value)
        assert (metric.value is None) == (metric.reason is not None)


def test_saved_and_loaded(tmp_path):
    made = vestige.audit(WORLD, ["iam", "confidence"])
    back = vestige.Audit.load(made.save(tmp_path / "a"))
    assert back.verdict == made.verdict and back.metrics == made.metrics and back.limits == made.limits
    assert back.scores.astype({"id": str}).equals(made.scores.astype({"id": str}))
    (tmp_path / "a" / "scores.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArtefactError, match="scores"):
        vestige.Audit.load(tmp_path / "a")


@pytest.mark.parametrize(
    "options,message",
    [({"measures": []}, "No measure"), ({"alpha": 2}, "alpha"), ({"measures": [{"nme": "iam"}]}, "'name'"),
     ({"measures": ["iamm"]}, "Did you mean 'iam'"),
     ({"measures": [{"name": "iam", "step": 3}]}, "Did you mean 'steps'")],
)  # fmt: skip
def test_bad_requests(options, message):
    with pytest.raises(InputError, match=message):
        vestige.audit(WORLD, **options)
    with pytest.raises(InputError, match="nothing to audit"):
        vestige.audit(WORLD.of_role("retain"))


@pytest.mark.parametrize("fault", ["constant", "one_class", "one_sample"])
def test_degenerate_inputs_give_a_result_or_a_reason(fault):
    signals = WORLD
    if fault == "constant":
        flat = np.zeros_like(WORLD.unlearned)
        signals = Signals(WORLD.labels, flat, flat, flat, role=WORLD.roles)
    elif fault == "one_class":
        signals = WORLD.take(np.flatnonzero(WORLD.labels == 0))
    else:
        signals = WORLD.take(np.array([0]))
    result = vestige.audit(signals)
    assert result.scores["score"].notna().all()
    assert all(r.reason for r in result.measures if r.status == "failed")
