"""Plain loops: what a method's steps are, with torch's own optimisers and nothing of the library but its batches."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from vestige.training import batch_count, epoch_seeds


def order_of(n, seed=0, epoch=0):
    """The order in which an epoch meets n samples."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(epoch_seeds(seed, epoch)[0]))


def plain_pass(model, optimizer, x, y, batch_size, *, seed=0, epoch=0, loss=None, lr=None, mask=None):
    """One pass; `loss` of x and y, `lr` of this pass, `mask` of the entries that may change, by parameter."""
    if lr is not None:
        for group in optimizer.param_groups:
            group["lr"] = lr
    for part in torch.tensor_split(order_of(len(x), seed, epoch), batch_count(len(x), batch_size)):
        before = [p.detach().clone() for p in model.parameters()]
        optimizer.zero_grad()
        value = loss(x[part], y[part]) if loss is not None else cross_entropy(model(x[part]), y[part])
        value.backward()
        optimizer.step()
        if mask is not None:
            with torch.no_grad():
                for p, was, free in zip(model.parameters(), before, mask, strict=True):
                    p.copy_(torch.where(free, p, was))


def vector(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def apart(one, other):
    """The distance of two models' weights."""
    return float((vector(one) - vector(other)).norm())
