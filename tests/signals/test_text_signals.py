"""Token signals: against the model by hand, whatever the batch, the order, the padding and the window."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tiny
from vestige.data.texts import expect_disjoint
from vestige.errors import ArtefactError, InputError
from vestige.llm import Texts, TextSignals, collect, read_texts

MODEL, TOKENIZER = tiny.model(), tiny.tokenizer()
NEWS = tiny.news(7) + ["A nurse."] + tiny.news(2, seed=5, sentences=2)
SIGNALS = collect(MODEL, TOKENIZER, NEWS)


def test_signals_are_what_the_model_says():
    for text in (0, 7):
        ids = torch.tensor([TOKENIZER(NEWS[text])["input_ids"]])
        with torch.no_grad():
            logp = MODEL(ids).logits[0, :-1].log_softmax(-1)
        own, p = SIGNALS.of(text), logp.exp()
        assert SIGNALS.logp[own] == pytest.approx(logp.gather(1, ids[0, 1:, None])[:, 0].numpy(), abs=1e-5)
        assert SIGNALS.mean[own] == pytest.approx(logp.mean(1).numpy(), abs=1e-5)
        assert SIGNALS.std[own] == pytest.approx(logp.std(1, correction=0).numpy(), abs=1e-5)
        entropy = -(p * logp).sum(1)
        assert SIGNALS.entropy[own] == pytest.approx(entropy.numpy(), abs=1e-5)
        spread = ((p * logp.square()).sum(1) - entropy.square()).sqrt()
        assert SIGNALS.weighted_std[own] == pytest.approx(spread.numpy(), abs=1e-4)
        with torch.no_grad():
            assert SIGNALS.nll[text] == pytest.approx(float(MODEL(ids, labels=ids).loss), abs=1e-5)
    assert SIGNALS.totals == pytest.approx(SIGNALS.nll * SIGNALS.tokens)
    assert SIGNALS.nll_per_character * SIGNALS.characters == pytest.approx(SIGNALS.totals)


@pytest.mark.parametrize("batch_tokens", [1, 60, 10_000])
def test_batches_and_order_change_nothing(batch_tokens):
    order = np.random.default_rng(0).permutation(len(NEWS))
    other = collect(MODEL, TOKENIZER, [NEWS[i] for i in order], batch_tokens=batch_tokens)
    assert other.nll == pytest.approx(SIGNALS.nll[order], abs=1e-5)
    assert other.logp[other.of(0)] == pytest.approx(SIGNALS.logp[SIGNALS.of(int(order[0]))], abs=1e-4)


def test_long_texts_pass_by_windows():
    """Every token once; up to the first window nothing changes, after it no token has less than half a context."""
    long = [" ".join(tiny.news(6, seed=3)), NEWS[0]]
    whole = collect(tiny.model(context=2048), TOKENIZER, long)
    windows = collect(MODEL, TOKENIZER, long, context=64)
    assert windows.tokens.tolist() == whole.tokens.tolist() and whole.tokens[0] > 128
    assert windows.logp[:63] == pytest.approx(whole.logp[:63], abs=1e-4)
    ids = torch.tensor(TOKENIZER(long[0])["input_ids"])
    with torch.no_grad():
        by_hand = MODEL(ids[None, 32:96]).logits[0].log_softmax(-1)
    assert windows.logp[63:95] == pytest.approx(
        by_hand[31:63].gather(1, ids[64:96, None])[:, 0].numpy(), abs=1e-4
    )


def test_tokens_know_where_they_stand():
    text, own = NEWS[0], SIGNALS.of(0)
    pieces = [text[a:b] for a, b in zip(SIGNALS.start[own], SIGNALS.end[own], strict=True)]
    assert text.endswith("".join(pieces)) and SIGNALS.characters[0] == len(text)


def test_measuring_changes_nothing():
    model = tiny.model()
    model.train()
    before, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.random.get_rng_state()
    collect(model, TOKENIZER, NEWS[:2])
    assert model.training and torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_parts_are_kept_and_continued(tmp_path):
    first = collect(MODEL, TOKENIZER, NEWS, part=4, out=tmp_path)
    assert first.nll == pytest.approx(SIGNALS.nll, abs=1e-5)
    files = sorted(tmp_path.glob("*.parquet"))
    assert len(files) == 3
    stamps = [f.stat().st_mtime_ns for f in files]
    files[1].unlink()
    again = collect(MODEL, TOKENIZER, NEWS, part=4, out=tmp_path)
    assert [f.stat().st_mtime_ns for f in files][::2] == stamps[::2] and np.array_equal(
        again.logp, first.logp
    )
    loaded = TextSignals.load(tmp_path)
    for name in ("logp", "entropy", "start", "offsets", "characters", "ids"):
        assert np.array_equal(getattr(loaded, name), getattr(first, name)), name
    other = collect(
        tiny.model(seed=1), TOKENIZER, NEWS, part=4, out=tmp_path
    )  # another model, the same folder
    assert not np.allclose(other.logp, first.logp)
    files[0].write_bytes(files[0].read_bytes()[:100])
    with pytest.raises(ArtefactError, match="cut off"):
        TextSignals.load(files[0])
    with pytest.raises(ArtefactError, match="holds no signals"):
        TextSignals.load(tmp_path / "nothing")


def test_texts_that_cannot_be_used(tmp_path):
    for call, message in (
        (lambda: collect(MODEL, TOKENIZER, ["  "]), "is empty"),
        (lambda: collect(MODEL, TOKENIZER, []), "no texts"),
        (lambda: collect(MODEL, TOKENIZER, "one text"), "One string was given as texts; a list is wanted"),
        (lambda: collect(MODEL, TOKENIZER, ["a long text", "."]), "Text 'cdb4ee2aea69cc6a' has 1 token"),
        (lambda: Texts(("a", "b"), ("x", "x")), "distinct"),
        (lambda: Texts(("a", "b"), ("x",)), "as many"),
        (lambda: expect_disjoint(forget=Texts(("a", "b"), ("0", "1")), retain=Texts(("b",), ("7",))), "both in forget and in retain"),
        (lambda: collect(MODEL, TOKENIZER, NEWS, context=2), "context is 2; greater than or equal to 4"),
        (lambda: collect(MODEL.model, TOKENIZER, NEWS), "gives no logits"),
        (lambda: read_texts(tmp_path / "none.jsonl"), "no such file"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            call()
