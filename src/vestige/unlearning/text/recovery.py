"""What brings texts back that a model only hides: rounding its weights, and a few steps of training."""

from __future__ import annotations

import copy
from typing import Annotated, Any

from pydantic import Field

from vestige.arguments import Count, Positive, checked
from vestige.data.texts import TextList
from vestige.signals.asking import expect_language_model
from vestige.unlearning.text.registry import unlearn


@checked
def quantised(model: Any, *, bits: Annotated[int, Field(ge=2, le=8)] = 4, block: Count = 64) -> Any:
    """Return a copy whose linear layers' weights are rounded to `bits` bits, scaled by the largest of each block.

    Fine changes of weights vanish in rounding; a text that unlearning has only just hidden may come back.
    Raises `InputError` unless bits is from 2 to 8.
    """
    import torch

    expect_language_model(model)
    made = copy.deepcopy(model)
    levels = 2 ** (bits - 1) - 1
    head = made.get_output_embeddings()
    with torch.no_grad():
        for layer in made.modules():
            if not isinstance(layer, torch.nn.Linear) or layer is head:
                continue
            flat = layer.weight.flatten().float()  # in half precision 1e-12 would be 0, and the scale a NaN
            padded = torch.nn.functional.pad(flat, (0, -len(flat) % block)).reshape(-1, block)
            scale = padded.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / levels
            rounded = ((padded / scale).round() * scale).flatten()[: len(flat)]
            layer.weight.copy_(rounded.reshape(layer.weight.shape))
    return made


@checked
def relearned(model: Any, tokenizer: Any, texts: TextList, *, steps: Count = 10, lr: Positive = 1e-5) -> Any:
    """Return a copy after so many steps of training on `texts`: what was only hidden comes back at once."""
    options: dict[str, Any] = {"epochs": steps, "max_steps": steps, "lr": lr, "warmup": 0.0}
    return unlearn("finetune", model, tokenizer, retain=texts, **options).model
