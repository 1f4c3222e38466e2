"""Asking a language model: text to tokens, tokens to logits. Whatever goes wrong on the way is said in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vestige.errors import InputError, shown, told

if TYPE_CHECKING:
    from torch import Tensor

MOST = 4096
"""Longest window in tokens, where nobody asks for another."""


def expect_language_model(model: Any, tokenizer: Any = None) -> None:
    """Raise `InputError` where this is no causal language model of transformers, or the tokenizer cannot be called."""
    config = getattr(model, "config", None)
    if config is None or not (hasattr(model, "get_input_embeddings") and hasattr(model, "parameters")):
        raise InputError(
            f"The model is {shown(model)}; a causal language model of transformers is wanted, such as the first that "
            "vestige.models.language.load_model returns."
        )
    if getattr(config, "is_encoder_decoder", False):
        raise InputError(f"{type(model).__name__} has an encoder; a causal language model is wanted.")
    if tokenizer is not None and not callable(tokenizer):
        raise InputError(f"The tokenizer is {shown(tokenizer)}; one of transformers is wanted.")
    _expect_causal(model)


def _expect_causal(model: Any) -> None:
    """Refuse a model that looks at what comes after a token, as masked language models do: it has seen the answer."""
    import torch

    from vestige.models.passes import evaluating

    if (vocabulary_of(model) or 0) < 2 or not hasattr(model, "modules"):
        return
    tokens = torch.tensor([[0, 1, 0], [0, 1, 1]], device=model.device)
    with evaluating(model), torch.inference_mode():
        one, other = answered(model, tokens)[:, :2]
    rounding = 100 * torch.finfo(one.dtype).eps * one.abs().max()
    if (one - other).abs().max() > rounding:  # False for a NaN
        raise InputError(
            f"{type(model).__name__} also looks at the tokens that come after one, as a masked language model does; a "
            "causal language model is wanted."
        )


def vocabulary_of(model: Any) -> int | None:
    """Return how many tokens the model has an embedding for; None where it does not say."""
    try:
        return int(model.get_input_embeddings().weight.shape[0])
    except (AttributeError, NotImplementedError, TypeError):
        return None


def positions_of(model: Any) -> int | None:
    """Return the longest input in tokens that the model's configuration names; None where it names none."""
    config = getattr(model.config, "text_config", model.config)
    known = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    return int(known) if isinstance(known, int) and known > 0 else None


def context_of(model: Any) -> int:
    """Return the longest window in tokens: what the configuration says, 1024 where it says nothing, at most 4096."""
    return min(positions_of(model) or 1024, MOST)


def expect_room(model: Any, name: str, tokens: int) -> None:
    """Raise `InputError` where the model takes fewer tokens than are asked for."""
    most = positions_of(model)
    if most is not None and tokens > most:
        raise InputError(f"{name} is {tokens}; {type(model).__name__} takes {most} tokens at most.")


def token_ids(model: Any, tokenizer: Any, name: str, text: str, **options: Any) -> list[int]:
    """Return the ids of a text's tokens; `options` go to the tokenizer. Raises `InputError`, see `encoded`."""
    return encoded(model, tokenizer, name, text, **options)[0]


def encoded(
    model: Any, tokenizer: Any, name: str, text: str, **options: Any
) -> tuple[list[int], np.ndarray[Any, Any]]:
    """Return the ids of a text's tokens, and where each stands in the text: [tokens, 2], -1 where unknown.

    Raises `InputError` where the tokenizer does not take the text, and for a token that the model has no embedding of.
    """
    fast = bool(getattr(tokenizer, "is_fast", False))
    asked = {"return_offsets_mapping": True} if fast else {}
    try:
        found = tokenizer(text, verbose=False, **asked, **options)
        ids = [int(i) for i in found["input_ids"]]
        spans = (
            np.array(found["offset_mapping"], dtype=np.int64).reshape(-1, 2)
            if fast
            else np.full((len(ids), 2), -1)
        )
    except Exception as error:  # foreign code: whatever it refuses is a fault of what it was given
        raise InputError(f"The tokenizer does not take text {name!r}: {told(error)}.") from error
    size = vocabulary_of(model)
    strange = [i for i in ids if i < 0 or (size is not None and i >= size)]
    if strange:
        raise InputError(
            f"Text {name!r} has the token {strange[0]}; the model has embeddings for 0 to {(size or 0) - 1}. Take the "
            "model's own tokenizer, or make room for new tokens: model.resize_token_embeddings(len(tokenizer))."
        )
    return ids, spans


def answered(model: Any, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return logits [n, t, V] of tokens [n, t]. Raises `InputError` where the model gives none, whatever it raises."""
    more = {} if mask is None else {"attention_mask": mask}
    try:
        output = model(input_ids=tokens, **more)
    except InputError:
        raise
    except Exception as error:  # foreign code, as above
        raise InputError(
            f"{type(model).__name__} does not take {len(tokens)} x {tokens.shape[-1]} tokens: {told(error)}."
        ) from error
    logits: Tensor | None = getattr(output, "logits", None)
    if logits is None or logits.ndim != 3 or logits.shape[:2] != tokens.shape:
        raise InputError(
            f"{type(model).__name__} gives no logits for every token; a causal language model is wanted."
        )
    return logits


def most_likely(model: Any, ids: list[int]) -> np.ndarray[Any, Any]:
    """Return the most likely next token after each of the tokens `ids`: int64 [t]."""
    import torch

    with torch.inference_mode():
        logits = answered(model, torch.tensor([ids], device=model.device))[0]
        return logits.argmax(dim=-1).cpu().numpy()


def greedy(model: Any, ids: list[int], count: int) -> list[int]:
    """Return the `count` most likely next tokens, one after another."""
    import torch

    tokens = torch.tensor([ids], device=model.device)
    with torch.inference_mode():
        output = model.generate(
            input_ids=tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=count, min_new_tokens=count,
            do_sample=False, pad_token_id=0,
        )  # fmt: skip
    said: list[int] = output[0, len(ids) :].tolist()
    return said
