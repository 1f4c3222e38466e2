"""The group test: level, power for few strong and many weak traces, strata, a slow twin of the scan."""

import numpy as np
import pytest

from vestige.evaluation.verdict.permutation import _scan, _subsets, group_test, permuted_labels


def run(scores, n, seed=0, strata=None, permutations=199):
    rng = np.random.default_rng(seed)
    forget = np.arange(len(scores)) < n
    strata = np.zeros(len(scores), np.int64) if strata is None else strata
    return group_test(scores, forget, permuted_labels(forget, strata, rng, permutations), rng)


def slow_scan(labels):
    """max over r of r KL(C_r / r || n / N), over every r and not only where a forget record comes in."""
    n, count = labels.sum(), len(labels)
    share, best = n / count, 0.0
    for r in range(1, min(count // 2, 1500) + 1):
        c = labels[:r].sum()
        p = c / r
        if p > share:
            kl = p * np.log(p / share) + (0 if p == 1 else (1 - p) * np.log((1 - p) / (1 - share)))
            best = max(best, r * kl)
    return best


def test_the_scan_is_its_slow_twin():
    rng = np.random.default_rng(0)
    labels = np.stack([rng.permutation(np.arange(90) < 25) for _ in range(40)])
    assert _scan(labels) == pytest.approx([slow_scan(row) for row in labels], abs=1e-9)


def test_every_subset_is_equally_likely():
    drawn = _subsets(5, 2, np.random.default_rng(0), 20_000)
    assert (drawn.sum(axis=1) == 2).all()
    counts = np.unique(drawn @ (2 ** np.arange(5)), return_counts=True)[1]
    assert len(counts) == 10 and abs(counts - 2000).max() < 4 * np.sqrt(2000 * 0.9)


def test_labels_are_permuted_within_strata():
    rng = np.random.default_rng(0)
    forget, strata = np.arange(60) < 20, np.arange(60) % 3
    drawn = permuted_labels(forget, strata, rng, 50)
    for stratum in range(3):
        rows = strata == stratum
        assert (drawn[:, rows].sum(axis=1) == forget[rows].sum()).all()
    assert len(np.unique(drawn, axis=0)) == 50


def test_the_level_is_kept_in_both_directions_together_with_ties():
    rng = np.random.default_rng(0)
    p = np.array([
        (t.p_under, t.p_over)
        for t in (run(np.round(rng.standard_t(3, 90), 1), 30, seed) for seed in range(400))
    ])  # fmt: skip
    for direction in (0, 1):
        assert (p[:, direction] <= 0.025).mean() <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / 400)
        assert (p[:, direction] <= 0.5).mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("few,shift", [(6, 6.0), (100, 0.6)], ids=["few strong traces", "many weak traces"])
def test_it_finds_few_strong_and_many_weak_traces(few, shift):
    seen = 0
    for seed in range(20):
        scores = np.random.default_rng(seed).normal(size=1100)
        scores[:few] += shift
        result = run(scores, 100, seed)
        seen += result.p_under <= 0.025
        assert result.p_over > 0.025
    assert seen >= 17


def test_over_is_the_mirror_of_under():
    scores = np.random.default_rng(0).normal(size=300) + np.where(np.arange(300) < 60, 1.0, 0.0)
    one, other = run(scores, 60, permutations=999), run(-scores, 60, permutations=999)
    assert one.p_under == other.p_over == 0.001 and one.p_over == pytest.approx(other.p_under, abs=0.05)


def test_a_stratum_that_differs_in_level_is_no_finding():
    """Forget records are mostly of a stratum that scores high: pooled it is a finding, within strata it is none."""
    rng = np.random.default_rng(0)
    pooled, within = 0, 0
    for seed in range(60):
        strata = np.concatenate([rng.random(50) < 0.8, rng.random(200) < 0.2]).astype(np.int64)
        scores = rng.normal(size=250) + 2.0 * strata
        pooled += run(scores, 50, seed).p_under <= 0.025
        within += run(scores, 50, seed, strata).p_under <= 0.025
    assert pooled >= 55 and within <= 6
