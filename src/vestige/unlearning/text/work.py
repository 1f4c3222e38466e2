"""What every method is given: the model, the tokens of both sides, and the steps down an objective.

A method says what is minimised over a batch of forget and a batch of retained blocks; optimiser, budget, seed and order
are here. Texts are cut into blocks of `length` tokens; every block is a sequence of its own.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import numpy as np
from pydantic import Field

from vestige.arguments import Count, NotNegative, Positive
from vestige.errors import InputError, need, told
from vestige.signals.asking import answered

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Blocks: TypeAlias = list[list[int]]
IGNORED = -100  # label of a position that is not learned from


@dataclass(frozen=True)
class Steps:
    """How a method descends: AdamW over the forget blocks, as many retained blocks beside each batch.

    Attributes
    ----------
    epochs : int
        Passes over the forget blocks; over the retained ones where a method has no others.
    lr : float
        Learning rate, the highest of the schedule.
    weight_decay : float
        Of AdamW.
    batch_size : int
        Blocks per step, of either side.
    warmup : float
        Share of the steps over which the learning rate rises from 0.
    clip : float
        Largest norm of the gradient.
    length : int
        Tokens in a block; no more than the model takes.
    """

    epochs: Count = 5
    lr: Positive = 1e-5
    weight_decay: NotNegative = 0.01
    batch_size: Count = 4
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.1
    clip: Positive = 1.0
    length: Annotated[int, Field(ge=2)] = 512


@dataclass(eq=False)
class Work:
    """One run of one method.

    Attributes
    ----------
    model : nn.Module
        Changed in place.
    tokenizer : Any
        Its tokenizer.
    forget, retain : Blocks
        Token blocks, empty where no texts were given.
    lora : int or None
        Rank of the adapters that are trained in place of the weights, None for the weights.
    on_epoch : callable or None
        The caller's early stop: called with the model after each epoch, True stops.
    """

    method: str
    model: nn.Module
    tokenizer: Any
    forget: Blocks
    retain: Blocks
    steps: Steps
    seed: int
    max_steps: int | None = None
    max_seconds: float | None = None
    on_epoch: Callable[[Any], bool | None] | None = None
    lora: int | None = None
    taken: int = 0
    losses: list[float] = field(default_factory=list)
    stopped: str | None = None
    started: float = field(default_factory=time.perf_counter)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def frozen(self) -> Any:
        """Return a copy of the model as it is now, which nothing changes any more."""
        made = copy.deepcopy(self.model).eval()
        for parameter in made.parameters():
            parameter.requires_grad_(False)
        return made

    def reinforced(self) -> Any:
        """Return a copy of the model that was trained on the forget texts."""
        stronger = copy.deepcopy(self.model)
        retain, self.retain = self.retain, []
        self.descend(lambda forget, _: mean_nll(stronger, forget), model=stronger, seed=1)
        self.retain = retain
        return stronger

    def with_retained(self, value: Tensor, alpha: float, retain: Batch | None) -> Tensor:
        """Return an objective with `alpha` times the mean loss of retained blocks added, where there are any."""
        return value if retain is None else value + alpha * mean_nll(self.model, retain)

    def ready(self, model: Any) -> Any:
        """Return a copy of a model to work on: in single precision, and with adapters where they are asked for."""
        return ready(self.method, model, self.lora)

    def descend(
        self,
        objective: Callable[[Batch, Batch | None], Tensor],
        *,
        blocks: Blocks | None = None,
        model: nn.Module | None = None,
        seed: int = 0,
    ) -> None:
        """Minimise `objective(forget batch, retain batch or None)`.

        Parameters
        ----------
        blocks : Blocks or None
            What is passed over in place of the forget blocks; batches are then of these, without retained
            ones.
        model : nn.Module or None
            What is changed, where it is not the method's model.
        seed : int
            Told apart where a method descends more than once.
        """
        import torch

        from vestige.models import seeded

        own = self.forget if blocks is None else blocks
        target = self.model if model is None else model
        open_ = [p for p in target.parameters() if p.requires_grad]
        expect_open(self.method, target)
        fused = all(p.device.type in ("cpu", "cuda") for p in open_)
        optimiser = torch.optim.AdamW(open_, self.steps.lr, weight_decay=self.steps.weight_decay, fused=fused)
        rng = np.random.default_rng((self.seed, seed))
        rising = max(1.0, self.steps.warmup * self.steps.epochs * -(-len(own) // self.steps.batch_size))
        beside = self._endless(rng) if blocks is None and self.retain else None

        def step(number: int, batch: Batch) -> float:
            for group in optimiser.param_groups:
                group["lr"] = self.steps.lr * min(1.0, (number + 1) / rising)
            value = objective(batch, next(beside) if beside else None)
            if not torch.isfinite(value):
                raise InputError(f"{self.method}: the loss became {float(value):g}; take smaller steps (lr).")
            optimiser.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(open_, self.steps.clip)
            optimiser.step()
            self.taken += 1
            return float(value.detach())

        done = 0
        try:
            with seeded(self.seed, self.device):  # dropout, in models that have it
                for _ in range(self.steps.epochs):
                    if self.stopped:
                        return
                    target.train()
                    values = []
                    for batch in self._batches(own, rng):
                        values.append(step(done, batch))
                        done += 1
                        if self._spent():
                            return
                    self.losses.append(float(np.mean(values)))
                    target.eval()
                    if self.on_epoch is not None and self.on_epoch(target):
                        self.stopped = "on_epoch"
        finally:
            target.eval()

    def _batches(self, blocks: Blocks, rng: np.random.Generator) -> Iterator[Batch]:
        order = rng.permutation(len(blocks))
        for start in range(0, len(order), self.steps.batch_size):
            yield batch_of([blocks[i] for i in order[start : start + self.steps.batch_size]], self.device)

    def _spent(self) -> bool:
        if self.max_steps is not None and self.taken >= self.max_steps:
            self.stopped = "max_steps"
        elif self.max_seconds is not None and time.perf_counter() - self.started >= self.max_seconds:
            self.stopped = "max_seconds"
        return self.stopped is not None

    def _endless(self, rng: np.random.Generator) -> Iterator[Batch]:
        while True:
            yield from self._batches(self.retain, rng)


def ready(method: str, model: Any, lora: int | None) -> Any:
    """Return a copy of a model to work on: in single precision, and with adapters of rank `lora` where it is given.

    Steps are small: bfloat16 rounds them away, and float16 divides by what it has rounded to 0. Raises `InputError`
    where the weights are quantised, or all frozen, or a model with adapters is to get others.
    """
    if getattr(model, "is_quantized", False) or getattr(model, "quantization_method", None) is not None:
        raise InputError(
            f"{method}: the weights of {type(model).__name__} are quantised; load them in full precision."
        )
    expect_open(method, model)
    if lora is not None and hasattr(model, "peft_config"):
        raise InputError(
            f"{method}: the model has adapters of its own, which are worked on without lora=. For new ones merge them "
            "first: model = model.merge_and_unload()."
        )
    try:
        made = copy.deepcopy(model).float()
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        raise InputError(
            f"{method}: {type(model).__name__} cannot be copied in single precision: {told(error)}."
        ) from error
    if lora is None:
        return made
    peft = need("peft", "llm", "Unlearning with adapters")
    try:
        return peft.get_peft_model(
            made, peft.LoraConfig(r=lora, lora_alpha=2 * lora, target_modules="all-linear")
        )
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{method}: no adapters fit {type(model).__name__}: {told(error)}.") from error


def expect_open(method: str, model: Any) -> None:
    """Raise `InputError` where every parameter is frozen."""
    if any(p.requires_grad for p in model.parameters()):
        return
    hint = " Open those that may change: model.requires_grad_(True)."
    if hasattr(model, "peft_config") or getattr(model, "_hf_peft_config_loaded", False):
        hint = (
            " It has adapters that were loaded for use alone; load them by peft with is_trainable=True, or merge them "
            "into the weights: model = model.merge_and_unload()."
        )
    raise InputError(f"{method}: every parameter of the model is frozen; nothing can be unlearned.{hint}")


@dataclass(frozen=True, eq=False)
class Batch:
    """Blocks side by side, padded on the right.

    Attributes
    ----------
    tokens : int64 [n, t]
    mask : int64 [n, t]
        1 where there is a token.
    """

    tokens: Tensor
    mask: Tensor

    @property
    def labels(self) -> Tensor:
        """int64 [n, t]: the tokens, `IGNORED` where there is none."""
        labels: Tensor = self.tokens.masked_fill(self.mask == 0, IGNORED)
        return labels


def batch_of(blocks: Blocks, device: Any) -> Batch:
    """Return blocks as one batch on a device."""
    import torch

    width = max(len(block) for block in blocks)
    tokens = torch.zeros(len(blocks), width, dtype=torch.long)
    mask = torch.zeros(len(blocks), width, dtype=torch.long)
    for row, block in enumerate(blocks):
        tokens[row, : len(block)] = torch.tensor(block)
        mask[row, : len(block)] = 1
    return Batch(tokens.to(device), mask.to(device))


def logits_of(model: Any, batch: Batch) -> Tensor:
    """Return the prediction of every token but the first: float32 [n, t - 1, V]."""
    return answered(model, batch.tokens, batch.mask)[:, :-1].float()


def sequence_nll(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return each sequence's summed loss in nats [n] and its number of predicted tokens [n]."""
    import torch.nn.functional as F

    wanted = labels[:, 1:]
    each = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED, reduction="none")
    return each.reshape(wanted.shape).sum(dim=1), (wanted != IGNORED).sum(dim=1).clamp(min=1)


def mean_nll(model: Any, batch: Batch) -> Tensor:
    """Return the mean loss of a batch's tokens, nats."""
    total, count = sequence_nll(logits_of(model, batch), batch.labels)
    return total.sum() / count.sum()


def kl(model: Any, reference: Any, batch: Batch) -> Tensor:
    """Return the mean over tokens of KL(reference || model), nats."""
    import torch

    with torch.no_grad():
        wanted = logits_of(reference, batch).log_softmax(dim=-1)
    own = logits_of(model, batch).log_softmax(dim=-1)
    each = (wanted.exp() * (wanted - own)).sum(dim=-1)
    mask = batch.mask[:, 1:].float()
    return (each * mask).sum() / mask.sum()
