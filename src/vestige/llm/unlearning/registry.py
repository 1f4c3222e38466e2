"""What a method on texts is, how it is registered, and how texts are unlearned."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from vestige.errors import InputError, need
from vestige.llm.texts import Texts, as_texts, expect_disjoint
from vestige.llm.unlearning.work import Blocks, Steps, Work
from vestige.registry import Registry, knobs_of, resolved, summary_of, types_of


@dataclass(frozen=True)
class Method:
    """A registered method: `function(work, **knobs)` changes `work.model`, or returns another model.

    needs  "forget", "retain": which texts it reads
    """

    name: str
    function: Callable[..., Any]
    needs: tuple[str, ...]
    cites: str
    steps: Steps
    paper: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return summary_of(self.function)

    @property
    def knobs(self) -> dict[str, Any]:
        """The options with their recommended values, those of its steps included."""
        return knobs_of(self.function) | asdict(self.steps)


METHODS: Registry[Method] = Registry("text method", "vestige.llm.unlearning", "vestige.llm.unlearning")


def register(
    name: str,
    *,
    needs: tuple[str, ...],
    cites: str,
    steps: Steps | None = None,
    paper: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the text method `name`; the function stays a plain function."""

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        METHODS.add(name, Method(name, function, needs, cites, steps or Steps(), paper or {}))
        return function

    return keep


@dataclass(frozen=True, eq=False)
class Unlearned:
    """Result of `unlearn`.

    model    a model of the same kind, in evaluation mode
    steps    gradient steps taken; losses: the objective's mean of each epoch
    stopped  None, "max_steps", "max_seconds" or "on_epoch"
    """

    model: Any
    method: str
    knobs: dict[str, Any]
    seconds: float
    steps: int
    losses: list[float]
    stopped: str | None


def unlearn(
    name: str,
    model: Any,
    tokenizer: Any,
    forget: Texts | Sequence[str] | None = None,
    retain: Texts | Sequence[str] | None = None,
    *,
    preset: str = "recommended",
    seed: int = 0,
    lora: int | None = None,
    max_steps: int | None = None,
    max_seconds: float | None = None,
    on_epoch: Callable[[Any], bool | None] | None = None,
    **options: Any,
) -> Unlearned:
    """Unlearn texts from a copy of a causal language model; the model that is given stays as it is.

    name      a registered method: see `vestige.llm.unlearning.METHODS`
    forget    texts to unlearn; not needed by methods that read the retained ones alone
    retain    texts to keep; methods that need them say so
    lora      None: all weights that are not frozen; else the rank of adapters on all linear layers, which are merged
              into the weights at the end
    on_epoch  called with the model after each epoch; True stops
    options   the method's own, and those of `Steps`: epochs, lr, batch_size, length, ...

    Raises `InputError` for unknown names and options, a text on both sides, missing texts, and a loss or weight that is
    not finite.
    """
    need("transformers", "llm", "Unlearning from a language model")
    method = METHODS[name]
    knobs = resolved(name, method.knobs, method.paper, preset, options, types_of(method.function))
    sides = {k: as_texts(v) for k, v in (("forget", forget), ("retain", retain)) if v is not None}
    for side in method.needs:
        if side not in sides:
            raise InputError(f"{name} needs texts to {side}; give {side}=.")
    expect_disjoint(**sides)
    steps = replace(method.steps, **{k: knobs[k] for k in asdict(method.steps)})
    _check(name, steps, max_steps)
    changed = copy.deepcopy(model)
    if lora is not None:
        changed = _with_adapters(changed, lora)
    blocks = {side: cut(tokenizer, texts, steps.length) for side, texts in sides.items()}
    work = Work(
        name, changed, tokenizer, blocks.get("forget", []), blocks.get("retain", []), steps, seed, max_steps,
        max_seconds, on_epoch,
    )  # fmt: skip
    start = time.perf_counter()
    other = method.function(work, **{k: v for k, v in knobs.items() if k not in asdict(steps)})
    made: Any = work.model if other is None else other
    if hasattr(made, "merge_and_unload"):
        made = made.merge_and_unload()
    _expect_finite(name, made)
    for parameter, own in zip(made.parameters(), model.parameters(), strict=True):
        parameter.requires_grad_(own.requires_grad)
        parameter.grad = None
    seconds = time.perf_counter() - start
    return Unlearned(made.eval(), name, knobs, seconds, work.taken, work.losses, work.stopped)


def cut(tokenizer: Any, texts: Texts, length: int) -> Blocks:
    """Return the texts' tokens in blocks of at most `length`; a last block of one token is left out."""
    blocks = []
    for text in texts.texts:
        ids = tokenizer(text, verbose=False)["input_ids"]
        blocks += [ids[i : i + length] for i in range(0, len(ids), length) if len(ids[i : i + length]) > 1]
    if not blocks:
        raise InputError("No text has two tokens; there is nothing to learn from.")
    return blocks


def _check(name: str, steps: Steps, max_steps: int | None) -> None:
    if min(steps.epochs, steps.batch_size) < 1 or steps.length < 2 or not steps.lr > 0 or not steps.clip > 0:
        raise InputError(
            f"{name}: epochs and batch_size from 1, length from 2, lr and clip above 0 are wanted."
        )
    if max_steps is not None and max_steps < 1:
        raise InputError(f"{name}: max_steps is {max_steps}; at least 1 is wanted.")


def _with_adapters(model: Any, rank: int) -> Any:
    peft = need("peft", "llm", "Unlearning with adapters")
    if rank < 1:
        raise InputError(f"lora is {rank}; a rank from 1 is wanted.")
    return peft.get_peft_model(
        model, peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    )


def _expect_finite(name: str, model: Any) -> None:
    import torch

    for key, value in model.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise InputError(f"{name}: {key} became NaN or infinite; take smaller steps (lr).")
