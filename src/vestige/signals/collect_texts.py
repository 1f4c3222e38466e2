"""Collecting token signals: one deterministic pass per model and text.

Texts are scored in batches sorted by length, padded on the right and masked, so that neither padding nor the other
texts of a batch have a part. A text longer than the context is scored by windows that overlap by half: each token once,
with at least half a context before it wherever the text has that much. With `out` every part is written as it is done,
what is there is not done again, and no more than a part is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field

from vestige.arguments import Count, checked
from vestige.data.texts import TextList, Texts, as_texts
from vestige.errors import InputError
from vestige.signals.asking import answered, context_of, encoded, expect_language_model, expect_room
from vestige.signals.texts import PER_TOKEN, TextSignals, joined
from vestige.store import key_of, read_json, write_json

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 32  # tokens whose vocabulary is summed up at once: few enough to stay in the processor's cache


class Window(NamedTuple):
    """Tokens `begin` to `end` of a text, of which those from `first` on are scored here."""

    text: int
    begin: int
    end: int
    first: int


@checked
def collect(
    model: Any,
    tokenizer: Any,
    texts: TextList,
    *,
    context: Annotated[int, Field(ge=4)] | None = None,
    batch_tokens: Count = 2048,
    part: Count = 256,
    out: Path | None = None,
    progress: bool = False,
) -> TextSignals:
    """Return what a causal language model says of every token.

    A list of strings gets ids from what the texts say, see `vestige.data.texts.content_ids`.

    Parameters
    ----------
    model : Any
        Of transformers, on any device; it is put into evaluation mode for the time of the pass.
    tokenizer : Any
        Its tokenizer; special tokens are set as it does by itself.
    context : int or None
        Longest window in tokens; default: what the model's configuration says, at most 4096.
    batch_tokens : int
        Tokens in a batch, padding included.
    part : int
        Texts that are scored and kept together.
    out : Path or None
        A folder to keep the parts in, and to continue from.
    progress : bool
        Show a bar of the tokens that are scored.

    Raises
    ------
    InputError
        For texts of fewer than two tokens, for tokens and a context that the model does not take, and for a
        model without a language-model head.
    """
    given = as_texts(texts)
    expect_language_model(model, tokenizer)
    if context is not None:
        expect_room(model, "context", context)
    longest = context or context_of(model)
    weights = None if out is None else _fingerprint(model)
    parts = []
    for number, start in enumerate(range(0, len(given), part)):
        some = Texts(given.texts[start : start + part], given.ids[start : start + part])
        path = None if out is None else out / f"part-{number:05d}.parquet"
        words = [encoded(model, tokenizer, *named) for named in zip(some.ids, some.texts, strict=True)]
        key = key_of(some.ids, some.texts, [ids for ids, _ in words], longest, weights)
        if path is not None and path.is_file() and _same(path, key):
            parts.append(TextSignals.load(path))
            continue
        label = f"texts {start + 1:,} to {start + len(some):,} of {len(given):,}"
        made = _collect_part(model, words, some, longest, batch_tokens, label if progress else None)
        if path is not None:
            made.save(path)
            write_json(path.with_suffix(".json"), {"key": key})
        parts.append(made)
    if out is not None:
        _leave_only(out, len(parts))
    return joined(parts)


def _leave_only(out: Path, count: int) -> None:
    """Remove parts of an earlier, longer list of texts: whoever reads the folder would take them for these texts'."""
    for path in sorted(out.glob("part-*.parquet"))[count:]:
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink()


def _fingerprint(model: Any) -> list[float]:
    """Return the sum of every weight tensor: another model in the same place is not taken for this one."""
    return [float(p.detach().double().sum()) for p in model.parameters()]


def _same(path: Path, key: str) -> bool:
    record = path.with_suffix(".json")
    return record.is_file() and read_json(record).get("key") == key


def _collect_part(
    model: Any,
    words: list[tuple[list[int], np.ndarray]],
    part: Texts,
    context: int,
    batch_tokens: int,
    label: str | None = None,
) -> TextSignals:
    import torch
    from rich.progress import track

    lengths = np.array([len(ids) for ids, _ in words])
    if (lengths < 2).any():
        name = part.ids[int(np.flatnonzero(lengths < 2)[0])]
        raise InputError(
            f"Text {name!r} has {lengths.min()} token; at least two are needed, the first has no past."
        )
    offsets = np.concatenate([[0], np.cumsum(lengths - 1)]).astype(np.int64)
    values = {name: np.empty(offsets[-1], np.float32) for name in PER_TOKEN}
    windows = [w for i, n in enumerate(lengths) for w in windows_of(i, int(n), context)]
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            batches = list(batches_of(windows, batch_tokens))
            for batch in track(batches, label or "", disable=label is None):
                for window, found in zip(
                    batch, _scored(model, [words[w.text][0] for w in batch], batch), strict=True
                ):
                    place = offsets[window.text] + window.first - 1
                    for name, row in zip(PER_TOKEN, found, strict=True):
                        values[name][place : place + len(row)] = row
    finally:
        model.train(training)
    spans = np.concatenate([spans[1:] for _, spans in words]).astype(np.int32)
    return TextSignals(
        **values, start=spans[:, 0], end=spans[:, 1], offsets=offsets,
        characters=np.array([len(t) for t in part.texts]), ids=np.array(part.ids, dtype=np.str_),
        hashes=np.array(part.hashes, dtype=np.str_),
    )  # fmt: skip


def windows_of(text: int, length: int, context: int) -> Iterator[Window]:
    """Yield the windows of a text of `length` tokens, each token scored in one of them."""
    begin, scored = 0, 1
    while True:
        end = min(begin + context, length)
        yield Window(text, begin, end, scored)
        if end == length:
            return
        begin, scored = begin + context // 2, end


def batches_of(windows: list[Window], batch_tokens: int) -> Iterator[list[Window]]:
    """Yield windows sorted by length, as many as fit."""
    batch: list[Window] = []
    for window in sorted(windows, key=lambda w: w.begin - w.end):
        longest = batch[0].end - batch[0].begin if batch else 0
        if batch and longest * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(window)
    yield batch


def _scored(model: Any, ids: list[list[int]], batch: list[Window]) -> Iterator[list[np.ndarray]]:
    """Yield, for each window, the signals of its scored tokens in the order of `PER_TOKEN`."""
    import torch

    for predicted, wanted in predictions(model, ids, batch):
        parts = zip(torch.split(predicted, CHUNK), torch.split(wanted, CHUNK), strict=True)
        chunks = [statistics(*part) for part in parts]
        yield [torch.cat(column).cpu().numpy() for column in zip(*chunks, strict=True)]


def predictions(model: Any, ids: list[list[int]], batch: list[Window]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield, for each window, the logits [t, V] from which its scored tokens are predicted, and these tokens [t]."""
    import torch

    width = max(w.end - w.begin for w in batch)
    tokens, mask = (
        torch.zeros(len(batch), width, dtype=torch.long),
        torch.zeros(len(batch), width, dtype=torch.long),
    )
    for row, (window, own) in enumerate(zip(batch, ids, strict=True)):
        tokens[row, : window.end - window.begin] = torch.tensor(own[window.begin : window.end])
        mask[row, : window.end - window.begin] = 1
    tokens, mask = tokens.to(model.device), mask.to(model.device)
    padded = len({w.end - w.begin for w in batch}) > 1
    logits = answered(model, tokens, mask if padded else None)
    for row, window in enumerate(batch):
        first, last = window.first - window.begin, window.end - window.begin
        yield logits[row, first - 1 : last - 1], tokens[row, first:last]


def statistics(logits: Tensor, wanted: Tensor) -> tuple[Tensor, ...]:
    """Return log-probability, mean, deviation, entropy, weighted deviation: logits [t, V], wanted tokens [t]."""
    import torch

    z = logits.float()
    z = z - z.mean(dim=-1, keepdim=True)
    total = z.logsumexp(dim=-1)
    logp = z.gather(-1, wanted[:, None])[:, 0] - total
    std = (torch.linalg.vecdot(z, z) / z.shape[-1]).sqrt()
    weighted = (z - total[:, None]).exp_().mul_(z)  # p z
    mean = weighted.sum(dim=-1)
    spread = (torch.linalg.vecdot(weighted, z) - mean.square()).clamp_min_(0).sqrt()
    return logp, -total, std, total - mean, spread
