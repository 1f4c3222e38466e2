"""Influence unlearning (IU): one step to where the optimum would be without the forget samples.

Koh and Liang, ICML 2017; as run by Jia et al. 2023 (Unlearn-Sparse). With mean gradients g_f of D_f and g_r of D_r,

    v = (N_f / N) (g_f - g_r),   theta <- theta + alpha * H^{-1} v,   H = Hessian of the mean loss on D_r

For a quadratic loss at its minimum and alpha = 1 that is the retrained solution. The published code means H^{-1} by
WoodFisher but keeps two vectors only, and returns v + c * g_1, g_1 the gradient of the first sample: an ascent step
along g_f - g_r. `paper` takes that first-order step without c * g_1; its alpha absorbs everything, and does not
transfer between settings. `recommended` solves with the damped Gauss-Newton matrix of a sample of D_r by conjugate
gradients, scaled to a step of at most `radius` times the length of theta.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from vestige.arguments import Count, Positive
from vestige.data.split import Split
from vestige.unlearning.gradients import Named, conjugate_gradient, curvature_product, mean_gradient
from vestige.unlearning.registry import Trial, register
from vestige.unlearning.work import Work, only_alive, trainable

if TYPE_CHECKING:
    from torch import nn


@register(
    "influence",
    needs=("forget", "retain"),
    cites="Koh and Liang 2017; Jia et al. 2023 (Unlearn-Sparse)",
    paper={"solver": "first_order"},
    trial=Trial(strong={"alpha": 2.0, "radius": 0.5}, rise=0.03),
)
def influence(
    model: nn.Module,
    split: Split,
    work: Work,
    *,
    alpha: Positive = 1.0,
    solver: Literal["conjugate_gradient", "first_order"] = "conjugate_gradient",
    damping: Positive = 1e-2,
    iterations: Count = 10,
    samples: Count = 1000,
    radius: Positive = 0.1,
) -> nn.Module:
    """One Newton step away from the forget samples.

    alpha       length of the step; 1 = the whole Newton step
    solver      "conjugate_gradient" divides by the curvature, "first_order" steps along the gradients themselves; it
                reads none of the options below
    damping     added to the curvature; larger = shorter, safer steps
    iterations  of conjugate gradients, each two passes over the samples
    samples     retained samples that the curvature is taken on
    radius      largest step, in units of the length of all weights
    """
    forget, retain = split.rows("forget"), split.rows("retain")
    total = len(forget) + len(retain)
    of_forget, of_retain = (mean_gradient(model, rows, work) for rows in (forget, retain))
    parameters = trainable(model)
    v = {name: (of_forget[name] - of_retain[name]) * (len(forget) / total) for name in of_forget}
    v = only_alive(model, v)
    if solver == "conjugate_gradient":
        few = retain.take(np.random.default_rng((work.seed, 17)).permutation(len(retain))[:samples])

        def product(vector: Named) -> Named:
            image = {name: torch.zeros_like(t) for name, t in vector.items()}
            for x, _ in work.once(few, cost=2):
                for name, part in curvature_product(model, x, vector).items():
                    image[name] += part * (len(x) / len(few))
            return only_alive(model, image)

        v = conjugate_gradient(product, v, damping=damping, steps=iterations)
    step = {name: alpha * v[name] for name in parameters}
    length = float(torch.stack([s.norm() for s in step.values()]).norm())
    size = float(torch.stack([p.detach().norm() for p in parameters.values()]).norm())
    shrink = min(1.0, radius * size / length) if solver == "conjugate_gradient" and length > 0 else 1.0
    with torch.no_grad():
        for name, p in parameters.items():
            p.add_(shrink * step[name])
    return model
