"""Task vectors: step away from the weights that learning the forget texts leads to."""

from __future__ import annotations

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Work


@register("task_vector", needs=("forget",), cites="Ilharco et al. 2023 (task vectors)")
def task_vector(work: Work, *, scale: float = 1.0) -> None:
    r"""Step away from the weights that learning the forget texts leads to.

    Parameters
    ----------
    scale : float
        Length of the step; 1 = as far as learning went.

    Notes
    -----
    .. math::

        \theta \leftarrow \theta_0 - s \, (\theta_{\mathrm{reinforced}} - \theta_0)

    The reinforced model is the original, trained on the forget texts further; s is `scale`.

    **When to use.** Where the length of the step should be chosen afterwards: the difference is computed
    once, and any multiple can be tried.

    **When it fails.** What learning a text moves is mostly the language, style and subject that it shares
    with others; a step long enough to forget it harms those. No table of the lab book measures it.

    **Cost.** Five passes over the forget blocks, to reinforce.

    References
    ----------
    Ilharco et al.: Editing Models with Task Arithmetic. ICLR 2023, arXiv 2212.04089.
    """
    import torch

    stronger = work.reinforced()
    with torch.no_grad():
        for weight, other in zip(work.model.parameters(), stronger.parameters(), strict=True):
            if weight.requires_grad:
                weight.sub_(scale * (other - weight))
