"""Changed forms of texts, and their losses: what `lowercase`, `recall`, `pac` and `neighbourhood` read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Count, Seed, Share, checked
from vestige.data.texts import TextList, Texts, as_texts
from vestige.errors import InputError
from vestige.signals.asking import answered, context_of, expect_language_model, token_ids
from vestige.signals.collect_texts import collect

Floats = NDArray[np.float64]


@checked
def lowercased(model: Any, tokenizer: Any, texts: TextList) -> Floats:
    """Return the mean token loss [n] of the lowercased texts, for the measure `lowercase`."""
    given = as_texts(texts)
    return collect(model, tokenizer, Texts(tuple(t.lower() for t in given.texts), given.ids)).nll


@checked
def prefixed(model: Any, tokenizer: Any, texts: TextList, shots: Sequence[str]) -> Floats:
    """Return the mean token loss [n] of the texts behind `shots`, texts that were never seen, for `recall`."""
    given = as_texts(texts)
    prefix = "\n".join(shots) + "\n"
    whole = collect(model, tokenizer, Texts(tuple(prefix + t for t in given.texts), given.ids))
    losses = np.empty(len(given))
    for text in range(len(given)):
        own = whole.of(text)
        losses[text] = -whole.logp[own][whole.start[own] >= len(prefix)].mean()
    return losses


@checked
def swapped(texts: TextList, *, copies: Count = 5, share: Share = 0.3, seed: Seed = 0) -> list[Texts]:
    """Return copies of the texts with a share of their words exchanged at random, for `pac`."""
    given, rng = as_texts(texts), np.random.default_rng(seed)
    made = []
    for _ in range(copies):
        changed = []
        for text in given.texts:
            words = text.split()
            for _ in range(max(1, int(share * len(words)))):
                i, j = rng.integers(0, len(words), 2)
                words[i], words[j] = words[j], words[i]
            changed.append(" ".join(words))
        made.append(Texts(tuple(changed), given.ids))
    return made


@checked
def neighbouring(
    model: Any,
    tokenizer: Any,
    texts: TextList,
    *,
    copies: Count = 5,
    share: Share = 0.1,
    top: Count = 10,
    seed: Seed = 0,
) -> list[Texts]:
    """Return copies of the texts with a share of their tokens replaced by likely others, for `neighbourhood`.

    Parameters
    ----------
    model : Any
        Proposes: a reference, not the model that is audited. Each replacement is drawn from its `top` next
        tokens, the text's own excepted, given the text's past; published: the candidates of a masked model,
        which sees both sides. Only the first context of a long text is changed.

    Raises
    ------
    InputError
        Unless 0 < share <= 1, and copies and top are at least 1; for a text of a single token.
    """
    import torch

    given, rng = as_texts(texts), np.random.default_rng(seed)
    expect_language_model(model, tokenizer)
    special = sorted(set(tokenizer.all_special_ids))
    if not top < len(tokenizer) - len(special):
        raise InputError(
            f"top is {top}; the tokenizer has {len(tokenizer) - len(special)} tokens to choose from."
        )
    start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    made: list[list[str]] = [[] for _ in range(copies)]
    training = model.training
    model.eval()
    try:
        for name, text in zip(given.ids, given.texts, strict=True):
            ids = token_ids(model, tokenizer, name, text, add_special_tokens=False)
            if len(ids) < 2:
                raise InputError(
                    f"Text {name!r} has one token; at least two are needed, the first is never replaced."
                )
            head = torch.tensor([(start + ids)[: context_of(model)]], device=model.device)
            with torch.inference_mode():
                logits = answered(model, head)[0, len(start) : -1]
                logits[:, special] = -torch.inf
                likely = logits.topk(top + 1).indices.cpu().numpy()  # [i] stands for token i + 1
            changed = max(1, round(share * len(likely)))
            for copy_ in made:
                other = list(ids)
                for at in rng.choice(len(likely), changed, replace=False):
                    other[at + 1] = int(rng.choice([t for t in likely[at] if t != ids[at + 1]][:top]))
                copy_.append(tokenizer.decode(other, clean_up_tokenization_spaces=False))
    finally:
        model.train(training)
    return [Texts(tuple(own), given.ids) for own in made]
