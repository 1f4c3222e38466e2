"""Task vectors: step away from the weights that learning the forget texts leads to.

Ilharco et al.: Editing Models with Task Arithmetic. ICLR 2023, arXiv 2212.04089.

    theta - scale (theta_reinforced - theta)
"""

from __future__ import annotations

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Work


@register("task_vector", needs=("forget",), cites="Ilharco et al. 2023 (task vectors)")
def task_vector(work: Work, *, scale: float = 1.0) -> None:
    """Step away from the weights that learning the forget texts leads to.

    scale  length of the step; 1 = as far as learning went
    """
    import torch

    stronger = work.reinforced()
    with torch.no_grad():
        for weight, other in zip(work.model.parameters(), stronger.parameters(), strict=True):
            if weight.requires_grad:
                weight.sub_(scale * (other - weight))
