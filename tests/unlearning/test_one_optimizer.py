"""Methods of several passes: one optimiser and one schedule over all of them, as in a plain loop."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from plain import apart, plain_pass
from small import MODEL, SPLIT, work
from torch.nn.functional import cross_entropy

from vestige.models import reinitialise
from vestige.training import Recipe, learning_rate
from vestige.unlearning import unlearn
from vestige.unlearning.distances import distance
from vestige.unlearning.gradients import mean_gradient
from vestige.unlearning.labels import relabelled

OPTIMIZERS = {
    "sgd": {"lr": 0.05, "optimizer": "sgd", "momentum": 0.9, "weight_decay": 5e-4},
    "nesterov": {"lr": 0.05, "optimizer": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.0},
    "adam": {"lr": 0.01, "optimizer": "adam", "weight_decay": 1e-3},
    "adamw": {"lr": 0.01, "optimizer": "adamw", "weight_decay": 1e-2},
}
SCHEDULES = {"constant": {}, "cosine": {}, "multistep": {"milestones": (1, 3)}}


def optimizer_of(model, *, lr, optimizer, weight_decay, momentum=0.0, nesterov=False):
    p = model.parameters()
    if optimizer == "sgd":
        return torch.optim.SGD(p, lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)
    kind = torch.optim.Adam if optimizer == "adam" else torch.optim.AdamW
    return kind(p, lr, weight_decay=weight_decay)


def tensors(rows):
    return torch.from_numpy(rows.x), torch.from_numpy(rows.y)


def by_labels(model, optimizer, rates, size, mask=None):
    """Every epoch a pass over the forget samples with new labels, then one over the retained."""
    for epoch, lr in enumerate(rates):
        for turn, rows in enumerate((relabelled(SPLIT.rows("forget"), 0, epoch), SPLIT.rows("retain"))):
            plain_pass(
                model, optimizer, *tensors(rows), size, seed=1000 * (2 * epoch + turn), lr=lr, mask=mask
            )


def by_salience(model, optimizer, rates, size):
    sizes = [g.abs() for g in mean_gradient(MODEL, SPLIT.rows("forget"), work()).values()]
    limit = torch.cat([s.flatten() for s in sizes]).sort(descending=True).values
    limit = limit[round(0.5 * len(limit)) - 1]
    by_labels(model, optimizer, rates, size, [s >= limit for s in sizes])


def by_turns(model, optimizer, rates, size):
    """SCRUB: in the first two epochs away from the teacher on forget samples; in all towards it on retained ones."""

    def said(x):
        with torch.no_grad():
            return MODEL(x)

    def leave(x, y):
        return -distance(model(x), said(x), 2.0)

    def stay(x, y):
        return cross_entropy(model(x), y) + 0.5 * distance(model(x), said(x), 2.0)

    for epoch, lr in enumerate(rates):
        for turn, role, loss in ((0, "forget", leave), (1, "retain", stay)):
            if role == "retain" or epoch < 2:
                seed = 1000 * (2 * epoch + turn)
                plain_pass(model, optimizer, *tensors(SPLIT.rows(role)), size, seed=seed, loss=loss, lr=lr)


METHODS = {
    "random_labels": (by_labels, {}),
    "salun": (by_salience, {}),
    "scrub": (by_turns, {"ceiling": None, "msteps": 2}),
}


@pytest.mark.parametrize("size", [256, 20])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("name", METHODS)
def test_the_passes_of_a_method_have_one_optimiser(name, kind, schedule, size):
    """In one batch a pass, momentum acts from pass to pass alone."""
    loop, knobs = METHODS[name]
    settings, shape = OPTIMIZERS[kind], SCHEDULES[schedule] | {"schedule": schedule}
    made = unlearn(name, MODEL, SPLIT, epochs=4, batch_size=size, **settings, **shape, **knobs).model
    recipe = Recipe(epochs=4, lr=settings["lr"], **shape)
    plain = copy.deepcopy(MODEL)
    loop(plain, optimizer_of(plain, **settings), [learning_rate(recipe, epoch) for epoch in range(4)], size)
    assert apart(made, plain) < 1e-6 * max(1, apart(MODEL, plain))
    assert apart(MODEL, plain) > 0.001


@pytest.mark.parametrize("name", METHODS)
def test_momentum_acts_from_pass_to_pass(name):
    """What was seen: with one batch a pass, momentum 0.9 and 0 gave the same weights."""
    made = [unlearn(name, MODEL, SPLIT, epochs=3, lr=0.05, momentum=m).model for m in (0.9, 0.0)]
    assert apart(*made) > 1e-3


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_one_descent_of_several_epochs_is_the_same_as_several_of_one(kind):
    """What a method of one's own may rely on."""
    from vestige.unlearning.work import Steps, Work

    rows, settings = SPLIT.rows("retain"), OPTIMIZERS[kind]
    whole, parts, anew = (copy.deepcopy(MODEL) for _ in range(3))
    plain = copy.deepcopy(MODEL)
    optimizer = optimizer_of(plain, **settings)
    for _ in range(3):
        plain_pass(plain, optimizer, *tensors(rows), 256)
    for model, fresh in ((parts, False), (anew, True)):
        job = Work("t", Steps(epochs=3, **settings), None, 0, "cpu", False, 100)
        for _ in range(3):
            job.descend(model, rows, epochs=1, fresh=fresh)
    Work("t", Steps(epochs=3, **settings), None, 0, "cpu", False, 100).descend(whole, rows)
    assert apart(parts, plain) < 1e-6 and apart(whole, plain) < 1e-6
    assert apart(anew, plain) > 1e-3


def test_stages_that_are_trainings_of_their_own_begin_anew():
    """Hybrid's authors train twice; momentum of the poisoning has no part in the repair."""
    made = unlearn("hybrid", MODEL, SPLIT, poison_lr=0.5, lr=0.05, epochs=2).model
    plain = copy.deepcopy(MODEL)
    wrong, right = relabelled(SPLIT.rows("forget"), 0), SPLIT.rows("retain")
    nesterov = {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}
    plain_pass(plain, torch.optim.SGD(plain.parameters(), 0.5, **nesterov), *tensors(wrong), 128)
    repair = torch.optim.SGD(plain.parameters(), 0.05, **nesterov)
    for epoch in range(2):
        plain_pass(plain, repair, *tensors(right), 128, seed=1000, epoch=epoch)
    assert apart(made, plain) < 1e-5


def test_frozen_weights_and_a_mask_hold_over_all_passes():
    frozen = copy.deepcopy(MODEL)
    frozen[0].requires_grad_(False)
    for name in METHODS:
        made = unlearn(name, frozen, SPLIT, epochs=3, lr=0.1).model
        assert torch.equal(made[0].weight, MODEL[0].weight)
        assert not np.allclose(made[2].weight.detach(), MODEL[2].weight.detach(), atol=1e-4)


@pytest.mark.parametrize(("anneal", "equal"), [("epoch", True), ("step", False)])
def test_a_cosine_falls_once_an_epoch_or_at_every_step(anneal, equal):
    """Two epochs of two batches: as torch's scheduler has it where it steps once an epoch."""
    steps = {
        "epochs": 2,
        "lr": 0.1,
        "momentum": 0.0,
        "weight_decay": 0.0,
        "schedule": "cosine",
        "batch_size": 54,
    }
    made = unlearn("finetune", MODEL, SPLIT, anneal=anneal, **steps).model
    plain, rows = copy.deepcopy(MODEL), SPLIT.rows("retain")
    optimizer = torch.optim.SGD(plain.parameters(), 0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    for epoch in range(2):
        plain_pass(plain, optimizer, *tensors(rows), 54, epoch=epoch)
        scheduler.step()
    assert (apart(made, plain) < 1e-6) == equal


def joined_tensors(*roles):
    parts = [tensors(SPLIT.rows(role)) for role in roles]
    return tuple(torch.cat(side) for side in zip(*parts, strict=True))


def retained(model, epoch):
    x, y = tensors(SPLIT.rows("retain"))
    return cross_entropy(model(x), y)


def climbed(model, epoch):
    x, y = tensors(SPLIT.rows("forget"))
    return -cross_entropy(model(x), y)


def sparse(model, epoch):
    size = sum(p.abs().sum() for p in model.parameters())
    return retained(model, epoch) + 5e-4 * (1 - epoch / EPOCHS) * size


def both(model, epoch):
    return 0.95 * retained(model, epoch) + 0.05 * climbed(model, epoch)


def poisoned(model, epoch):
    forget = relabelled(SPLIT.rows("forget"), 0)
    x, y = joined_tensors("retain", "forget")
    return cross_entropy(model(x), torch.cat([y[:-12], torch.from_numpy(forget.y)]))


def taught(model, epoch):
    """A teacher with fresh weights for the forget samples, the original for the others."""
    with torch.no_grad():
        x, _ = joined_tensors("forget", "retain")
        said = torch.cat([reinitialise(MODEL, 0)(x[:12]), MODEL(x[12:])])
    return distance(model(x), said)


def shrunk(model, epoch):
    """The nearest other class after a signed step of 0.1."""
    x, y = tensors(SPLIT.rows("forget"))
    moved = x.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(cross_entropy(MODEL(moved), y), moved)
    logits = MODEL(x + 0.1 * slope.sign()).detach()
    logits[torch.arange(len(y)), y] = -torch.inf
    return cross_entropy(model(x), logits.argmax(1))


EPOCHS = 6
SINGLE = {
    "finetune": (retained, {}),
    "gradient_ascent": (climbed, {}),
    "l1_sparse": (sparse, {}),
    "negative_gradient_plus": (both, {}),
    "poison_full": (poisoned, {"nesterov": False, "true_label": False}),
    "bad_teacher": (taught, {"share": 1.0}),
    "boundary_shrink": (shrunk, {}),
}


@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("name", SINGLE)
def test_methods_of_one_pass_an_epoch_as_well(name, kind):
    """All samples in a batch, six steps of torch's own optimiser."""
    value, knobs = SINGLE[name]
    settings = OPTIMIZERS[kind]
    options = {
        "preset": "paper",
        "epochs": EPOCHS,
        "batch_size": 256,
        "schedule": "constant",
        **settings,
        **knobs,
    }
    made = unlearn(name, MODEL, SPLIT, **options).model
    plain = copy.deepcopy(MODEL)
    optimizer = optimizer_of(plain, **settings)
    for epoch in range(EPOCHS):
        optimizer.zero_grad()
        value(plain, epoch).backward()
        optimizer.step()
    assert apart(made, plain) < 1e-5 * apart(MODEL, plain) + 1e-6
    assert apart(MODEL, plain) > 1e-3
