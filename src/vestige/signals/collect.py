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

from vestige.arguments import Count, Positive, Seed, checked
from vestige.errors import InputError, need
from vestige.estimators import probabilities
from vestige.signals.transforms import confidence

if TYPE_CHECKING:
    import torch

    from vestige.data.dataset import Dataset

TRIED = 4  # samples that a network is tried on first
FLOOR = 1e-12  # a scikit-learn tree can give a probability of 0; its logarithm is taken of this instead


@checked
def collect_logits(
    model: Any, rows: Dataset, *, batch_size: Count = 512, device: str | None = None
) -> NDArray[np.float32]:
    """Return what `model` says about `rows`: float32 [N, C], logits, or log-probabilities from scikit-learn.

    Classes that a scikit-learn model has never seen get the log-probability log(1e-12); its columns are matched by
    class, see `vestige.estimators`. Networks of half or double precision that do not take samples of single precision
    are read as a copy in single precision. Raises `InputError` where the model does not take the samples, and where the
    output is not [n, C], not finite, or probabilities: a network that ends in a softmax gives no logits.

    Parameters
    ----------
    model : Any
        A `torch.nn.Module` that maps a batch to logits [n, C], or a fitted scikit-learn classifier.
    device : str or None
        Where to compute; default: where the module's parameters are.
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


@checked
def collect_sensitivity(
    model: Any,
    rows: Dataset,
    *,
    copies: Count = 10,
    sigma: Positive = 1e-3,
    batch_size: Count = 512,
    device: str | None = None,
    seed: Seed = 0,
) -> NDArray[np.float32]:
    """Return how much each softmax output of a network moves under small noise: float32 [N, C], from 0.

    Mean over `copies` of |p(x + sigma u) - p(x)| / sigma, u standard normal in input space (images in [0, 1], not
    clipped); Yuan and Zhang 2022 (SAMIA). Measured as `collect_logits` does. Raises `InputError` where `model` is no
    network, and as it does.
    """
    if not _is_network(model):
        raise InputError(f"Sensitivity is measured on a torch.nn.Module; this is {type(model).__name__}.")
    _expect_rows(rows)
    need("torch", "torch", "Collecting signals from a network")
    import torch

    from vestige.models import answer, expect_logits
    from vestige.models.samia import all_digits, sensitivity_of

    where = _place(model, device)
    generator = torch.Generator().manual_seed(seed)
    result = np.empty((len(rows), len(rows.classes)), np.float32)

    def output(batch: torch.Tensor) -> torch.Tensor:
        logits = expect_logits(answer(network, batch.clone()), len(batch), len(rows.classes))
        return torch.softmax(logits.float(), dim=1)

    with _reading(model, rows, where, batch_size) as network, all_digits(where):
        for part, batch in _batches(rows, where, batch_size):
            moved = sensitivity_of(
                output, batch, output(batch), copies=copies, sigma=sigma, generator=generator
            )
            result[part] = moved.cpu().numpy()
    _expect_finite(result, rows, "sensitivity")
    return result


@checked
def collect_features(
    model: Any, rows: Dataset, *, batch_size: Count = 512, device: str | None = None
) -> NDArray[np.float32] | None:
    """Return what the linear layer of a network that runs last reads about `rows`: float32 [N, D].

    None where no linear layer runs, or it reads something else than a row of numbers for each sample. It is measured
    as `collect_logits` measures, and raises `InputError` as it does: where `model` is no network too, and where a
    feature is not finite.

    Parameters
    ----------
    model : Any
        A `torch.nn.Module` that maps a batch to logits [n, C].
    device : str or None
        Where to compute; default: where the module's parameters are.
    """
    _expect_rows(rows)
    if not _is_network(model):
        raise InputError(f"Features are those of a torch.nn.Module; this is {type(model).__name__}.")
    need("torch", "torch", "Collecting features from a network")
    from vestige.models import answer
    from vestige.models.features import last_input

    where, parts = _place(model, device), []
    with _reading(model, rows, where, batch_size) as network, last_input(network) as reader:
        for _, batch in _batches(rows, where, batch_size):
            answer(network, batch)
            value = reader.value
            if value is None or value.ndim != 2 or len(value) != len(batch):
                return None
            parts.append(value.float().cpu().numpy())
    features = np.concatenate(parts) if parts else np.empty((0, 0), np.float32)
    _expect_finite(features, rows, "feature")
    return features


def _from_sklearn(model: Any, rows: Dataset) -> NDArray[np.float32]:
    return np.log(np.maximum(probabilities(model, rows), FLOOR)).astype(np.float32)


def _from_torch(model: Any, rows: Dataset, batch_size: int, device: str | None) -> NDArray[np.float32]:
    from vestige.models import answer, expect_logits

    where = _place(model, device)
    result = np.empty((len(rows), len(rows.classes)), np.float32)
    with _reading(model, rows, where, batch_size) as network:
        for part, batch in _batches(rows, where, batch_size):
            output = expect_logits(answer(network, batch), len(batch), len(rows.classes))
            result[part] = output.float().cpu().numpy()
    _expect_finite(result, rows, "logit")
    return result


def _batches(rows: Dataset, where: torch.device, batch_size: int) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield the places of a batch's samples, and a copy of them in single precision."""
    import torch

    from vestige.models import to_float

    for start in range(0, len(rows), batch_size):
        part = slice(start, start + batch_size)
        yield part, to_float(torch.from_numpy(rows.x[part].copy()).to(where))


def _expect_finite(values: NDArray[np.float32], rows: Dataset, what: str) -> None:
    wrong = ~np.isfinite(values).all(axis=1)
    if wrong.any():
        name = str(rows.ids[int(wrong.argmax())])
        raise InputError(f"The model gives a NaN or infinite {what} for sample {name!r}.")


@contextmanager
def _reading(
    model: torch.nn.Module, rows: Dataset, where: torch.device, batch_size: int
) -> Iterator[torch.nn.Module]:
    """Give what is read of a network, as it is measured: itself, or a copy where its weights have other digits."""
    import torch

    from vestige.models import first_logits, read_as, to_float
    from vestige.models.passes import evaluating
    from vestige.models.threads import few_threads

    with evaluating(model), torch.random.fork_rng(devices=[]):
        sample = to_float(torch.from_numpy(rows.x[:TRIED]).to(where))
        network = read_as(model, sample)
        with few_threads(network, sample, batch_size):
            first_logits(network, sample, len(rows.classes))
            with torch.inference_mode():
                yield network


def _place(model: Any, device: str | None) -> torch.device:
    from vestige.models import device_of, pick_device

    return pick_device(device) if device else device_of(model)
