"""How many nats every token tells beyond a reference model: what InfoRMIA reads of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Count, checked
from vestige.data.texts import TextList, as_texts
from vestige.errors import InputError
from vestige.signals.asking import context_of, encoded, expect_language_model
from vestige.signals.collect_texts import CHUNK, batches_of, predictions, windows_of

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]


@checked
def token_information(
    model: Any, reference: Any, tokenizer: Any, texts: TextList, *, batch_tokens: Count = 2048
) -> list[Floats]:
    """Return what every token tells beyond a reference, in nats: a list of float [tokens], one for each text.

    Of token x behind its past, with the predictions p of the model and q of the reference over the vocabulary:

        log p(x) - log q(x) + KL(q || p)

    A token that is drawn from the reference tells 0 on average; one that the model knows by heart tells more.

    Parameters
    ----------
    model, reference
        The model after unlearning, and one that never saw the texts, of the same tokens.
    tokenizer
        Of both.
    texts : list of str, or Texts
        A text's first token has nothing before it and is left out.
    batch_tokens : int
        Tokens in a batch, padding included.

    Raises
    ------
    InputError
        Where the models predict other vocabularies, and for texts of fewer than two tokens.
    """
    import torch

    from vestige.models.passes import evaluating

    given = as_texts(texts)
    for one in (model, reference):
        expect_language_model(one, tokenizer)
    ids = [encoded(model, tokenizer, *named)[0] for named in zip(given.ids, given.texts, strict=True)]
    short = next((name for name, own in zip(given.ids, ids, strict=True) if len(own) < 2), None)
    if short is not None:
        raise InputError(f"Text {short!r} has fewer than two tokens; the first has no past.")
    context = min(context_of(model), context_of(reference))
    values = [np.empty(len(own) - 1) for own in ids]
    windows = [window for text, own in enumerate(ids) for window in windows_of(text, len(own), context)]
    with evaluating(model), evaluating(reference), torch.inference_mode():
        for batch in batches_of(windows, batch_tokens):
            own_ids = [ids[window.text] for window in batch]
            both = (predictions(one, own_ids, batch) for one in (model, reference))
            pairs = zip(batch, *both, strict=True)
            for window, (own, wanted), (other, _) in pairs:
                if own.shape[1] != other.shape[1]:
                    raise InputError(
                        f"The model predicts {own.shape[1]:,} tokens, the reference {other.shape[1]:,}; models of one "
                        "vocabulary are wanted."
                    )
                told = _information(own, other.to(own.device), wanted)
                values[window.text][window.first - 1 : window.end - 1] = told
    return values


def _information(own: Tensor, other: Tensor, wanted: Tensor) -> Floats:
    import torch

    parts = zip(*(torch.split(one, CHUNK) for one in (own, other, wanted)), strict=True)
    told = []
    for mine, theirs, tokens in parts:
        p, q = mine.double().log_softmax(-1), theirs.double().log_softmax(-1)
        ratio = (p - q).gather(-1, tokens[:, None])[:, 0]
        told.append(ratio + (q.exp() * (q - p)).sum(dim=-1))
    return np.asarray(torch.cat(told).cpu().numpy(), np.float64)
