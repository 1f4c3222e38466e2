"""What a verdict says of worlds whose truth is known, and what it never says."""

import dataclasses

import numpy as np
import pytest
from margin_worlds import world

from vestige.evaluation.verdict import (
    Control,
    adjustment,
    answer,
    by_cluster,
    decision,
    evidence,
    judge,
    matching,
)
from vestige.evaluation.verdict.decision import allowed, limited


def verdict(margins, **options):
    return judge(margins, with_power=False, **options).verdict


def worlds(quick, whole):
    """How many worlds a rate is counted over: a part of them, and all where slow tests run too."""
    return pytest.mark.parametrize("count", [quick, pytest.param(whole, marks=pytest.mark.slow)])


def partly(n, whole, rest=0.0):
    left = np.full(n, rest)
    left[:whole] = 1.0
    return left


@worlds(8, 20)
def test_exact_retraining_is_unlearned_where_the_audit_is_sharp(count):
    outcomes = [verdict(world(seed, gap=10, m=1000, shadows=3)).outcome for seed in range(count)]
    assert outcomes.count("unlearned") >= 0.75 * count
    assert outcomes.count("over") + outcomes.count("under") <= 0.1 * count


@worlds(50, 150)
def test_exact_retraining_is_rarely_accused(count):
    accused = [verdict(world(seed, n=40, m=150, pool=60, q=150, scale=0.3)).outcome for seed in range(count)]
    most = 0.05 * count + 3 * np.sqrt(0.05 * 0.95 * count)
    assert accused.count("under") + accused.count("over") <= most


@pytest.mark.parametrize("left", [0.15, 0.5, 1.0])
def test_a_trace_in_every_record_is_found(left):
    one = verdict(world(left=left))
    assert one.outcome == "under" and one.p_under <= 0.025
    assert one.low < 1 - left < one.high and "vestige remains" in one.sentence


def test_the_original_is_scored_once(monkeypatch):
    """By the control that recognises it and by what a whole record of the request looks like."""
    margins, scored = world(left=0.5), []

    def counting(given, null):
        scored.append(np.array_equal(given.unlearned, margins.original))
        return adjustment.trace_scores(given, null)

    for module in (decision, evidence):
        monkeypatch.setattr(module, "trace_scores", counting)
    monkeypatch.setattr(matching.Matching, "differs", True)
    assert verdict(margins).outcome == "under" and sum(scored) == 1


def test_a_few_whole_records_are_never_called_unlearned():
    """Five of 500: Benjamini and Hochberg can flag none of them at any strength; the group and the bounds can."""
    missed = 0
    for seed in range(8):
        one = verdict(world(seed, n=500, m=2000, q=1000, gap=12, left=partly(500, 10)))
        assert one.outcome in ("under", "undecided")
        missed += not one.blocked_by and one.could_be_whole < 10
    assert missed <= 2  # 5 % promised


def test_damage_is_over_and_needs_a_second_source_of_never_seen_records():
    damaged = world(left=-0.6)
    assert verdict(damaged).outcome == "over"
    one_source = verdict(damaged.with_(source=np.full(len(damaged), "holdout")))
    assert one_source.outcome == "undecided" and "not ruled out" in one_source.sentence
    assert "second source" in one_source.advice


def test_damaged_records_do_not_hide_whole_ones():
    one = verdict(world(left=partly(100, 8, -2.0), gap=8))
    assert one.outcome == "under" and "Others lie further away" in one.sentence


@pytest.mark.parametrize("shadow", ["original", "training set"])
def test_a_shadow_that_saw_the_records_blocks_every_answer(shadow):
    for left in (0.0, 0.5):
        margins = world(left=left)
        leak = margins.original if shadow == "original" else world(1, left=1.0).unlearned
        one = verdict(margins.with_(shadows=np.stack([leak, leak])))
        assert one.outcome == "undecided" and one.blocked_by and one.completeness is None


def test_a_holdout_that_was_trained_on_accuses_nobody():
    for seed in range(6):
        margins = world(seed, shadows=3)
        seen = margins.of("holdout") & (np.arange(len(margins)) % 2 == 0) & (margins.source == "holdout")
        moved = [model + 6.0 * seen for model in (margins.unlearned, margins.original)]
        one = verdict(margins.with_(unlearned=moved[0], original=moved[1]))
        assert one.outcome == "undecided" and "never-seen sources agree" in one.blocked_by


@worlds(8, 20)
@pytest.mark.parametrize("hard", [True, False])
def test_a_hard_request_is_not_damage(hard, count):
    outcomes = [
        verdict(world(seed, n=80, q=320, m=800, hard=hard, shadows=3)).outcome for seed in range(count)
    ]
    assert outcomes.count("over") + outcomes.count("under") <= 0.15 * count


def test_one_class_without_never_seen_records_of_it_is_blocked():
    margins = world(classes=8, n=40)
    labels = np.where(margins.of("forget"), 8, margins.labels)
    one = verdict(margins.with_(labels=labels))
    assert one.outcome == "undecided" and one.blocked_by == ("classes are matched",)


def test_controls_hold_plain_truth_values():
    """A NumPy truth value is never `False`, so that a control would never block."""
    margins = world(shadows=3)
    noise = margins.with_(unlearned=np.random.default_rng(0).normal(size=len(margins)))
    for one in (margins, noise):
        checks = judge(one, with_power=False).controls
        assert all(check.passed is None or isinstance(check.passed, bool) for check in checks)


@pytest.mark.parametrize("n", [3, 4])
def test_a_few_records_of_a_class_with_few_never_seen_records_are_not_accused(n):
    """The audited model may favour their class; what it gives the class is known from too few records."""
    for seed in range(12):
        margins = world(seed, n=n, m=40, pool=40, q=100, classes=30)
        labels = np.where(margins.of("forget"), 0, margins.labels)
        moved = np.where(labels == 0, margins.unlearned + 9.0 * (-1) ** seed, margins.unlearned)
        one = verdict(margins.with_(labels=labels, unlearned=moved))
        assert one.outcome == "undecided" and "classes are matched" in one.blocked_by


@pytest.mark.parametrize("left", [0.3, 1.0])
def test_shadows_that_saw_the_request_clear_and_accuse_nobody_without_the_original(left):
    for seed in range(4):
        margins = world(seed, left=left, gap=3, shadows=3)
        leaks = margins.with_(shadows=margins.shadows + 3.0 * margins.of("forget"), original=None)
        judged = judge(leaks, with_power=False)
        assert judged.verdict.outcome == "undecided" and judged.verdict.completeness is None
        assert "cleared" not in judged.outcomes
        assert "shadows fit the request no better than kept records" in judged.verdict.blocked_by or (
            "difficulty is matched" in judged.verdict.blocked_by
        )
    sound = judge(world(left=0.3).with_(original=None), with_power=False)
    assert sound.verdict.outcome == "under"


def test_a_handful_of_kept_records_bounds_nothing():
    margins = world(left=0.15, gap=8)
    few = verdict(margins.take(~margins.of("retain") | (np.cumsum(margins.of("retain")) <= 5)))
    assert few.low is None and few.high is None and "not bounded" in few.sentence


def test_alike_records_of_one_person_count_once_where_they_are_named():
    rng, accused, naive = np.random.default_rng(0), 0, 0
    for seed in range(40):
        margins = world(seed, n=20, q=400, m=600, pool=0)
        person = np.arange(len(margins)) // 20
        alike = margins.with_(unlearned=margins.unlearned + rng.normal(0, 1.5, person.max() + 1)[person])
        grouped, row = by_cluster(alike, person.astype(str))
        assert len(row) == len(alike) and (np.bincount(row) == grouped.size).all()
        accused += verdict(grouped, unit="cluster").outcome in ("under", "over")
        if naive <= 4:  # no more are counted than are needed
            naive += verdict(alike).outcome in ("under", "over")
    assert accused <= 4 and naive > 4


def test_a_broken_model_is_blocked_or_said():
    margins = world()
    constant = verdict(margins.with_(unlearned=np.zeros(len(margins))))
    assert constant.outcome == "undecided" and "same answer" in constant.sentence
    noise = verdict(margins.with_(unlearned=np.random.default_rng(0).normal(size=len(margins))))
    assert noise.outcome == "undecided" and "retained records are recognised" in noise.blocked_by


def test_what_is_missing_is_named():
    margins = world()
    none = verdict(margins.with_(shadows=np.zeros((0, len(margins)))))
    assert "no shadow model" in none.sentence and "never saw these records" in none.advice
    few = verdict(margins.take(~margins.of("holdout") | (np.cumsum(margins.of("holdout")) <= 19)))
    assert "19 never-seen records" in few.sentence
    alone = verdict(margins.take(~margins.of("retain")))
    assert alone.outcome == "undecided" and "retained" in alone.advice and alone.could_be_whole == 100


def test_advice_says_where_more_shadow_models_would_not_help():
    """As `outlook` does: with a gap of 1.5 standard deviations no number of shadows gives the all-clear, with 10 one does."""
    little = verdict(world(n=30, m=600, q=600, gap=1.5, pool=0))
    assert little.outcome == "undecided" and "With any number of shadow models about" in little.advice
    assert "more than the tolerance of 10 %" in little.advice and "shrinks with" not in little.advice
    left = [
        int(verdict(world(n=30, m=600, q=600, gap=1.5, pool=0, shadows=count)).could_be_whole)
        for count in (1, 64)
    ]
    assert min(left) > 1
    much = verdict(world(n=100, m=600, q=600, gap=4.5, pool=0))
    assert much.could_be_whole <= 1 or "shrinks with more shadow models" in much.advice


def test_exact_retrains_that_are_accused_block():
    margins = world(left=0.5)
    assert verdict(margins.with_(retrained=world(0).unlearned[None])).outcome == "under"
    wrong = verdict(margins.with_(retrained=margins.unlearned[None]))
    assert wrong.blocked_by == ("exact retraining shows nothing",)


def test_the_same_seed_gives_the_same_answer():
    one, two = judge(world(3)), judge(world(3))
    assert one.verdict == two.verdict and one.controls == two.controls
    assert np.array_equal(one.score, two.score)
    other = judge(world(3), seed=1)
    assert other.verdict.completeness == one.verdict.completeness  # no chance in it


@worlds(40, 120)
def test_the_interval_of_completeness_covers_exact_retraining(count):
    answers = [verdict(world(seed, n=50, m=200, scale=0.3)) for seed in range(count)]
    inside = [v.low <= 1 <= v.high for v in answers if v.low is not None and v.high is not None]
    assert len(inside) > 0.8 * count
    assert np.mean(inside) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / count)


def test_no_record_has_a_smaller_p_value_than_its_comparison_can_give():
    """Of m never-seen records, a record that lies beyond all of them has 1 / (m + 1), and never 0."""
    margins = world(left=1.0, gap=30)
    judged = judge(margins, with_power=False)
    forget, m = margins.of("forget"), int(margins.of("holdout").sum())
    assert judged.p_under[forget] == pytest.approx(1 / (m + 1)) and judged.p_over.min() >= 1 / (m + 1)


def test_power_rises_with_the_trace_and_is_reached():
    judged = judge(world(5, n=100, m=500))
    rates = {p.trace: p.probability for p in judged.verdict.power}
    assert rates["1 of 100 whole"] <= rates["5 of 100 whole"] + 0.1
    weak = [rates[f"{share} of the influence in every record"] for share in ("5%", "10%", "25%")]
    assert weak == sorted(weak) and weak[-1] == 1.0
    found = np.mean([verdict(world(seed, n=100, m=500, left=0.1)).outcome == "under" for seed in range(20)])
    assert found == pytest.approx(weak[1], abs=0.3)


def test_power_is_that_of_a_test_at_half_the_level():
    """399 permutations give no p-value below 1 / 400: half of 0.49 % is out of reach of any trace, half of 0.51 % is not."""
    never, plain = (judge(world(5, gap=30), alpha=alpha).verdict.power for alpha in (0.0049, 0.0051))
    assert {p.probability for p in never} == {0.0} and plain[-1].probability == 1.0


def test_how_many_may_be_whole():
    assert [allowed(n) for n in (1, 19, 20, 99, 100, 500, 5000)] == [0, 0, 1, 1, 1, 5, 50]


def test_large_sets_are_limited_but_never_the_request():
    margins = world(n=30, m=30_000, pool=0, q=25_000)
    rows = limited(margins)
    part = margins.take(rows)
    assert [int(part.of(r).sum()) for r in ("forget", "retain", "holdout")] == [30, 20_000, 20_000]


SOUND = answer.Figures(100, 0.4, 0.4, 0.01, -0.05, 0.05, 1, 1, 0, 0, 0.05, 0.1, 200, 500, "record")
RECOGNISED = (Control("retained records are recognised", "sharpness", "", 0.001, "p <= 0.01", True),)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "unlearned"),
        ({"could_be_whole": 2}, "undecided"),
        ({"left_high": 0.11}, "undecided"),
        ({"left_low": -0.11}, "undecided"),
        ({"p_over": 0.02}, "undecided"),
        ({"p_under": 0.02}, "under"),
    ],
)
def test_each_condition_of_the_all_clear_is_needed(changes, outcome):
    assert decision._decide(dataclasses.replace(SOUND, **changes), RECOGNISED, True)[0] == outcome


def test_sentences_state_every_figure():
    one = verdict(world(gap=10, m=1000, shadows=3))
    record = one.record()
    assert record["left_at_most"] == one.left_at_most == max(0.0, 1 - one.low)
    for figure in (f"p {one.p_under:.2g}", f"{one.allowed:,} allowed"):
        assert figure in one.sentence
    assert (
        sum(one.counts.values()) == one.n == 100
        and f"{one.counts['cleared']:,} cleared" in one.records_sentence
    )
    assert dataclasses.asdict(one)["outcome"] in one.sentence.lower()


def test_bounds_hold_for_a_request_whose_traces_are_weaker_than_kept_ones():
    """Easy records leave half the trace that others do: untouched ones must not be bounded by what kept ones show."""
    for seed in range(5):
        margins = world(seed, n=100, m=800, q=400, left=1.0, shadows=2)
        forget = margins.of("forget")
        easy = [model + 4.0 * forget for model in margins.shadows]
        weak = margins.with_(
            unlearned=margins.unlearned + (4.0 - 3.0) * forget, original=margins.original + (4.0 - 3.0) * forget,
            shadows=np.stack(easy),
        )  # fmt: skip
        one = verdict(weak)
        assert one.outcome == "under" or one.blocked_by
        assert one.blocked_by or (one.could_be_whole >= 90 and one.left_at_most >= 0.95)


def test_no_record_is_cleared_of_a_trace_that_is_in_all_of_them():
    weak = judge(world(left=0.3, gap=12), with_power=False)
    assert weak.verdict.outcome == "under" and weak.verdict.counts["cleared"] == 0
    cleared = [
        judge(world(seed, left=partly(100, 10), gap=12, m=3000), with_power=False).verdict.counts["cleared"]
        for seed in range(4)
    ]
    assert sorted(cleared)[1] > 60  # of a trace in ten of them the others are cleared
