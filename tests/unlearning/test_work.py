"""What methods share: layers in the order in which samples meet them, masks, schedules, augmentation, the early stop."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.svm import LinearSVC
from small import DATA, MODEL, SPLIT, network, values, work
from torch import nn

from vestige.data import Dataset
from vestige.errors import InputError
from vestige.models.sparsity import prune
from vestige.training import Recipe
from vestige.unlearning import unlearn
from vestige.unlearning.layers import last_linear, layers_met
from vestige.unlearning.work import Steps, Work


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


@pytest.mark.parametrize("preset", ["recommended", "paper"])
@pytest.mark.parametrize(
    "name", ["activation_reset", "l_codec", "dau", "fisher_forgetting", "ssd", "influence"]
)
def test_a_layer_that_no_sample_meets_is_no_hindrance(name, preset):
    quick = {
        "l_codec": {"perturbations": 20},
        "dau": {"copies": 1, "pretrain": 2, "epochs": 1},
        "ssd": {"alpha": 1.0},
    }
    model = HeadFirst()
    made = unlearn(name, model, SPLIT, preset=preset, **quick.get(name, {})).model
    assert all(p.isfinite().all() for p in made.parameters())
    assert any(not torch.equal(v, values(model)[k]) for k, v in values(made).items())
    if name in ("ssd", "influence"):
        assert torch.equal(made.unused.weight, model.unused.weight)


def mixed():
    """Linear layers of half precision around a normalisation of single precision."""
    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3)).to(torch.bfloat16)
    model[1].float()
    return model


@pytest.mark.parametrize("name", ["retrain", "finetune", "boundary_expanding", "influence"])
def test_every_weight_keeps_its_own_precision(name):
    model = mixed()
    kinds = {key: value.dtype for key, value in model.state_dict().items()}
    made = unlearn(name, model, SPLIT, recipe=Recipe(epochs=1)).model
    assert {key: value.dtype for key, value in made.state_dict().items()} == kinds
    assert {torch.bfloat16, torch.float32} <= set(kinds.values())
    assert all(p.grad is None or p.grad.dtype == p.dtype for p in made.parameters())


@pytest.mark.parametrize("name", ["finetune", "ssd"])
def test_double_precision_is_refused_in_words(name):
    with pytest.raises(InputError, match="0.weight is of double precision"):
        unlearn(name, network().double(), SPLIT)


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


def test_dau_needs_unseen_samples():
    import dataclasses

    none = dataclasses.replace(SPLIT, shadow=SPLIT.shadow[:0])
    for name in ("dau", "forsaken"):
        with pytest.raises(InputError, match="shadow= above 0"):
            unlearn(name, MODEL, none)


class Masked(nn.Module):
    """A network with an infinite buffer, such as the mask of causal attention, and a `predict_proba` of its own."""

    def __init__(self):
        super().__init__()
        self.net = network()
        self.register_buffer("mask", torch.full((3, 3), -torch.inf).triu(1))

    def forward(self, x):
        return self.net(x)

    def predict_proba(self, x):
        return torch.softmax(self(x), dim=1).detach().numpy()


@pytest.mark.parametrize("name", ["finetune", "retrain"])
def test_infinite_buffers_and_a_predict_proba_are_no_hindrance(name):
    model = Masked()
    made = unlearn(name, model, SPLIT, recipe=Recipe(epochs=1), seed=np.int64(3)).model
    assert torch.equal(made.mask, model.mask) and not torch.equal(made.net[0].weight, model.net[0].weight)


def test_a_recipe_by_its_name_or_fields():
    made = [
        unlearn("retrain", MODEL, SPLIT, recipe=recipe).model
        for recipe in ({"epochs": 2, "lr": 0.05}, Recipe(epochs=2, lr=0.05))
    ]
    assert torch.equal(made[0][0].weight, made[1][0].weight)
    with pytest.raises(InputError, match="Did you mean 'speed'"):
        unlearn("retrain", MODEL, SPLIT, recipe="sped")
    for seed in (-1, 1.5, "0"):
        with pytest.raises(InputError, match="unlearn: seed is "):
            unlearn("finetune", MODEL, SPLIT, seed=seed)


class Precise(nn.Module):
    """Notes in which precision it is trained."""

    def __init__(self):
        super().__init__()
        self.seen = set()
        self.body, self.head = nn.Conv1d(1, 4, 2), nn.Linear(16, 3)

    def forward(self, x):
        made = self.body(x[:, None])
        self.seen.add(made.dtype)
        return self.head(made.flatten(1))


@pytest.mark.parametrize(("precision", "wanted"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_methods_compute_in_the_precision_of_training(precision, wanted):
    made = unlearn("finetune", Precise(), SPLIT, recipe=Recipe(epochs=1, precision=precision), epochs=1).model
    assert wanted in made.seen and made.seen <= {torch.float32, wanted}


def test_samples_that_do_not_fit_the_model():
    with pytest.raises(
        InputError,
        match=r"on clusters: The model does not take samples of shape \[5\] and type torch.float32",
    ):
        unlearn("finetune", nn.Linear(4, 3), SPLIT)


@pytest.mark.parametrize("name", ["cf_k", "activation_reset", "dau"])
def test_of_a_compiled_network_the_network_is_unlearned_from(name):
    options = {"copies": 1, "pretrain": 1, "epochs": 1} if name == "dau" else {}
    compiled = torch.compile(network(), backend="eager")
    one, two = (unlearn(name, model, SPLIT, **options).model for model in (compiled, network()))
    assert one.state_dict().keys() == two.state_dict().keys() and torch.equal(one[2].weight, two[2].weight)
