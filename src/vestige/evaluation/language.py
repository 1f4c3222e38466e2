"""Figures of an unlearned language model beside the scores of texts: what it can still say, and what a figure hides.

    perplexity           exp of the mean token loss; lower = fits the text better
    verbatim             ROUGE-L of greedy continuations against how the texts go on     MUSE (Shi et al. 2024)
    knowledge            ROUGE-L of greedy answers to questions                           MUSE
    extraction_strength  1 - shortest share of a text after which the rest comes greedily Carlini et al. 2021
    privleak             100 (AUC - AUC of retraining) / AUC of retraining                MUSE
    bag_of_words         can forget and other texts be told apart without any model?

From 0 (nothing is left) to 1 (word for word) for the second to the fourth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vestige.arguments import Count, checked
from vestige.data.texts import TextList, as_texts
from vestige.errors import InputError
from vestige.evaluation.roc import auc
from vestige.signals.asking import (
    context_of,
    expect_language_model,
    expect_room,
    greedy,
    most_likely,
    token_ids,
)
from vestige.signals.texts import TextSignals

Floats = NDArray[np.float64]


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
def verbatim(
    model: Any, tokenizer: Any, texts: TextList, *, prompt: Count = 32, answer: Count = 32
) -> Floats:
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
        said = greedy(model, ids[:prompt], answer)
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
        said = tokenizer.decode(greedy(model, ids, longest))
        scores.append(rouge_l(said.strip().split("\n")[0], truth))
    return np.array(scores)


@checked
def extraction_strength(model: Any, tokenizer: Any, texts: TextList) -> Floats:
    """Return, for each text [n], 1 minus the least share of it after which the model predicts all the rest greedily.

    One pass a text: token by token the most likely one, given the text's own past; at most one context long.
    """
    scores, given = [], as_texts(texts)
    expect_language_model(model, tokenizer)
    for named in zip(given.ids, given.texts, strict=True):
        own = token_ids(model, tokenizer, *named)[: context_of(model)]
        if len(own) < 2:
            raise InputError(f"Text {named[0]!r} has {len(own)} token; at least two are needed.")
        wrong = np.flatnonzero(most_likely(model, own)[:-1] != np.array(own[1:]))
        scores.append(1.0 if not len(wrong) else 1 - (wrong[-1] + 2) / len(own))
    return np.array(scores)


@dataclass(frozen=True)
class PrivLeak:
    """100 (AUC - AUC of retraining) / AUC of retraining, AUC of forget against holdout texts, by a text measure.

    Attributes
    ----------
    value : float
        0 = as after retraining; below: forget texts are still known (under-unlearned); above: they are *less*
        likely than unseen ones (over-unlearned).
    auc, retrained : float
        The two AUCs; 0.5 = forget texts look like unseen ones.
    warning : str or None
        What the value hides, or None.
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
