import numpy as np
import pytest

import oracles
import vestige
from vestige.errors import ArtefactError, InputError
from vestige.evaluation import audit_signals
from vestige.evaluation.calibration import p_values
from vestige.signals import Signals, exchanged_deletions


@pytest.mark.parametrize("kind,outcome", [("nothing", "under"), ("half", "under"), ("over", "over")])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_verdict_is_right_where_the_truth_is_known(kind, outcome, seed):
    result = vestige.audit(oracles.gaussian_world(seed, kind), ["iam"])
    assert result.verdict.outcome == outcome
    assert sum(result.verdict.counts.values()) == 150
    flagged = (answers(result) == outcome).sum()
    assert flagged == result.verdict.counts[outcome]


def test_exact_retraining_is_unlearned_where_shadows_are_many_and_training_leaves_much():
    sharp = oracles.gaussian_world(0, fit=8.0, holdout=1500, shadows=4)
    result = vestige.audit(sharp, ["iam"])
    assert result.verdict.outcome == "unlearned" and result.verdict.left_at_most < 0.1
    assert result.verdict.counts["cleared"] > 100 and not (answers(result) == "under").any()
    assert "Unlearned within 10 %" in result.summary() and "planted trace" in result.summary()
    assert repr(result).count("\n") < 10


def test_promised_rate_holds_on_exact_retrains_over_repetitions():
    rng, shares = np.random.default_rng(0), []
    for _ in range(200):
        null, score = rng.normal(size=300), rng.normal(size=100)
        shares.append((p_values(score, null)[0] <= 0.05).mean())
    assert abs(np.mean(shares) - 0.05) < 0.006


def test_p_values_by_hand():
    under, over = p_values(np.array([0.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0]))
    assert under.tolist() == [0.25, 0.75, 1.0] and over.tolist() == [1.0, 0.75, 0.25]


@pytest.mark.slow
def test_false_discoveries_of_the_records_are_controlled():
    """100 forget records, 20 of them whole: of what is flagged, at most 2.5 % is flagged wrongly, on average."""
    rates, hits = [], []
    for seed in range(40):
        world = oracles.gaussian_world(seed, forget=100, retain=300, holdout=600, shadows=2, fit=9.0)
        whole = np.flatnonzero(world.roles == "forget")[:20]
        mixed = world.unlearned.copy()
        mixed[whole] = world.original[whole]
        result = vestige.audit(world.with_(unlearned=mixed), ["random"])
        flagged = answers(result) == "under"
        rates.append(flagged[20:].sum() / max(flagged.sum(), 1))
        hits.append(flagged[:20].mean())
    assert np.mean(rates) <= 0.025 + 3 * np.std(rates) / np.sqrt(40) and np.mean(hits) > 0.5


WORLD = oracles.gaussian_world(3)


def test_scores_table_has_the_published_columns_and_no_surprise():
    result = vestige.audit(WORLD, ["iam", "random", "loss_difference"])
    table = result.scores
    published = ["id", "role", "label", "measure", "score", "low", "high", "p_under", "p_over"]
    assert list(table) == [*published, "degree", "degree_low", "degree_high", "verdict"]
    assert len(table) == 4 * len(WORLD) and table["score"].notna().all()
    trace = table[table["measure"] == "trace"]
    assert ((table["verdict"] == "") == ~((table["measure"] == "trace") & (table["role"] == "forget"))).all()
    kept, gone = (trace.loc[trace["role"] == role, "score"].mean() for role in ("retain", "holdout"))
    assert kept < gone  # larger = more unlearned
    iam = table[table["measure"] == "iam"]
    assert np.array_equal(iam["score"], vestige.measure("iam", WORLD)) and (iam["low"] <= iam["score"]).all()


def test_a_measure_asked_twice_has_two_labels_everywhere():
    asked = [
        "iam",
        {"name": "iam", "family": "norm"},
        {"name": "iam", "preset": "paper", "label": "iam as published"},
    ]
    result = vestige.audit(WORLD, asked)
    labels = ["trace", "iam", "iam (2)", "iam as published"]
    assert [run.label for run in result.measures] == labels
    assert list(result.scores["measure"].unique()) == labels
    assert all(result.metric(label, "auc").value > 0.8 for label in labels[1:])


def test_a_measure_that_cannot_run_is_a_row_with_its_reason():
    result = vestige.audit(WORLD.without("calibration", "shadow_out"), ["iam", "confidence"])
    states = [("trace", "failed"), ("iam", "failed"), ("confidence", "scored")]
    assert [(r.measure, r.status) for r in result.measures] == states
    assert "no shadow model" in result.measures[0].reason and "shadow_out" in result.measures[1].reason
    with pytest.raises(InputError, match="No measure could run"):
        vestige.audit(WORLD.without("calibration", "shadow_out"), ["iam"])


def test_bare_arrays_give_scores_and_an_honest_undecided():
    bare = Signals(WORLD.labels, WORLD.unlearned, WORLD.original, WORLD.shadow_out[0])
    result = vestige.audit(bare)
    assert result.verdict.outcome == "undecided" and "0 never-seen records" in result.verdict.sentence
    assert "holdout" in result.verdict.advice and result.controls == ()
    assert result.metric("iam", "auc").value is None and "no retained" in result.metric("iam", "auc").reason
    assert "trace" not in set(result.scores["measure"])


def test_one_shadow_and_holdout_are_enough_for_a_verdict():
    one = oracles.gaussian_world(1, "nothing").with_(calibration=None)
    result = vestige.audit(one.with_(shadow_out=one.shadow_out[:1]), ["iam"])
    assert result.verdict.outcome == "under"
    scores = result.scores[result.scores["measure"] == "iam"]
    forget = scores[scores["role"] == "forget"]
    assert (forget["p_under"] <= 0.05).mean() > 0.5 and forget["degree"].median() == pytest.approx(0, abs=0.3)
    assert any("what the original would have said of them" in limit for limit in result.limits)


def test_the_verdict_does_not_read_what_calibrates_the_measures():
    one = oracles.gaussian_world(2, "half").without("calibration")
    known = exchanged_deletions(
        one.labels[:100], one.original[:100], np.ones(100), one.unlearned[:100], one.unlearned[:100]
    )
    bare, more = (vestige.audit(x.with_shadows(np.array([0])), ["iam"]) for x in (one, one))
    with_known = one.with_shadows(np.array([0])).with_(shadow_train=known)
    assert bare.verdict == more.verdict == vestige.audit(with_known, ["iam"]).verdict


def test_without_description_scores_controls_and_verdict_are_the_same():
    signals = oracles.gaussian_world(3, forget=60, retain=200, holdout=200, fit=8.0)
    whole = audit_signals(signals, ["random"], seed=2)
    part = audit_signals(signals, ["random"], seed=2, describe=False)
    assert whole.figures and not part.figures and part.retained is None
    assert part.verdict == whole.verdict and part.controls == whole.controls and part.limits == whole.limits
    assert part.scores.equals(whole.scores)


def test_the_answer_depends_neither_on_the_order_of_the_rows_nor_on_the_measures():
    order = np.random.default_rng(0).permutation(len(WORLD))
    one, two = vestige.audit(WORLD, ["iam"]), vestige.audit(WORLD.take(order), ["confidence"])
    assert one.verdict == two.verdict and one.controls == two.controls
    first, second = (a.scores[a.scores["measure"] == "trace"]["score"].to_numpy() for a in (one, two))
    assert np.array_equal(first[order], second)


def test_a_failed_reference_control_blocks_the_verdict():
    leaky = WORLD.with_(shadow_out=np.stack([WORLD.original, WORLD.original]), calibration=None)
    result = vestige.audit(leaky, ["iam"])
    assert result.verdict.outcome == "undecided" and "blocked" in result.verdict.sentence
    assert set(result.verdict.blocked_by) <= {c.name for c in result.controls if c.passed is False}
    assert set(answers(result)) == {"undecided"}  # no record is accused, or cleared, either
    assert result.verdict.completeness is None and any("differ in their answers" in x for x in result.limits)


def test_an_audit_without_power_clears_nobody():
    blind = oracles.gaussian_world(0, fit=0.0)
    result = vestige.audit(blind, ["iam"])
    assert result.verdict.outcome == "undecided"
    assert "cleared" not in set(answers(result)) and result.verdict.counts["cleared"] == 0


def test_clusters_are_averaged_and_every_record_gets_its_answer():
    person = np.char.add(WORLD.roles.astype(str), (np.arange(len(WORLD)) // 5).astype(str))
    result = vestige.audit(WORLD.with_(cluster=person), ["iam"])
    assert result.verdict.unit == "cluster" and result.verdict.n == 30
    assert len(answers(result)) == 150 and any("averaged" in limit for limit in result.limits)
    score = result.scores.query("measure == 'trace' and role == 'forget'")["score"].to_numpy()
    assert (np.ptp(score.reshape(30, 5), axis=1) == 0).all()


def test_a_class_without_never_seen_records_is_said_in_the_verdict():
    wide = oracles.gaussian_world(0, forget=400, retain=600, holdout=900)
    one = wide.labels == 1
    world = wide.take(np.where(wide.roles == "forget", one, (wide.roles == "retain") | ~one))
    verdict = vestige.audit(world, ["random"]).verdict
    assert (
        verdict.outcome == "undecided"
        and verdict.blocked_by[0] == "classes are matched"
        and not verdict.power
    )
    assert (
        f"{verdict.n} of its records are of classes with fewer than 10 never-seen records" in verdict.sentence
    )


@pytest.mark.parametrize("persons", [1, 10])
def test_persons_of_twenty_records_are_not_compared_with_single_records(persons):
    world = oracles.gaussian_world(0, forget=20 * persons, retain=400, holdout=400)
    person = np.char.add(world.roles.astype(str), (np.arange(len(world)) // 20).astype(str))
    alone = np.where(world.roles == "holdout", np.arange(len(world)).astype(str), person)
    fair, unfair = (vestige.audit(world.with_(cluster=names), ["random"]) for names in (person, alone))
    assert "clusters are matched" not in fair.verdict.blocked_by and fair.verdict.n == persons
    assert unfair.verdict.outcome == "undecided" and unfair.verdict.blocked_by[0] == "clusters are matched"
    assert "holds 20 records, the largest never-seen one 1" in unfair.verdict.sentence


def answers(result):
    """The verdict on each forget record."""
    rows = (result.scores["role"] == "forget") & (result.scores["measure"] == "trace")
    return result.scores.loc[rows, "verdict"].to_numpy().astype(str)


def test_disparity_to_the_retrained_model_is_zero_for_itself():
    result = vestige.audit(WORLD.with_(retrained=WORLD.unlearned), ["confidence"])
    assert result.metric("model", "average_disparity").value == 0
    assert vestige.audit(WORLD, ["confidence"]).metric("model", "average_disparity").value is None


def test_every_metric_says_how_to_read_it_and_holds_no_nan():
    for metric in vestige.audit(WORLD).figures:
        assert metric.direction and metric.comparison and len(metric.range) == 2
        assert metric.value is None or np.isfinite(metric.value)
        assert (metric.value is None) == (metric.reason is not None)


def test_a_record_s_p_value_is_never_zero():
    """Conformal: (1 + those above) / (1 + all of the null), however far out the record lies."""
    far = WORLD.unlearned.copy()
    far[0, WORLD.labels[0]] += 1000
    rows = vestige.audit(WORLD.with_(unlearned=far), ["random"]).scores.query("measure == 'trace'")
    never = int((WORLD.roles == "holdout").sum())
    assert WORLD.roles[0] == "forget" and 1 / (1 + never) <= rows["p_under"].iloc[0] < 0.2
    assert (rows[["p_under", "p_over"]] >= 1 / (1 + never) - 1e-12).all(axis=None)


@pytest.mark.parametrize("name", ["unlearned", "original"])
def test_a_shadow_that_is_another_model_is_named(name):
    told = [x for x in vestige.audit(WORLD, ["iam"]).limits if "given twice" in x]
    limits = vestige.audit(WORLD.with_(shadow_out=getattr(WORLD, name), calibration=None), ["random"]).limits
    assert not told and any(f"exactly what {name} says" in limit for limit in limits)


def test_saved_and_loaded(tmp_path):
    made = vestige.audit(WORLD, ["iam", "confidence"])
    back = vestige.Audit.load(made.save(tmp_path / "a"))
    assert back.verdict == made.verdict and back.figures == made.figures and back.limits == made.limits
    assert back.scores.astype({"id": str}).equals(made.scores.astype({"id": str}))
    assert back.controls == made.controls and back.verdict.power == made.verdict.power
    text = (tmp_path / "a" / "metrics.json").read_text()
    (tmp_path / "a" / "metrics.json").write_text(text.replace('"outcome": "un', '"outcome":  "un'))
    with pytest.raises(ArtefactError, match="metrics.json"):
        vestige.Audit.load(tmp_path / "a")
    (tmp_path / "a" / "metrics.json").write_text(text)
    (tmp_path / "a" / "scores.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArtefactError, match="scores"):
        vestige.Audit.load(tmp_path / "a")


@pytest.mark.parametrize(
    "options,message",
    [({"measures": []}, "No measure"), ({"alpha": 2}, "alpha"), ({"tolerance": float("nan")}, "tolerance"), ({"measures": [{"nme": "iam"}]}, "'name'"),
     ({"measures": ["iamm"]}, "Did you mean 'iam'"), ({"measures": ["iamm", "randm"]}, "'iamm'.*\n.*'randm'"),
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
    assert result.scores["score"].notna().all() and result.verdict.outcome == "undecided"
    assert all(r.reason for r in result.measures if r.status == "failed")


def test_every_array_is_transformed_once_in_an_audit(monkeypatch):
    from vestige.signals import record, transforms

    passes = []
    monkeypatch.setattr(
        record, "scaled_logit", lambda v, y: passes.append(len(v)) or transforms.scaled_logit(v, y)
    )
    vestige.audit(WORLD)
    shadows = WORLD.shadows
    partial = 26  # deletions at each degree
    imputed, population = 1, 1  # the original's answers to holdout records; these as a population
    assert len(passes) == (2 + shadows) + (2 + shadows) + partial + imputed + population


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ({"alpha": "0.05"}, "audit: alpha is '0.05'"),
        ({"measures": "iam"}, "audit: measures is 'iam'; a list is wanted"),
        ({"unseen": ()}, "audit of signals: There is no argument 'unseen'"),
        ({"describe": False}, "audit of signals: There is no argument 'describe'"),
    ],
)
def test_a_message_names_what_was_called(argument, sentence):
    signals = Signals(np.zeros(9, int), np.zeros((9, 2)))
    with pytest.raises(InputError, match=sentence):
        vestige.audit(signals, **argument)
