"""What a network answers: logits, or one sentence on why it gives none. Every first look at one goes through here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vestige.errors import InputError, told
from vestige.models.copies import copied
from vestige.models.initial import seeded
from vestige.values import are_probabilities, no_logits

PROBABILITIES = {"Softmax": "a softmax", "Sigmoid": "a sigmoid", "Hardsigmoid": "a sigmoid"}
"""Steps that make probabilities of logits, as torch's graph of gradients names them."""
KEEPING = {
    "Alias", "Cat", "Clamp", "ClampMin", "Clone", "Expand", "Index", "IndexSelect", "Mean", "NanToNum", "Permute",
    "ReshapeAlias", "Select", "Slice", "Split", "Squeeze", "Stack", "T", "ToCopy", "Transpose", "Unbind", "UnsafeView",
    "Unsqueeze", "View",
}  # fmt: skip
"""Steps that make no others of them: what they give of probabilities are probabilities."""


def answer(model: Callable[[Tensor], Any], batch: Tensor) -> Any:
    """Return what `model` makes of a batch. Raises `InputError` where it does not take it, whatever it raises."""
    try:
        return model(batch)
    except InputError:
        raise
    except Exception as error:  # foreign code: whatever goes wrong in it is a fault of what was given
        lines = str(error).strip().splitlines() or [type(error).__name__]
        why = next((line for line in reversed(lines) if line.strip() and len(lines[0]) > 300), lines[0])
        raise InputError(
            f"The model does not take samples of shape {list(batch.shape[1:])} and type {batch.dtype}, in a batch of "
            f"{len(batch)}: {why.strip().rstrip('.')}.{_hint(model, batch)}"
        ) from error


def _hint(model: Callable[[Tensor], Any], batch: Tensor) -> str:
    parameters = model.parameters() if isinstance(model, nn.Module) else ()
    kinds = sorted({str(p.dtype) for p in parameters if p.dtype != batch.dtype})
    return f" The model has weights of {', '.join(kinds)}; call model.float() first." if kinds else ""


def expect_logits(output: Any, samples: int, classes: int | None = None, *, training: bool = False) -> Tensor:
    """Return the output where it is logits [samples, classes], or raise `InputError`.

    Parameters
    ----------
    classes : int or None
        None: any number.
    training : bool
        Say that it is so in training mode: networks with a second head, such as GoogLeNet, answer otherwise
        there.
    """
    got = type(output).__name__
    if isinstance(output, Tensor):
        plain = output.layout == torch.strided and not output.is_meta
        fits = output.ndim == 2 and len(output) == samples and output.shape[1] >= 1
        if plain and fits and output.is_floating_point() and classes in (None, output.shape[1]):
            if training:
                _expect_no_ending(_made_by(output.grad_fn))
            return output
        kinds = [] if output.is_floating_point() else [str(output.dtype)]
        kinds += [] if plain else [str(output.layout), str(output.device)]
        got = " of ".join([str(list(output.shape)), *kinds])
    wanted = "logits [N, C]" if classes is None else f"logits [{samples}, {classes}]"
    mode, hint = "", ""
    if training:
        mode, hint = " in training mode", " Return the logits alone, such as by aux_logits=False."
    raise InputError(f"The model returns {got} for {samples} samples{mode}; {wanted} are wanted.{hint}")


def first_logits(model: nn.Module, sample: Tensor, classes: int | None = None) -> Tensor:
    """Return the logits that a network gives for a batch, its first; it is left in evaluation mode.

    Raises `InputError` where it gives none: another shape or kind, or probabilities, because it ends in a softmax or a
    sigmoid. The logarithm of a softmax is accepted: cross-entropy and every measure read it as they read the logits.
    """
    with torch.no_grad():
        logits = expect_logits(answer(model.eval(), sample.clone()), len(sample), classes)
    values = logits.float().cpu().numpy()
    ending = _ending(model, sample)
    _expect_no_ending("a softmax" if ending is None and are_probabilities(values) else ending)
    other = no_logits(values)
    if other is not None:
        raise InputError(f"The model returns {other[0]}; logits are wanted: leave its last step out.")
    return logits


def _expect_no_ending(ending: str | None) -> None:
    """Refuse a network that ends in a step that makes probabilities."""
    if ending is not None:
        raise InputError(
            f"The model ends in {ending}, so that it returns probabilities; logits are wanted: leave the {ending[2:]} "
            "out, or return the logarithm of a softmax (log_softmax)."
        )


def _ending(model: nn.Module, sample: Tensor) -> str | None:
    """Return which step that makes probabilities a network ends in; None for none, or where it gives no gradient."""
    with torch.enable_grad(), seeded(0, sample.device):
        try:
            network = getattr(model, "_orig_mod", model)  # a compiled network would be compiled once more
            output = network(sample.detach().requires_grad_().clone())  # no leaf: it may be changed in place
        except Exception:  # foreign code that answers, and gives no gradient
            return None
    return _made_by(output.grad_fn) if isinstance(output, Tensor) else None


def _made_by(step: Any) -> str | None:
    """Return what made probabilities of the result of a step in the graph; None where it may hold anything else."""
    name = "" if step is None else step.name().split("Backward")[0]
    if name not in KEEPING:
        return PROBABILITIES.get(name)
    endings = {_made_by(earlier) for earlier, _ in step.next_functions if earlier is not None}
    return endings.pop() if len(endings) == 1 else None


def expect_logits_in_training(model: nn.Module, sample: Tensor, classes: int | None = None) -> None:
    """Raise `InputError` where the network answers with something else in training mode, or gives no gradient of it.

    The network stays as it is.

    Parameters
    ----------
    sample : Tensor
        Two samples or more, as a batch.
    """
    probe, given = copied(model).train(), sample.clone()
    with torch.enable_grad(), seeded(0, sample.device):
        logits = expect_logits(answer(probe, given), len(sample), classes, training=True)
        if not torch.equal(given.nan_to_num(), sample.nan_to_num()):
            raise InputError(
                "The model changes its input in place, which a method gives to it more than once; give its first layer "
                "inplace=False, or let it work on a copy."
            )
        if logits.requires_grad:
            take_gradient(logits.sum())


def take_gradient(value: Tensor) -> None:
    """Take the gradient of a value. Raises `InputError` where the network has no gradient that torch can compute."""
    try:
        value.backward()  # type: ignore[no-untyped-call]
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, NotImplementedError) as error:
        raise InputError(f"The model's answer cannot be differentiated: {told(error)}.") from error


def read_as(model: nn.Module, sample: Tensor) -> nn.Module:
    """Return what to read of a network: itself, or a copy in single precision where it does not take `sample` as it is.

    So weights of half and of double precision are read: samples come in single precision. Raises `InputError` where
    the copy does not take the sample either.
    """
    if all(p.dtype == torch.float32 for p in model.parameters() if p.is_floating_point()):
        return model
    with torch.no_grad(), seeded(0, sample.device):
        try:
            answer(model, sample)
        except InputError:
            single = copied(model).float()
            answer(single, sample)
            return single
    return model
