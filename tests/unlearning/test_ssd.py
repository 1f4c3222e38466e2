"""SSD: the factor of every weight."""

from __future__ import annotations

import pytest
import torch
from small import MODEL, SPLIT, values

from vestige.errors import InputError
from vestige.unlearning import unlearn
from vestige.unlearning.gradients import fisher_diagonal
from vestige.unlearning.work import Steps, Work


def test_ssd_formula():
    job = Work("t", Steps(), None, 0, "cpu", False, 1)
    f, r = (fisher_diagonal(MODEL, SPLIT.rows(role), job, labels="true") for role in ("forget", "retain"))
    made = values(unlearn("ssd", MODEL, SPLIT, alpha=1.5, dampening=0.7).model)
    for name, before in values(MODEL).items():
        everyone = 0.1 * f[name] + 0.9 * r[name]
        factor = torch.where(
            f[name] > 1.5 * everyone, (0.7 * everyone / f[name]).clamp(max=1), torch.ones(())
        )
        assert torch.allclose(made[name], before * factor, atol=1e-6)
    with pytest.raises(InputError, match="Above 10"):
        unlearn("ssd", MODEL, SPLIT, alpha=11.0)
