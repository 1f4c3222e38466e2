"""What a language model, its tokenizer and its texts may be: half precision, adapters, other vocabularies, other texts."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaModel,
    T5Config,
    T5ForConditionalGeneration,
)

import tiny
import vestige
from vestige.errors import ArtefactError, InputError
from vestige.evaluation.language import extraction_strength, knowledge, verbatim
from vestige.evaluation.texts import degrees
from vestige.llm import (
    LlmConfig,
    Texts,
    TextSignals,
    audit_texts,
    collect,
    load_model,
    measure,
    read_texts,
    unlearn,
)
from vestige.signals.changed_texts import neighbouring, swapped
from vestige.unlearning.text.recovery import quantised

TOKENIZER = tiny.tokenizer()
FORGET, RETAIN = tiny.news(8, 1), tiny.news(8, 2)
STEPS = {"epochs": 3, "batch_size": 4}


def moved(model, original):
    """Return how far each weight went, as one vector in double precision."""
    pairs = zip(model.parameters(), original.parameters(), strict=True)
    return torch.cat([(a.double() - b.double()).flatten() for a, b in pairs])


@pytest.mark.parametrize("name", ["gradient_ascent", "npo", "grad_diff", "task_vector"])
@pytest.mark.parametrize(("dtype", "digits"), [(torch.bfloat16, 2**-8), (torch.float16, 2**-11)])
def test_half_precision_moves_as_single_precision_does(name, dtype, digits):
    half = tiny.model().to(dtype)
    single = copy.deepcopy(half).float()
    options = {**STEPS, "lr": 1e-3}
    exact = unlearn(name, single, TOKENIZER, FORGET, RETAIN, **options).model
    made = unlearn(name, half, TOKENIZER, FORGET, RETAIN, **options).model
    assert {p.dtype for p in made.parameters()} == {dtype}
    for a, b in zip(made.parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(a.float(), b, rtol=digits, atol=1e-7)
    way, wanted = moved(made, half), moved(exact, single)
    assert float(way @ wanted / way.norm() / wanted.norm()) > 0.98
    assert 0.9 < float(way.norm() / wanted.norm()) < 1.1


def test_retraining_from_a_half_base_and_adapters_on_it():
    base = tiny.model(3).bfloat16()
    exact = unlearn(
        "retrain", tiny.model(), TOKENIZER, FORGET, RETAIN, base=copy.deepcopy(base).float(), **STEPS
    )
    made = unlearn("retrain", tiny.model(), TOKENIZER, FORGET, RETAIN, base=base, **STEPS).model
    for a, b in zip(made.parameters(), exact.model.parameters(), strict=True):
        torch.testing.assert_close(a.float(), b, rtol=2**-8, atol=1e-7)
    with_adapters = unlearn(
        "retrain", tiny.model(), TOKENIZER, FORGET, RETAIN, base=base, lora=2, **STEPS
    ).model
    assert not hasattr(with_adapters, "peft_config")
    frozen = base.get_input_embeddings().weight  # adapters are on linear layers: all else stays
    assert torch.equal(with_adapters.get_input_embeddings().weight, frozen)


def test_rounding_to_few_bits_in_half_precision():
    half = tiny.model().half()
    half.model.layers[0].mlp.up_proj.weight.data.zero_()
    assert all(torch.isfinite(p).all() for p in quantised(half).parameters())


def adapted(**options):
    torch.manual_seed(0)
    config = LoraConfig(
        r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False, **options
    )
    return get_peft_model(tiny.model(), config)


def test_adapters_are_worked_on_and_stay_adapters():
    model = adapted()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    made = unlearn("grad_diff", model, TOKENIZER, FORGET, RETAIN, lr=1e-3, **STEPS).model
    assert isinstance(made, PeftModel)
    changed = {k for k, v in made.state_dict().items() if not torch.equal(v, before[k])}
    assert changed and all("lora_" in k for k in changed)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert [p.requires_grad for p in made.parameters()] == [p.requires_grad for p in model.parameters()]
    merged = unlearn(
        "grad_diff",
        adapted().merge_and_unload().requires_grad_(True),
        TOKENIZER,
        FORGET,
        RETAIN,
        lora=2,
        **STEPS,
    ).model
    assert not isinstance(merged, PeftModel)


def test_adapters_that_cannot_be_worked_on_are_refused_before_the_run():
    asked = []
    for model, options, message in (
        (adapted(), {"lora": 2}, "adapters of its own, which are worked on without lora="),
        (adapted(inference_mode=True), {}, r"is_trainable=True, or merge them"),
    ):
        with pytest.raises(InputError, match=message):
            unlearn("grad_diff", model, TOKENIZER, FORGET, RETAIN, on_epoch=asked.append, **options)
    assert not asked


def test_a_folder_that_lacks_something_says_what(tmp_path):
    for base, message in (
        (None, "names no base model"),
        ("./gone", r"base model './gone', and there is no such folder"),
    ):
        (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
        with pytest.raises(ArtefactError, match=message):
            load_model(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtefactError, match=r"empty: there is no config.json"):
        load_model(tmp_path / "empty")
    MODEL.save_pretrained(tmp_path / "alone")
    with pytest.raises(
        InputError, match="alone has no tokenizer that can be read; tokenizer.save_pretrained"
    ):
        load_model(tmp_path / "alone")


def test_a_folder_of_adapters_is_loaded_merged(tmp_path):
    tiny.model().save_pretrained(tmp_path / "base")
    TOKENIZER.save_pretrained(tmp_path / "base")
    base, _ = load_model(tmp_path / "base", device="cpu")
    base.name_or_path = base.config._name_or_path = str(tmp_path / "base")
    torch.manual_seed(0)
    config = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    model = get_peft_model(base, config)
    model.save_pretrained(tmp_path / "adapters")
    TOKENIZER.save_pretrained(tmp_path / "adapters")
    loaded, tokenizer = load_model(tmp_path / "adapters", device="cpu")
    assert not isinstance(loaded, PeftModel)
    np.testing.assert_allclose(
        collect(loaded, tokenizer, FORGET).logp, collect(model.eval(), TOKENIZER, FORGET).logp, atol=1e-4
    )
    assert unlearn("gradient_ascent", loaded, tokenizer, FORGET, epochs=1).steps


def other_tokenizer():
    made = copy.deepcopy(TOKENIZER)
    made.add_tokens(["<new>"])
    return made


class Odd:
    """A tokenizer that answers as it is told."""

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, text, **options):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def gpt2(positions=16):
    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=400, n_positions=positions, n_embd=16, n_layer=1, n_head=2)
    ).eval()


def masked_model():
    return BertForMaskedLM(
        BertConfig(
            vocab_size=400, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
        )
    )


MODEL = tiny.model()
LONG = " ".join(tiny.news(3))
SPOILT = ["A nurse opened <new> the bridge."]
DOORS = {
    "tuple as the model": (lambda: collect((MODEL, TOKENIZER), TOKENIZER, FORGET), "a causal language model of transformers"),
    "no model": (lambda: collect(None, TOKENIZER, FORGET), "The model is None"),
    "a name as the model": (lambda: unlearn("npo", "gpt2", TOKENIZER, FORGET), "The model is 'gpt2'"),
    "another network": (lambda: collect(nn.Linear(2, 2), TOKENIZER, FORGET), "of type Linear"),
    "an encoder and decoder": (lambda: collect(T5ForConditionalGeneration(T5Config(vocab_size=400, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)), TOKENIZER, FORGET), "has an encoder"),
    "looks ahead": (lambda: collect(masked_model(), TOKENIZER, FORGET), "looks at the tokens that come after one, as a masked"),
    "looks ahead, unlearn": (lambda: unlearn("npo", masked_model(), TOKENIZER, FORGET), "as a masked language model does"),
    "no head": (lambda: collect(LlamaModel(MODEL.config), TOKENIZER, FORGET), "no logits for every token"),
    "no head, unlearn": (lambda: unlearn("npo", LlamaModel(MODEL.config), TOKENIZER, FORGET), "no logits for every token"),
    "no tokenizer": (lambda: collect(MODEL, None, FORGET), "The tokenizer|does not take text"),
    "a name as the tokenizer": (lambda: collect(MODEL, "gpt2", FORGET), "The tokenizer is 'gpt2'"),
    "a tokenizer that fails": (lambda: collect(MODEL, Odd(KeyError("x")), FORGET), "tokenizer does not take text"),
    "a tokenizer of nothing": (lambda: collect(MODEL, Odd({"input_ids": []}), FORGET), "has 0 token"),
    "a tokenizer of text": (lambda: collect(MODEL, Odd({"input_ids": ["a"]}), FORGET), "tokenizer does not take text"),
    "a token beyond": (lambda: collect(MODEL, other_tokenizer(), SPOILT), "embeddings for 0 to 399"),
    "a token beyond, unlearn": (lambda: unlearn("npo", MODEL, other_tokenizer(), SPOILT), "resize_token_embeddings"),
    "a token beyond, verbatim": (lambda: verbatim(MODEL, other_tokenizer(), SPOILT, prompt=2, answer=2), "embeddings for"),
    "a token beyond, knowledge": (lambda: knowledge(MODEL, other_tokenizer(), SPOILT, ["a"]), r"'questions\[0\]' has the token 400"),
    "a token beyond, extraction": (lambda: extraction_strength(MODEL, other_tokenizer(), SPOILT), "embeddings for"),
    "a token beyond, neighbours": (lambda: neighbouring(MODEL, other_tokenizer(), SPOILT), "embeddings for"),
    "a negative token": (lambda: collect(MODEL, Odd({"input_ids": [1, -1]}), FORGET), "has the token -1"),
    "a longer context": (lambda: collect(gpt2(), TOKENIZER, FORGET, context=32), "takes 16 tokens at most"),
    "longer blocks": (lambda: unlearn("npo", gpt2(), TOKENIZER, FORGET, length=32), "length is 32; .* takes 16 tokens"),
    "context of text": (lambda: collect(MODEL, TOKENIZER, FORGET, context="8"), "context is '8'"),
    "no batch": (lambda: collect(MODEL, TOKENIZER, FORGET, batch_tokens=0), "batch_tokens is 0"),
    "no part": (lambda: collect(MODEL, TOKENIZER, FORGET, part=-1), "part is -1"),
    "numbers as texts": (lambda: collect(MODEL, TOKENIZER, [1, 2]), r"texts\[0\] is 1; a string"),
    "a gap in texts": (lambda: collect(MODEL, TOKENIZER, ["a b c", None]), r"texts\[1\] is None"),
    "bytes as texts": (lambda: collect(MODEL, TOKENIZER, b"text"), "One string was given"),
    "texts are nothing": (lambda: collect(MODEL, TOKENIZER, None), "texts are None; a list"),
    "texts by id": (lambda: collect(MODEL, TOKENIZER, {"a": "text"}), "texts are .*; a list"),
    "half a character": (lambda: collect(MODEL, TOKENIZER, ["a \ud800 b"]), "half a character"),
    "a float id": (lambda: Texts(("a",), (1.0,)), "id in row 0 is of type float"),
    "a gap in ids": (lambda: Texts(("a",), (None,)), "id in row 0 is missing"),
    "ids in one string": (lambda: Texts(("a", "b"), "ab"), "is one text; a list of ids"),
    "no such method": (lambda: unlearn("np", MODEL, TOKENIZER, FORGET), "Did you mean 'npo'"),
    "negative epochs": (lambda: unlearn("npo", MODEL, TOKENIZER, FORGET, epochs=-1), "epochs is -1"),
    "lr is nothing": (lambda: unlearn("npo", MODEL, TOKENIZER, FORGET, lr=float("nan")), "lr"),
    "lr is text": (lambda: unlearn("npo", MODEL, TOKENIZER, FORGET, lr="fast"), "lr"),
    "warmup beyond": (lambda: unlearn("npo", MODEL, TOKENIZER, FORGET, warmup=3.0), "warmup is 3.0"),
    "a negative seed": (lambda: unlearn("npo", MODEL, TOKENIZER, FORGET, seed=-1), "seed is -1"),
    "a huge seed": (lambda: unlearn("npo", MODEL, TOKENIZER, FORGET, seed=2**64), "seed is 18446744073709551616"),
    "no steps": (lambda: unlearn("npo", MODEL, TOKENIZER, FORGET, max_steps=0), "max_steps is 0"),
    "another preset": (lambda: unlearn("npo", MODEL, TOKENIZER, FORGET, preset="best"), "no preset 'best'"),
    "on_epoch is no function": (lambda: unlearn("npo", MODEL, TOKENIZER, FORGET, on_epoch=3), "on_epoch is 3"),
    "base is a name": (lambda: unlearn("retrain", MODEL, TOKENIZER, FORGET, RETAIN, base="gpt2"), "The model is 'gpt2'"),
    "no base": (lambda: unlearn("retrain", MODEL, TOKENIZER, FORGET, RETAIN), "retrain needs base="),
    "more questions": (lambda: knowledge(MODEL, TOKENIZER, ["a"], []), "1 questions and 0 answers"),
    "bits": (lambda: quantised(MODEL, bits=1), "bits is 1; greater than or equal to 2"),
    "block alone is named": (lambda: quantised(MODEL, block=0), "quantised: block is 0; greater than or equal to 1 is wanted.$"),
    "copies alone are named": (lambda: swapped(FORGET, copies=0), "swapped: copies is 0; greater than or equal to 1 is wanted.$"),
    "share alone is named": (lambda: neighbouring(MODEL, TOKENIZER, FORGET, share=0), "neighbouring: share is 0; greater than 0 is wanted.$"),
    "no folder": (lambda: load_model("/no/such/folder"), "'/no/such/folder': no such folder of a model"),
    "no folder beside": (lambda: load_model("./nothere"), "no such folder"),
    "no name": (lambda: load_model(""), "no such folder"),
    "a number as a name": (lambda: load_model(3), "name is 3"),
    "another dtype": (lambda: load_model("x", dtype="float31"), "no dtype 'float31'. Did you mean 'float32'"),
    "a name that leaves the folder": (lambda: LlmConfig(name="../x", model={"name": "m"}, data={"forget": "f", "retain": "r", "holdout": "h"}), "plain folder name"),
    "a run's seed": (lambda: LlmConfig(seed=-1, model={"name": "m"}, data={"forget": "f", "retain": "r", "holdout": "h"}), "'seed' is -1"),
}  # fmt: skip


@pytest.mark.parametrize("name", DOORS)
def test_what_cannot_be_used_is_one_sentence(name):
    call, message = DOORS[name]
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_a_model_of_few_positions_is_taught_in_shorter_blocks():
    made = unlearn("gradient_ascent", gpt2(), TOKENIZER, FORGET, epochs=1)
    assert made.options["length"] == 16
    assert np.isfinite(collect(gpt2(), TOKENIZER, [LONG]).logp).all()


def test_a_folder_without_a_model_and_one_that_is_broken(tmp_path):
    (tmp_path / "config.json").write_text("{")
    for folder in (tmp_path, tmp_path / "config.json"):
        with pytest.raises(ArtefactError) as caught:
            load_model(folder)
        assert "\n" not in str(caught.value)
    MODEL.save_pretrained(tmp_path / "m")
    TOKENIZER.save_pretrained(tmp_path / "m")
    weights = tmp_path / "m" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ArtefactError, match="cannot be read as a language model"):
        load_model(tmp_path / "m", device="cpu")


def test_a_pipe_is_no_file_of_texts(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    for path in (tmp_path / "pipe.jsonl", tmp_path, "/dev/zero"):
        with pytest.raises(InputError, match="a regular file is wanted"):
            read_texts(path)


# signals of other texts


def signals(texts=FORGET + RETAIN, **options):
    return collect(MODEL, TOKENIZER, texts, **options)


ROLE = ["forget"] * 8 + ["retain"] * 8


NUMBERS = tuple(map(str, range(16)))
OTHERS = {
    "another order": (*RETAIN, *FORGET),
    "turned": (*FORGET[::-1], *RETAIN),
    "other texts": (*FORGET, *tiny.news(8, 9)),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_signals_of_other_texts_under_the_same_ids_are_refused(kind):
    mine, other = (signals(Texts(texts, NUMBERS)) for texts in ((*FORGET, *RETAIN), OTHERS[kind]))
    old = dataclasses.replace(other, hashes=None, characters=other.characters + 1)  # of an earlier version
    for call, message in (
        (lambda: audit_texts(mine, other, [mine], role=ROLE), "say something else under the same id"),
        (lambda: audit_texts(mine, mine, [other], role=ROLE), "say something else under the same id"),
        (lambda: audit_texts(mine, None, [mine, other], role=ROLE), "say something else under the same id"),
        (lambda: degrees("loss", [mine, other], mine, [mine]), "say something else under the same id"),
        (lambda: audit_texts(mine, old, [mine], role=ROLE), "their lengths in characters differ"),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_signals_in_another_order_are_refused():
    own = signals()
    for call, message in (
        (lambda: audit_texts(own, signals([*RETAIN, *FORGET]), [own], role=ROLE), "another order"),
        (
            lambda: audit_texts(own, own, [own], role=ROLE, extra={"texts": [*RETAIN, *FORGET]}),
            "texts in extra=",
        ),
        (
            lambda: audit_texts(own, SimpleNamespace(ids=own.ids), [own], role=ROLE),
            "original is of type SimpleNamespace; TextSignals is wanted",
        ),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_ids_are_of_the_texts_not_of_their_places():
    one, two = signals(), signals([*RETAIN, *FORGET])
    where = [two.ids.tolist().index(name) for name in one.ids]
    assert where == [*range(8, 16), *range(8)]
    np.testing.assert_allclose(one.nll, two.nll[where], rtol=1e-5)


def test_a_folder_that_held_more_texts_holds_these_alone(tmp_path):
    signals(part=4, out=tmp_path)
    fewer = signals(FORGET, part=4, out=tmp_path)
    assert TextSignals.load(tmp_path).ids.tolist() == fewer.ids.tolist()
    assert TextSignals.load(tmp_path).hashes.tolist() == fewer.hashes.tolist()
    assert len(list(tmp_path.glob("part-*"))) == 4


def test_another_tokenizer_is_collected_anew(tmp_path):
    first = signals(FORGET, out=tmp_path)
    lower = copy.deepcopy(TOKENIZER)
    from tokenizers import normalizers

    lower.backend_tokenizer.normalizer = normalizers.Lowercase()
    again = collect(MODEL, lower, FORGET, out=tmp_path)
    assert len(again.logp) != len(first.logp) or not np.allclose(again.logp, first.logp)


def test_the_measure_of_other_texts():
    own = signals()
    assert np.isfinite(measure("zlib", tokens=own, texts=FORGET + RETAIN)).all()
    with pytest.raises(InputError, match="texts are not those"):
        measure("zlib", tokens=own, texts=RETAIN + FORGET)


def test_the_package_is_there_after_a_plain_import():
    assert vestige.llm.collect is collect
