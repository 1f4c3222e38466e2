"""How far a student's predictions are from its teacher's."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@torch.no_grad()
def teacher_says(teacher: nn.Module, x: Tensor) -> Tensor:
    """Return the teacher's logits, float32 [n, C]."""
    logits: Tensor = teacher(x)
    return logits.float()


def distance(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Return the mean of KL(teacher || student) at a temperature, times its square, in nats."""
    return distances(student, teacher, temperature).mean()


def distances(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Return KL(teacher || student) at a temperature, times its square, in nats: [n], one a sample."""
    own = F.log_softmax(student.float() / temperature, dim=1)
    other = F.log_softmax(teacher / temperature, dim=1)
    return F.kl_div(own, other, reduction="none", log_target=True).sum(dim=1) * temperature**2
