"""What a user's network says to a batch of any form, and in which kind of output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from vestige.errors import InputError
from vestige.models.copies import copied
from vestige.models.outputs import answer, expect_logits, first_logits, read_as
from vestige.systems.items import Batch
from vestige.values import are_probabilities

KINDS = {"classification": "logits", "multilabel": "multilabel", "regression": "predictions"}
"""The kind of output of each task."""


class OneInput(nn.Module):
    """A network of any number of inputs as one of its main input alone; the others are those of a batch."""

    def __init__(self, network: nn.Module, batch: Batch) -> None:
        super().__init__()
        self.network, self.batch = network, batch

    def forward(self, x: Tensor) -> Any:
        batch = self.batch.with_main(x)
        return column(main_part(self.network(*batch.args, **batch.kwargs)))


def main_part(output: Any) -> Any:
    """Return the logits of what a network returns: of several outputs `logits` by its name, or the first."""
    if isinstance(output, Mapping):
        return output.get("logits", output)
    named = getattr(output, "logits", None)
    if isinstance(named, Tensor):
        return named
    if isinstance(output, (tuple, list)) and output and isinstance(output[0], Tensor):
        return output[0]
    return output


def column(output: Any) -> Any:
    """Return one number a record as a column."""
    return output[:, None] if isinstance(output, Tensor) and output.ndim == 1 else output


def numbers_of(network: nn.Module, batch: Batch) -> Tensor:
    """Return what a network says about a batch [n, C]. Raises `InputError` where it does not take it, or says less."""
    return expect_logits(answer(OneInput(network, batch), batch.main), len(batch), training=network.training)


def readable(network: nn.Module, batch: Batch) -> nn.Module:
    """Return what to read of a network: itself, or a copy in single precision where its weights have fewer digits."""
    few = {p.dtype for p in network.parameters() if p.is_floating_point() and p.element_size() < 4}
    if few:
        return copied(network).float()
    asked = read_as(OneInput(network, batch), batch.main)
    assert isinstance(asked, OneInput)
    return asked.network


def look(network: nn.Module, batch: Batch, truth: np.ndarray, task: str | None) -> tuple[str, int, list[str]]:
    """Return the task, the number of outputs and notes, from what a network says about its first items.

    Raises `InputError` where it answers nothing that can be read, where it ends in a softmax or a sigmoid, and where
    the truth does not fit its outputs.
    """
    notes: list[str] = []
    network = readable(network.eval(), batch)
    asked = OneInput(network, batch)
    raw = _raw(asked, batch)
    if isinstance(raw, (tuple, list)) and not hasattr(raw, "logits"):
        notes.append(f"The network answers with {len(raw)} parts; the first was taken.")
    task = task or _task(truth, notes)
    if task not in KINDS:
        raise InputError(f"task is {task!r}; one of {', '.join(KINDS)} is wanted.")
    if task == "regression":
        width = numbers_of(network, batch).shape[1]
        wanted = truth.shape[1] if truth.ndim > 1 else 1
        if width != wanted:
            whole = truth.ndim == 1 and bool((truth == np.round(truth)).all())
            hint = " Labels of classes are integers: give labels.astype(int)." if whole else ""
            raise InputError(
                f"The network predicts {width} numbers a record, and there are {wanted} targets.{hint}"
            )
        return task, width, notes
    width = first_logits(asked, batch.main).shape[1]
    if task == "multilabel":
        if truth.ndim != 2 or truth.shape[1] != width:
            raise InputError(
                f"The network has {width} outputs, and the labels are of shape {list(truth.shape)}."
            )
        return task, width, notes
    classes = max(width, 2)
    if truth.min() < 0 or truth.max() >= classes:
        bad = truth.min() if truth.min() < 0 else truth.max()
        raise InputError(
            f"The network has {width} output{'s' if width > 1 else ''}, for labels from 0 to {classes - 1}; a record "
            f"has the label {bad:g}. Where it is a number that is predicted, say task='regression'."
        )
    return task, width, notes


def _raw(asked: OneInput, batch: Batch) -> Any:
    import torch

    with torch.no_grad():
        try:
            return answer(lambda x: asked.network(*batch.args, **batch.kwargs), batch.main)
        except InputError as error:
            raise InputError(f"{error} {_hint(batch.main)}".strip()) from error.__cause__


def _hint(x: Tensor) -> str:
    if x.ndim == 4 and x.shape[3] in (1, 3, 4) and x.shape[1] not in (1, 3, 4):
        return (
            f"The images have channels last, {list(x.shape)}; torch takes [N, C, H, W]: move the channels by "
            "x.permute(0, 3, 1, 2)."
        )
    if not x.is_floating_point() and x.ndim == 4:
        return f"The images are {str(x.dtype).removeprefix('torch.')}; let the data set return floats."
    return ""


def _task(truth: np.ndarray, notes: list[str]) -> str:
    """Return the task that labels are of: whole numbers are classes, a row of 0 and 1 several labels."""
    if truth.dtype.kind in "iub" and truth.ndim == 1:
        return "classification"
    several = truth.ndim == 2 and truth.shape[1] > 1
    if several and are_probabilities(truth):
        what = "exactly one 1" if np.isin(truth, (0, 1)).all() else "shares that sum to 1"
        raise InputError(
            f"Every row of the labels holds {what}; give labels.argmax(axis=1) where they say one class a record, and "
            "else say what they are, task='multilabel' or 'regression'."
        )
    if several and np.isin(truth, (0, 1)).all():
        notes.append(
            f"Labels are rows of 0 and 1, and were taken as {truth.shape[1]} labels that may hold or not."
        )
        return "multilabel"
    if truth.dtype.kind == "f" and truth.shape[1:] in ((), (1,)) and np.isin(truth, (0, 1)).all():
        notes.append("Labels are the numbers 0.0 and 1.0, and were taken as two classes.")
        return "classification"
    return "regression"
