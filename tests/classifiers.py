"""A text classifier of Hugging Face that is small enough for a second, with texts of two moods."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

WORDS = ("good", "bad", *(f"word{number}" for number in range(60)))


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer that knows `WORDS`."""
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    vocabulary = {word: place for place, word in enumerate((*special, *WORDS))}
    tokens = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokens, pad_token="[PAD]", unk_token="[UNK]")


def classifier(seed: int = 0, **changes: object) -> BertForSequenceClassification:
    """Return an untrained model of about 10,000 parameters."""
    config = BertConfig(
        vocab_size=len(WORDS) + 4, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32, num_labels=2, id2label={0: "sad", 1: "glad"}, label2id={"sad": 0, "glad": 1}, **changes,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return BertForSequenceClassification(config).eval()


def moods(n: int, seed: int = 0, noise: float = 0.2) -> tuple[list[str], list[int]]:
    """Return texts of random words and whether the word "good" or "bad" is in them; some labels are wrong."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    texts = []
    for label in labels:
        words = [str(word) for word in rng.choice(WORDS[2:], size=int(rng.integers(4, 9)))]
        words[int(rng.integers(len(words)))] = WORDS[1 - label]
        texts.append(" ".join(words))
    wrong = rng.random(n) < noise
    return texts, np.where(wrong, 1 - labels, labels).tolist()
