"""Gradients that methods without an optimiser start from: means, squares per sample, products with the curvature.

All are taken in evaluation mode, so that samples do not see each other through batch normalisation, and over the
parameters that are not frozen. Vectorised over samples: layer by layer where all layers are of known kinds, by
`torch.func` for any other model, and one by one where that cannot follow the model either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, grad, jvp, vjp, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from vestige.errors import InputError
from vestige.training.loop import one_row_normalised, training_mode
from vestige.unlearning.layers import trainable
from vestige.unlearning.per_layer import Trace, gradients_of, squares_of, traced
from vestige.unlearning.work import Work

if TYPE_CHECKING:
    from torch import nn

    from vestige.data.dataset import Dataset

Named: TypeAlias = dict[str, Tensor]


def mean_gradient(model: nn.Module, rows: Dataset, work: Work) -> Named:
    """Return the gradient of the mean cross-entropy over `rows`, by parameter name."""
    parameters = trainable(model)
    total = {name: torch.zeros_like(p) for name, p in parameters.items()}
    model.eval()
    for x, y in work.once(rows, cost=1):
        value = F.cross_entropy(model(x).float(), y) * (len(x) / len(rows))
        for name, part in slopes(value, parameters).items():
            total[name] += part
    return total


def slopes(value: Tensor, parameters: Mapping[str, Tensor], *, again: bool = False) -> Named:
    """Return the gradient of `value` by parameter name, 0 where it has no part; `again` keeps the pass for another."""
    parts = torch.autograd.grad(
        value, list(parameters.values()), retain_graph=again, allow_unused=True, materialize_grads=True
    )
    return dict(zip(parameters, parts, strict=True))


def input_gradient(model: nn.Module, x: Tensor, y: Tensor, method: str) -> Tensor:
    """Return the gradient of the mean cross-entropy by the inputs. Raises `InputError` where the model has none."""
    moved = x.clone().requires_grad_(True)
    value = F.cross_entropy(model.eval()(moved).float(), y)
    slope = torch.autograd.grad(value, moved, allow_unused=True)[0] if value.requires_grad else None
    if slope is None:
        raise InputError(
            f"{method} moves inputs continuously, and {type(model).__name__} does not let it: no gradient reaches its "
            "inputs, as with an embedding of whole numbers or torch.no_grad in forward; take another method."
        )
    return slope


def sample_gradients(
    model: nn.Module, x: Tensor, y: Tensor, *, only: Mapping[str, Tensor] | None = None
) -> Named:
    """Return the gradient of the loss of every sample: [n, *shape] by parameter name.

    Parameters
    ----------
    only : Mapping[str, Tensor] or None
        For some parameters, the output channels that are wanted: [n, channels, ...] of these alone.
    """
    model.eval()
    trace = traced(model, x)
    if trace is None:
        each = _in_general(model, x, y)
        return each if only is None else {name: each[name][:, rows] for name, rows in only.items()}
    pulled = trace.pulled(F.cross_entropy(trace.logits, y, reduction="sum"))
    found: Named = {}
    for call, g in zip(trace.calls, pulled, strict=True):
        if only is None:
            found.update(gradients_of(call, g))
            continue
        for name, rows in only.items():
            if name.rpartition(".")[0] == call.name:
                found[name] = gradients_of(call, g, rows)[name]
    return {name: found[name] for name in (trainable(model) if only is None else only)}


def _in_general(model: nn.Module, x: Tensor, y: Tensor) -> Named:
    """Per-sample gradients of any model: vectorised, or one by one where `torch.func` cannot follow it.

    It follows no recurrent layers, control flow that reads the data, or buffers that count.
    """
    try:
        return _by_functions(model, x, y)
    except (RuntimeError, ValueError):
        return _one_by_one(model, x, y)


def _by_functions(model: nn.Module, x: Tensor, y: Tensor) -> Named:
    """Per-sample gradients of any model, by a vectorised map over the samples."""
    parameters, rest = _parts(model)

    def loss(values: Named, one: Tensor, label: Tensor) -> Tensor:
        logits = functional_call(model, {**values, **rest}, (one[None],))
        return F.cross_entropy(logits.float(), label[None])

    with sdpa_kernel(SDPBackend.MATH):  # the form of attention that is vectorised
        per_sample: Named = vmap(grad(loss), in_dims=(None, 0, 0), randomness="different")(parameters, x, y)
    return per_sample


def _one_by_one(model: nn.Module, x: Tensor, y: Tensor) -> Named:
    """Per-sample gradients of any model that can be run on a single sample, which is slow."""
    parameters = trainable(model)
    each = [slopes(_loss_of_one(model, x[[i]], y[[i]]), parameters) for i in range(len(x))]
    return {name: torch.stack([found[name] for found in each]) for name in parameters}


def _loss_of_one(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    try:
        return F.cross_entropy(model(x).float(), y)
    except (IndexError, RuntimeError, ValueError) as error:
        raise InputError(
            f"The gradient of each sample alone is wanted, and {type(model).__name__} cannot be run on a single one: "
            f"{error} Batch normalisation needs running statistics for it (track_running_stats=True)."
        ) from error


def _parts(model: nn.Module) -> tuple[Named, Named]:
    """Return the parameters that are not frozen, and everything else that a call of the model needs."""
    parameters = {name: p.detach() for name, p in trainable(model).items()}
    everything = (*model.named_parameters(), *model.named_buffers())
    return parameters, {name: value.detach() for name, value in everything if name not in parameters}


def fisher_diagonal(
    model: nn.Module,
    rows: Dataset,
    work: Work,
    *,
    labels: str = "sampled",
    batch_size: int = 32,
    purpose: int = 2,
) -> Named:
    """Return the mean over `rows` of squared per-sample gradients of log p, by parameter name; from 0.

    Parameters
    ----------
    labels : str
        "true": the empirical Fisher; "sampled": one label a sample drawn from the model, an unbiased estimate
        of the Fisher information; "all": every label weighted by its probability, exact, at C times the cost.
    """
    total = {name: torch.zeros_like(p) for name, p in trainable(model).items()}
    generator = work.generator(purpose)
    for x, y in work.once(rows, batch_size=batch_size, cost=len(rows.classes) if labels == "all" else 1):
        trace = traced(model.eval(), x)
        with torch.no_grad():
            logits = model(x).float() if trace is None else trace.logits
            p = torch.softmax(logits, dim=1)
        if labels == "all":
            chosen = [(torch.full_like(y, c), p[:, c]) for c in range(p.shape[1])]
        elif labels == "sampled":
            drawn = torch.multinomial(p.cpu(), 1, generator=generator)[:, 0].to(y)
            chosen = [(drawn, torch.ones_like(p[:, 0]))]
        else:
            chosen = [(y, torch.ones_like(p[:, 0]))]
        for number, (label, weight) in enumerate(chosen):
            for name, part in _squares(model, x, trace, label, weight, number < len(chosen) - 1):
                total[name] += part
    return {name: value / len(rows) for name, value in total.items()}


def _squares(
    model: nn.Module, x: Tensor, trace: Trace | None, label: Tensor, weight: Tensor, again: bool
) -> Iterator[tuple[str, Tensor]]:
    """Yield the weighted sums of squared per-sample gradients."""
    if trace is None:
        for name, part in _in_general(model, x, label).items():
            yield name, torch.einsum("n,n...->...", weight.to(part), part.square())
        return
    pulled = trace.pulled(F.cross_entropy(trace.logits, label, reduction="sum"), again=again)
    for call, g in zip(trace.calls, pulled, strict=True):
        yield from squares_of(call, g, weight.to(g)).items()


def batch_squares(
    model: nn.Module,
    rows: Dataset,
    work: Work,
    *,
    batch_size: int,
    short_last: bool = False,
    clip: float | None = None,
    own_batchnorm: bool = False,
) -> Named:
    """Return the mean over mini-batches of their mean loss's squared gradient: published for the Fisher.

    Parameters
    ----------
    short_last : bool
        The last batch holds what is left over, and weighs as much as the others.
    clip : float or None
        Largest norm of a batch's gradient.
    own_batchnorm : bool
        In training mode, whereby running statistics are rewritten.
    """
    parameters = trainable(model)
    total = {name: torch.zeros_like(p) for name, p in parameters.items()}
    count = 0
    training_mode(model) if own_batchnorm else model.eval()
    with one_row_normalised(model):
        for x, y in work.once(rows, batch_size=batch_size, cost=1, short_last=short_last):
            parts = slopes(F.cross_entropy(model(x).float(), y), parameters)
            norm = torch.stack([part.norm() for part in parts.values()]).norm()
            scale = 1.0 if clip is None else (clip / (norm + 1e-6)).clamp(max=1)
            for name, part in parts.items():
                total[name] += (scale * part).square()
            count += 1
    model.eval()
    return {name: value / count for name, value in total.items()}


def curvature_product(model: nn.Module, x: Tensor, vector: Named) -> Named:
    """Return the Gauss-Newton matrix of the mean cross-entropy over x, times `vector`: J' (diag p - p p') J v / n."""
    model.eval()
    try:
        return _by_forward_mode(model, x, vector)
    except RuntimeError:  # some operation of the model has no forward mode
        pass
    try:
        return _by_two_passes_back(model, x, vector)
    except RuntimeError as error:
        raise InputError(
            f"The curvature of {type(model).__name__} is wanted, which cannot be differentiated twice: {error} Of "
            'influence, solver="first_order" does without.'
        ) from error


def _by_forward_mode(model: nn.Module, x: Tensor, vector: Named) -> Named:
    parameters, rest = _parts(model)

    def logits(values: Named) -> Tensor:
        outputs: Tensor = functional_call(model, {**values, **rest}, (x,))
        return outputs.float()

    out, moved = jvp(logits, (parameters,), (vector,))[:2]
    pull = vjp(logits, parameters)[1]
    product: Named = pull(_turned(out, moved) / len(x))[0]
    return product


def _by_two_passes_back(model: nn.Module, x: Tensor, vector: Named) -> Named:
    """The same, with J v as the derivative of u' J v by u, which is the pass back through a pass back."""
    parameters = trainable(model)
    with _differentiable():
        out = model(x).float()
        u = torch.zeros_like(out, requires_grad=True)
        pulled = torch.autograd.grad(
            out, list(parameters.values()), u, create_graph=True, allow_unused=True, materialize_grads=True
        )
        along = torch.stack([(g * vector[name]).sum() for name, g in zip(parameters, pulled, strict=True)])
        (moved,) = torch.autograd.grad(along.sum(), u, retain_graph=True)
        return slopes((out * _turned(out.detach(), moved)).sum() / len(x), parameters)


def _turned(logits: Tensor, moved: Tensor) -> Tensor:
    """Return (diag p - p p') times `moved`, sample by sample."""
    p = torch.softmax(logits, dim=1)
    return p * moved - p * (p * moved).sum(dim=1, keepdim=True)


@contextmanager
def _differentiable() -> Iterator[None]:
    """Take the forms of attention and of recurrent layers that can be differentiated twice."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def conjugate_gradient(
    product: Callable[[Named], Named], target: Named, *, damping: float, steps: int, tolerance: float = 1e-6
) -> Named:
    """Solve (A + damping I) v = target for a positive semi-definite A, given by its product; at most `steps` steps."""
    v = {name: torch.zeros_like(t) for name, t in target.items()}
    residual = {name: t.clone() for name, t in target.items()}
    direction = {name: t.clone() for name, t in target.items()}
    size = _dot(residual, residual)
    first = float(size)
    for _ in range(steps):
        if float(size) <= tolerance**2 * first or first == 0:
            break
        image = product(direction)
        image = {name: image[name] + damping * direction[name] for name in direction}
        length = size / _dot(direction, image)
        for name in v:
            v[name] += length * direction[name]
            residual[name] -= length * image[name]
        previous, size = size, _dot(residual, residual)
        direction = {name: residual[name] + (size / previous) * direction[name] for name in direction}
    return v


def _dot(a: Named, b: Named) -> Tensor:
    return torch.stack([(a[name] * b[name]).sum() for name in a]).sum()
