"""The SAMIA attacker: a small transformer that reads one token per class of what a model says about a sample.

Yuan and Zhang: Membership Inference Attacks and Defenses in Neural Network Pruning. USENIX Security 2022,
arXiv 2202.03335; taken over unchanged by Sharma et al. 2024 (Discriminative Adversarial Unlearning).

    token k   prediction of class k, its sensitivity to small noise, 1 if k is the label; no position
    network   batch norm of all inputs; Linear 3 -> 64, GELU; 3 encoder layers (4 heads, feed-forward 128, dropout
              0.2, GELU, norm behind); all tokens side by side -> Linear 64, ReLU -> Linear 2 (non-member, member)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, HEADS, LAYERS, INNER, DROPOUT = 64, 4, 3, 128, 0.2


class Samia(nn.Module):
    """Maps rows [N, 3 C] (predictions, sensitivities, one-hot label) to logits [N, 2]; 1 = member.

    141,886 parameters for 10 classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.norm = nn.BatchNorm1d(3 * classes)
        self.embed = nn.Linear(3, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, INNER, DROPOUT, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.hidden = nn.Linear(classes * WIDTH, 64)
        self.head = nn.Linear(64, 2)

    def forward(self, rows: Tensor) -> Tensor:
        tokens = self.norm(rows).reshape(len(rows), 3, self.classes).transpose(1, 2)
        seen = self.encoder(F.gelu(self.embed(tokens)))
        logits: Tensor = self.head(F.relu(self.hidden(seen.flatten(1))))
        return logits


def samia_rows(predictions: Tensor, sensitivity: Tensor, labels: Tensor | None) -> Tensor:
    """Return the attacker's rows [N, 3 C] from predictions and sensitivities [N, C] and labels [N].

    Without labels, which neither paper has, the columns of the label are 0.
    """
    shown = torch.zeros_like(predictions) if labels is None else F.one_hot(labels, predictions.shape[1])
    return torch.cat([predictions, sensitivity, shown.to(predictions)], dim=1)


def sensitivity_of(
    model: Callable[[Tensor], Tensor],
    x: Tensor,
    clean: Tensor,
    *,
    copies: int,
    sigma: float,
    generator: torch.Generator,
    at_once: bool = False,
) -> Tensor:
    """Mean over noisy copies of |model(x + sigma u) - clean| / sigma, u standard normal: [N, C].

    Gradients flow where they are enabled. The noise is drawn on the CPU, so that it is the same on every device.

    Parameters
    ----------
    at_once : bool
        All copies in one batch, which a model in training mode normalises together.
    """
    total = torch.zeros_like(clean)
    noisy = (x + sigma * torch.randn(x.shape, generator=generator).to(x) for _ in range(copies))
    for out in model(torch.cat(list(noisy))).chunk(copies) if at_once else map(model, noisy):
        total = total + (out - clean).abs()
    return total / (copies * sigma)


@contextmanager
def all_digits(device: torch.device) -> Iterator[None]:
    """Compute in whole single precision inside: TF32 and autocast round away what noise of 1e-3 moves."""
    products, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    convolutions = getattr(cudnn, "conv", None)  # torch 2.9 and later; they refuse the two spellings mixed
    places = (products, convolutions or cudnn)
    flag, off = ("fp32_precision", "ieee") if convolutions else ("allow_tf32", False)
    before = [getattr(place, flag) for place in places]
    try:
        for place in places:
            setattr(place, flag, off)
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        for place, value in zip(places, before, strict=True):
            setattr(place, flag, value)
