"""UNSIR: impair with noise that looks like the forgotten class to the model, then repair.

Tarun, Chundawat, Mandal, Kankanhalli: Fast Yet Effective Machine Unlearning. 2021, arXiv 2111.08947. For whole classes.

    noise   per forgotten class, inputs that maximise the model's loss on that class, with 0.1 * |noise|^2
    impair  one epoch on the noise, labelled with the class, and a sample of D_r
    repair  one epoch on the sample of D_r

Noise by Adam 0.1, 25 steps; the forget samples themselves are not read, only which classes are forgotten. The noise is
not clipped to the input range, as published. SGD with learning rate 0.02 to impair and 0.01 to repair. Both presets are
the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from vestige.data.split import Split
from vestige.errors import InputError
from vestige.unlearning.gradients import input_gradient
from vestige.unlearning.registry import register
from vestige.unlearning.work import Steps, Work

if TYPE_CHECKING:
    from torch import Tensor, nn


@register(
    "unsir",
    needs=("forget", "retain"),
    cites="Tarun et al. 2021 (UNSIR)",
    steps=Steps(epochs=1, lr=0.02),
)
def unsir(
    model: nn.Module,
    split: Split,
    work: Work,
    *,
    noise_steps: int = 25,
    noise_lr: float = 0.1,
    noise_share: float = 0.1,
    repair_lr: float = 0.01,
    samples: int = 5000,
) -> nn.Module:
    """Unlearn whole classes by adversarial noise and repair.

    noise_steps  steps that the noise is trained for
    noise_lr     learning rate of Adam on the noise
    noise_share  noise in an impairing batch, as a share of the retained samples in it
    repair_lr    learning rate of the repair
    samples      retained samples that are used
    """
    forget, retain = split.rows("forget"), split.rows("retain")
    classes = np.unique(forget.y)
    left = np.intersect1d(classes, retain.y)
    if len(left):
        raise InputError(
            f"unsir unlearns whole classes; {retain.classes[int(left[0])]!r} also has retained samples. For single "
            "samples take another method."
        )
    few = retain.take(np.random.default_rng((work.seed, 23)).permutation(len(retain))[:samples])
    size = max(1, round(noise_share * work.steps.batch_size))
    noise = {int(c): _noise(model, retain.shape, int(c), size, work, noise_steps, noise_lr) for c in classes}
    x_noise = torch.cat(list(noise.values()))
    y_noise = torch.tensor(np.repeat(classes, size)).to(work.where)

    def impair(x: Tensor, y: Tensor) -> Tensor:
        logits = model(torch.cat([x, x_noise]))
        return F.cross_entropy(logits.float(), torch.cat([y, y_noise]))

    work.descend(model, few, objective=impair, cost=1 + len(classes) * noise_share)
    work.descend(model, few, lr=repair_lr, seed=1)
    return model


def _noise(
    model: nn.Module, shape: tuple[int, ...], label: int, size: int, work: Work, steps: int, lr: float
) -> Tensor:
    """Return [size, *shape] inputs that the model would like least as samples of class `label`."""
    model.eval().to(work.where)
    blank = torch.zeros(2, *shape, device=work.where)
    input_gradient(model, blank, torch.full((2,), label, device=work.where), work.method)
    start = torch.randn(size, *shape, generator=work.generator(100 + label)).to(work.where)
    noise = start.requires_grad_(True)
    optimiser = torch.optim.Adam([noise], lr)
    target = torch.full((size,), label, device=noise.device)
    for _ in range(steps):
        logits = _logits(model, noise, work)
        loss = -F.cross_entropy(logits.float(), target) + 0.1 * noise.square().flatten(1).sum(1).mean()
        (noise.grad,) = torch.autograd.grad(loss, [noise])
        optimiser.step()
        work.spend(size)
    return noise.detach()


def _logits(model: nn.Module, noise: Tensor, work: Work) -> Tensor:
    try:
        logits: Tensor = model(noise)
    except IndexError as error:
        raise InputError(
            f"{work.method} moves inputs continuously, and {type(model).__name__} does not let it: it takes only some "
            f"values ({error}), as an embedding of whole numbers does; take another method."
        ) from error
    return logits
