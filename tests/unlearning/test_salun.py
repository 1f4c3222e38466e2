"""SalUn: which weights move."""

from __future__ import annotations

import torch
from small import MODEL, SPLIT, values

from vestige.unlearning import unlearn
from vestige.unlearning.gradients import mean_gradient
from vestige.unlearning.work import Steps, Work


def test_salun_changes_the_salient_half_only():
    job = Work("t", Steps(), None, 0, "cpu", False, 1)
    sizes = mean_gradient(MODEL, SPLIT.rows("forget"), job)
    made = values(unlearn("salun", MODEL, SPLIT, lr=0.05, epochs=2).model)
    every = torch.cat([g.abs().flatten() for g in sizes.values()])
    limit = every.sort(descending=True).values[round(0.5 * len(every)) - 1]
    for name, before in values(MODEL).items():
        salient = sizes[name].abs() >= limit
        assert torch.equal(made[name][~salient], before[~salient])
        assert (made[name][salient] != before[salient]).float().mean() > 0.9
