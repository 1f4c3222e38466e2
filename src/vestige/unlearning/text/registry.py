"""What a method on texts is, how it is registered, and how texts are unlearned."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from vestige.arguments import OWN_CHECK, Count, NotNegative, Seed, checked
from vestige.config import Named
from vestige.data.texts import Texts, as_texts, expect_disjoint
from vestige.errors import InputError, need
from vestige.registry import Entry, Registry
from vestige.signals.asking import expect_language_model, expect_room, positions_of, token_ids
from vestige.unlearning.text.work import Blocks, Steps, Work, ready


@dataclass(frozen=True, kw_only=True)
class Method(Entry):
    """A registered method: `function(work, **options)` changes `work.model`, or returns another model.

    Attributes
    ----------
    needs : tuple[str, ...]
        "forget", "retain": which texts it reads.
    """

    needs: tuple[str, ...]
    steps: Steps = field(default_factory=Steps)


METHODS: Registry[Method] = Registry(
    "text method", "vestige.unlearning.text", "vestige.llm.unlearning", Method
)
register = METHODS.register


class TextMethodConfig(Named):
    """One method on texts with its options."""

    REGISTRY = METHODS

    preset: str = "recommended"

    @property
    def options_with_preset(self) -> dict[str, Any]:
        """What `unlearn` is called with besides the name."""
        return {"preset": self.preset} | self.options


@dataclass(frozen=True, eq=False)
class Unlearned:
    """Result of `unlearn`.

    Attributes
    ----------
    model : Any
        A model of the same kind, in evaluation mode.
    steps : int
        Gradient steps taken; losses: the objective's mean of each epoch.
    stopped : str or None
        None, "max_steps", "max_seconds" or "on_epoch".
    """

    model: Any
    method: str
    options: dict[str, Any]
    seconds: float
    steps: int
    losses: list[float]
    stopped: str | None


@checked
def unlearn(
    name: str,
    model: Any,
    tokenizer: Any,
    forget: Annotated[Texts | Sequence[str] | None, OWN_CHECK] = None,
    retain: Annotated[Texts | Sequence[str] | None, OWN_CHECK] = None,
    *,
    preset: str = "recommended",
    seed: Seed = 0,
    lora: Count | None = None,
    max_steps: Count | None = None,
    max_seconds: NotNegative | None = None,
    on_epoch: Callable[[Any], bool | None] | None = None,
    **options: Any,
) -> Unlearned:
    """Unlearn texts from a copy of a causal language model; the model that is given stays as it is.

    Weights of half precision are worked on in single precision, which takes twice or four times their memory, and are
    rounded back at the end.

    Parameters
    ----------
    name : str
        A registered method: see `vestige.unlearning.text.METHODS`.
    forget : Texts or Sequence[str] or None
        Texts to unlearn; not needed by methods that read the retained ones alone.
    retain : Texts or Sequence[str] or None
        Texts to keep; methods that need them say so.
    lora : int or None
        None: all weights that are not frozen; else the rank of adapters on all linear layers, which are
        merged into the weights at the end. Of a model of peft its own adapters are worked on, and stay
        adapters.
    on_epoch : callable or None
        Called with the model after each epoch; True stops.
    options : Any
        The method's own, and those of `Steps`: epochs, lr, batch_size, length, ...

    Raises
    ------
    InputError
        For unknown names and options, a text on both sides, missing texts, a model that cannot be worked on,
        and a loss or weight that is not finite.
    """
    need("transformers", "llm", "Unlearning from a language model")
    method = METHODS[name]
    values = method.resolve(options, preset)
    expect_language_model(model, tokenizer)
    sides = {k: as_texts(v) for k, v in (("forget", forget), ("retain", retain)) if v is not None}
    for side in method.needs:
        if side not in sides:
            raise InputError(f"{name} needs texts to {side}; give {side}=.")
    expect_disjoint(**sides)
    values |= _fit_length(model, values, options)
    steps = Steps(**{key: values[key] for key in method.own_steps})
    source = model if "base" not in values else values["base"]
    if source is None:
        raise InputError(f"{name} needs base=, the model before it had learned any of the texts.")
    expect_language_model(source)
    blocks = {side: cut(source, tokenizer, texts, steps.length) for side, texts in sides.items()}
    changed = ready(name, model, lora) if source is model else copy.deepcopy(model)
    work = Work(
        name, changed, tokenizer, blocks.get("forget", []), blocks.get("retain", []), steps, seed, max_steps,
        max_seconds, on_epoch, lora,
    )  # fmt: skip
    start = time.perf_counter()
    other = method.function(work, **{key: values[key] for key in method.own_options})
    made: Any = work.model if other is None else other
    if lora is not None:
        made = made.merge_and_unload()
    _restore(name, made, source)
    seconds = time.perf_counter() - start
    return Unlearned(made.eval(), name, values, seconds, work.taken, work.losses, work.stopped)


def _fit_length(model: Any, values: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the length of blocks: the method's, or as many tokens as the model takes where these are fewer."""
    if "length" in options:
        expect_room(model, "length", values["length"])
    return {"length": min(values["length"], positions_of(model) or values["length"])}


def _restore(name: str, made: Any, source: Any) -> None:
    """Give weights the types that they had, and open those that were, in place. Raises `InputError` for a NaN."""
    from vestige.models.copies import not_finite, restore_types

    restore_types(made, source)
    was = {key: p.requires_grad for key, p in source.named_parameters()}
    for key, parameter in made.named_parameters():
        parameter.requires_grad_(was.get(key, True))
        parameter.grad = None
    if key := not_finite(made, source):
        raise InputError(f"{name}: {key} became NaN or infinite; take smaller steps (lr).")


def cut(model: Any, tokenizer: Any, texts: Texts, length: int) -> Blocks:
    """Return the texts' tokens in blocks of at most `length`; a last block of one token is left out."""
    blocks = []
    for name, text in zip(texts.ids, texts.texts, strict=True):
        ids = token_ids(model, tokenizer, name, text)
        blocks += [ids[i : i + length] for i in range(0, len(ids), length) if len(ids[i : i + length]) > 1]
    if not blocks:
        raise InputError("No text has two tokens; there is nothing to learn from.")
    return blocks
