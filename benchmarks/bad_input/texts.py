"""The door of language models: texts, tokenizers, models and signals that cannot be used, in calls of the Python API."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, LlamaModel, PreTrainedTokenizerFast

from vestige import llm
from vestige.errors import InputError
from vestige.evaluation.language import extraction_strength, knowledge, verbatim
from vestige.signals.changed_texts import neighbouring, prefixed, swapped
from vestige.unlearning.text.recovery import quantised, relearned

Case = tuple[str, Callable[[], Any], Any]
WORDS = [f"w{i}" for i in range(50)]
RNG = np.random.default_rng(0)
FORGET, RETAIN, OTHER = ([" ".join(RNG.choice(WORDS, 20)) for _ in range(8)] for _ in range(3))


def tokenizer() -> Any:
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["[UNK]", *WORDS])}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]")


def model() -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=51, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=False,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


MODEL, TOKENS = model(), tokenizer()
MORE = copy.deepcopy(TOKENS)
MORE.add_tokens(["<new>"])


def cases(folder: Path) -> Iterator[Case]:
    yield from _models()
    yield from _texts()
    yield from _files(folder)
    yield from _options()
    yield from _signals(folder)
    yield from _half()
    yield from _folders(folder)


class Odd:
    def __init__(self, said: Any) -> None:
        self.said = said

    def __call__(self, text: str, **options: Any) -> Any:
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def _models() -> Iterator[Case]:
    odd = {"None": None, "a name": "gpt2", "a pair": (MODEL, TOKENS), "a layer": nn.Linear(2, 2), "a class": LlamaForCausalLM,
           "no head": LlamaModel(MODEL.config), "a number": 3}  # fmt: skip
    for name, given in odd.items():
        yield f"{name} as the model, collect", lambda m=given: llm.collect(m, TOKENS, FORGET), InputError
        yield (
            f"{name} as the model, unlearn",
            lambda m=given: llm.unlearn("npo", m, TOKENS, FORGET),
            InputError,
        )
        yield (
            f"{name} as the model, extraction",
            lambda m=given: extraction_strength(m, TOKENS, FORGET),
            InputError,
        )
    tokenizers = {"None": None, "a name": "gpt2", "an error": Odd(KeyError("x")), "nothing": Odd({"input_ids": []}), "text": Odd({"input_ids": ["a"]}),
                  "a negative": Odd({"input_ids": [1, -1]}), "beyond": Odd({"input_ids": [1, 51]}), "a list": Odd([1, 2])}  # fmt: skip
    for name, given in tokenizers.items():
        yield f"{name} as the tokenizer, collect", lambda t=given: llm.collect(MODEL, t, FORGET), InputError
        yield (
            f"{name} as the tokenizer, unlearn",
            lambda t=given: llm.unlearn("npo", MODEL, t, FORGET),
            InputError,
        )
    spoilt = ["w1 w2 <new> w3"]
    for name, call in {
        "collect": lambda: llm.collect(MODEL, MORE, spoilt), "unlearn": lambda: llm.unlearn("npo", MODEL, MORE, spoilt),
        "verbatim": lambda: verbatim(MODEL, MORE, spoilt, prompt=2, answer=1), "knowledge": lambda: knowledge(MODEL, MORE, spoilt, ["a"]),
        "extraction": lambda: extraction_strength(MODEL, MORE, spoilt), "neighbours": lambda: neighbouring(MODEL, MORE, spoilt),
        "prefixed": lambda: prefixed(MODEL, MORE, FORGET, spoilt),
    }.items():  # fmt: skip
        yield f"a token beyond the embedding, {name}", call, InputError
    frozen = model()
    frozen.requires_grad_(False)
    yield "frozen", lambda: llm.unlearn("npo", frozen, TOKENS, FORGET), InputError
    adapted = get_peft_model(model(), LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    yield (
        "adapters",
        lambda: llm.unlearn("npo", adapted, TOKENS, FORGET, epochs=1),
        lambda made: hasattr(made.model, "peft_config"),
    )
    yield "adapters on adapters", lambda: llm.unlearn("npo", adapted, TOKENS, FORGET, lora=2), InputError


def _texts() -> Iterator[Case]:
    texts = {"one string": "w1 w2", "bytes": b"w1 w2", "None": None, "none": [], "a number": 3, "numbers": [1, 2], "a gap": ["w1 w2", None], "a NaN": ["w1 w2", float("nan")],
             "by id": {"a": "w1 w2"}, "empty": ["w1 w2", ""], "blanks": ["  \n"], "one token": ["w1"], "half a character": ["w1 \ud800 w2"], "nested": [["w1 w2"]]}  # fmt: skip
    for name, given in texts.items():
        yield f"{name} as texts, collect", lambda t=given: llm.collect(MODEL, TOKENS, t), InputError
        yield (
            f"{name} as texts, unlearn",
            lambda t=given: llm.unlearn("gradient_ascent", MODEL, TOKENS, [] if t is None else t),
            InputError,
        )
    ids = {
        "floats": (1.0, 2.0),
        "gaps": (None, "a"),
        "twice": ("a", "a"),
        "one": ("a",),
        "one string": "ab",
        "truth": (True, False),
        "empty": ("", "a"),
    }
    for name, given in ids.items():
        yield f"{name} as ids", lambda i=given: llm.Texts(("w1 w2", "w3 w4"), i), InputError
    yield "both sides", lambda: llm.unlearn("npo", MODEL, TOKENS, FORGET, FORGET[:1]), InputError
    yield (
        "the same text twice",
        lambda: llm.collect(MODEL, TOKENS, [FORGET[0]] * 2),
        lambda s: len(set(s.ids)) == 2,
    )


def _files(folder: Path) -> Iterator[Case]:
    contents = {
        "a.jsonl": b'{"text": 3}', "b.jsonl": b'"w1"\n{"text"', "c.jsonl": "caf\xe9".encode("latin-1"), "d.json": b'{"text": "a"}', "e.jsonl": b"\n", "f.jsonl": b"",
        "g.jsonl": b'{"text": "a", "id": 1.5}', "h.jsonl": b'{"text": "a", "id": null}', "i.jsonl": b'{"text": "a", "id": "x"}\n{"text": "b", "id": "x"}',
        "j.jsonl": b'{"text": "a", "id": "x"}\n"b"', "k.json": b"[" * 100_000, "l.json": b"[" + b"9" * 5000 + b"]", "m.jsonl": b'"\\ud800"', "n.json": b"null", "o.jsonl": b"NaN",
        "p.jsonl": b"\x00\x01", "q.json": b'["a", 3]', "r.jsonl": b'{"id": "x"}', "s.jsonl": b"[[[]]]", "t.jsonl": b"\xff\xfe\x00",
    }  # fmt: skip
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        yield f"file {name}", lambda p=folder / name: llm.read_texts(p), InputError
    os.mkfifo(folder / "pipe.jsonl")
    for path in (
        folder / "pipe.jsonl",
        folder,
        Path("/dev/zero"),
        folder / "none.jsonl",
        Path("a\0b"),
        Path("x" * 5000),
    ):
        yield f"file {str(path)[-12:]!r}", lambda p=path: llm.read_texts(p), InputError
    lines = ["w1\u2028w2", "w3\u0085w4", "w5\u2029w6"]
    (folder / "lines.jsonl").write_bytes(
        b"\xef\xbb\xbf" + "\r\n".join(json.dumps(t, ensure_ascii=False) for t in lines).encode()
    )
    yield (
        "line separators and a mark",
        lambda: llm.read_texts(folder / "lines.jsonl"),
        lambda t: list(t.texts) == lines,
    )


def _options() -> Iterator[Case]:
    options: dict[str, dict[str, Any]] = {
        "epochs": {"epochs": 0}, "negative epochs": {"epochs": -1}, "epochs in halves": {"epochs": 1.5}, "lr": {"lr": 0}, "lr NaN": {"lr": float("nan")}, "lr text": {"lr": "fast"},
        "batch": {"batch_size": 0}, "warmup": {"warmup": 3.0}, "clip": {"clip": -1}, "length": {"length": 1}, "longer": {"length": 65}, "decay": {"weight_decay": -1}, "seed": {"seed": -1},
        "huge seed": {"seed": 2**64}, "lora": {"lora": 0}, "lora text": {"lora": "2"}, "steps": {"max_steps": 0}, "seconds": {"max_seconds": -1}, "preset": {"preset": "best"},
        "on_epoch": {"on_epoch": 3}, "a name": {"epoch": 1}, "beta": {"beta": 0}, "truth": {"epochs": True},
    }  # fmt: skip
    for name, values in options.items():
        if name != "truth":
            yield (
                f"unlearn: {name}",
                lambda v=values: llm.unlearn("npo", MODEL, TOKENS, FORGET, **v),
                InputError,
            )
    calls: dict[str, Callable[[], Any]] = {
        "method": lambda: llm.unlearn("nop", MODEL, TOKENS, FORGET), "no retained": lambda: llm.unlearn("grad_diff", MODEL, TOKENS, FORGET), "no base": lambda: llm.unlearn("retrain", MODEL, TOKENS, FORGET, RETAIN),
        "base": lambda: llm.unlearn("retrain", MODEL, TOKENS, FORGET, RETAIN, base="gpt2"), "layer": lambda: llm.unlearn("rmu", MODEL, TOKENS, FORGET, RETAIN, layer=9),
        "context": lambda: llm.collect(MODEL, TOKENS, FORGET, context=2), "longer context": lambda: llm.collect(MODEL, TOKENS, FORGET, context=65), "context text": lambda: llm.collect(MODEL, TOKENS, FORGET, context="8"),
        "batch": lambda: llm.collect(MODEL, TOKENS, FORGET, batch_tokens=0), "part": lambda: llm.collect(MODEL, TOKENS, FORGET, part=-1), "out": lambda: llm.collect(MODEL, TOKENS, FORGET, out=3),
        "bits": lambda: quantised(MODEL, bits=1), "block": lambda: quantised(MODEL, block=0), "copies": lambda: swapped(FORGET, copies=0), "share": lambda: neighbouring(MODEL, TOKENS, FORGET, share=0),
        "top": lambda: neighbouring(MODEL, TOKENS, FORGET, top=500), "relearn": lambda: relearned(MODEL, TOKENS, FORGET, steps=0), "questions": lambda: knowledge(MODEL, TOKENS, ["a"], []),
        "prompt": lambda: verbatim(MODEL, TOKENS, FORGET, prompt=0), "long prompt": lambda: verbatim(MODEL, TOKENS, FORGET, prompt=60),
        "folder": lambda: llm.load_model("/no/such/folder"), "dtype": lambda: llm.load_model("x", dtype="float31"), "no name": lambda: llm.load_model(""), "number": lambda: llm.load_model(3),
        "name": lambda: llm.LlmConfig(name="../x", model={"name": "m"}, data={"forget": "f", "retain": "r", "holdout": "h"}),
    }  # fmt: skip
    for name, call in calls.items():
        yield f"call: {name}", call, InputError


def _signals(folder: Path) -> Iterator[Case]:
    numbers = tuple(map(str, range(16)))
    mine, turned, other = (
        llm.collect(MODEL, TOKENS, llm.Texts(tuple(texts), numbers))
        for texts in (FORGET + RETAIN, RETAIN + FORGET, FORGET + OTHER)
    )
    by_text, back = (llm.collect(MODEL, TOKENS, texts) for texts in (FORGET + RETAIN, RETAIN + FORGET))
    role = ["forget"] * 8 + ["retain"] * 8
    for name, one in {
        "another order": turned,
        "other texts": other,
        "fewer": llm.collect(MODEL, TOKENS, FORGET),
        "None in a list": None,
        "an array": mine.nll,
    }.items():
        shadows = [one]
        if one is not None:
            yield (
                f"signals: {name}, original",
                lambda o=one: llm.audit_texts(mine, o, [mine], role=role),
                InputError,
            )
            yield (
                f"signals: {name}, shadow",
                lambda s=shadows: llm.audit_texts(mine, None, s, role=role),
                InputError,
            )
    yield (
        "signals: ids in another order",
        lambda: llm.audit_texts(by_text, back, [by_text], role=role),
        InputError,
    )
    yield (
        "signals: extra texts",
        lambda: llm.audit_texts(mine, mine, [mine], role=role, extra={"texts": RETAIN + FORGET}),
        InputError,
    )
    yield "signals: roles", lambda: llm.audit_texts(mine, mine, [mine], role=role[:3]), InputError
    yield (
        "signals: a measure's texts",
        lambda: llm.measure("zlib", tokens=mine, texts=RETAIN + FORGET),
        InputError,
    )
    yield "signals: a measure's kind", lambda: llm.measure("min_k", tokens=mine.nll), InputError
    yield "signals: offsets", lambda: dataclasses.replace(mine, offsets=mine.offsets[:-1]), InputError
    yield (
        "signals: a NaN",
        lambda: dataclasses.replace(mine, logp=np.full_like(mine.logp, np.nan)),
        InputError,
    )
    (folder / "signals.parquet").write_bytes(b"PAR1" + bytes(100))
    yield "signals: a broken file", lambda: llm.TextSignals.load(folder / "signals.parquet"), InputError
    yield "signals: no file", lambda: llm.TextSignals.load(folder / "nothing"), InputError


def _half() -> Iterator[Case]:
    for dtype in (torch.bfloat16, torch.float16):
        half = model().to(dtype)
        exact = llm.unlearn(
            "gradient_ascent", copy.deepcopy(half).float(), TOKENS, FORGET, epochs=3, lr=1e-3
        ).model

        def near(made: Any, exact: Any = exact, dtype: torch.dtype = dtype) -> bool:
            pairs = zip(made.model.parameters(), exact.parameters(), strict=True)
            return all(
                a.dtype == dtype and torch.allclose(a.float(), b, rtol=2**-7, atol=1e-6) for a, b in pairs
            )

        yield (
            f"{dtype}",
            lambda h=half: llm.unlearn("gradient_ascent", h, TOKENS, FORGET, epochs=3, lr=1e-3),
            near,
        )


def _folders(folder: Path) -> Iterator[Case]:
    whole = folder / "model"
    MODEL.save_pretrained(whole)
    TOKENS.save_pretrained(whole)
    weights = (whole / "model.safetensors").read_bytes()
    (whole / "model.safetensors").write_bytes(weights[:100])
    (folder / "empty").mkdir()
    (folder / "config").mkdir()
    (folder / "config" / "config.json").write_text("{")
    for name in ("model", "empty", "config", "none"):
        yield f"folder: {name}", lambda n=name: llm.load_model(folder / n, device="cpu"), InputError
