import numpy as np
import pytest

from vestige.errors import InputError
from vestige.signals import exchanged_deletions, simulated_deletions

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


def same(known):
    return [
        known.labels.tolist(),
        known.original.tolist(),
        known.unlearned.tolist(),
        known.shadow_out.tolist(),
        known.names.tolist(),
    ]


@pytest.mark.parametrize("kind", ["u1", "i8", "f4", "f8"])
def test_membership_is_truth_values_of_any_number_type(kind):
    wanted = same(simulated_deletions(LABELS, LOGITS, MEMBER))
    assert same(simulated_deletions(LABELS, LOGITS, MEMBER.astype(kind))) == wanted
    assert same(simulated_deletions(LABELS.tolist(), LOGITS.tolist(), MEMBER.astype(kind).tolist())) == wanted
    assert same(simulated_deletions(LABELS, LOGITS, MEMBER, ids=np.arange(P))) == wanted


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"member": MEMBER * 2}, "member holds 2"), ({"member": np.where(MEMBER, 1, -1)}, "member holds -1"), ({"member": MEMBER.T}, "do not fit"), ({"member": MEMBER[0]}, "do not fit"),
        ({"member": np.where(MEMBER, 1, np.nan)}, "member holds nan"), ({"ids": np.arange(P) * 1.0}, "ids are float64"), ({"ids": ["a"]}, "1 ids for 400"), ({"logits": LOGITS[0]}, "do not fit"),
        ({"labels": LABELS[:-1]}, "do not fit"), ({"logits": LOGITS * np.nan}, "NaN"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit(fields, message):
    with pytest.raises(InputError, match=message):
        simulated_deletions(**{"labels": LABELS, "logits": LOGITS, "member": MEMBER} | fields)


@pytest.mark.parametrize("shadows", [1, 2])
def test_exchanged_roles_are_right_by_construction(shadows):
    member = MEMBER[:shadows] if shadows > 1 else np.arange(P) % 2 == 0
    original, unlearned = np.full((P, 3), 7.0), np.full((P, 3), 8.0)
    original[:, 0], unlearned[:, 0] = np.arange(P), -np.arange(P)
    logits = LOGITS[:shadows] if shadows > 1 else LOGITS[0]
    original, unlearned = (np.resize(one, LOGITS[0].shape) for one in (original, unlearned))
    known = exchanged_deletions(LABELS, logits, member, original, unlearned)
    rows = np.flatnonzero(np.atleast_2d(member).sum(axis=0) == 1)
    assert known.shadows == shadows and (known.roles == "forget").all()
    assert known.names.tolist() == [f"shadow:{row}" for row in rows]
    assert np.array_equal(known.unlearned, unlearned[rows])
    assert np.array_equal(known.shadow_out[0], original[rows])
    owner = np.atleast_2d(member)[:, rows].argmax(axis=0)
    assert np.array_equal(known.original, np.atleast_3d(LOGITS)[owner, rows])
    if shadows == 2:
        assert np.array_equal(known.shadow_out[1], LOGITS[1 - owner, rows])


def test_exchanged_roles_refuse_what_does_not_fit():
    good = {
        "labels": LABELS,
        "logits": LOGITS[0],
        "member": np.ones(P),
        "original": LOGITS[1],
        "unlearned": LOGITS[2],
    }
    for field, value, message in (
        ("member", np.zeros(P), "exactly one shadow"),
        ("original", LOGITS[1][:5], "original has shape"),
        ("member", np.ones(P - 1), "do not fit"),
        ("ids", ["a"], "1 ids"),
    ):
        with pytest.raises(InputError, match=message):
            exchanged_deletions(**good | {field: value})
