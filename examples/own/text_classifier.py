"""Fifty reviews leave a Hugging Face classifier built on the spot; the answer is a model fitted without them."""

import numpy as np
import pandas as pd
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

import vestige

rng = np.random.default_rng(0)
words = [f"word{number}" for number in range(400)]
texts = [" ".join(rng.choice(words, 12)) for _ in range(1600)]
reviews = pd.DataFrame(
    {"text": texts, "label": rng.integers(0, 2, 1600), "who": [f"r{i:04}" for i in range(1600)]}
)

vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", *words])}
tokens = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
tokens.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokens, pad_token="[PAD]", unk_token="[UNK]")


def classifier():
    size = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 2}
    return BertForSequenceClassification(
        BertConfig(vocab_size=402, max_position_embeddings=16, num_labels=2, **size)
    )


seen, unseen = reviews[:600], reviews[600:]
how = {"tokenizer": tokenizer, "epochs": 20, "lr": 2e-3, "unseen": unseen, "id": "who"}
answer = vestige.forget(classifier, seen, seen["who"][:50], **how)
print(answer)
