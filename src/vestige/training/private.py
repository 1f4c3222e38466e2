"""Differentially private training: DP-SGD through opacus (extra `[dp]`).

Abadi et al., Deep Learning with Differential Privacy, CCS 2016. Each sample's gradient is clipped to `clip`, Gaussian
noise is added to their sum, and batches are drawn by Poisson sampling, so that the trained weights are
(epsilon, delta)-differentially private towards every training record. The noise is found for the budget, by opacus'
accountant of Renyi differential privacy: a bound that holds, if not the tightest one.

Nothing else may look at the records: the input scale is not fitted (give `public` rows for that), batch normalisation
becomes group normalisation, and there is no augmentation. The random generator is seeded and not cryptographic: right
for experiments, not for a release.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from vestige.arguments import Positive, checked
from vestige.data.dataset import Dataset
from vestige.errors import InputError, need, told
from vestige.models.copies import copied
from vestige.models.device import device_of, pick_device
from vestige.models.initial import seeded
from vestige.models.outputs import expect_logits
from vestige.models.scale import fit_input_scale, to_float
from vestige.training.batches import input_chunks
from vestige.training.loop import (
    Trained,
    check_outputs,
    first_samples,
    make_optimizer,
    recipe_of,
    set_learning_rate,
)
from vestige.training.recipe import Recipe, learning_rate

ACCOUNTANT = "rdp"


@dataclass(frozen=True, eq=False)
class TrainedPrivately(Trained):
    """What private training returns, beside the model: the guarantee, and the noise that it took.

    Attributes
    ----------
    epsilon, delta : float
        Of the guarantee towards one record, added or removed.
    noise : float
        Standard deviation of the noise, in units of `clip`.
    """

    epsilon: float = float("nan")
    delta: float = float("nan")
    noise: float = float("nan")


LARGEST_EPSILON = 1_000
"""Beyond it nothing is promised, and the search for the noise does not end."""


@checked
def train_private(
    model: nn.Module,
    rows: Dataset,
    recipe: Recipe | str | Mapping[str, Any],
    *,
    epsilon: Annotated[float, Field(gt=0, le=LARGEST_EPSILON)],
    delta: Positive = 1e-5,
    clip: Positive = 1.0,
    public: Dataset | None = None,
    device: str | torch.device = "auto",
) -> TrainedPrivately:
    """Train a copy of `model` on `rows` under an (epsilon, delta) guarantee; see the file for what changes.

    Parameters
    ----------
    epsilon, delta : float
        Above 0; delta below one over the number of rows.
    clip : float
        Largest norm of a sample's gradient.
    public : Dataset or None
        Rows that are nobody's secret, to fit the input scale on; default: inputs pass as they are.

    Raises
    ------
    InputError
        For a budget that cannot be, and where the network's layers have no gradient for a single sample
        (`inplace=True`, several uses of one layer, a second head in training); `MissingExtra` without opacus.
    """
    need("opacus", "dp", "Differentially private training")
    recipe, device = recipe_of(recipe), pick_device(device)
    if len(rows) < 2 or not delta < 1 / len(rows):
        raise InputError(
            f"delta is {delta:g} with {len(rows):,} records; less than one over the records is wanted."
        )
    _check_network(model, rows, recipe.seed)
    for name, only in (("augment", "none"), ("compile", "no")):
        if (got := getattr(recipe, name)) != only:
            raise InputError(f"{name} is {got!r}; private training takes {only!r}.")
    rate = 1 / -(-len(rows) // recipe.batch_size)
    noise = noise_for(float(epsilon), float(delta), rate, recipe.epochs)
    with warnings.catch_warnings(), seeded(recipe.seed):  # opacus warns of what is said above
        warnings.simplefilter("ignore")
        try:
            return _train(model, rows, recipe, (epsilon, delta, noise), clip, public, device)
        except InputError:
            raise
        except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                f"{type(model).__name__} cannot be trained privately: {told(error)}. Every layer must give a gradient "
                "for each sample: no in-place operations, no layer of an unusual kind."
            ) from error


def _check_network(model: nn.Module, rows: Dataset, seed: int) -> None:
    """Raise `InputError` where the network does not take the rows, or changes values in place."""
    inplace = [name for name, module in model.named_modules() if getattr(module, "inplace", False)]
    if inplace:
        raise InputError(
            f"The layer {inplace[0]!r} works in place, so that there are no gradients of single samples; make it with "
            "inplace=False."
        )
    with seeded(seed):
        check_outputs(copied(model), first_samples(rows, seed, device_of(model)), rows)


@lru_cache(maxsize=256)
def noise_for(epsilon: float, delta: float, rate: float, epochs: int) -> float:
    """Return the noise, in units of the clipping norm, that keeps within (epsilon, delta). Raises `InputError`.

    Parameters
    ----------
    rate : float
        Share of the records in a batch.
    """
    from opacus.accountants.utils import get_noise_multiplier

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(
                get_noise_multiplier(
                    target_epsilon=epsilon, target_delta=delta, sample_rate=rate, epochs=epochs,
                    accountant=ACCOUNTANT,
                )
            )  # fmt: skip
    except ValueError as error:
        raise InputError(
            f"No noise keeps {epochs} epochs within epsilon {epsilon:g} at delta {delta:g} ({error}); allow a larger "
            "epsilon or fewer epochs."
        ) from None


def _train(
    model: nn.Module,
    rows: Dataset,
    recipe: Recipe,
    budget: tuple[float, float, float],
    clip: float,
    public: Dataset | None,
    device: torch.device,
) -> TrainedPrivately:
    from opacus import PrivacyEngine
    from opacus.validators import ModuleValidator

    home = device_of(model)
    model = ModuleValidator.fix(copied(model)).to(device).train()
    if public is not None:
        fit_input_scale(model, input_chunks(public))
    x, y = torch.from_numpy(np.array(rows.x)), torch.from_numpy(np.array(rows.y))
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, y),
        batch_size=recipe.batch_size,
        shuffle=True,
        generator=torch.Generator().manual_seed(recipe.seed),
    )
    engine = PrivacyEngine(accountant=ACCOUNTANT)
    wrapped, optimizer, loader = engine.make_private(
        module=model,
        optimizer=make_optimizer(recipe, model.parameters()),
        data_loader=loader,
        noise_multiplier=budget[2],
        max_grad_norm=clip,
        noise_generator=torch.Generator(device=device).manual_seed(recipe.seed),
    )
    losses, start = [], time.perf_counter()
    for epoch in range(recipe.epochs):
        total, seen = 0.0, 0
        for step, (part, labels) in enumerate(loader):
            set_learning_rate(optimizer, learning_rate(recipe, epoch, step, len(loader)))
            optimizer.zero_grad()
            logits = expect_logits(wrapped(to_float(part.to(device))), len(part), training=True)
            summed = F.cross_entropy(
                logits, labels.long().to(device), label_smoothing=recipe.label_smoothing, reduction="sum"
            )
            loss = summed / max(len(part), 1)  # Poisson sampling may draw nobody: then noise alone is added
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total, seen = total + float(loss.detach()) * len(part), seen + len(part)
        losses.append(total / max(seen, 1))
    made = wrapped._module
    for parameter in made.parameters():
        for name in ("grad_sample", "summed_grad"):
            if hasattr(parameter, name):
                delattr(parameter, name)
        parameter.grad = None
    wrapped.remove_hooks()
    epsilon, delta, noise = budget
    return TrainedPrivately(
        made.to(home).eval(), losses, time.perf_counter() - start, 0, epsilon, delta, noise
    )
