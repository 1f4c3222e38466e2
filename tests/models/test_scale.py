"""Input scaling against NumPy, and its edge cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vestige.errors import InputError
from vestige.models import InputScale, build_model, fit_input_scale, to_float


def test_to_float() -> None:
    assert torch.equal(to_float(torch.tensor([0, 255], dtype=torch.uint8)), torch.tensor([0.0, 1.0]))
    assert to_float(torch.tensor([2.5], dtype=torch.float64)).dtype == torch.float32
    assert to_float(torch.tensor([2.5])).item() == 2.5


def test_images_are_standardised_per_channel() -> None:
    x = np.random.default_rng(0).integers(0, 256, (2500, 3, 4, 5), dtype=np.uint8)  # more than one chunk
    model = build_model("mlp", (3, 4, 5), 2)
    fit_input_scale(model, x)
    pixels = x / 255.0
    np.testing.assert_allclose(model.scale.mean.flatten(), pixels.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(model.scale.std.flatten(), pixels.std((0, 2, 3)), rtol=1e-5)
    scaled = model.scale(to_float(torch.from_numpy(x)))
    assert scaled.mean().abs() < 1e-5 and abs(scaled.std() - 1) < 1e-3


def test_features_are_standardised_each_and_constant_ones_stay_finite() -> None:
    x = np.random.default_rng(0).normal(1000, 3, (3000, 4)).astype(np.float32)
    x[:, 1], x[:, 2] = 0.1, -7e5
    model = build_model("logistic", (4,), 2)
    fit_input_scale(model, x)
    np.testing.assert_allclose(model.scale.mean, x.mean(0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(model.scale.std, [x[:, 0].std(), 1, 1, x[:, 3].std()], rtol=1e-4)
    assert model.scale(torch.from_numpy(x))[:, 1:3].abs().max() < 1e-5


def test_batches_and_the_whole_give_the_same() -> None:
    x = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    whole, parts = build_model("logistic", (3,), 2), build_model("logistic", (3,), 2)
    fit_input_scale(whole, x)
    fit_input_scale(parts, iter(torch.from_numpy(x).split(7)))
    torch.testing.assert_close(whole.scale.std, parts.scale.std)
    torch.testing.assert_close(whole.scale.mean, parts.scale.mean)


def test_refuses_what_it_cannot_scale() -> None:
    model = build_model("logistic", (3,), 2)
    with pytest.raises(InputError, match="takes 3 channels; the data has 4"):
        fit_input_scale(model, np.zeros((5, 4), np.float32))
    with pytest.raises(InputError, match="no rows"):
        fit_input_scale(model, iter([]))
    # a grey image would be broadcast over three channels without a word
    with pytest.raises(InputError, match=r"3 in the second place; got \(2, 1, 8, 8\)"):
        build_model("cnn", (3, 8, 8), 2)(torch.zeros(2, 1, 8, 8))


def test_purchase_keeps_its_binary_features_and_foreign_models_are_left_alone() -> None:
    x = np.ones((5, 600), np.float32) * 3
    model = build_model("purchase_mlp", (600,), 100)
    fit_input_scale(model, x)
    assert torch.equal(model.scale.mean, torch.zeros(600))
    fit_input_scale(torch.nn.Linear(600, 2), x)


def test_reset_parameters_forgets_the_statistics() -> None:
    scale = InputScale((2,))
    fit_input_scale(scale, np.array([[1, 2], [3, 5]], np.float32))
    assert scale.mean.tolist() == [2, 3.5]
    scale.reset_parameters()
    assert scale.mean.tolist() == [0, 0] and scale.std.tolist() == [1, 1]
