"""What brings texts back: a few steps of training, and weights that are rounded."""

from __future__ import annotations

import pytest
import torch

import tiny
from tiny import FORGET
from vestige.errors import InputError
from vestige.signals.collect_texts import collect
from vestige.unlearning.text.recovery import quantised, relearned

TOKENIZER = tiny.tokenizer()


def test_what_brings_texts_back(language_models):
    gone = language_models["retrain"]
    loss = collect(gone, TOKENIZER, FORGET).nll.mean()
    assert (
        collect(relearned(gone, TOKENIZER, FORGET, steps=10, lr=3e-3), TOKENIZER, FORGET).nll.mean()
        < loss - 0.05
    )
    rounded = quantised(gone, bits=4)
    weight, own = (m.model.layers[0].mlp.up_proj.weight for m in (rounded, gone))
    assert (
        not torch.equal(weight, own)
        and float((weight - own).abs().max()) <= float(own.abs().max()) / 14 + 1e-6
    )
    assert len(torch.unique(weight.flatten()[:64])) <= 15
    assert torch.equal(rounded.lm_head.weight, gone.lm_head.weight)
    with pytest.raises(InputError, match="equal to 2"):
        quantised(gone, bits=1)
