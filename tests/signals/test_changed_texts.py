"""Changed forms of texts: which words change, that the same seed changes the same, and what measures make of them."""

from __future__ import annotations

import copy
from difflib import SequenceMatcher

import numpy as np
import pytest

import tiny
from tiny import FORGET, HELD
from vestige.data.texts import Texts
from vestige.errors import InputError
from vestige.measures.texts import measure
from vestige.signals.changed_texts import lowercased, neighbouring, prefixed, swapped
from vestige.signals.collect_texts import collect

TOKENIZER = tiny.tokenizer()


def test_changed_forms_of_texts(language_models):
    texts = Texts(tuple(FORGET[:4]), tuple("abcd"))
    own = collect(language_models["original"], TOKENIZER, texts)
    lower = lowercased(language_models["original"], TOKENIZER, texts)
    behind = prefixed(language_models["original"], TOKENIZER, texts, [HELD[0][:60]])
    assert lower.shape == behind.shape == (4,) and (lower > own.nll).all()
    copies = swapped(texts, copies=2)
    assert all(sorted(c.texts[0].split()) == sorted(texts.texts[0].split()) for c in copies)
    others = [collect(language_models["original"], TOKENIZER, c) for c in copies]
    near = neighbouring(language_models["base"], TOKENIZER, texts, copies=3, share=0.2)
    assert (
        near[0].texts == neighbouring(language_models["base"], TOKENIZER, texts, copies=3, share=0.2)[0].texts
    )
    assert len(near) == 3 and near[0].texts != near[1].texts and near[0].ids == texts.ids
    neighbours = np.stack([collect(language_models["original"], TOKENIZER, c).nll for c in near], axis=1)
    assert (measure("neighbourhood", nll=own.nll, neighbours=neighbours) < 0).all()  # known by heart
    alike = [SequenceMatcher(None, *both).ratio() for both in zip(near[0].texts, texts.texts, strict=True)]
    assert 0.5 < np.mean(alike) and max(alike) < 1
    noisy = copy.deepcopy(language_models["base"]).train()
    assert (
        neighbouring(noisy, TOKENIZER, texts, copies=3, share=0.2)[1].texts == near[1].texts
        and noisy.training
    )
    special = TOKENIZER.all_special_tokens
    every = neighbouring(language_models["base"], TOKENIZER, texts, share=1, top=50)
    assert not any(mark in text for copy in every for text in copy.texts for mark in special)
    with pytest.raises(InputError, match="share is 2"):
        neighbouring(language_models["base"], TOKENIZER, texts, share=2)
    for name, arrays in (
        ("lowercase", {"nll": own.nll, "lower": lower}),
        ("recall", {"nll": own.nll, "prefixed": behind}),
        ("pac", {"tokens": own, "swapped": others}),
    ):
        assert np.isfinite(measure(name, **arrays)).all(), name
