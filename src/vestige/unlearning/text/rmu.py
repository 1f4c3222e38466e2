"""Representation misdirection for unlearning (RMU).

u is drawn uniformly from [0, 1) before it is scaled to length 1, as published. Only the layer and the two
before it are trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vestige.errors import InputError
from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Batch, Work, logits_of

if TYPE_CHECKING:
    from torch import Tensor, nn


@register(
    "rmu", needs=("forget", "retain"), cites="Li et al. 2024 (RMU)", paper={"scale": 6.5, "alpha": 1200.0}
)
def rmu(work: Work, *, layer: int | None = None, scale: float = 2.0, alpha: float = 1.0) -> None:
    r"""Send the forget texts' features into one random direction, keep those of retained texts.

    Parameters
    ----------
    alpha : float
        Weight of keeping the features of retained texts.
    layer : int or None
        Its number from 0; default: a third of the way up.
    scale : float
        C, length of the features that forget texts are sent to.

    Notes
    -----
    .. math::

        \min_\theta \; \mathrm{mean} \, |h_\theta(D_f) - c \, u|^2 + \alpha \, \mathrm{mean} \,
        |h_\theta(D_r) - h_{\theta_0}(D_r)|^2

    h is the output of a hidden layer, u a fixed random direction of length 1, c is `scale`.

    **When to use.** Where abilities rather than texts are to go, as its authors use it.

    **When it fails.** It changes the features of three layers and not what the layers know: expect texts to
    come back after a few steps of training (`vestige.unlearning.text.recovery`). scale and alpha depend on
    the model; the published pair is of models of 7 billion parameters. No table of the lab book measures it.

    **Cost.** Five passes over the forget blocks and as many retained ones, up to the layer only, a forward
    pass of the original beside the latter.

    References
    ----------
    Li et al.: The WMDP Benchmark. ICML 2024, arXiv 2403.03218. With h the output of a hidden layer:
    """
    import torch

    blocks = layers_of(work.model)
    at = len(blocks) // 3 if layer is None else layer
    if not 0 <= at < len(blocks):
        raise InputError(f"rmu: layer is {at}; the model has layers 0 to {len(blocks) - 1}.")
    original = work.frozen()
    before = layers_of(original)[at]
    width = int(work.model.get_input_embeddings().weight.shape[1])  # type: ignore[operator]
    u = torch.rand(width, generator=torch.Generator().manual_seed(work.seed))
    target = (scale * u / u.norm()).to(work.device)
    near = {id(p) for block in blocks[max(0, at - 2) : at + 1] for p in block.parameters()}
    for parameter in work.model.parameters():
        parameter.requires_grad_(parameter.requires_grad and id(parameter) in near)

    def mean_distance(found: Tensor, wanted: Tensor, batch: Batch) -> Tensor:
        each = (found - wanted).square().mean(dim=-1) * batch.mask
        return each.sum() / batch.mask.sum()

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        assert retain is not None
        with features(blocks[at]) as gone:
            logits_of(work.model, forget)
        with features(blocks[at]) as kept:
            logits_of(work.model, retain)
        with torch.no_grad(), features(before) as was:
            logits_of(original, retain)
        return mean_distance(gone[0], target, forget) + alpha * mean_distance(kept[0], was[0], retain)

    work.descend(objective)


def layers_of(model: nn.Module) -> list[nn.Module]:
    """Return the stack of transformer layers: the longest `ModuleList`. Raises `InputError` where there is none."""
    from torch import nn

    stacks = [list(m) for m in model.modules() if isinstance(m, nn.ModuleList)]
    if not stacks:
        raise InputError(f"rmu needs a stack of layers; {type(model).__name__} has no nn.ModuleList.")
    return max(stacks, key=len)


@contextmanager
def features(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the outputs of a layer, float32 [n, t, d]."""
    from vestige.models.passes import hooked

    seen: list[Tensor] = []

    def keep(module: Any, given: Any, output: Any) -> None:
        seen.append((output[0] if isinstance(output, tuple) else output).float())

    with hooked([layer], keep):
        yield seen
