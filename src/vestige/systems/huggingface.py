"""`transformers`: a classifier of Hugging Face, of texts or of images, as a system."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import default_collate

from vestige.config import validated
from vestige.errors import InputError, need, told
from vestige.systems.base import Positions
from vestige.systems.items import Items
from vestige.systems.network import Fit, Networks, networks
from vestige.training.recipe import Recipe
from vestige.values import as_array

TEXTS = ("text", "sentence", "content", "review")
"""Columns that hold the text, where nothing else is said."""


class Texts(TorchDataset[dict[str, Any]]):
    """Texts with labels; an item holds its tokens, which are made when it is read."""

    def __init__(self, texts: Any, labels: NDArray[Any], tokenizer: Any, columns: Mapping[str, Any], most: int) -> None:
        self.texts, self.targets, self.tokenizer, self.columns, self.most = texts, labels, tokenizer, columns, most

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, place: int) -> dict[str, Any]:
        text = self.texts[int(place)]
        if not isinstance(text, str):
            raise InputError(f"The text of record {place} is of type {type(text).__name__}; text is wanted.")
        return dict(self.tokenizer(text, truncation=True, max_length=self.most)) | {"labels": self.targets[place].item()}


class Images(TorchDataset[dict[str, Any]]):
    """Images with labels; an item holds what the processor makes of one when it is read."""

    def __init__(self, images: Any, labels: NDArray[Any], processor: Any, columns: Mapping[str, Any]) -> None:
        self.images, self.targets, self.processor, self.columns = images, labels, processor, columns

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, place: int) -> dict[str, Any]:
        pixels = self.processor(self.images[int(place)], return_tensors="pt")["pixel_values"][0]
        return {"pixel_values": pixels, "labels": self.targets[place].item()}


class Padded:
    """Items of tokens as a batch: each is filled up to the longest."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def __call__(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        tokens = [{name: value for name, value in item.items() if name != "labels"} for item in items]
        labels = torch.tensor([item["labels"] for item in items])
        return dict(self.tokenizer.pad(tokens, return_tensors="pt")) | {"labels": labels}


class Transformers(Networks):
    """A Hugging Face model on a user's data; build it by `transformers`."""

    def save(self, model: Any, folder: Path) -> None:
        """Write the model and its tokenizer as Hugging Face keeps them, the weights as safetensors."""
        model.save_pretrained(folder)
        self.items.data_of.save_pretrained(folder)

    def load(self, folder: Path) -> nn.Module:
        try:
            model: nn.Module = type(self.structure).from_pretrained(folder, use_safetensors=True)  # type: ignore[attr-defined]
        except (OSError, ValueError) as error:
            raise InputError(f"{folder} cannot be read as a model: {told(error)}.") from None
        return model.eval()
