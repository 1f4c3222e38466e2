"""Loading language models: from a folder, spread over devices, and what is none."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tiny
from vestige.errors import ArtefactError, InputError
from vestige.models.language import load_model
from vestige.signals.collect_texts import collect

MODEL, TOKENIZER = tiny.model(), tiny.tokenizer()
NEWS = tiny.news(3)


def test_models_are_loaded_from_a_folder(tmp_path):
    MODEL.save_pretrained(tmp_path / "m")
    TOKENIZER.save_pretrained(tmp_path / "m")
    model, tokenizer = load_model(tmp_path / "m", device="cpu")
    assert collect(model, tokenizer, NEWS).nll == pytest.approx(collect(MODEL, TOKENIZER, NEWS).nll, abs=1e-5)
    (tmp_path / "m" / "model.safetensors").unlink()
    with pytest.raises(ArtefactError, match="model.safetensors"):
        load_model(tmp_path / "m", device="cpu")


def test_models_that_are_none(tmp_path):
    from transformers import BertConfig, BertModel, LlamaConfig, LlamaModel

    with pytest.raises(ArtefactError):
        load_model(tmp_path / "nowhere", device="cpu")
    small = {
        "vocab_size": 400,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    LlamaModel(LlamaConfig(**small, tie_word_embeddings=False)).save_pretrained(tmp_path / "headless")
    TOKENIZER.save_pretrained(tmp_path / "headless")
    with pytest.raises(InputError, match="no language-model head"):
        load_model(tmp_path / "headless", device="cpu")
    BertModel(BertConfig(**small)).save_pretrained(tmp_path / "own")
    TOKENIZER.save_pretrained(tmp_path / "own")
    config = json.loads((tmp_path / "own" / "config.json").read_text())
    config |= {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"},
    }
    (tmp_path / "own" / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="code of its own"):
        load_model(tmp_path / "own", device="cpu")


def test_a_model_may_be_spread_over_devices(tmp_path):
    MODEL.save_pretrained(tmp_path)
    TOKENIZER.save_pretrained(tmp_path)
    model, tokenizer = load_model(tmp_path, device="spread")
    plain = collect(load_model(tmp_path)[0], tokenizer, NEWS)
    assert np.allclose(collect(model, tokenizer, NEWS).logp, plain.logp, atol=1e-5)
