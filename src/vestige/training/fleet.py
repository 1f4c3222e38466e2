"""Fleets: networks of one architecture, each on its own rows with its own seed, trained side by side.

Their parameters are stacked, and one step moves all of them: small networks spend their time on the overhead of steps,
which a fleet pays once. The same seeds give the same models whether they are trained alone or in a fleet, to float
tolerance. Vectorised are networks without batch normalisation, dropout and convolutions, on equally many rows, where a
short measured probe says that it wins; anything else is trained one after another by `train`, with the same result.
Workers share a fleet among them: threads with a stack each, processes where nothing is stacked. Each computes with one
thread of its own, for small networks gain little from more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from vestige.arguments import Count, Seed, checked
from vestige.data.dataset import Dataset
from vestige.errors import InputError
from vestige.models.copies import copied
from vestige.models.device import pick_device
from vestige.models.scale import fit_input_scale, to_float
from vestige.models.sparsity import masks_of
from vestige.models.threads import few_threads, threads
from vestige.training.batches import batch_count, input_chunks, parts_of, resident
from vestige.training.loop import (
    Trained,
    epoch_seeds,
    make_optimizer,
    set_learning_rate,
    train,
)
from vestige.training.recipe import Recipe, learning_rate

TOGETHER = 16
"""Members in one stack at most: more do not fit into a processor's cache."""


@checked
def train_fleet(
    models: Sequence[nn.Module],
    rows: Sequence[Dataset],
    recipe: Recipe,
    seeds: Sequence[Seed],
    *,
    device: str | torch.device = "auto",
    workers: Count = 1,
) -> list[Trained]:
    """Train a copy of each model on its rows, by one recipe, each with its own seed; `train` many times over.

    Returns one `Trained` a member; `seconds` is the member's share of its stack's time.

    Parameters
    ----------
    models, rows, seeds
        One for each member; models of one architecture.
    workers : int
        Threads, or processes where nothing is stacked, that share the members among them; on a CPU only. A
        script that asks for more than one needs an `if __name__ == "__main__":`.

    Raises
    ------
    InputError
        Where the numbers differ, and as `train` does.
    """
    if not models or len({len(models), len(rows), len(seeds)}) > 1:
        raise InputError(
            f"There are {len(models)} models, {len(rows)} sets of rows and {len(seeds)} seeds; as many of each, and "
            "one at least, are wanted."
        )
    where = pick_device(device)
    workers = min(workers, len(models)) if where.type == "cpu" else 1
    first = to_float(torch.from_numpy(rows[0].x[:2].copy()))
    few = few_threads(copied(models[0]).cpu(), first, TOGETHER * recipe.batch_size)
    with threads(1) if workers > 1 else few:
        if stackable(models, rows, recipe) and stacking_wins(models, rows, recipe, seeds, where):
            return _in_stacks(models, rows, recipe, seeds, where, workers)
    if workers > 1:
        return _in_processes(models, rows, recipe, seeds, workers)
    return _one_by_one(models, rows, recipe, seeds, where)


def _one_by_one(
    models: Sequence[nn.Module],
    rows: Sequence[Dataset],
    recipe: Recipe,
    seeds: Sequence[int],
    device: torch.device,
) -> list[Trained]:
    return [
        train(model, own, recipe.model_copy(update={"seed": seed}), device=device)
        for model, own, seed in zip(models, rows, seeds, strict=True)
    ]


def _in_stacks(
    models: Sequence[nn.Module],
    rows: Sequence[Dataset],
    recipe: Recipe,
    seeds: Sequence[int],
    device: torch.device,
    workers: int,
) -> list[Trained]:
    """Cut the fleet into stacks of equal size, as many for each worker."""
    count = workers * -(-len(models) // (workers * TOGETHER))
    stacks = [part for part in np.array_split(np.arange(len(models)), count) if len(part)]

    def trained(part: NDArray[np.int64]) -> list[Trained]:
        own = slice(int(part[0]), int(part[-1]) + 1)
        return _stacked(models[own], rows[own], recipe, seeds[own], device)

    if workers == 1:
        return [one for part in stacks for one in trained(part)]
    with ThreadPoolExecutor(workers) as pool:
        return [one for made in pool.map(trained, stacks) for one in made]


def _in_processes(
    models: Sequence[nn.Module], rows: Sequence[Dataset], recipe: Recipe, seeds: Sequence[int], workers: int
) -> list[Trained]:
    """Give each process a member at a time."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        recipes = [recipe.model_copy(update={"seed": seed}) for seed in seeds]
        return list(pool.map(_alone, models, rows, recipes))


def _alone(model: nn.Module, rows: Dataset, recipe: Recipe) -> Trained:
    return train(model, rows, recipe, device="cpu")


def _one_thread() -> None:
    torch.set_num_threads(1)


def stacking_wins(
    models: Sequence[nn.Module],
    rows: Sequence[Dataset],
    recipe: Recipe,
    seeds: Sequence[int],
    device: torch.device,
) -> bool:
    """Take a few steps of some members both ways: is one step for all quicker than a step for each, and as right?"""
    short = recipe.model_copy(update={"epochs": 1})
    some = slice(0, min(len(models), 8))
    few = [own.take(np.arange(min(len(own), 6 * recipe.batch_size))) for own in rows[some]]
    spent: list[float] = []
    made: list[list[Trained]] = []
    for way in (_one_by_one, _stacked, _one_by_one, _stacked):
        start = time.perf_counter()
        try:
            made.append(way(models[some], few, short, seeds[some], device))
        except (InputError, RuntimeError):
            # six steps at the rates of a whole epoch may diverge, which training itself will say; and torch refuses to
            # vectorise a forward pass that draws random numbers, or decides by values
            return False
        spent.append(time.perf_counter() - start)
    return min(spent[1::2]) < min(spent[0::2]) and _same(made[0], made[1])


def _same(alone: list[Trained], together: list[Trained]) -> bool:
    """Have both ways made the same models? Not where a member keeps a state that stacking does not see."""
    return all(
        torch.allclose(value.float(), b.model.state_dict()[name].float(), rtol=1e-3, atol=1e-4)
        for a, b in zip(alone, together, strict=True)
        for name, value in a.model.state_dict().items()
    )


def stackable(models: Sequence[nn.Module], rows: Sequence[Dataset], recipe: Recipe) -> bool:
    """Can these be trained by one step for all? Where not, they are trained one after another."""
    first = models[0]
    shapes = [(name, p.shape, p.requires_grad) for name, p in first.named_parameters()]
    alike = all(
        type(m) is type(first) and [(n, p.shape, p.requires_grad) for n, p in m.named_parameters()] == shapes
        for m in models
    )
    alike = alike and len({str(m) for m in models}) == 1  # the same layers, with the same settings
    plain = not any(
        isinstance(m, (_BatchNorm, _ConvNd)) or (isinstance(m, _DropoutNd) and m.p > 0)
        for m in first.modules()
    )
    same = len({(len(r), r.shape) for r in rows}) == 1
    return (
        len(models) > 1 and alike and plain and same and recipe.augment == "none" and recipe.precision != "bf16"
        and recipe.compile == "no" and not any(masks_of(m) for m in models)
        and all(p.requires_grad for p in first.parameters()) and _one_function(models, rows[0])
    )  # fmt: skip


@torch.no_grad()
def _one_function(models: Sequence[nn.Module], rows: Dataset) -> bool:
    """Does every member compute what the first does with its weights? Not where they differ in other attributes."""
    x = to_float(torch.from_numpy(rows.x[:2].copy()))
    skeleton = copied(models[0]).cpu().eval()
    for model in models[1:]:
        member = copied(model).cpu().eval()
        own = {**dict(member.named_parameters()), **dict(member.named_buffers())}
        try:
            both = member(x), functional_call(skeleton, own, (x,))
            alike = torch.allclose(*both, rtol=1e-3, atol=1e-4, equal_nan=True)
        except Exception:  # lazy or unfit modules: training says what is wrong
            return False
        if not alike:
            return False
    return True


def _stacked(
    models: Sequence[nn.Module],
    rows: Sequence[Dataset],
    recipe: Recipe,
    seeds: Sequence[int],
    device: torch.device,
) -> list[Trained]:
    start = time.perf_counter()
    members = [copied(model).to(device).train() for model in models]
    for member, own in zip(members, rows, strict=True):
        fit_input_scale(member, input_chunks(own))
    parameters, buffers = stack_module_state(members)
    parameters = {name: _turned(value).requires_grad_() for name, value in parameters.items()}
    skeleton = copied(members[0])
    optimizer = make_optimizer(recipe, list(parameters.values()))
    data = [resident(own, device) for own in rows]
    x, y = (torch.cat([getattr(d, name) for d in data]) for name in ("x", "y"))
    n, steps = len(rows[0]), batch_count(len(rows[0]), recipe.batch_size)
    offset = n * torch.arange(len(members))[:, None]

    def outputs_of(own: dict[str, Tensor], fixed: dict[str, Tensor], part: Tensor) -> Tensor:
        logits: Tensor = functional_call(skeleton, {**_turned_back(own), **fixed}, (part,))
        return logits

    losses: list[Tensor] = []
    for epoch in range(recipe.epochs):
        generators = [torch.Generator().manual_seed(epoch_seeds(seed, epoch)[0]) for seed in seeds]
        orders = torch.stack([torch.randperm(n, generator=g) for g in generators])
        total = torch.zeros(len(members), device=device)
        for step, at in enumerate(parts_of(orders, recipe.batch_size)):
            set_learning_rate(optimizer, learning_rate(recipe, epoch, step, steps))
            where = (at + offset).flatten().to(device)  # rows of all members, one after another
            inputs = to_float(x.index_select(0, where)).view(*at.shape, *x.shape[1:])
            optimizer.zero_grad(set_to_none=True)
            logits = vmap(outputs_of)(parameters, buffers, inputs).float().flatten(0, 1)
            each = F.cross_entropy(
                logits, y.index_select(0, where), label_smoothing=recipe.label_smoothing, reduction="none"
            )
            value = each.view(at.shape).mean(dim=1)
            value.sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += value.detach() * at.shape[1]
        losses.append(total / len(rows[0]))
        if not torch.isfinite(losses[-1]).all():
            raise InputError(
                f"A loss became {losses[-1].max():g} in epoch {epoch + 1}; lower lr (now {recipe.lr:g})."
            )
    history = torch.stack(losses).cpu().tolist()
    seconds = (time.perf_counter() - start) / len(members)
    return [
        Trained(
            _filled(member, k, parameters, buffers).to(next(model.parameters()).device),
            [float(e[k]) for e in history],
            seconds,
        )
        for k, (member, model) in enumerate(zip(members, models, strict=True))
    ]


def _turned(stack: Tensor) -> Tensor:
    """Keep a stack of matrices [K, out, in] as [K, in, out]: so its gradient comes, and no step copies it."""
    return stack.detach().transpose(1, 2).contiguous() if stack.ndim == 3 else stack.detach()


def _turned_back(own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return one member's parameters as its layers take them."""
    return {name: value.t() if value.ndim == 2 else value for name, value in own.items()}


def _filled(
    member: nn.Module, k: int, parameters: dict[str, Tensor], buffers: dict[str, Tensor]
) -> nn.Module:
    """Put its slice of the stack into member `k`; in evaluation mode."""
    own = _turned_back({name: value[k].detach() for name, value in parameters.items()})
    member.load_state_dict(own | {name: value[k] for name, value in buffers.items()}, strict=False)
    return member.eval()
