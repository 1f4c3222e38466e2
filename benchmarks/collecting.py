"""Signal collection against bare forward passes over the same batches, ResNet-18 of width 16, float32."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.timing import medians
from vestige.data import Dataset
from vestige.models import build_model
from vestige.signals import collect_logits

SAMPLES, BATCH = 1_024, 512


def bare(model, images) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat([model(images[i : i + BATCH]) for i in range(0, len(images), BATCH)])


def main() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (SAMPLES, 3, 32, 32), dtype=np.uint8)
    rows = Dataset(
        "random", pixels, rng.integers(0, 10, SAMPLES), np.arange(SAMPLES).astype(str), tuple("abcdefghij")
    )
    model = build_model("resnet18", rows.shape, 10, width=16).eval()
    images = torch.from_numpy(pixels).float() / 255
    ours, theirs = medians(
        7, lambda: collect_logits(model, rows, batch_size=BATCH), lambda: bare(model, images)
    )
    gap = np.abs(collect_logits(model, rows, batch_size=BATCH) - bare(model, images).numpy()).max()
    print(
        f"collect_logits {ours:.3f} s, bare forward passes {theirs:.3f} s: {100 * (ours / theirs - 1):+.1f} %"
    )
    print(f"wanted: at most +10 %; largest difference of logits {gap:.1e}")
