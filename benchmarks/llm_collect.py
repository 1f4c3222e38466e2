"""Token signals of real texts against bare forward passes of the same batches, and what the measures take after that.

    python -m benchmarks.llm_collect MODEL_FOLDER TEXTS.json [GGUF]

MODEL_FOLDER holds a causal language model; TEXTS.json a list of texts. 20 texts of 1,500 characters.
"""

from __future__ import annotations

import sys
import time
import tracemalloc

import numpy as np
import torch

from benchmarks.timing import medians
from vestige import llm
from vestige.signals.asking import context_of, encoded
from vestige.signals.collect_texts import _batches, _windows

COUNT, CHARACTERS = 20, 1500


def main(folder: str, path: str, gguf: str | None) -> None:
    model, tokenizer = llm.load_model(folder, gguf=gguf)
    given = llm.read_texts(path)
    texts = llm.Texts(tuple(t[:CHARACTERS] for t in given.texts[:COUNT]), given.ids[:COUNT])
    tokens_of = [encoded(model, tokenizer, *named)[0] for named in zip(texts.ids, texts.texts, strict=True)]
    windows = [w for i, ids in enumerate(tokens_of) for w in _windows(i, len(ids), context_of(model))]

    def bare() -> None:
        with torch.inference_mode():
            for batch in _batches(windows, 2048):
                width = max(w.end - w.begin for w in batch)
                tokens, mask = torch.zeros(2, len(batch), width, dtype=torch.long)
                for row, w in enumerate(batch):
                    tokens[row, : w.end - w.begin] = torch.tensor(tokens_of[w.text][w.begin : w.end])
                    mask[row, : w.end - w.begin] = 1
                model(input_ids=tokens, attention_mask=mask)

    plain, ours = medians(3, bare, lambda: llm.collect(model, tokenizer, texts))
    tokens = sum(map(len, tokens_of))
    print(f"{len(texts)} texts, {tokens:,} tokens: bare passes {plain:.1f} s, signals {ours:.1f} s: ", end="")
    print(f"{100 * (ours / plain - 1):+.1f} % (wanted: at most +10 %)")
    found = llm.collect(model, tokenizer, texts)
    rng = np.random.default_rng(0)
    losses = {"nll": found.nll, "fit": found.nll * rng.uniform(0.4, 0.9, len(texts)), "out": found.nll * 1.01}
    arrays = losses | {"tokens": found, "texts": texts.texts}
    start = time.perf_counter()
    done = [n for n in llm.MEASURES if set(llm.MEASURES[n].texts) <= set(arrays)]
    for name in done:
        llm.measure(name, **{k: arrays[k] for k in llm.MEASURES[name].texts})
    taken = time.perf_counter() - start
    print(
        f"{len(done)} measures: {taken:.3f} s, {100 * taken / ours:.2f} % of collecting (wanted: under 5 %)"
    )
    for copies in (1, 4):
        many = llm.Texts(texts.texts[:5] * copies, tuple(map(str, range(5 * copies))))
        tracemalloc.start()
        llm.collect(model, tokenizer, many, part=5)
        print(
            f"  {len(many)} texts in parts of 5: {tracemalloc.get_traced_memory()[1] / 2**20:.1f} MiB of arrays"
        )
        tracemalloc.stop()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
