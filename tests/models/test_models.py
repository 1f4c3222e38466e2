"""Architectures: sizes, shapes, options, and first weights that depend on the seed alone."""

from __future__ import annotations

import pytest
import torch

from vestige.errors import InputError
from vestige.models import MODELS, build_model
from vestige.models.classifier import Classifier

IMAGES_ONLY = ("cnn", "resnet18", "resnet34", "resnet50", "densenet")


def parameters(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "shape", "classes", "wanted"),
    [
        # the counts of the public CIFAR implementation that the papers use
        ("resnet18", (3, 32, 32), 10, 11_173_962),
        ("resnet34", (3, 32, 32), 10, 21_282_122),
        ("resnet50", (3, 32, 32), 10, 23_520_842),
        ("densenet", (3, 32, 32), 10, 176_122),
        ("logistic", (446,), 30, 446 * 30 + 30),
        ("mlp", (64,), 10, 64 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10),
        ("leaks_mlp", (4,), 3, 5 * 256 + 257 * 128 + 129 * 64 + 65 * 32 + 33 * 3),
        ("purchase_mlp", (600,), 100, 601 * 1024 + 1025 * 512 + 513 * 256 + 257 * 128 + 129 * 100),
    ],
)
def test_parameter_counts(name: str, shape: tuple[int, ...], classes: int, wanted: int) -> None:
    assert parameters(build_model(name, shape, classes)) == wanted


SMALL = {"resnet18": {"width": 4}, "resnet34": {"width": 4}, "resnet50": {"width": 4}, "cnn": {"width": 4},
         "densenet": {"growth": 4, "depth": 10}}  # fmt: skip


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (3, 96, 96), (7,)])
@pytest.mark.parametrize("name", list(MODELS))
def test_every_architecture_maps_a_batch_to_logits(name: str, shape: tuple[int, ...]) -> None:
    if len(shape) == 1 and name in IMAGES_ONLY:
        with pytest.raises(InputError, match=f"{name} takes images"):
            build_model(name, shape, 5)
        return
    model = build_model(name, shape, 5, **SMALL.get(name, {}))
    x = torch.zeros(2, *shape)
    assert isinstance(model, Classifier)
    assert not model.training
    assert model(x).shape == (2, 5)
    assert model.features(x).shape == (2, model.head.in_features)


@pytest.mark.parametrize("name", list(MODELS))
def test_first_weights_come_from_the_seed_alone(name: str) -> None:
    options = SMALL.get(name, {})
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = build_model(name, (3, 8, 8), 4, seed=5, **options).state_dict()
    assert torch.equal(before, torch.random.get_rng_state())
    torch.rand(3)
    two = build_model(name, (3, 8, 8), 4, seed=5, **options).state_dict()
    other = build_model(name, (3, 8, 8), 4, seed=6, **options).state_dict()
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])


def test_every_architecture_has_a_summary() -> None:
    assert all(MODELS[name].summary.endswith(".") for name in MODELS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widht": 16}, "resnet18: .*'widht'. Did you mean 'width'"),
        ({"width": 0}, "resnet18: width is 0; greater than or equal to 1"),
        ({"width": "wide"}, "resnet18: width is 'wide', which is text; a number"),
    ],
)
def test_options_are_checked(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_model("resnet18", (3, 32, 32), 10, **options)


def test_unknown_model_and_no_classes() -> None:
    with pytest.raises(InputError, match="Did you mean 'resnet18'"):
        build_model("resnet81", (3, 32, 32), 10)
    with pytest.raises(InputError, match="classes is 0"):
        build_model("mlp", (3,), 0)


def test_cnn_norms_and_mlp_layers() -> None:
    kinds = {
        norm: {type(m) for m in build_model("cnn", (1, 8, 8), 2, norm=norm).modules()}
        for norm in ("batch", "group", "none")
    }
    assert torch.nn.BatchNorm2d in kinds["batch"]
    assert torch.nn.GroupNorm in kinds["group"] and torch.nn.BatchNorm2d not in kinds["group"]
    assert not {torch.nn.BatchNorm2d, torch.nn.GroupNorm} & kinds["none"]
    deep = build_model("mlp", (6,), 2, hidden=[5, 4, 3], dropout=0.5)  # a list, as a configuration file gives
    assert [m.out_features for m in deep.modules() if isinstance(m, torch.nn.Linear)] == [5, 4, 3, 2]
    assert sum(isinstance(m, torch.nn.Dropout) for m in deep.modules()) == 3
