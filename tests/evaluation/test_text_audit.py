"""From signals of texts to verdicts, a table of measures and traces."""

from __future__ import annotations

import numpy as np
import pytest

import tiny
from tiny import FORGET, LEARN, RETAIN, ROLE, TEXTS, of_first
from vestige.errors import InputError
from vestige.evaluation import scoreui
from vestige.evaluation.texts import as_signals, audit_texts, degrees
from vestige.signals.collect_texts import collect
from vestige.signals.texts import TextSignals
from vestige.unlearning.text import unlearn

TOKENIZER = tiny.tokenizer()


def test_retraining_is_cleared_and_the_untouched_model_is_not(text_audits):
    kept, gone = text_audits["original"].verdict, text_audits["retrain"].verdict
    assert repr(text_audits["retrain"]) == repr(text_audits["retrain"].audit)
    assert kept.outcome == "under" and kept.counts["under"] > 12
    assert gone.outcome == "unlearned" and gone.completeness > 0.9 and gone.counts["cleared"] > 12
    assert gone.left_at_most <= 0.1 and gone.could_be_whole <= gone.allowed == 1
    measures = [run.label for run in text_audits["retrain"].audit.measures]
    assert measures[0] == "trace" and {"emia_reference", "iam"} < set(measures)
    table = {row["measure"]: row for row in text_audits["retrain"].table}
    assert table["iam"]["auc_retain"] > 0.9 and abs(table["ratio"]["auc_holdout"] - 0.5) < 0.25
    assert 0 <= table["min_k"]["low_retain"] <= table["min_k"]["auc_retain"] + 1e-9
    assert table["recall"]["reason"] == "prefixed not given" and table["recall"]["auc_retain"] is None
    assert table["zlib"]["reason"] is None and table["iam"]["ties"] < 0.01


def test_traces_sit_where_tokens_are_likelier(text_audits, text_signals):
    traces = text_audits["original"].traces
    assert len(traces) == 24 and traces[0]["mean"] >= traces[-1]["mean"] > 0
    first = traces[0]
    row = int(np.flatnonzero(text_signals["base"].ids == first["id"])[0])
    own = text_signals["base"].of(row)
    never = (text_signals["base"].logp + text_signals["other"].logp) / 2
    assert first["gap"] == pytest.approx((text_signals["original"].logp - never)[own], abs=1e-3)
    assert first["mean"] == pytest.approx(np.mean(first["gap"]), abs=1e-3)


def test_few_never_seen_texts_block_the_verdict_and_one_model_tells_none(text_signals):
    """A fifth of the texts that were held out are too few to compare with; without a shadow nothing is said."""
    few = audit_texts(
        *(of_first(text_signals[name], 64) for name in ("retrain", "original")), [of_first(text_signals["base"], 64)],
        role=ROLE[:64],
    ).audit.verdict  # fmt: skip
    assert few.outcome == "undecided" and few.completeness is None and few.counts["undecided"] == 24
    bare = audit_texts(text_signals["retrain"], text_signals["original"], role=ROLE)
    assert bare.audit.verdict.sentence.startswith("Undecided: no shadow model is given")
    assert bare.audit.verdict.advice.startswith("Add the outputs of at least one model")
    assert not (bare.audit.scores["measure"] == "trace").any() and bare.traces == []


def test_other_tokenizers_are_compared_by_character(text_signals):
    base = text_signals["base"]
    halves = TextSignals(
        **{n: getattr(base, n)[::2].copy() for n in ("logp", "mean", "std", "entropy", "weighted_std", "start", "end")},
        offsets=np.concatenate([[0], np.cumsum(np.bincount(np.repeat(np.arange(len(base)), base.tokens)[::2]))]),
        characters=base.characters, ids=base.ids,
    )  # fmt: skip
    made = as_signals(base, None, [halves], ROLE)
    loss = base.nll_per_character
    assert made.unlearned[:, 0] == pytest.approx(-loss - np.log(-np.expm1(-loss)))
    with pytest.raises(InputError, match="ids must agree"):
        audit_texts(base, collect(tiny.model(), TOKENIZER, FORGET), role=ROLE)


def test_the_table_takes_a_preset(text_signals):
    tables = {
        preset: audit_texts(
            text_signals["retrain"],
            text_signals["original"],
            [text_signals["base"]],
            role=ROLE,
            preset=preset,
        ).table
        for preset in ("paper", "recommended")
    }
    known = {p: {row["measure"]: row["membership_forget"] for row in rows} for p, rows in tables.items()}
    assert known["paper"]["iam"] != known["recommended"]["iam"]  # log-odds or not
    assert known["paper"]["loss"] == known["recommended"]["loss"] and 0 <= known["paper"]["iam"] <= 1


def test_scores_follow_the_degree_of_learning(language_models, text_signals):
    """ScoreUI over the checkpoints of a language model: the less was learned, the higher the score."""
    steps, model = [text_signals["base"]], language_models["base"]
    for _ in range(3):
        model = unlearn("finetune", model, TOKENIZER, retain=FORGET + RETAIN, **LEARN | {"epochs": 8}).model
        steps.append(collect(model, TOKENIZER, TEXTS))
    for name in ("iam", "lira_online", "loss"):
        scores = degrees(name, steps, text_signals["original"], [text_signals["base"]])[:48]
        found = scoreui(scores, [0, 1 / 3, 2 / 3, 1])
        assert scores.shape == (48, 4) and found.per_sample > 0.9 and found.pooled > 0.6, name
    with pytest.raises(InputError, match="at least one checkpoint"):
        degrees("iam", [])
    with pytest.raises(InputError):
        degrees("iam", steps)  # there is no model before


def test_a_report_of_texts_has_one_iam(text_audits):
    """What the table says of a measure is what the audit says of it; log-odds have no bounds that cut their interval."""
    made = text_audits["retrain"]
    for row in made.table:
        if row["measure"] in ("iam", "linear_gap"):
            own = [m for m in made.audit.figures if (m.measure, m.name) == (row["measure"], "auc")]
            area = next(m.value for m in own if "retained" in m.comparison)
            assert area == pytest.approx(row["auc_retain"], abs=1e-12)
    scores = made.audit.scores[made.audit.scores["measure"] == "iam"]
    assert (scores["score"] < 0).any() and (scores["low"] <= scores["score"]).all()
