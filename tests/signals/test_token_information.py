"""What a token tells beyond a reference: by hand, 0 on average for what the reference writes, and where it is known."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import tiny
from tiny import FORGET, HELD
from vestige.data.texts import Texts
from vestige.errors import InputError
from vestige.evaluation.roc import auc
from vestige.measures.texts import measure
from vestige.signals.collect_texts import collect
from vestige.signals.token_information import token_information

TOKENIZER = tiny.tokenizer()
SOME = Texts(tuple(FORGET[:5]), tuple("abcde"))


def test_by_hand(language_models):
    model, base = language_models["original"], language_models["base"]
    training, told = model.training, token_information(model, base, TOKENIZER, SOME)
    assert model.training == training
    for text, own in zip(SOME.texts, told, strict=True):
        ids = torch.tensor([TOKENIZER(text)["input_ids"]])
        with torch.no_grad():
            p, q = (one.eval()(ids).logits[0, :-1].double().log_softmax(-1) for one in (model, base))
        at = torch.arange(len(own))
        ratio = (p - q)[at, ids[0, 1:]]
        assert np.allclose(own, (ratio + (q.exp() * (q - p)).sum(-1)).numpy(), atol=1e-4)


def test_batches_and_windows_do_not_matter(language_models):
    model, base = language_models["original"], language_models["base"]
    one, other = (token_information(model, base, TOKENIZER, SOME, batch_tokens=n) for n in (1, 4096))
    assert all(np.allclose(*pair, atol=1e-4) for pair in zip(one, other, strict=True))
    assert [len(own) for own in one] == collect(model, TOKENIZER, SOME).tokens.tolist()


def test_a_model_tells_nothing_beyond_itself(language_models):
    told = token_information(language_models["base"], language_models["base"], TOKENIZER, SOME)
    assert np.allclose(np.concatenate(told), 0, atol=1e-9)
    assert np.allclose(measure("informia_tokens", information=told), 0, atol=1e-9)


def test_what_the_reference_would_write_tells_nothing_on_average(language_models):
    """The mean over the vocabulary, weighted by the reference, is 0 at every place."""
    model, base = language_models["original"], language_models["base"]
    ids = torch.tensor([TOKENIZER(FORGET[0])["input_ids"]])
    with torch.no_grad():
        p, q = (one.eval()(ids).logits[0].double().log_softmax(-1) for one in (model, base))
    mean = (q.exp() * (p - q + (q.exp() * (q - p)).sum(-1, keepdim=True))).sum(-1)
    assert torch.allclose(mean, torch.zeros_like(mean), atol=1e-9)


def test_texts_that_a_model_learnt_score_lower_than_those_it_never_saw(language_models):
    model, base = language_models["original"], language_models["base"]
    known, held = (
        measure("informia_tokens", information=token_information(model, base, TOKENIZER, list(texts)))
        for texts in (FORGET, HELD)
    )
    assert auc(held, known) > 0.95


def test_other_vocabularies_and_short_texts_are_refused(language_models):
    wide = copy.deepcopy(language_models["base"])
    wide.resize_token_embeddings(wide.config.vocab_size + 8)
    with pytest.raises(InputError, match="models of one vocabulary"):
        token_information(language_models["base"], wide, TOKENIZER, SOME)
    with pytest.raises(InputError, match="fewer than two tokens"):
        token_information(language_models["base"], language_models["base"], TOKENIZER, ["a"])
