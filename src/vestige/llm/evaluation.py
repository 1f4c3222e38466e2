"""Figures of an unlearned language model beside the scores of texts: what it can still say, and what brings texts back.

    perplexity           exp of the mean token loss; lower = fits the text better
    verbatim             ROUGE-L of greedy continuations against how the texts go on     MUSE (Shi et al. 2024)
    knowledge            ROUGE-L of greedy answers to questions                           MUSE
    extraction_strength  1 - shortest share of a text after which the rest comes greedily Carlini et al. 2021
    privleak             100 (AUC - AUC of retraining) / AUC of retraining                MUSE
    quantised            the model with weights rounded to few bits: does a text come back?
    bag_of_words         can forget and other texts be told apart without any model?

From 0 (nothing is left) to 1 (word for word) for the second to the fourth.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vestige.arguments import OWN_CHECK, Count, Positive, Seed, Share, checked
from vestige.errors import InputError
from vestige.evaluation.roc import auc
from vestige.llm.asking import answered, context_of, expect_language_model, expect_room, token_ids
from vestige.llm.collect import collect
from vestige.llm.signals import TextSignals
from vestige.llm.texts import Texts, as_texts

Floats = NDArray[np.float64]
Given: TypeAlias = Annotated[Texts | Sequence[str], OWN_CHECK]


def perplexity(signals: TextSignals) -> float:
    """Return the perplexity over all tokens of all texts; from 1, lower = fits better."""
    return float(np.exp(signals.totals.sum() / signals.tokens.sum()))


def rouge_l(said: str, truth: str) -> float:
    """Return the F1 of the longest common subsequence of words, case ignored; 0 = none in common, 1 = the same."""
    a, b = said.lower().split(), truth.lower().split()
    if not a or not b:
        return 0.0
    row = np.zeros(len(b) + 1, dtype=np.int64)
    for word in a:
        same = np.array([word == other for other in b])
        grown = np.concatenate([[0], np.where(same, row[:-1] + 1, row[1:])])
        row = np.maximum.accumulate(np.maximum(grown, row))
    common = int(row[-1])
    return 2 * common / (len(a) + len(b))


@checked
def verbatim(model: Any, tokenizer: Any, texts: Given, *, prompt: Count = 32, answer: Count = 32) -> Floats:
    """Return ROUGE-L [n] of the greedy continuation of each text's first `prompt` tokens with its own `answer` tokens.

    Raises `InputError` where a text is not longer than the prompt.
    """
    scores = []
    given = as_texts(texts)
    expect_language_model(model, tokenizer)
    expect_room(model, "prompt and answer", prompt + answer)
    for name, text in zip(given.ids, given.texts, strict=True):
        ids = token_ids(model, tokenizer, name, text)
        if len(ids) <= prompt:
            raise InputError(
                f"Text {name!r} has {len(ids)} tokens; more than the prompt's {prompt} are needed."
            )
        said = _greedy(model, ids[:prompt], answer)
        scores.append(rouge_l(tokenizer.decode(said), tokenizer.decode(ids[prompt : prompt + answer])))
    return np.array(scores)


@checked
def knowledge(
    model: Any, tokenizer: Any, questions: Sequence[str], answers: Sequence[str], *, longest: Count = 32
) -> Floats:
    """Return ROUGE-L [n] of the greedy answer to each question, up to the end of its line. Raises `InputError`."""
    if len(questions) != len(answers) or not questions:
        raise InputError(
            f"There are {len(questions)} questions and {len(answers)} answers; as many are wanted."
        )
    scores = []
    expect_language_model(model, tokenizer)
    for number, (question, truth) in enumerate(zip(questions, answers, strict=True)):
        ids = token_ids(model, tokenizer, f"questions[{number}]", question)
        said = tokenizer.decode(_greedy(model, ids, longest))
        scores.append(rouge_l(said.strip().split("\n")[0], truth))
    return np.array(scores)


@checked
def extraction_strength(model: Any, tokenizer: Any, texts: Given) -> Floats:
    """Return, for each text [n], 1 minus the least share of it after which the model predicts all the rest greedily.

    One pass a text: token by token the most likely one, given the text's own past; at most one context long.
    """
    import torch

    scores, given = [], as_texts(texts)
    expect_language_model(model, tokenizer)
    for named in zip(given.ids, given.texts, strict=True):
        own = token_ids(model, tokenizer, *named)[: context_of(model)]
        if len(own) < 2:
            raise InputError(f"Text {named[0]!r} has {len(own)} token; at least two are needed.")
        ids = torch.tensor([own], device=model.device)
        with torch.inference_mode():
            right = (answered(model, ids)[0, :-1].argmax(dim=-1) == ids[0, 1:]).cpu().numpy()
        wrong = np.flatnonzero(~right)
        scores.append(1.0 if not len(wrong) else 1 - (wrong[-1] + 2) / ids.shape[1])
    return np.array(scores)


@dataclass(frozen=True)
class PrivLeak:
    """100 (AUC - AUC of retraining) / AUC of retraining, AUC of forget against holdout texts, by a text measure.

    value    0 = as after retraining; below: forget texts are still known (under-unlearned); above: they are *less*
             likely than unseen ones (over-unlearned)
    auc, retrained  the two AUCs; 0.5 = forget texts look like unseen ones
    warning  what the value hides, or None
    """

    value: float
    auc: float
    retrained: float
    warning: str | None


def privleak(
    forget: Floats, holdout: Floats, retrained_forget: Floats, retrained_holdout: Floats
) -> PrivLeak:
    """Return PrivLeak from scores of a text measure (larger = more unlearned), published with Min-K % of 40 %."""
    own, exact = auc(forget, holdout), auc(retrained_forget, retrained_holdout)
    if exact == 0:
        raise InputError("The AUC of the retrained model is 0; PrivLeak is a share of it.")
    value = 100 * (own - exact) / exact
    warning = None
    if own > exact + 0.1:
        warning = (
            "The forget texts stand out by being too unlikely: over-unlearned, which gives them away as well."
        )
    return PrivLeak(value, own, exact, warning)


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
def relearned(model: Any, tokenizer: Any, texts: Given, *, steps: Count = 10, lr: Positive = 1e-5) -> Any:
    """Return a copy after so many steps of training on `texts`: what was only hidden comes back at once."""
    from vestige.llm.unlearning import unlearn

    options: dict[str, Any] = {"epochs": steps, "max_steps": steps, "lr": lr, "warmup": 0.0}
    return unlearn("finetune", model, tokenizer, retain=texts, **options).model


@checked
def bag_of_words(
    first: Sequence[str], second: Sequence[str], *, seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
) -> float:
    """Return the out-of-fold AUC of telling two groups of texts apart by their words alone; 0.5 = not at all.

    Where it is high, an AUC of any measure between these groups says little: the texts differ by themselves.
    Source: Meeus et al. 2024; a forest of 100 trees of depth 2, as in the benchmark of Wang et al. 2025.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    if min(len(first), len(second)) < 5:
        raise InputError("bag_of_words needs at least five texts of either kind.")
    truth = np.repeat([1, 0], [len(first), len(second)])
    model = make_pipeline(
        CountVectorizer(min_df=0.05),
        RandomForestClassifier(100, max_depth=2, min_samples_leaf=5, random_state=seed),
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    try:
        p = cross_val_predict(model, [*first, *second], truth, cv=folds, method="predict_proba")[:, 1]
    except ValueError as error:
        raise InputError(f"The texts have no words in common to compare ({error}).") from None
    return auc(p[truth == 1], p[truth == 0])


@checked
def lowercased(model: Any, tokenizer: Any, texts: Given) -> Floats:
    """Return the mean token loss [n] of the lowercased texts, for the measure `lowercase`."""
    given = as_texts(texts)
    return collect(model, tokenizer, Texts(tuple(t.lower() for t in given.texts), given.ids)).nll


@checked
def prefixed(model: Any, tokenizer: Any, texts: Given, shots: Sequence[str]) -> Floats:
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
def swapped(texts: Given, *, copies: Count = 5, share: Share = 0.3, seed: Seed = 0) -> list[Texts]:
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
    texts: Given,
    *,
    copies: Count = 5,
    share: Share = 0.1,
    top: Count = 10,
    seed: Seed = 0,
) -> list[Texts]:
    """Return copies of the texts with a share of their tokens replaced by likely others, for `neighbourhood`.

    model  proposes: a reference, not the model that is audited. Each replacement is drawn from its `top` next tokens,
           the text's own excepted, given the text's past; published: the candidates of a masked model, which sees
           both sides. Only the first context of a long text is changed.

    Raises `InputError` unless 0 < share <= 1, and copies and top are at least 1; for a text of a single token.
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


def _greedy(model: Any, ids: list[int], count: int) -> list[int]:
    """Return the `count` most likely next tokens, one after another."""
    import torch

    tokens = torch.tensor([ids], device=model.device)
    with torch.inference_mode():
        made = model.generate(
            input_ids=tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=count, min_new_tokens=count,
            do_sample=False, pad_token_id=0,
        )  # fmt: skip
    said: list[int] = made[0, len(ids) :].tolist()
    return said
