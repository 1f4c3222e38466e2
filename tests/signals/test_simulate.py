import numpy as np
import pytest

from vestige.errors import InputError
from vestige.signals import simulated_deletions

RNG = np.random.default_rng(0)
S, P, C = 5, 400, 3
MEMBER = RNG.random((S, P)) < 0.55
LABELS = RNG.integers(0, C, P)
# logit 0 of a model on a sample says which model and sample it is, logit 1 whether the model saw it
LOGITS = np.zeros((S, P, C))
LOGITS[..., 0] = np.arange(S)[:, None] * P + np.arange(P)
LOGITS[..., 1] = MEMBER


@pytest.mark.parametrize("out", [1, 2, 3])
def test_every_row_is_what_its_role_says(out):
    known = simulated_deletions(LABELS, LOGITS, MEMBER, out=out)
    gone = known.roles == "forget"
    assert known.shadows == out and (known.original[:, 1] == 1).all()
    assert (known.unlearned[gone, 1] == 0).all() and (known.unlearned[~gone, 1] == 1).all()
    assert (known.shadow_out[..., 1] == 0).all()
    models = np.stack([known.original[:, 0], known.unlearned[:, 0], *known.shadow_out[..., 0]]) // P
    assert all(len(set(column)) == out + 2 for column in models.T)
    samples = np.stack([known.original[:, 0], known.unlearned[:, 0], *known.shadow_out[..., 0]]) % P
    assert (samples == samples[0]).all() and np.array_equal(LABELS[samples[0].astype(int)], known.labels)


def test_every_possible_sample_is_used_once_per_role():
    known = simulated_deletions(LABELS, LOGITS, MEMBER, out=2)
    seen = MEMBER.sum(axis=0)
    assert (known.roles == "forget").sum() == ((seen >= 1) & (seen <= S - 3)).sum()
    assert (known.roles == "retain").sum() == ((seen >= 2) & (seen <= S - 2)).sum()


def test_default_keeps_as_many_out_shadows_as_leave_enough():
    assert simulated_deletions(LABELS, LOGITS, MEMBER).shadows in (1, 2)
    few = simulated_deletions(LABELS[:60], LOGITS[:, :60], MEMBER[:, :60])
    assert (few.roles == "forget").sum() > 0


def test_too_few_shadows():
    with pytest.raises(InputError, match="at least three"):
        simulated_deletions(LABELS, LOGITS[:2], MEMBER[:2])
    with pytest.raises(InputError, match="no simulated deletion"):
        simulated_deletions(LABELS, LOGITS, np.ones_like(MEMBER))
