"""Token measures: by hand, direction, stated behaviour at the edges, bad input."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from vestige import llm
from vestige.errors import InputError, MissingArray
from vestige.llm import MEASURES, TextSignals

RNG = np.random.default_rng(0)
TEXTS = ["abab abab abab", "a quick brown fox"]


def signals(logp, entropy=1.0, lengths=None) -> TextSignals:
    logp = np.asarray(logp, np.float32)
    lengths = [len(logp)] if lengths is None else lengths
    n = len(logp)
    return TextSignals(
        logp=logp, mean=np.full(n, -5, np.float32), std=np.full(n, 2, np.float32),
        entropy=np.broadcast_to(np.float32(entropy), n).copy(), weighted_std=np.full(n, 0.5, np.float32),
        start=np.full(n, -1, np.int32), end=np.full(n, -1, np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]), characters=np.array([3 * k for k in lengths]),
        ids=np.array([str(i) for i in range(len(lengths))]),
    )  # fmt: skip


ONE = signals([-1, -2, -3, -4, -5, -6, -7, -8, -9, -10])
TWO = signals([-1, -2, -3, -4, -6], lengths=[3, 2])


def test_by_hand():
    assert llm.measure("min_k", tokens=ONE) == pytest.approx([9.5])
    assert llm.measure("min_k", tokens=ONE, share=0.01) == pytest.approx([10])  # at least one token
    assert llm.measure("min_k", tokens=TWO, share=0.5) == pytest.approx([3, 6])
    assert llm.measure("min_k_plus", tokens=ONE) == pytest.approx([(9.5 - 1) / 0.5])
    assert llm.measure("min_k_plus", tokens=ONE, preset="paper") == pytest.approx([(9.5 - 5) / 2])
    sure = signals(ONE.logp, entropy=np.where(np.arange(10) % 2, 1.0, 3.0).astype(np.float32))
    assert llm.measure("surp", tokens=sure) == pytest.approx([(8 + 10) / 2])
    assert llm.measure("surp", tokens=signals(ONE.logp, entropy=9)) == pytest.approx([10])  # nowhere sure
    assert llm.measure("lowercase", nll=[2.0], lower=[4.0]) == pytest.approx([0.5])
    assert llm.measure("recall", nll=[2.0], prefixed=[1.0]) == pytest.approx([2])
    assert llm.measure("neighbourhood", nll=[2.0], neighbours=[[1.0, 2.0]]) == pytest.approx([0.5])
    size = [len(zlib.compress(t.encode())) for t in TEXTS]
    assert llm.measure("zlib", tokens=TWO, texts=TEXTS) == pytest.approx([6 / size[0], 10 / size[1]])
    published = llm.measure("zlib", tokens=TWO, texts=TEXTS, preset="paper")
    assert published == pytest.approx([2 / (size[0] / len(TEXTS[0])), 5 / (size[1] / len(TEXTS[1]))])
    distance = 2.0 * 0 + (-1) - (-9)  # best 5 % (one token) minus the mean of the worst 30 %
    flat = signals(np.full(10, -4.0))
    assert llm.measure("pac", tokens=ONE, swapped=[flat, flat]) == pytest.approx([distance])
    told = [[1.0, -1.0, 3.0, 0.0], [2.0]]
    assert llm.measure("informia_tokens", information=told) == pytest.approx([-0.75, -2])
    assert llm.measure("informia_tokens", information=told, share=0.5) == pytest.approx([-2, -2])
    assert llm.measure("informia_tokens", information=told, share=0.01) == pytest.approx([-3, -2])


@pytest.mark.parametrize("name", ["min_k", "min_k_plus", "surp", "zlib"])
@pytest.mark.parametrize("preset", ["recommended", "paper"])
def test_larger_is_more_unlearned(name, preset):
    """The same text, every token less likely."""
    logp = -RNG.gamma(2, 1, 60)
    extra = {"texts": TEXTS} if name == "zlib" else {}
    kept, gone = (signals(logp - shift, lengths=[30, 30]) for shift in (0, 2))
    assert (
        llm.measure(name, tokens=gone, preset=preset, **extra)
        > llm.measure(name, tokens=kept, preset=preset, **extra)
    ).all()


def test_every_measure_says_what_it_needs():
    for name in MEASURES:
        with pytest.raises(MissingArray, match=f"{name} needs"):
            llm.measure(name)
        assert MEASURES[name].summary and MEASURES[name].cites and MEASURES[name].unit


def test_bad_input():
    for call, message in (
        (lambda: llm.measure("min_k", tokens=ONE, share=0), "greater than 0"),
        (lambda: llm.measure("informia_tokens", information=[[1.0], []]), r"information\[1\]"),
        (lambda: llm.measure("informia_tokens", information=[[np.nan]]), "finite numbers"),
        (lambda: llm.measure("informia_tokens", information=np.zeros(3)), "a list is wanted"),
        (lambda: llm.measure("informia_tokens", information=[]), "information is empty"),
        (lambda: llm.measure("min_k_plus", tokens=ONE, weighting="none"), "vocabulary"),
        (lambda: llm.measure("zlib", tokens=TWO, texts=["a"]), "texts speaks of 1"),
        (lambda: llm.measure("neighbourhood", nll=[1.0], neighbours=[1.0]), "K losses a text"),
        (lambda: llm.measure("lowercase", nll=[1.0], lower=[np.nan]), "finite loss"),
        (lambda: signals([-1, np.inf]), "not finite"),
        (lambda: signals([-1, -2], lengths=[2, 0]), "no token to score"),
    ):
        with pytest.raises(InputError, match=message):
            call()
