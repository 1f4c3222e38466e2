"""Each method's own formula, on problems small enough to know the answer."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LinearRegression
from sklearn.svm import LinearSVC
from small import clusters, network, split_of, work
from torch import nn

from vestige.data import Dataset, make_split
from vestige.errors import InputError
from vestige.models.samia import Samia
from vestige.models.sparsity import prune
from vestige.training import Recipe, train
from vestige.unlearning import unlearn
from vestige.unlearning.dau import agreement, attack, verdict_loss
from vestige.unlearning.gradients import fisher_diagonal, mean_gradient
from vestige.unlearning.l_codec import conditional_dependence, foci, inverse_fisher
from vestige.unlearning.last_layers import only
from vestige.unlearning.random_labels import joined, relabelled
from vestige.unlearning.scrub import distance
from vestige.unlearning.work import Steps, Work, last_linear, layers_met

DATA = clusters(160)
SPLIT = split_of(DATA, train=120)
WHOLE = make_split(DATA, "class", label=1, train=120, holdout=20, shadow=20)
MODEL = train(network(), DATA.take(SPLIT.train), Recipe(epochs=40, batch_size=16, lr=0.1)).model


def values(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


# random labels, poison


def test_drawn_labels():
    rows = DATA
    for epoch in range(50):
        assert (relabelled(rows, 0, epoch).y != rows.y).all()
    drawn = np.concatenate([relabelled(rows, 0, e, true_label=True).y == rows.y for e in range(200)])
    assert abs(drawn.mean() - 1 / 3) < 0.01  # published: the true label one time in C
    assert not np.array_equal(relabelled(rows, 0, 1).y, relabelled(rows, 0, 2).y)
    both = joined(SPLIT.rows("forget"), SPLIT.rows("retain"))
    assert len(both) == 120 and both.ids[0] == DATA.ids[SPLIT.forget[0]]


# ascent by a stand-in


def test_amnesiac_ascent_adds_the_stand_ins_gradients():
    """One step, no decay: theta + lr * gradient of the fresh network on the forget samples."""
    from vestige.models import reinitialise

    made = unlearn("amnesiac_ascent", MODEL, SPLIT, epochs=1, lr=0.1, seed=4).model
    fresh, rows = reinitialise(MODEL, 4), SPLIT.rows("forget")
    loss = F.cross_entropy(fresh(torch.from_numpy(rows.x)), torch.from_numpy(rows.y))
    gradients = torch.autograd.grad(loss, list(fresh.parameters()))
    for own, before, g in zip(made.parameters(), MODEL.parameters(), gradients, strict=True):
        assert torch.allclose(own, before + 0.1 * g, atol=1e-6)


# l1


def test_l1_penalty_falls_to_nothing():
    """A weight without data gradient shrinks by lr * alpha_t a step: sum of 1, 2/3, 1/3 of alpha over 3 epochs."""
    data = clusters(64)
    data.x[:, 4] = 0
    split = split_of(data, forget=4, train=44)
    model = nn.Linear(5, 3)
    with torch.no_grad():
        model.weight[:, 4] = 5.0
    steps = {"epochs": 3, "lr": 0.1, "momentum": 0, "weight_decay": 0, "batch_size": 64, "augment": "none"}
    made = unlearn("l1_sparse", model, split, alpha=0.3, **steps).model
    assert made.weight[:, 4].tolist() == pytest.approx([5 - 0.1 * 0.3 * (1 + 2 / 3 + 1 / 3)] * 3, abs=1e-5)
    kept = unlearn("l1_sparse", model, split, alpha=0.3, plain_epochs=2, **steps).model
    assert kept.weight[:, 4].tolist() == pytest.approx([5 - 0.1 * 0.3] * 3, abs=1e-5)


# negative gradient plus


def test_negative_gradient_plus_is_one_weighted_step():
    steps = {"epochs": 1, "lr": 0.1, "momentum": 0, "weight_decay": 0, "batch_size": 256, "augment": "none"}
    made = unlearn("negative_gradient_plus", MODEL, SPLIT, alpha=0.8, **steps).model
    job = Work("t", Steps(), None, 0, "cpu", False, 1)
    kept, gone = (mean_gradient(MODEL, SPLIT.rows(r), job) for r in ("retain", "forget"))
    for name, p in made.named_parameters():
        wanted = values(MODEL)[name] - 0.1 * (0.8 * kept[name] - 0.2 * gone[name])
        assert torch.allclose(p, wanted, atol=1e-6)


def test_negative_gradient_plus_lets_go_above_its_ceiling():
    """Where every forget sample is above it, what is left is finetuning at alpha times the rate."""
    steps = {"epochs": 2, "momentum": 0, "weight_decay": 0, "batch_size": 32, "augment": "none"}
    made = unlearn("negative_gradient_plus", MODEL, SPLIT, alpha=0.8, ceiling=1e-9, lr=0.1, **steps).model
    tuned = unlearn("finetune", MODEL, SPLIT, lr=0.08, freeze_batchnorm=True, **steps).model
    for name, p in made.named_parameters():
        assert torch.allclose(p, values(tuned)[name], atol=1e-6)
    far = unlearn("negative_gradient_plus", MODEL, SPLIT, alpha=0.2, lr=1.0, epochs=30, batch_size=16).model
    assert all(p.isfinite().all() for p in far.parameters())


# distillation


def test_distance_is_the_divergence_from_the_teacher():
    student, teacher = torch.tensor([[0.2, 1.0, -1.0]]), torch.tensor([[1.5, 0.0, 0.3]])
    p, q = torch.softmax(teacher / 2, 1), torch.softmax(student / 2, 1)
    assert float(distance(student, teacher, 2.0)) == pytest.approx(
        4 * float((p * (p / q).log()).sum()), rel=1e-5
    )
    assert float(distance(student, student, 3.0)) == pytest.approx(0, abs=1e-6)


def test_bad_teacher_makes_forget_samples_ignorant():
    rows = torch.from_numpy(SPLIT.rows("forget").x)
    made = unlearn("bad_teacher", MODEL, SPLIT, epochs=40, lr=5e-3).model
    entropy = [
        float(torch.distributions.Categorical(logits=m(rows).detach()).entropy().mean())
        for m in (MODEL, made)
    ]
    assert entropy[1] > 2 * entropy[0]


# saliency


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


# selective synaptic dampening


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


# Fisher noise


def test_fisher_noise_has_its_variance():
    """Over 300 seeds: alpha * min(1 / (F + 1e-8), cap), averaged over inputs, ten times for biases and the head."""
    job = Work("t", Steps(), None, 0, "cpu", False, 1)
    noise = {name: [] for name, _ in MODEL.named_parameters()}
    for seed in range(300):
        made = values(unlearn("fisher_forgetting", MODEL, SPLIT, seed=seed, alpha=1e-6, batch_size=128).model)
        for name, before in values(MODEL).items():
            noise[name].append(made[name] - before)
    f = fisher_diagonal(MODEL, SPLIT.rows("retain"), job, labels="all")
    for name, drawn in noise.items():
        own = name.startswith("2.")
        v = 1e-6 * (1 / (f[name] + 1e-8)).clamp(max=1e2 if own else 1e3)
        v = v.mean(dim=1, keepdim=True).expand_as(f[name]) if v.ndim > 1 else v
        v = 10 * v if own or v.ndim == 1 else v
        ratio = torch.stack(drawn).var(dim=0) / v  # the Fisher is itself drawn, so some weights are off
        assert 0.7 < float(ratio.median()) < 1.4


def test_fisher_forgetting_draws_a_whole_classs_row_anew():
    made = unlearn("fisher_forgetting", MODEL, WHOLE, alpha=1e-12).model
    before, after = values(MODEL)["2.weight"], values(made)["2.weight"]
    assert after[1].abs().max() < 0.2 and (after[1] - before[1]).abs().max() > 0.1
    assert (after[[0, 2]] - before[[0, 2]]).abs().max() < 1e-3


# layers


def test_cf_k_and_eu_k_leave_the_others_alone():
    for name, k in (("cf_k", 1), ("eu_k", 1)):
        made = values(unlearn(name, MODEL, SPLIT, k=k).model)
        before = values(MODEL)
        assert torch.equal(made["0.weight"], before["0.weight"]) and torch.equal(
            made["0.bias"], before["0.bias"]
        )
        assert not torch.equal(made["2.weight"], before["2.weight"])
    with pytest.raises(InputError, match="2 layers"):
        unlearn("cf_k", MODEL, SPLIT, k=3)
    partly = copy.deepcopy(MODEL)
    partly[0].requires_grad_(False)
    made = unlearn(
        "eu_k", partly, SPLIT, k=2
    ).model  # a frozen layer is not drawn anew, for nothing would train it
    assert torch.equal(made[0].weight, MODEL[0].weight) and not torch.equal(made[2].weight, MODEL[2].weight)
    norms = nn.Sequential(MODEL[0], nn.BatchNorm1d(8), nn.Tanh(), nn.BatchNorm1d(8), MODEL[2])
    made = unlearn(
        "eu_k", norms, SPLIT, k=2
    ).model  # what is drawn anew takes its statistics from the retained samples
    assert not made[1].running_mean.any() and made[3].running_mean.all()
    model = copy.deepcopy(MODEL)
    job = Work("t", Steps(), None, 0, "cpu", False, 1)
    with only(model, DATA, 1, job):
        assert [p.requires_grad for p in model.parameters()] == [False, False, True, True]
    assert all(p.requires_grad for p in model.parameters())


class HeadFirst(nn.Module):
    """Registers its layers in another order than samples meet them, and one that no sample meets."""

    def __init__(self):
        super().__init__()
        self.head, self.unused, self.body = nn.Linear(8, 3), nn.Linear(8, 3), nn.Linear(5, 8)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))


@pytest.mark.parametrize("name", ["cf_k", "eu_k", "selective_pruning_last_layer"])
def test_the_last_layer_is_the_one_that_gives_the_logits(name):
    model = HeadFirst()
    assert last_linear(model, DATA, name) is model.head and layers_met(model, DATA) == [
        model.body,
        model.head,
    ]
    options = {"lr": 1e-12, "overfit_epochs": 5} if name.startswith("selective") else {}
    made = unlearn(name, model, SPLIT, **options).model
    assert torch.allclose(made.body.weight, model.body.weight, atol=1e-9)
    assert not torch.allclose(made.head.weight, model.head.weight, atol=1e-3)


@pytest.mark.parametrize("name", ["activation_reset", "l_codec", "dau", "fisher_forgetting"])
def test_a_layer_that_no_sample_meets_is_no_hindrance(name):
    quick = {"l_codec": {"perturbations": 20}, "dau": {"copies": 1, "pretrain": 2, "epochs": 1}}
    made = unlearn(name, HeadFirst(), SPLIT, **quick.get(name, {})).model
    assert all(p.isfinite().all() for p in made.parameters())


# pruning by similarity


def test_the_last_layers_share_is_drawn_anew():
    """Without a repair step, three in ten weights of the last layer differ, and nothing else."""
    made = unlearn("selective_pruning_last_layer", MODEL, SPLIT, lr=1e-12, overfit_epochs=5).model
    changed = {n: (v - values(MODEL)[n]).abs() > 1e-6 for n, v in values(made).items()}
    assert int(changed["2.weight"].sum()) == int(0.3 * 24)
    assert not changed["0.weight"].any() and not changed["2.bias"].any()


def test_complex_draws_fewer_than_plain():
    plain, both = (
        unlearn(name, MODEL, SPLIT, lr=1e-12, overfit_epochs=5).model
        for name in ("selective_pruning", "selective_pruning_complex")
    )
    counts = [
        sum(int(((v - values(MODEL)[n]).abs() > 1e-6).sum()) for n, v in values(m).items())
        for m in (plain, both)
    ]
    assert 0 < counts[1] < counts[0] == int(0.3 * 40) + int(0.3 * 24)


def test_activation_reset_finds_the_unit_that_answers_to_the_forget_samples():
    """Unit 0 fires on forget samples only; it is drawn anew, the others are not."""
    data = clusters(160)
    split = split_of(data, train=120)
    data.x[:, 0] = 0
    data.x[split.forget, 0] = 10
    model = copy.deepcopy(network())
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.zero_()
        model[0].weight[0, 0] = 1
        model[0].weight[1, 0] = -1
    made = unlearn("activation_reset", model, split, lr=1e-12).model
    changed = (made[0].weight - model[0].weight).abs().max(dim=1).values > 1e-6
    assert changed.tolist() == [True] + [False] * 7
    assert (made[2].weight - model[2].weight).abs().min() > 0


# boundary


def test_expanding_leaves_c_classes_and_shrink_another_label():
    made = unlearn("boundary_expanding", MODEL, SPLIT, lr=0.3).model
    assert made[2].weight.shape == (3, 8) and made[2].out_features == 3
    thrown = unlearn("boundary_expanding", MODEL, SPLIT, preset="paper", lr=0.3).model
    assert torch.equal(thrown[0].weight, MODEL[0].weight) and not torch.equal(made[0].weight, MODEL[0].weight)
    rows = SPLIT.rows("forget")
    shrunk = unlearn("boundary_shrink", MODEL, SPLIT, lr=0.1, epochs=60).model
    before, after = (
        float((m(torch.from_numpy(rows.x)).argmax(1) == torch.from_numpy(rows.y)).float().mean())
        for m in (MODEL, shrunk)
    )
    assert after < before - 0.4


# L-CODEC


def test_conditional_dependence():
    """0 for independent, 1 for functions, and given what explains all, nothing more."""
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 1))
    assert abs(conditional_dependence(x[:, 0], z)) < 0.05
    assert conditional_dependence(np.sin(3 * x[:, 0]), x) > 0.98
    assert conditional_dependence(x[:, 0] * z[:, 0], z, x) > 0.85
    noisy = x[:, 0] + rng.normal(size=4000)
    assert abs(conditional_dependence(noisy, z, x)) < 0.1 < conditional_dependence(noisy, x, z)


def test_foci_finds_the_parents():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(1500, 12))
    y = 2 * z[:, 3] + np.abs(z[:, 7]) + 0.01 * rng.normal(size=1500)
    assert set(foci(y, z, 5)[:2]) == {3, 7}
    with pytest.raises(InputError, match="raise noise"):
        foci(y, np.ones((1500, 3)), 2)


def test_inverse_fisher_is_the_dense_inverse():
    g = torch.randn(9, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    v = torch.randn(14, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    dense = g.T @ g / 9 + 0.05 * torch.eye(14, dtype=g.dtype)
    assert torch.allclose(inverse_fisher(g, v, 0.05), torch.linalg.solve(dense, v))


# UNSIR


def test_unsir_wants_whole_classes():
    with pytest.raises(InputError, match="whole classes"):
        unlearn("unsir", MODEL, SPLIT)
    model = train(network(), DATA.take(WHOLE.train), Recipe(epochs=40, batch_size=16, lr=0.1)).model
    made = unlearn("unsir", model, WHOLE, lr=0.3, noise_share=0.5, batch_size=32).model
    x = torch.from_numpy(WHOLE.rows("forget").x)
    before, after = (torch.softmax(m(x), 1)[:, 1].detach() for m in (model, made))
    assert float(after.mean()) < float(before.mean()) - 0.02


# DAU


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
    import vestige.unlearning.dau as dau

    touched = []
    real = dau.verdict_loss

    def watched(attacker, u_f, u_v, *, flipped=False):
        if flipped:
            touched.append(any(p.requires_grad for p in attacker.parameters()))
        return real(attacker, u_f, u_v, flipped=flipped)

    monkeypatch.setattr(dau, "verdict_loss", watched)
    unlearn("dau", MODEL, SPLIT, epochs=1, batch_size=32, copies=1, pretrain=2)
    assert touched and not any(touched)


def test_the_game_ends_after_thirty_steps_where_a_class_is_forgotten(monkeypatch):
    import vestige.unlearning.dau as dau

    counted = []
    real = dau.agreement
    monkeypatch.setattr(dau, "agreement", lambda *given: counted.append(1) or real(*given))
    made = unlearn("dau", MODEL, WHOLE, epochs=15, batch_size=16, copies=1, pretrain=2)
    assert len(counted) == 30 and made.gradient_steps > 60
    counted.clear()
    unlearn("dau", MODEL, SPLIT, epochs=5, batch_size=16, copies=1, pretrain=2)
    assert len(counted) == 5 * 7  # random requests play to the end
    still = {"class_lr": 1e-12, "switch_lr": 1e-12}
    made = unlearn("dau", MODEL, WHOLE, lr=1.0, copies=1, pretrain=2, **still).model
    assert all(torch.allclose(p, values(MODEL)[name], atol=1e-6) for name, p in made.named_parameters())


def test_dau_needs_unseen_samples():
    import dataclasses

    none = dataclasses.replace(SPLIT, shadow=SPLIT.shadow[:0])
    for name in ("dau", "forsaken"):
        with pytest.raises(InputError, match="shadow= above 0"):
            unlearn(name, MODEL, none)


# forsaken


def test_forsaken_moves_the_mean_answer_to_that_of_unseen_samples():
    def gap(model):
        with torch.no_grad():
            f, u = (
                torch.softmax(model(torch.from_numpy(r.x)), 1).mean(0)
                for r in (SPLIT.rows("forget"), SPLIT.rows("shadow"))
            )
        return float((u * (u / f).log()).sum())

    made = unlearn("forsaken", MODEL, SPLIT, iterations=60, lr=1e-2, penalty=0.0).model
    assert gap(made) < 0.2 * gap(MODEL)
    far, near = (
        sum(float((a - b).abs().sum()) for a, b in zip(m.parameters(), MODEL.parameters(), strict=True))
        for m in (made, unlearn("forsaken", MODEL, SPLIT, iterations=60, lr=1e-2, penalty=10.0).model)
    )
    assert near < far


def test_dau_holds_the_game_back():
    """The game's gradient is at most so long as a share of the other; where it is short anyway nothing changes."""
    from vestige.unlearning.dau import held_back

    w = torch.tensor([1.0, 2.0], requires_grad=True)
    for weight, bound, wanted in ((100.0, 0.5, [2.0, 4.0 + 0.5 * 20**0.5]), (0.1, 0.5, [2.0, 4.1])):
        value = held_back(w.square().sum(), weight * w[1], [w], bound)
        assert value.item() == pytest.approx(5.0 + min(weight, 0.5 * 20**0.5) * 2.0)
        assert torch.autograd.grad(value, w)[0].tolist() == pytest.approx(wanted)
    unused = torch.ones(3, requires_grad=True)
    assert torch.autograd.grad(held_back(w.sum(), 0 * w.sum(), [w, unused], 0.5), w)[0].tolist() == [1.0, 1.0]


# what all methods share


@pytest.mark.parametrize("name", ["selective_pruning", "selective_pruning_complex", "salun"])
def test_of_a_sparse_model_the_alive_weights_count(name):
    """Nine of ten weights of the first layer are masked: shares are of the tenth that is left."""
    sparse = prune(network(hidden=64), 0.9)
    options = {"epochs": 1, "lr": 0.1} if name == "salun" else {"lr": 1e-12, "overfit_epochs": 5}
    made = unlearn(name, sparse, SPLIT, **options).model
    alive, moved = sparse[0].weight_mask, made[0].weight != sparse[0].weight
    assert not moved[~alive].any() and not made[0].weight[~alive].any()
    share = float(moved[alive].float().mean())
    assert 0.05 < share < 0.35 if name != "salun" else 0.2 < share < 0.95
    if name == "selective_pruning":
        assert share == pytest.approx(int(0.3 * 32) / 32)


@pytest.mark.parametrize("name", ["influence", "forsaken", "l_codec"])
def test_masked_weights_have_no_part_in_a_step(name):
    """A network blind to a feature by its mask moves as one that has never been shown the feature."""
    dark = SPLIT.data.x.copy()
    dark[:, 2] = 0
    unseen = dataclasses.replace(SPLIT, data=dataclasses.replace(SPLIT.data, x=dark))
    model = copy.deepcopy(MODEL)
    with torch.no_grad():
        model[0].weight[:, 2] = 0
    blind = copy.deepcopy(model)
    blind[0].register_buffer("weight_mask", torch.arange(5).expand(8, 5) != 2)
    options = {"perturbations": 40, "noise": 1.0} if name == "l_codec" else {}
    by_mask, by_data = (
        unlearn(name, blind, SPLIT, **options).model,
        unlearn(name, model, unseen, **options).model,
    )
    assert not torch.equal(by_mask[2].weight, MODEL[2].weight)
    for (key, own), other in zip(by_mask.named_parameters(), by_data.parameters(), strict=True):
        assert torch.allclose(own, other, atol=1e-5), key


def test_schedules_go_on_from_pass_to_pass():
    steps = {"epochs": 10, "lr": 1.0}
    decayed = work(schedule="multistep", milestones=(5, 8, 9), **steps)
    rates = [decayed.one_epoch(epoch)["lr"] for epoch in range(10)]
    assert rates == pytest.approx([1] * 5 + [0.1] * 3 + [0.01, 0.001])
    falling = [work(schedule="cosine", **steps).one_epoch(epoch)["lr"] for epoch in range(10)]
    assert falling[0] == 1 and (np.diff(falling) < 0).all() and falling[5] == pytest.approx(0.5)
    with pytest.raises(InputError, match="schedule"):
        unlearn("random_labels", MODEL, SPLIT, schedule="slowly")
    frozen = unlearn(
        "random_labels", MODEL, SPLIT, epochs=2, lr=0.1, schedule="multistep", milestones=(1,), seed=3
    )
    usual = unlearn("random_labels", MODEL, SPLIT, epochs=2, lr=0.1, seed=3)
    assert not torch.equal(frozen.model[0].weight, usual.model[0].weight)


def test_augmentation_is_that_of_training_where_it_is_known():
    def auto(recipe, side):
        pixels = np.zeros((2, 3, side, side), np.uint8)
        images = Dataset("i", pixels, np.zeros(2, np.int64), np.array(["a", "b"]), ("x",))
        return Work("t", Steps(), recipe, 0, "cpu", False, 1).augmentation("auto", images)

    assert auto(Recipe(augment="flip"), 32) == "flip" and auto(Recipe(), 32) == "none"
    assert auto(None, 32) == "crop_flip" and auto(None, 8) == "none"


def test_the_early_stop_sees_the_model_that_is_unlearned_from():
    x, seen = torch.from_numpy(DATA.x), []
    unlearn("boundary_expanding", MODEL, SPLIT, on_epoch=lambda model: seen.append(tuple(model(x).shape)))
    assert set(seen) == {(160, 3)}
    for name in ("selective_pruning", "selective_pruning_complex"):
        stopped = unlearn(name, MODEL, SPLIT, on_epoch=lambda model: True)
        assert stopped.stopped == "on_epoch"
        assert all(torch.equal(v, values(MODEL)[k]) for k, v in values(stopped.model).items())


def test_what_gives_no_probabilities_is_refused():
    rows = DATA.take(SPLIT.train)
    for model in (LinearSVC().fit(rows.x, rows.y), LinearRegression().fit(rows.x, rows.y), object()):
        for name in ("finetune", "retrain"):
            with pytest.raises(InputError, match="neither a torch.nn.Module nor a scikit-learn classifier"):
                unlearn(name, model, SPLIT)
