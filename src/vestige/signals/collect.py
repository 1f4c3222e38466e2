"""The only place where models are queried: logits of a torch module or a scikit-learn classifier.

Evaluation mode, no gradients, float32, no shuffling; the model's training flags and the random state are as
they were afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError, need
from vestige.estimators import probabilities
from vestige.signals.transforms import confidence
from vestige.values import are_probabilities

if TYPE_CHECKING:
    import torch

    from vestige.data.dataset import Dataset

FLOOR = 1e-12  # a scikit-learn tree can give a probability of 0; its logarithm is taken of this instead


def collect_logits(
    model: Any, rows: Dataset, *, batch_size: int = 512, device: str | None = None
) -> NDArray[np.float32]:
    """Return what `model` says about `rows`: float32 [N, C], logits, or log-probabilities from scikit-learn.

    model   a `torch.nn.Module` that maps a batch to logits [n, C], or a fitted scikit-learn classifier
    device  where to compute; default: where the module's parameters are

    Classes that a scikit-learn model has never seen get the log-probability log(1e-12); its columns are matched by
    class, see `vestige.estimators`. Networks of half or double precision that do not take samples of single precision
    are read as a copy in single precision. Raises `InputError` where the model does not take the samples, and where the
    output is not [n, C], not finite, or probabilities: a network that ends in a softmax gives no logits.
    """
    _expect_rows(rows)
    if not _is_network(model) and hasattr(model, "predict_proba"):
        return _from_sklearn(model, rows)
    if not _is_network(model):
        raise InputError(
            f"{type(model).__name__} is neither a torch.nn.Module nor a classifier with predict_proba."
        )
    need("torch", "torch", "Collecting signals from a network")
    return _from_torch(model, rows, batch_size, device)


def _expect_rows(rows: Any) -> None:
    from vestige.data.dataset import Dataset

    if not isinstance(rows, Dataset):
        raise InputError(
            f"The rows are of type {type(rows).__name__}; signals are collected on a vestige.Dataset, which has ids."
        )


def _is_network(model: Any) -> bool:
    """Is it a `torch.nn.Module`, whatever other methods it has? Torch need not be installed."""
    torch = sys.modules.get("torch")  # who has made a module has imported torch
    return torch is not None and isinstance(model, torch.nn.Module)


def collect_fit(model: Any, rows: Dataset, **options: Any) -> NDArray[np.float64]:
    """Return the true-label confidence [M] of a shadow model on its own training samples."""
    return confidence(collect_logits(model, rows, **options), rows.y)


def collect_sensitivity(
    model: Any,
    rows: Dataset,
    *,
    copies: int = 10,
    sigma: float = 1e-3,
    batch_size: int = 512,
    device: str | None = None,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Return how much each softmax output of a network moves under small noise: float32 [N, C], from 0.

    Mean over `copies` of |p(x + sigma u) - p(x)| / sigma, u standard normal in input space (images in [0, 1], not
    clipped); Yuan and Zhang 2022 (SAMIA). Measured as `collect_logits` does. Raises `InputError` where `model` is no
    network, `copies` below 1 or `sigma` not above 0.
    """
    if not _is_network(model):
        raise InputError(f"Sensitivity is measured on a torch.nn.Module; this is {type(model).__name__}.")
    _expect_rows(rows)
    if copies < 1 or not sigma > 0:
        raise InputError(
            f"copies is {copies} and sigma {sigma}; copies from 1 and a sigma above 0 are wanted."
        )
    need("torch", "torch", "Collecting signals from a network")
    import torch

    from vestige.models import answer, expect_logits, to_float
    from vestige.models.samia import all_digits, sensitivity_of

    _expect_batches(batch_size)
    where = _place(model, device)
    generator = torch.Generator().manual_seed(seed)
    result = np.empty((len(rows), len(rows.classes)), np.float32)

    def output(batch: torch.Tensor) -> torch.Tensor:
        logits = expect_logits(answer(network, batch), len(batch), len(rows.classes))
        return torch.softmax(logits.float(), dim=1)

    with _reading(model, rows, where, batch_size) as network, all_digits(where):
        for start in range(0, len(rows), batch_size):
            part = slice(start, start + batch_size)
            batch = to_float(torch.from_numpy(rows.x[part]).to(where))
            moved = sensitivity_of(
                output, batch, output(batch), copies=copies, sigma=sigma, generator=generator
            )
            result[part] = moved.cpu().numpy()
    return result


def _from_sklearn(model: Any, rows: Dataset) -> NDArray[np.float32]:
    return np.log(np.maximum(probabilities(model, rows), FLOOR)).astype(np.float32)


def _from_torch(model: Any, rows: Dataset, batch_size: int, device: str | None) -> NDArray[np.float32]:
    import torch

    from vestige.models import answer, expect_logits, to_float

    _expect_batches(batch_size)
    where = _place(model, device)
    result = np.empty((len(rows), len(rows.classes)), np.float32)
    with _reading(model, rows, where, batch_size) as network:
        for start in range(0, len(rows), batch_size):
            part = slice(start, start + batch_size)
            batch = to_float(torch.from_numpy(rows.x[part]).to(where))
            output = expect_logits(answer(network, batch), len(batch), len(rows.classes))
            result[part] = output.float().cpu().numpy()
    if not np.isfinite(result).all():
        row = int(np.flatnonzero(~np.isfinite(result).all(axis=1))[0])
        raise InputError(f"The model gives a NaN or infinite logit for sample {str(rows.ids[row])!r}.")
    if are_probabilities(result):
        raise InputError(
            "The model returns probabilities, rows from 0 to 1 that sum to 1; logits are wanted: leave its softmax "
            "out, or return the logarithm."
        )
    return result


@contextmanager
def _reading(
    model: torch.nn.Module, rows: Dataset, where: torch.device, batch_size: int
) -> Iterator[torch.nn.Module]:
    """Give what is read of a network, as it is measured: itself, or a copy where its weights have other digits."""
    import torch

    from vestige.models import read_as, to_float
    from vestige.models.threads import few_threads

    with evaluating(model), torch.random.fork_rng(devices=[]):
        sample = to_float(torch.from_numpy(rows.x[:2]).to(where))
        network = read_as(model, sample)
        with torch.inference_mode(), few_threads(network, sample, batch_size):
            yield network


def _expect_batches(batch_size: int) -> None:
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; at least one sample a batch is wanted.")


def _place(model: Any, device: str | None) -> torch.device:
    import torch

    return (
        torch.device(device) if device else next((p.device for p in model.parameters()), torch.device("cpu"))
    )


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Put every submodule into evaluation mode, and each back into its own mode afterwards."""
    flags = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, flag in flags:
            module.training = flag
