"""A language model small enough for a second: random weights, a tokenizer trained on the spot, made-up news."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from vestige.signals.texts import TextSignals

WHO = ("The mayor", "A nurse", "The old sailor", "Her neighbour", "The committee", "A student")
DID = ("opened", "refused", "painted", "measured", "forgot", "bought")
WHAT = ("the bridge", "a letter", "the red boat", "seven lamps", "the station clock", "a garden")
WHEN = ("on Monday", "in the rain", "before noon", "without a word", "last winter", "at the harbour")


def news(n: int, seed: int = 0, sentences: int = 4) -> list[str]:
    """Return n different texts."""
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    while len(texts) < n:
        parts = [
            " ".join(str(rng.choice(words)) for words in (WHO, DID, WHAT, WHEN)) + "."
            for _ in range(sentences)
        ]
        text = f"Report {rng.integers(10_000)}: " + " ".join(parts)
        if text not in texts:
            texts.append(text)
    return texts


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    """Return a byte-pair tokenizer; it has no pad token."""
    made = Tokenizer(models.BPE(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["[UNK]"], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(news(200, seed=99), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]")


def model(seed: int = 0, context: int = 128) -> LlamaForCausalLM:
    """Return an untrained model of 40,000 parameters."""
    config = LlamaConfig(
        vocab_size=400, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=context, tie_word_embeddings=True,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()


FORGET, RETAIN, HELD = news(24, 1), news(24, 2), news(80, 3)
TEXTS = FORGET + RETAIN + HELD
ROLE = np.repeat(["forget", "retain", "holdout"], [24, 24, 80])
LEARN = {"lr": 5e-3, "epochs": 30, "batch_size": 8, "length": 128}


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    """Return the settings of a run on the models and texts in a folder, see the fixture `model_folder`."""
    data = {name: str(folder / f"{name}.json") for name in ("forget", "retain", "holdout")}
    quick = {"lr": 1e-3, "epochs": 2, "length": 128}
    return {
        "kind": "llm", "name": "tiny", "model": {"name": str(folder / "base")}, "data": data | {"texts": 12},
        "learn": LEARN, "methods": [{"name": "npo", **quick}, {"name": "gradient_ascent", **quick}],
    } | changes  # fmt: skip


def of_first(one: TextSignals, count: int) -> TextSignals:
    """Return the signals of the first texts alone."""
    end = int(one.offsets[count])
    cut = {
        n: getattr(one, n)[:end] for n in ("logp", "mean", "std", "entropy", "weighted_std", "start", "end")
    }
    return TextSignals(
        **cut, offsets=one.offsets[: count + 1], characters=one.characters[:count], ids=one.ids[:count]
    )
