"""DAU: its losses on constructed outputs, its steps by hand for either kind of request, and the bounds on the game."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import small
import torch
import torch.nn.functional as F
from small import clusters, network, work
from torch import nn

import vestige.unlearning.dau_game as dau_game
from vestige.data import Dataset, make_split
from vestige.errors import InputError
from vestige.models import build_model
from vestige.models.samia import Samia
from vestige.signals import collect_logits
from vestige.training import Recipe, train
from vestige.unlearning import unlearn
from vestige.unlearning.dau import compared
from vestige.unlearning.dau_game import agreement, attack, held_back, verdict_loss

DATA = clusters(200)
# twelve samples of one class; others of it stay, so that the request is not for a whole class
SPLIT = make_split(DATA, "partial_class", label=1, forget=12, train=120, holdout=20, shadow=60)
DATA.x[SPLIT.shadow] += 2  # so that the attacker has something to tell the groups by
STEP = {"epochs": 1, "lr": 1.0, "momentum": 0, "weight_decay": 0, "batch_size": 256, "pretrain": 0}
# small for predictions and labels: the verdict on these is near a guess, and the attacker's step is by the groups
WEIGHT = torch.tensor([0.05] * 3 + [1.0] * 3 + [0.05] * 3) * torch.randn(
    2, 9, generator=torch.Generator().manual_seed(1)
)


class Reads(nn.Module):
    """An attacker of rows (predictions, sensitivities, one-hot label) that reads the columns wanted, of 3 classes."""

    def __init__(self, columns):
        super().__init__()
        self.weight = nn.Parameter(WEIGHT.clone())
        self.register_buffer("columns", torch.zeros(9).index_fill(0, torch.tensor(columns), 1.0))

    def forward(self, rows):
        return (rows * self.columns) @ self.weight.T


def rows_of(role):
    """All samples of a role; of the unseen ones, those of the class of the forget samples."""
    rows = SPLIT.rows(role)
    if role == "shadow":
        rows = rows.take(np.flatnonzero(rows.y == 1))
    return torch.from_numpy(rows.x), torch.from_numpy(rows.y)


def attacked(u_f, u_v, columns):
    """The loss of flipped labels, by the attacker's weights after its own step.

    1 = forget. The first step of Adam is lr * g / (|g| + eps).
    """
    w = WEIGHT.clone().requires_grad_(True)
    mask = torch.zeros(9).index_fill(0, torch.tensor(columns), 1.0)

    def loss(w, of_forget):
        f, v = (torch.log_softmax((u * mask) @ w.T, dim=1) for u in (u_f, u_v))
        return -(f[:, of_forget].mean() + v[:, 1 - of_forget].mean()) / 2

    (g,) = torch.autograd.grad(loss(w, 1), w, retain_graph=True)
    new = (w - 1e-3 * g / (g.abs() + 1e-8)).detach()
    return loss(new, 0)


def features_apart(z_f, z_v):
    """|mean_f - mean_v|^2 + |cov_f - cov_v|^2 / d in units of the unseen features' deviation."""
    spread = z_v.std(dim=0).detach()
    means = (z_f.mean(dim=0) - z_v.mean(dim=0)) / spread
    f, v = ((z - z.mean(dim=0)) / spread for z in (z_f, z_v))
    return means.square().sum() + (f.T @ f / len(f) - v.T @ v / len(v)).square().sum() / f.shape[1]


def slopes(model, value):
    return torch.autograd.grad(value, list(model.parameters()), retain_graph=True, allow_unused=True)


def flat(parameters):
    return torch.cat([p.detach().flatten() for p in parameters])


def retained_step(model):
    """The step of the retained samples' loss alone, at a learning rate of 1."""
    x, y = rows_of("retain")
    return -flat(slopes(model, F.cross_entropy(model(x), y)))


def test_the_classifiers_step_is_that_of_its_objective(monkeypatch):
    """CE(D(x_r), y_r) + 0.9 L_adv + 0.001 L_ss at the published weights; the attacker has had its step by then."""
    columns = [0, 1, 2, 6, 7, 8]  # not the sensitivities, which are random
    monkeypatch.setattr(dau_game, "Samia", lambda classes: Reads(columns))
    model = network()
    made = unlearn("dau", model, SPLIT, bound=None, **STEP)
    assert made.gradient_steps == 1
    (x_r, y_r), (x_f, y_f), (x_v, y_v) = (rows_of(role) for role in ("retain", "forget", "shadow"))
    u_f, u_v = (
        torch.cat([torch.softmax(model(x), dim=1), torch.zeros(len(x), 3), F.one_hot(y, 3)], dim=1)
        for x, y in ((x_f, y_f), (x_v, y_v))
    )
    parts = (
        F.cross_entropy(model(x_r), y_r),
        0.9 * attacked(u_f, u_v, columns),
        1e-3 * features_apart(model[:2](x_f), model[:2](x_v)),
    )
    assert all(max(float(g.abs().max()) for g in slopes(model, p) if g is not None) > 1e-4 for p in parts)
    for new, old, g in zip(
        made.model.parameters(), model.parameters(), slopes(model, sum(parts)), strict=True
    ):
        assert torch.allclose(new, old - g, atol=2e-6)


def test_the_game_is_played_through_sensitivities_too(monkeypatch):
    """A linear model's sensitivity to normal noise is sqrt(2 / pi) |w| for each class, but for its draws.

    All rows being alike, an attacker of these alone cannot tell the groups apart, but its verdict moves the weights.
    """
    columns = [3, 4, 5]
    monkeypatch.setattr(dau_game, "Samia", lambda classes: Reads(columns))
    model = nn.Linear(5, 3)
    with torch.no_grad():
        model.weight.copy_(torch.randn(3, 5, generator=torch.Generator().manual_seed(2)))
        model.bias.zero_()
    options = {"inputs": "logits", "selfsupervised": 0.0, "copies": 2000, "bound": None}
    made = unlearn("dau", model, SPLIT, **options, **STEP).model
    game = flat(made.parameters()) - flat(model.parameters()) - retained_step(model)
    w = model.weight.detach().clone().requires_grad_(True)
    sensitivity = (2 / torch.pi) ** 0.5 * w.norm(dim=1)
    u = torch.cat([torch.zeros(3), sensitivity, torch.zeros(3)])[None]
    (wanted,) = torch.autograd.grad(0.9 * attacked(u, u, columns), w)
    assert wanted.norm() > 0.01
    assert (game[:15] + wanted.flatten()).norm() < 0.05 * wanted.norm()
    assert game[15:].abs().max() < 1e-4  # a bias has no part in it


def test_the_bound_shortens_the_game_and_turns_nothing():
    """A game of any weight adds `bound` times the length of the retained samples' step, along its own gradient."""
    model = network()
    fit, start = retained_step(model), flat(model.parameters())

    def game(**options):
        made = unlearn("dau", model, SPLIT, copies=1, **options, **STEP).model
        return flat(made.parameters()) - start - fit

    free = game(adversarial=1e3, bound=None)
    assert free.norm() > 3 * fit.norm()
    for bound in (0.5, 0.2):
        held = game(adversarial=1e3, bound=bound)
        assert torch.isclose(held.norm(), bound * fit.norm(), rtol=1e-4)
        assert torch.cosine_similarity(held, free, dim=0) > 0.9999
    weak = game(adversarial=0.1, bound=None)
    assert 0 < weak.norm() < 0.4 * fit.norm()
    assert torch.allclose(game(adversarial=0.1), weak, atol=1e-6)  # where it is short anyway nothing changes


def test_verdicts_on_constructed_logits():
    """An attacker that says (0, z): CE of 1 is softplus(-z), of 0 softplus(z)."""

    class Says(nn.Module):
        def forward(self, rows):
            return torch.stack([torch.zeros(len(rows)), rows[:, 0]], dim=1)

    u_f, u_v = torch.tensor([[2.0], [0.0]]), torch.tensor([[-1.0]])
    own = (F.softplus(torch.tensor([-2.0, 0.0])).mean() + F.softplus(torch.tensor(-1.0))) / 2
    flipped = (F.softplus(torch.tensor([2.0, 0.0])).mean() + F.softplus(torch.tensor(1.0))) / 2
    assert float(verdict_loss(Says(), u_f, u_v)) == pytest.approx(float(own))
    assert float(verdict_loss(Says(), u_f, u_v, flipped=True)) == pytest.approx(float(flipped))


def test_random_pairing_carries_no_signal():
    """Its expectation over pairings is d (1 + (n - 1) / n^2) + 0.005 d (d - 1) (n - 1) / n^2, whatever the features."""
    generator = torch.Generator().manual_seed(0)
    n, d = 64, 16
    base = torch.randn(n, d, generator=generator)
    mixed = base @ torch.randn(d, d, generator=generator)
    wanted = d * (1 + (n - 1) / n**2) + 5e-3 * d * (d - 1) * (n - 1) / n**2
    for z_f, z_v in ((base, torch.randn(n, d, generator=generator)), (base, base), (mixed, 2 * mixed + 1)):
        found = [
            float(agreement(z_f[torch.randperm(n, generator=generator)], z_v, "random")) for _ in range(400)
        ]
        assert np.mean(found) == pytest.approx(wanted, rel=0.03)


def test_moments_agree_where_distributions_do():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(4000, 6, generator=generator)
    same = agreement(z[:2000], z[2000:], "moment")
    assert float(same) < 0.05 < float(agreement(z[:2000] + 1, z[2000:], "moment"))
    assert float(agreement(3 * z[:2000], z[2000:], "moment")) > 10


def test_the_attacker_learns_and_is_left_alone_in_the_classifiers_step(monkeypatch):
    attacker = Samia(3)
    optimiser = torch.optim.Adam(attacker.parameters(), 1e-3)
    generator = torch.Generator().manual_seed(0)
    u_f, u_v = torch.randn(64, 9, generator=generator) + 1, torch.randn(64, 9, generator=generator)
    losses = [attack(attacker, optimiser, u_f, u_v) for _ in range(40)]
    assert losses[-1] < 0.7 * losses[0]
    touched = []
    real = dau_game.verdict_loss

    def watched(attacker, u_f, u_v, *, flipped=False):
        if flipped:
            touched.append(any(p.requires_grad for p in attacker.parameters()))
        return real(attacker, u_f, u_v, flipped=flipped)

    monkeypatch.setattr(dau_game, "verdict_loss", watched)
    unlearn("dau", small.MODEL, small.SPLIT, epochs=1, batch_size=32, copies=1, pretrain=2)
    assert touched and not any(touched)


def counter(monkeypatch):
    """A list that grows by one with every step of the game."""
    played = []
    real = dau_game.Game.played
    monkeypatch.setattr(dau_game.Game, "played", lambda game: played.append(game.taken) or real(game))
    return played


@pytest.mark.usefixtures("small_attacker")
def test_a_class_has_a_game_of_thirty_steps_and_then_its_passes(monkeypatch):
    """Also where an epoch is short; while finetuning each fifth step is one of the game."""
    played = counter(monkeypatch)
    options = {"batch_size": 16, "copies": 1, "pretrain": 2}
    for epochs in (1, 4):
        played.clear()
        made = unlearn("dau", small.MODEL, small.WHOLE, epochs=epochs, **options)
        a_pass = -(-len(small.WHOLE.retain) // 16)
        assert made.gradient_steps == 30 + epochs * a_pass
        assert played == [*range(1, 31), *range(35, made.gradient_steps + 1, 5)]
    played.clear()
    made = unlearn("dau", small.MODEL, small.WHOLE, epochs=4, switch_every=0, **options)
    assert played == list(range(1, 31)) and made.gradient_steps == 30 + 4 * a_pass
    played.clear()
    unlearn("dau", small.MODEL, small.SPLIT, epochs=5, **options)
    assert len(played) == 5 * 7  # random requests play to the end
    still = {"class_lr": 1e-12, "switch_lr": 1e-12}
    made = unlearn("dau", small.MODEL, small.WHOLE, lr=1.0, copies=1, pretrain=2, **still).model
    assert all(
        torch.allclose(p, small.values(small.MODEL)[name], atol=1e-6) for name, p in made.named_parameters()
    )


@pytest.mark.slow
def test_as_published_a_class_has_477_steps_with_the_game_in_the_first_thirty(monkeypatch):
    played = counter(monkeypatch)
    for epochs in (1, 3):
        played.clear()
        options = {"preset": "paper", "epochs": epochs, "batch_size": 64, "copies": 1, "pretrain": 1}
        made = unlearn("dau", small.MODEL, small.WHOLE, **options)
        assert made.gradient_steps == 477 and played == list(range(1, 31))
    with pytest.raises(InputError, match="class_steps is 29; 30, the steps of the game"):
        unlearn("dau", small.MODEL, small.WHOLE, class_steps=29)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_finetuning_after_the_game_goes_on_with_its_momentum(schedule):
    """Without a weight on the game both phases are a plain loop of one optimiser, here of whole batches."""
    model = network()
    options = {"class_lr": 0.2, "switch_lr": 0.1, "switch_after": 3, "switch_schedule": schedule, "epochs": 4}
    made = unlearn("dau", model, small.WHOLE, adversarial=0.0, pretrain=0, copies=1, **options).model
    rows = small.WHOLE.rows("retain")
    x, y = torch.from_numpy(rows.x), torch.from_numpy(rows.y)
    sgd = torch.optim.SGD(model.parameters(), 0.2, momentum=0.9, weight_decay=5e-4)
    falling = [0.1 * (1 + np.cos(np.pi * step / 4)) / 2 for step in range(4)]
    for lr in [0.2] * 3 + ([0.1] * 4 if schedule == "constant" else falling):
        sgd.param_groups[0]["lr"] = lr
        sgd.zero_grad()
        F.cross_entropy(model(x), y).backward()
        sgd.step()
    assert torch.allclose(flat(made.parameters()), flat(model.parameters()), atol=1e-5)


@pytest.mark.parametrize("preset", ["recommended", "paper"])
def test_the_step_against_a_class_is_that_of_its_objective(preset, monkeypatch):
    """Recommended: D_f against the other classes, no label, D_f alone pushed. Paper: all classes, label, both pushed."""
    columns = [0, 1, 2, 6, 7, 8]  # not the sensitivities, which are random
    monkeypatch.setattr(dau_game, "Samia", lambda classes: Reads(columns))
    model, split = network(), make_split(DATA, "class", label=1, train=120, holdout=20, shadow=60)
    unseen = split.rows("shadow")
    if preset == "recommended":
        unseen = unseen.take(np.flatnonzero(unseen.y != 1))
    options = {
        "class_selfsupervised": 0.0,
        "switch_after": 1,
        "class_steps": 1,
        "bound": None,
        "class_lr": 1.0,
    }
    made = unlearn("dau", model, split, preset=preset, **STEP | options)
    assert made.gradient_steps == 1 and made.decided["request"] == "whole class"
    (x_r, y_r), (x_f, y_f), (x_v, y_v) = (
        (torch.from_numpy(rows.x), torch.from_numpy(rows.y))
        for rows in (split.rows("retain"), split.rows("forget"), unseen)
    )

    def rows_of(x, y):
        out, label = model(x), F.one_hot(y, 3)
        first = out if preset == "paper" else torch.softmax(out, dim=1)
        return torch.cat([first, torch.zeros(len(x), 3), label * (preset == "paper")], dim=1)

    u_f, u_v = rows_of(x_f, y_f), rows_of(x_v, y_v)
    if preset == "recommended":
        u_v = u_v.detach()
    game = 0.9 * attacked(u_f, u_v, columns)
    assert max(float(g.abs().max()) for g in slopes(model, game)) > 1e-3
    wanted = slopes(model, F.cross_entropy(model(x_r), y_r) + game)
    for new, old, g in zip(made.model.parameters(), model.parameters(), wanted, strict=True):
        assert torch.allclose(new, old - g, atol=2e-5)


def test_the_request_decides_and_the_result_says_so():
    options = {"epochs": 1, "copies": 1, "pretrain": 1, "switch_after": 1}
    decided = unlearn("dau", small.MODEL, small.SPLIT, **options).decided
    assert decided == {
        "request": "samples", "unseen": "same", "label": True, "pushed": "both", "selfsupervised": 1e-3, "floor": 0.0,
    }  # fmt: skip
    part = make_split(small.DATA, "partial_class", label=1, forget=0.9, train=120, holdout=20, shadow=20)
    assert unlearn("dau", small.MODEL, part, **options).decided == decided
    assert unlearn("dau", small.MODEL, small.WHOLE, **options).decided == {
        "request": "whole class", "unseen": "others", "label": False, "pushed": "forget", "selfsupervised": 0.0,
        "floor": 1.5,
    }  # fmt: skip
    two = small.WHOLE.data.take(small.WHOLE.train)
    both = np.isin(two.y, (0, 1))
    classes = dataclasses.replace(
        small.WHOLE, forget=small.WHOLE.train[both], retain=small.WHOLE.train[~both]
    )
    assert unlearn("dau", small.MODEL, classes, **options).decided["request"] == "whole class"


def test_whom_forget_samples_are_compared_with():
    split, whole = SPLIT, small.WHOLE
    shadow = whole.rows("shadow")
    for which, rows in (("same", shadow.y == 1), ("others", shadow.y != 1), ("all", shadow.y >= 0)):
        assert compared(whole, which, work("dau")).ids.tolist() == shadow.ids[rows].tolist()
    alone = dataclasses.replace(split, shadow=split.shadow[split.rows("shadow").y != 1])
    with pytest.raises(InputError, match="here are 0 of the forget samples' classes in batches"):
        unlearn("dau", small.MODEL, alone)
    alone = dataclasses.replace(whole, shadow=whole.shadow[shadow.y == 1])
    with pytest.raises(InputError, match="here are 0 of the other classes in batches"):
        unlearn("dau", small.MODEL, alone)


@pytest.mark.slow
def test_a_memorised_class_is_forgotten_and_was_not_by_the_game_of_before():
    """Against unseen samples of the same class, or without the floor of the bound, the original is a fixed point."""
    split = small.WHOLE
    model = train(network(), split.data.take(split.train), Recipe(epochs=40, batch_size=16, lr=0.1)).model

    def right(**options):
        """The share of forget and of retained samples that are answered rightly; retraining has 0.13 and 1."""
        given = {
            "class_lr": 0.1,
            "switch_lr": 0.1,
            "epochs": 5,
            "batch_size": 32,
            "copies": 1,
            "pretrain": 100,
        }
        made = unlearn("dau", model, split, **given, **options).model
        groups = split.rows("forget"), split.rows("retain")
        return [(collect_logits(made, rows).argmax(1) == rows.y).mean() for rows in groups]

    forget, retain = right()
    assert forget < 0.3 and retain > 0.95
    before = {"class_unseen": "same", "class_label": True, "class_pushed": "both", "switch_every": 0}
    for options in (before, {"class_floor": 0.0}):
        assert right(**options)[0] > 0.8


def test_pretraining_draws_augments_and_normalises_anew_and_leaves_the_model_as_it_is(monkeypatch):
    """As published; the model's statistics are put back, and only the attacker has learned."""
    rng = np.random.default_rng(0)
    data = Dataset(
        "noise", rng.integers(0, 255, (60, 1, 16, 16)).astype(np.uint8), np.arange(60) % 3,
        np.arange(60).astype(str), tuple("abc"),
    )  # fmt: skip
    split = make_split(data, "class", label=1, train=40, holdout=5, shadow=15)
    model = build_model("resnet18", data.shape, 3, width=4, seed=0)
    rows, real = [], dau_game.attack
    monkeypatch.setattr(dau_game, "attack", lambda a, o, u_f, u_v: rows.append(u_f) or real(a, o, u_f, u_v))
    options = {"preset": "paper", "adversarial": 0.0, "class_selfsupervised": 0.0, "copies": 1, "sigma": 1e-3}
    options |= {"class_steps": 1, "switch_after": 0}

    def made(pretrain, **more):
        rows.clear()
        return unlearn("dau", model, split, pretrain=pretrain, **options, **more)

    first, second = made(0), made(3)
    assert all(
        torch.equal(a, second.model.state_dict()[name]) for name, a in first.model.state_dict().items()
    )
    assert [len(u) for u in rows] == [40] * 3 and second.epochs > first.epochs
    sums = [float(u[:, :3].sum()) for u in rows]  # of all members alike, but for augmentation
    assert abs(sums[0] - sums[1]) > 1e-3
    made(2, augment="none")
    logits = model.train()(torch.from_numpy(split.data.x[split.train]).float() / 255)
    for u in rows:
        assert torch.allclose(u[:, :3].sort(dim=0)[0], logits.sort(dim=0)[0], atol=1e-3)


def test_dau_holds_the_game_back():
    """The game's gradient is at most so long as a share of the other; where it is short anyway nothing changes."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    for weight, bound, wanted in ((100.0, 0.5, [2.0, 4.0 + 0.5 * 20**0.5]), (0.1, 0.5, [2.0, 4.1])):
        value = held_back(w.square().sum(), weight * w[1], [w], bound)
        assert value.item() == pytest.approx(5.0 + min(weight, 0.5 * 20**0.5) * 2.0)
        assert torch.autograd.grad(value, w)[0].tolist() == pytest.approx(wanted)
    for floor, wanted in ((1.5, [2.0, 4.0 + 0.5 * 20**0.5]), (5.0, [2.0, 9.0]), (200.0, [2.0, 104.0])):
        value = held_back(w.square().sum(), 100.0 * w[1], [w], 0.5, floor)
        assert torch.autograd.grad(value, w)[0].tolist() == pytest.approx(wanted)
    unused = torch.ones(3, requires_grad=True)
    assert torch.autograd.grad(held_back(w.sum(), 0 * w.sum(), [w, unused], 0.5), w)[0].tolist() == [1.0, 1.0]


def test_one_forget_sample_is_enough_and_one_unseen_is_not():
    model = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    one = dataclasses.replace(SPLIT, forget=SPLIT.forget[:1])
    for preset in ("paper", "recommended"):
        options = {"preset": preset, "epochs": 1, "copies": 2, "pretrain": 2}
        made = unlearn("dau", model, one, **options).model
        assert not torch.equal(made[0].weight, model[0].weight)
        for few in ({"shadow": SPLIT.shadow[:1]}, {}):
            with pytest.raises(InputError, match="at least 2, in batches of 2, are wanted"):
                unlearn(
                    "dau", model, dataclasses.replace(SPLIT, **few), **options, batch_size=256 if few else 1
                )


def test_a_single_pair_of_features_has_no_correlation():
    z = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    assert agreement(z[:1], z, "random") == 0 and agreement(z, z, "random") > 0
