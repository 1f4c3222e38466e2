"""Fine-tuning on the retained texts: forgetting by neglect.

Warnecke et al.: Machine Unlearning of Features and Labels. NDSS 2023, arXiv 2108.11577 (the baseline of that paper).

    minimise nll(retain)
"""

from __future__ import annotations

from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import Work, mean_nll


@register("finetune", needs=("retain",), cites="Warnecke et al. 2023")
def finetune(work: Work) -> None:
    """Train on the retained texts; what is not rehearsed fades, slowly."""
    work.descend(lambda retain, _: mean_nll(work.model, retain), blocks=work.retain)
