"""UNSIR: a whole class is forgotten."""

from __future__ import annotations

import pytest
import torch
from small import DATA, MODEL, SPLIT, WHOLE, network

from vestige.errors import InputError
from vestige.training import Recipe, train
from vestige.unlearning import unlearn


def test_unsir_wants_whole_classes():
    with pytest.raises(InputError, match="whole classes"):
        unlearn("unsir", MODEL, SPLIT)
    model = train(network(), DATA.take(WHOLE.train), Recipe(epochs=40, batch_size=16, lr=0.1)).model
    made = unlearn("unsir", model, WHOLE, lr=0.3, noise_share=0.5, batch_size=32).model
    x = torch.from_numpy(WHOLE.rows("forget").x)
    before, after = (torch.softmax(m(x), 1)[:, 1].detach() for m in (model, made))
    assert float(after.mean()) < float(before.mean()) - 0.02
