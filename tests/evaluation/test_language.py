"""Figures of a language model beside the scores of texts: what it can still say, and what a figure hides."""

from __future__ import annotations

import numpy as np
import pytest

import tiny
from tiny import FORGET, HELD, ROLE, of_first
from vestige.errors import InputError
from vestige.evaluation.language import (
    bag_of_words,
    extraction_strength,
    knowledge,
    perplexity,
    privleak,
    rouge_l,
    verbatim,
)

TOKENIZER = tiny.tokenizer()


def test_figures_beside_the_scores(language_models, text_signals):
    asked = int((np.asarray(ROLE) == "forget").sum())  # the forget texts come first
    before, after = (perplexity(of_first(text_signals[name], asked)) for name in ("base", "original"))
    assert before > after > 1
    for figure, least in ((verbatim, 0.05), (extraction_strength, 0.0)):
        known = figure(language_models["original"], TOKENIZER, FORGET[:6]).mean()
        never = figure(language_models["base"], TOKENIZER, FORGET[:6]).mean()
        assert 0 <= never < known <= 1 and known - never > least, figure.__name__
    asked = [FORGET[0][:30]]
    truth = [FORGET[0][30:].split("\n")[0][:40]]
    assert 0 <= knowledge(language_models["original"], TOKENIZER, asked, truth)[0] <= 1
    assert (rouge_l("a b c d", "a c d e"), rouge_l("x", "y"), rouge_l("A b", "a B"), rouge_l("", "a")) == (
        0.75,
        0,
        1,
        0,
    )


def test_privleak_points_the_stated_way():
    rng = np.random.default_rng(0)
    unseen = rng.normal(size=200)
    known, exact, damaged = unseen - 2, rng.normal(size=200), unseen + 2
    assert privleak(known, unseen, exact, unseen).value < -50
    assert abs(privleak(exact, unseen, exact, unseen).value) < 1e-9
    over = privleak(damaged, unseen, exact, unseen)
    assert over.value > 50 and "over-unlearned" in over.warning
    assert privleak(known, unseen, exact, unseen).warning is None


def test_bag_of_words_warns_of_a_split_that_is_separable():
    rivers = [t.replace("the", "river") for t in FORGET]
    assert bag_of_words(FORGET, rivers) > 0.9 and 0.2 < bag_of_words(FORGET, HELD) < 0.8
    with pytest.raises(InputError, match="at least five"):
        bag_of_words(FORGET[:3], HELD)
    with pytest.raises(InputError, match="no words in common"):
        bag_of_words(["?!"] * 6, ["!?"] * 6)
