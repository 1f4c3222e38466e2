"""Bad teacher: what it does to the entropy of forget samples."""

from __future__ import annotations

import torch
from small import MODEL, SPLIT

from vestige.unlearning import unlearn


def test_bad_teacher_makes_forget_samples_ignorant():
    rows = torch.from_numpy(SPLIT.rows("forget").x)
    made = unlearn("bad_teacher", MODEL, SPLIT, epochs=40, lr=5e-3).model
    entropy = [
        float(torch.distributions.Categorical(logits=m(rows).detach()).entropy().mean())
        for m in (MODEL, made)
    ]
    assert entropy[1] > 2 * entropy[0]
