"""What a network answers is looked at in one place, in evaluation and in training mode, and it stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import vestige
from vestige.data import Dataset, make_split
from vestige.errors import InputError
from vestige.models import expect_logits_in_training
from vestige.training import train_fleet
from vestige.unlearning import METHODS, unlearn

RNG = np.random.default_rng(0)
ROWS = Dataset(
    "d", RNG.normal(size=(60, 8)).astype(np.float32), RNG.integers(0, 4, 60), np.arange(60), tuple("abcd")
)
SPLIT = make_split(ROWS, "random", forget=5, train=30, holdout=10, shadow=10)
ONCE = vestige.Recipe(epochs=1, batch_size=16, lr=0.05)


class Heads(nn.Module):
    """A network whose answer in training mode is of another kind, as GoogLeNet's is."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.first, self.second = kind, nn.Linear(8, 4), nn.Linear(8, 4)
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x: torch.Tensor) -> object:
        x = self.norm(x)
        logits, other = self.first(x), self.second(x)
        if not self.training or self.kind == "plain":
            return logits
        kinds = {
            "tuple": (logits, other), "list": [logits], "dict": {"out": logits}, "None": None,
            "ModelOutput": SimpleNamespace(logits=logits), "three axes": logits[:, :, None],
            "fewer rows": logits[:1], "labels": logits.argmax(dim=1), "whole numbers": logits.long(),
        }  # fmt: skip
        if self.kind == "asks for targets":
            raise ValueError("targets should not be none when in training mode")
        return kinds[self.kind]


KINDS = (
    "tuple", "list", "dict", "None", "ModelOutput", "three axes", "fewer rows", "labels", "whole numbers",
    "asks for targets",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_other_answers_in_training_are_refused_before_a_step(kind):
    for call in (
        lambda: vestige.train(Heads(kind), ROWS, ONCE),
        lambda: unlearn("finetune", Heads(kind), SPLIT, epochs=1),
    ):
        with pytest.raises(InputError, match=r"in training mode|targets should not be none"):
            call()


@pytest.mark.parametrize(
    "name", [m.name for m in METHODS.entries() if "torch" in m.worlds and not m.own_model]
)
def test_every_method_refuses_a_second_head(name):
    recipe = {"recipe": ONCE} if name == "retrain" else {}
    with pytest.raises(InputError, match=f"{name} on d: The model returns tuple .* in training mode"):
        unlearn(name, Heads("tuple"), SPLIT, **recipe)


class Ends(nn.Module):
    """A network whose last step is a function of its own, and of whether it is trained."""

    def __init__(self, end: Callable[[torch.Tensor, bool], torch.Tensor]) -> None:
        super().__init__()
        self.layer, self.end = nn.Linear(8, 4), end

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.end(self.layer(x), self.training)


ENDS = {
    "ends in a softmax": (lambda z, trained: z.softmax(1) if trained else z, False),
    r"returns \[\d+, 8\] .* in training mode": (
        lambda z, trained: torch.cat([z, z], 1) if trained else z,
        False,
    ),
    "logarithms to the base 2": (lambda z, _: z.log_softmax(1) / np.log(2), True),
    "negative logarithms": (lambda z, _: -z.log_softmax(1), True),
    "percentages": (lambda z, _: 100 * z.softmax(1), True),
}


@pytest.mark.parametrize("message", ENDS)
def test_what_is_no_logit_is_told_at_every_door(message):
    end, always = ENDS[message]
    for needed, call in (
        (True, lambda: vestige.train(Ends(end), ROWS, ONCE)),
        (True, lambda: unlearn("finetune", Ends(end), SPLIT, epochs=1)),
        (always, lambda: vestige.collect_logits(Ends(end), ROWS)),
        (always, lambda: vestige.collect_sensitivity(Ends(end), ROWS, copies=1)),
    ):
        if needed:
            with pytest.raises(InputError, match=message):
                call()
        else:
            call()


class Doubles(nn.Module):
    """A network that changes what it is given."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inplace, self.layer = inplace, nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.mul_(2) if self.inplace else x * 2)


def test_a_network_that_changes_its_input_does_not_change_the_data():
    before = ROWS.x.copy()
    for call in (
        lambda model: vestige.collect_logits(vestige.train(model, ROWS, ONCE).model, ROWS),
        lambda model: vestige.collect_logits(model, ROWS),
        lambda model: vestige.collect_sensitivity(model, ROWS, copies=2),
    ):
        assert np.array_equal(call(Doubles(True)), call(Doubles(False))) and np.array_equal(ROWS.x, before)
    with pytest.raises(InputError, match="changes its input in place.*inplace=False"):
        unlearn("finetune", Doubles(True), SPLIT, epochs=1)
    assert np.array_equal(ROWS.x, before)


def test_a_sensitivity_that_is_not_finite_is_refused():
    with pytest.raises(InputError, match="NaN or infinite sensitivity for sample '0'"):
        vestige.collect_sensitivity(Ends(lambda z, _: z * np.nan), ROWS, copies=1)


def test_looking_changes_nothing():
    model = Heads("plain").eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.random.get_rng_state()
    expect_logits_in_training(model, torch.randn(2, 8, generator=torch.Generator().manual_seed(0)), 4)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not model.training and torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_number_formats_are_read_in_single_precision(dtype):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4)).eval()
    other = nn.Sequential(*[type(m)(*a) for m, a in zip(model, ((8, 16), (16,), (), (16, 4)), strict=True)])
    other.load_state_dict(model.state_dict())
    other = other.to(dtype).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.to(dtype))
    np.testing.assert_allclose(
        vestige.collect_logits(other, ROWS), vestige.collect_logits(model, ROWS), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        vestige.collect_sensitivity(other, ROWS, copies=2),
        vestige.collect_sensitivity(model, ROWS, copies=2), rtol=1e-3, atol=1e-4,
    )  # fmt: skip
    fit = vestige.collect_fit(other, ROWS)
    assert fit.shape == (60,) and {p.dtype for p in other.parameters()} == {dtype}


def test_what_unlearn_returns_can_be_collected():
    half = unlearn("finetune", nn.Sequential(nn.Linear(8, 4)).bfloat16(), SPLIT, epochs=1).model
    assert np.isfinite(vestige.collect_logits(half, ROWS)).all()


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.layer(x) * mask


class Broken(Two):
    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return self.layer(x)["logits"]  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    "model",
    [
        nn.Linear(9, 4),
        nn.Linear(8, 3),
        Two(),
        Broken(),
        nn.Conv2d(3, 4, 3),
        nn.Linear(9, 4).double(),
        nn.Embedding(5, 4),
    ],
)
def test_a_network_that_does_not_take_the_samples_is_refused(model):
    for call in (
        lambda: vestige.collect_logits(model, ROWS),
        lambda: vestige.collect_fit(model, ROWS),
        lambda: vestige.collect_sensitivity(model, ROWS, copies=1),
        lambda: vestige.train(model, ROWS, ONCE),
        lambda: unlearn("finetune", model, SPLIT),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_a_scripted_network_is_read_but_not_trained():
    scripted = torch.jit.script(nn.Sequential(nn.Linear(8, 4)))
    assert vestige.collect_logits(scripted, ROWS).shape == (60, 4)
    for call in (lambda: vestige.train(scripted, ROWS, ONCE), lambda: unlearn("finetune", scripted, SPLIT)):
        with pytest.raises(InputError, match="give the network that it was made from"):
            call()


@pytest.mark.parametrize(
    "rows", [torch.utils.data.TensorDataset(torch.zeros(3, 8), torch.zeros(3)), ROWS.x, None, "d"]
)
def test_signals_are_collected_on_rows_with_ids(rows):
    with pytest.raises(InputError, match="collected on a vestige.Dataset"):
        vestige.collect_logits(nn.Linear(8, 4), rows)


class Ending(nn.Module):
    """A linear layer with something behind it."""

    def __init__(self, ending: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.layer, self.ending = nn.Linear(8, 4), ending

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.ending(self.layer(x))


PROBABILITIES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "softmax": lambda z: z.softmax(dim=1),
    "sigmoid": torch.sigmoid,
    "hard sigmoid": nn.functional.hardsigmoid,
    "exp of a logarithm": lambda z: z.log_softmax(dim=1).exp(),
    "clamped": lambda z: z.softmax(dim=1).clamp(1e-6, 1),
    "the mean of two": lambda z: torch.stack([z.softmax(dim=1), (2 * z).softmax(dim=1)]).mean(dim=0),
    "a sigmoid for each half": lambda z: torch.cat([z[:, :2].sigmoid(), z[:, 2:].sigmoid()], dim=1),
    "rounded": lambda z: z.softmax(dim=1).bfloat16().float(),
}


@pytest.mark.parametrize("ending", PROBABILITIES)
@pytest.mark.parametrize("frozen", [False, True])
def test_probabilities_are_refused_by_whoever_reads_or_trains_a_network(ending, frozen):
    model = Ending(PROBABILITIES[ending])
    model.layer.bias.requires_grad_(not frozen)
    calls = [
        lambda: vestige.collect_logits(model, ROWS),
        lambda: vestige.collect_sensitivity(model, ROWS, copies=1),
        lambda: vestige.train(model, ROWS, ONCE),
        lambda: train_fleet([model, model], [ROWS, ROWS], ONCE, [0, 1]),
        lambda: unlearn("finetune", model, SPLIT),
    ]
    for call in calls if not frozen else calls[:2]:
        with pytest.raises(InputError, match="ends in a (softmax|sigmoid), so that it returns probabilities"):
            call()


@pytest.mark.parametrize(
    "ending", [lambda z: z, nn.functional.relu, torch.tanh, lambda z: z.clamp(-1, 1), lambda z: 0 * z]
)
def test_other_endings_are_logits(ending):
    model = Ending(ending)
    assert vestige.collect_logits(model, ROWS).shape == (60, 4)
    vestige.train(model, ROWS, ONCE)


def test_the_logarithm_of_a_softmax_trains_and_reads_as_the_logits_do():
    plain, ended = Ending(lambda z: z), Ending(lambda z: z.log_softmax(dim=1))
    ended.load_state_dict(plain.state_dict())
    read = [
        torch.from_numpy(vestige.collect_logits(vestige.train(model, ROWS, ONCE).model, ROWS)).softmax(dim=1)
        for model in (plain, ended)
    ]
    torch.testing.assert_close(*read)


def test_a_network_that_gives_no_gradient_is_read():
    class Foreign(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(x.numpy()[:, :4])  # of a tensor with a gradient torch makes no array

    assert np.array_equal(vestige.collect_logits(Foreign(), ROWS), ROWS.x[:, :4])


def test_layers_that_work_in_place_are_trained_and_unlearned_from():
    torch.manual_seed(0)
    plain, inplace = (
        nn.Sequential(nn.Linear(8, 16), nn.ReLU(inplace=there), nn.Linear(16, 4)) for there in (False, True)
    )
    inplace.load_state_dict(plain.state_dict())
    for work in (
        lambda model: vestige.train(model, ROWS, ONCE).model,
        lambda model: unlearn("finetune", model, SPLIT, epochs=1).model,
    ):
        logits = [vestige.collect_logits(work(model), ROWS) for model in (plain, inplace)]
        assert np.array_equal(*logits)
    first = [
        vestige.collect_logits(model, ROWS)
        for model in (nn.Sequential(nn.ReLU(inplace=there), plain) for there in (False, True))
    ]
    assert np.array_equal(*first)  # the samples themselves stay as they are
