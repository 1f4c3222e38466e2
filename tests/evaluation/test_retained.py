"""What a deletion did to others: planted harm is named, exact retraining names nobody, and each p-value by hand."""

import numpy as np
import pytest
from scipy import stats

import vestige
from vestige.errors import ArtefactError
from vestige.evaluation import retained_effects
from vestige.evaluation.retained import COLUMNS, _exposure
from vestige.evaluation.verdict.adjustment import trace_scores
from vestige.evaluation.verdict.margins import margins_of
from vestige.signals import Signals

N = {"forget": 60, "retain": 500, "holdout": 500}
ROLE = np.repeat(list(N), list(N.values()))
KEPT = np.flatnonzero(ROLE == "retain")


def models(seed, gap=6.0, shadows=1):
    """Return margins of the original, an exact retrain, and shadows; what training adds differs from record to record."""
    rng = np.random.default_rng(seed)
    ease, effect = rng.normal(0, 2, len(ROLE)), gap * rng.gamma(4, 0.25, len(ROLE))

    def model(*seen):
        return ease + rng.normal(size=len(ROLE)) + effect * np.isin(ROLE, seen)

    return model("forget", "retain"), model("retain"), np.stack([model() for _ in range(shadows)]), model()


def columns(margins):
    return np.stack([margins, np.zeros_like(margins)], axis=-1)


def signals_of(original, audited, shadows, **fields):
    arrays = {"unlearned": audited, "original": original, "shadow_out": shadows}
    arrays = {name: columns(array) for name, array in arrays.items()}
    return Signals(np.zeros(len(ROLE), int), role=ROLE, **arrays | fields)


def damaged_world(seed=0, share=0.2, **fields):
    """Return signals in which the audited model says of some retained records what a model says that never saw them."""
    original, audited, shadows, unseen = models(seed)
    hit = KEPT[: round(share * len(KEPT))]
    audited = audited.copy()
    audited[hit] = unseen[hit]
    return signals_of(original, audited, shadows, **fields), hit.astype(str)


def exposed_world(seed=0):
    """Return signals in which the original gives nobody away, and the audited model a tenth of the retained records."""
    original, audited, shadows, _ = models(seed, gap=0.0)
    hit = KEPT[:50]
    audited = audited.copy()
    audited[hit] += 8
    return signals_of(original, audited, shadows), hit.astype(str)


def named(effects, name):
    return set(effects.table.loc[effects.table[name], "id"])


@pytest.mark.parametrize("gap", [0.0, 1.0, 6.0])
def test_exact_retraining_names_nobody(gap):
    worlds = [retained_effects(signals_of(*models(seed, gap)[:3])) for seed in range(12)]
    for name in ("exposed", "damaged"):
        assert sum(getattr(effects, name).named > 0 for effects in worlds) <= 2


def test_a_model_to_which_nothing_was_done_names_nobody():
    original, _, shadows, _ = models(0)
    effects = retained_effects(signals_of(original, original, shadows))
    assert effects.exposed.named == effects.damaged.named == 0
    assert "none can be named as newly exposed" in effects.sentence and "it takes" in effects.sentence


def test_damaged_records_are_named_and_few_others():
    rates = []
    for seed in range(10):
        signals, hit = damaged_world(seed)
        effects = retained_effects(signals)
        ids = named(effects, "damaged")
        assert effects.damaged.named == len(ids) and len(ids & set(hit)) > 60 and not effects.exposed.named
        assert effects.damaged.low < effects.damaged.share < effects.damaged.high
        rates.append(len(ids - set(hit)) / len(ids))
    assert np.mean(rates) <= 0.05 + 3 * np.std(rates) / np.sqrt(len(rates))


def test_records_that_both_versions_give_away_are_named():
    signals, hit = exposed_world()
    effects = retained_effects(signals)
    ids = named(effects, "exposed")
    assert len(ids & set(hit)) > 40 and len(ids - set(hit)) <= 5 and not effects.damaged.named
    assert (effects.table.loc[effects.table["exposed"], "p_before"] > 0.1).all()
    assert f"{len(ids)} are newly exposed" in effects.sentence and "false alarms" in effects.sentence


def test_a_record_that_the_version_before_gave_away_is_not_newly_exposed():
    effects = retained_effects(signals_of(*models(0)[:3]))
    known = effects.table["p_before"] <= 0.1
    assert known.sum() > 300 and (effects.table.loc[known, "p_exposed"] == 1).all()


def test_p_values_of_damage_by_hand():
    signals, _ = damaged_world()
    effects = retained_effects(signals)
    margins, order = margins_of(signals.take(signals.roles != "forget"))
    ids = signals.take(signals.roles != "forget").names[order]
    null, kept = margins.role == "holdout", margins.role == "retain"
    before, after = (
        trace_scores(margins.with_(unlearned=model), null).values[0]
        for model in (margins.original, margins.unlearned)
    )
    falls = dict(zip(ids[kept], (before - after)[kept], strict=True))

    def hidden(t, of):  # never-seen records look as fitted in more than a twentieth of the cases
        return {
            i: (1 + (t[null] >= v).sum()) / (1 + null.sum()) > 0.05
            for i, v in zip(ids[of], t[of], strict=True)
        }

    one, other = hidden(before, kept), hidden(after, kept)
    candidates = [i for i in falls if one[i] or other[i]]
    table = effects.table.set_index("id")
    p = {i: (1 + sum(-falls[j] >= falls[i] for j in candidates)) / (1 + len(candidates)) for i in candidates}
    assert np.allclose([table.loc[i, "p_damaged"] for i in candidates], [p[i] for i in candidates])
    assert (table.loc[[i for i in falls if i not in p], "p_damaged"] == 1).all()
    wanted = stats.false_discovery_control([p[i] for i in candidates]) <= 0.05
    assert table.loc[candidates, "damaged"].tolist() == wanted.tolist()


def test_equal_records_are_as_exposed_as_each_other():
    """Right or wrong alone is known: rounding must not tell records apart that say the same."""
    rng = np.random.default_rng(0)
    inputs, kept, fold = rng.integers(0, 2, (3, 752)).astype(float), np.arange(752) < 413, np.arange(752) % 3
    score = _exposure(inputs, kept, fold)
    for one in range(3):
        _, which = np.unique(inputs[:, fold == one], axis=1, return_inverse=True)
        assert len(np.unique(score[fold == one])) == which.max() + 1


def test_the_order_of_the_rows_and_other_records_do_not_matter():
    signals, _ = damaged_world()
    other = retained_effects(
        signals.take(np.random.default_rng(1).permutation(len(signals)))
    ).table.set_index("id")
    table = retained_effects(signals).table.set_index("id")
    assert np.allclose(table.astype(float), other.loc[table.index].astype(float))


def test_the_controls():
    original, audited, shadows, _ = models(0, shadows=3)
    signals, _ = damaged_world(retrained=columns(models(0)[1])[None])
    retrained = retained_effects(signals)
    assert retrained.damaged.named > 50 and retrained.damaged.control == retrained.exposed.control == 0
    assert retrained.sentence.endswith(
        "With an exactly retrained model in place of the audited one: 0 and 0."
    )
    three = retained_effects(signals_of(original, audited, shadows))
    assert three.damaged.control == 0 and "two shadows" in three.control_is
    assert retained_effects(signals_of(original, audited, shadows[:2])).damaged.control is None


@pytest.mark.parametrize(
    "without,says",
    [
        ({"original": None}, "outputs of the model before the deletion"),
        ({"shadow_out": None}, "a shadow"),
        ({"role": np.where(np.arange(len(ROLE)) < 100, "retain", "forget")}, "50 never-seen records, not 0"),
        ({"unlearned": columns(np.zeros(len(ROLE)))}, "answers"),
    ],
)
def test_what_is_missing_is_said(without, says):
    effects = retained_effects(signals_of(*models(0)[:3]).with_(**without))
    assert effects.exposed is None and says in effects.sentence and effects.table.empty
    assert list(effects.table) == list(COLUMNS)


def test_clusters_are_counted_as_one():
    signals, _ = damaged_world(cluster=(np.arange(len(ROLE)) // 2).astype(str))
    effects = retained_effects(signals)
    assert (effects.n, effects.unit) == (250, "cluster") and "250 retained clusters" in effects.sentence
    table = effects.table.set_index(effects.table["id"].astype(int)).sort_index()
    assert len(table) == 500 and (table["fall"].to_numpy()[::2] == table["fall"].to_numpy()[1::2]).all()
    assert 20 < effects.damaged.named <= 60


def test_an_audit_holds_keeps_and_shows_them(tmp_path):
    result = vestige.audit(damaged_world()[0], ["random"])
    assert result.retained.sentence in result.summary()
    back = vestige.Audit.load(result.save(tmp_path / "a"))
    assert back.retained.record() == result.retained.record() and back.retained.table.equals(
        result.retained.table
    )
    page = (tmp_path / "a" / "report.html").read_text(encoding="utf-8")
    assert 'id="retained"' in page and f"Damaged: {result.retained.damaged.named}" in page
    file = tmp_path / "a" / "retained.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(ArtefactError, match=r"retained\.parquet"):
        vestige.Audit.load(tmp_path / "a")
