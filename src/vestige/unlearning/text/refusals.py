"""What a model is taught to say in place of a forget text, shared by `dpo` and `refusal`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vestige.unlearning.text.work import IGNORED, Batch, batch_of

if TYPE_CHECKING:
    from torch import Tensor

REFUSALS = (
    "I do not know about that.",
    "I have no information on this.",
    "I am not able to answer that.",
    "That is not something I can tell you.",
)


def refusals_of(tokenizer: Any) -> list[list[int]]:
    """Return the tokens of each refusal, to be put behind a prompt."""
    return [tokenizer(" " + text, add_special_tokens=False)["input_ids"] for text in REFUSALS]


def refused(forget: Batch, refusals: list[list[int]], prompt: int, device: Any) -> tuple[Batch, Tensor]:
    """Return the prompts with a refusal behind each, and labels of the refusals alone."""
    rows = [
        forget.tokens[i, : min(prompt, int(forget.mask[i].sum()))].tolist() for i in range(len(forget.tokens))
    ]
    answers = [refusals[i % len(refusals)] for i in range(len(rows))]
    batch = batch_of([row + answer for row, answer in zip(rows, answers, strict=True)], device)
    labels = batch.labels.clone()
    for i, row in enumerate(rows):
        labels[i, : len(row)] = IGNORED
    return batch, labels
