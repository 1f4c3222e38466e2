"""`transformers`: a classifier of Hugging Face, of texts or of images, as a system."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, default_collate
from torch.utils.data import Dataset as TorchDataset

from vestige.errors import InputError, need
from vestige.systems.base import Positions
from vestige.systems.network import is_pretrained, networks
from vestige.systems.network_system import Fit, Networks, Start
from vestige.systems.seeding import all_seeded
from vestige.systems.unseen import is_data
from vestige.training.recipe import Recipe
from vestige.values import as_array, is_missing

TEXTS = ("text", "sentence", "content")
"""Columns that hold the text, where nothing else is said."""


IMAGES = ("image", "img", "pixel_values")
"""Columns that hold the image."""
LABELS = ("label", "labels", "target")


class Texts(TorchDataset[dict[str, Any]]):
    """Texts with labels; an item holds its tokens, which are made when it is read, and its label as "labels"."""

    def __init__(self, texts: Any, targets: NDArray[Any], tokenizer: Any, longest: int | None) -> None:
        self.texts, self.targets, self.tokenizer, self.longest = texts, targets, tokenizer, longest

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, place: int) -> dict[str, Any]:
        text = self.texts[int(place)]
        if not isinstance(text, str):
            raise InputError(f"The text of record {place} is of type {type(text).__name__}; text is wanted.")
        tokens = self.tokenizer(text, truncation=True, max_length=self.longest)
        return dict(tokens) | {"labels": self.targets[place].item()}


class Images(TorchDataset[dict[str, Any]]):
    """Images with labels; an item holds what the processor makes of one when it is read, and its label as "labels"."""

    def __init__(self, images: Any, targets: NDArray[Any], processor: Any) -> None:
        self.images, self.targets, self.processor = images, targets, processor

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, place: int) -> dict[str, Any]:
        pixels = self.processor(self.images[int(place)], return_tensors="pt")["pixel_values"][0]
        return {"pixel_values": pixels, "labels": self.targets[place].item()}


@dataclass(frozen=True)
class Padded:
    """Makes a batch of items of tokens: each is filled up to the longest."""

    tokenizer: Any

    def __call__(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        tokens = [{name: value for name, value in item.items() if name != "labels"} for item in items]
        labels = torch.tensor([item["labels"] for item in items])
        return dict(self.tokenizer.pad(tokens, return_tensors="pt")) | {"labels": labels}


class Transformers(Networks):
    """A Hugging Face classifier on a user's data; build it by `transformers`."""

    tokenizer: Any = None
    contents: tuple[Texts | Images, ...] = ()

    def features(self, rows: Positions) -> list[str] | None:
        """Return the texts of some records, to look for copies; None for images."""
        texts = [part.texts for part in self.contents if isinstance(part, Texts)]
        if not texts:
            return None
        first = len(texts[0])
        return [texts[0][int(row)] if row < first else texts[1][int(row) - first] for row in rows]

    def save(self, model: Any, folder: Path) -> None:
        """Write the model as Hugging Face keeps one: weights as safetensors, configuration and tokenizer."""
        super().save(model, folder)
        if is_pretrained(model):
            model.config.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)


def transformers(
    model: nn.Module | Start,
    data: Any,
    *,
    tokenizer: Any,
    text: str | None = None,
    label: Any = None,
    id: Any = None,
    unseen: Any = None,
    cluster: Any = None,
    fit: Fit | None = None,
    epochs: int | None = None,
    lr: float = 5e-5,
    recipe: Recipe | Mapping[str, Any] | None = None,
    start: Start | None = None,
    longest: int | None = None,
    batch_size: int = 64,
    device: str = "auto",
    name: str | None = None,
    forget: Iterable[str] = (),
) -> Transformers:
    """Return a Hugging Face classifier and its data as a system: of texts, or of images.

    Parameters
    ----------
    model
        A trained model, which is the original, such as a BertForSequenceClassification, with adapters (peft) as well;
        or a function that returns an untrained one.
    data
        What it was trained on: a DataFrame, a `datasets.Dataset`, a list of dictionaries, or (texts, labels).
    tokenizer
        What makes tokens of a text; or the image processor, of images.
    text
        The column of the texts, or images; default: "text", "sentence" or the like.
    label
        The column of the labels: places of classes, or the names that the model's configuration gives them.
    id, cluster
        Names of the records, and which are one person's: columns, lists, or functions of the place.
    unseen
        Records that the model never saw: data of the same form, ids among `data`, or a share of it; see `networks`.
    fit
        Your own training, a function of (model, dataset, seed), for example with a Trainer. Items of `dataset` are
        dictionaries of tokens with "labels"; a DataCollatorWithPadding makes batches of them.
    epochs, lr
        In place of `fit`: passes and highest learning rate of AdamW, in batches of 16, the rate falling as a cosine.
    recipe
        In place of these: a `vestige.Recipe`.
    start
        A function that returns the model a fit begins with: for one that was fine-tuned the pretrained one,
        lambda: AutoModelForSequenceClassification.from_pretrained(...). Default: the model's configuration with weights
        drawn anew, for a model that was trained from scratch.
    longest
        Tokens of a text that are read; default: as many as the tokenizer says.
    batch_size, device, name, forget
        See `networks`.

    Returns
    -------
    Transformers
        With logits [n, C] as outputs.

    Raises
    ------
    InputError
        For columns that are missing, labels that the model does not know, a language model, and as `networks` does.
    """
    need("transformers", "llm", "A Hugging Face model")
    labels = _label_names(_example(model))
    both = [data, unseen] if is_data(unseen) or _is_table(unseen) else [data]
    tables = [_Table.of(one, text, label) for one in both]
    parts = [table.items(tokenizer, labels, longest) for table in tables]
    collate = Padded(tokenizer) if isinstance(parts[0], Texts) else default_collate
    if epochs is not None:
        if recipe is not None:
            raise InputError("epochs= and recipe= are two ways to train; give one of them.")
        recipe = {
            "epochs": epochs, "lr": lr, "optimizer": "adamw", "batch_size": 16, "weight_decay": 0.01,
            "precision": "fp32",
        }  # fmt: skip
    loaders = [DataLoader(part, collate_fn=collate) for part in parts]
    system = networks(
        model, loaders[0], unseen=loaders[1] if len(loaders) > 1 else unseen, id=_columns(tables, id),
        cluster=_columns(tables, cluster), classes=labels or None, fit=fit, recipe=recipe, start=start,
        batch_size=batch_size, device=device, name=name, forget=forget,
        build=Transformers,
    )  # fmt: skip
    assert isinstance(system, Transformers)
    system.tokenizer, system.contents = tokenizer, tuple(parts)
    return system


@dataclass(frozen=True)
class _Table:
    """Columns of a user's data, by name: what is classified, the truth, and all others."""

    columns: Mapping[str, Any]
    content: str
    truth: str

    @classmethod
    def of(cls, data: Any, text: str | None, label: Any) -> _Table:
        """Return the columns of a DataFrame, a data set, a list of dictionaries, or (texts, labels)."""
        if isinstance(data, tuple) and len(data) == 2:
            return cls({"text": list(data[0]), "label": data[1]}, "text", "label")
        if hasattr(data, "column_names") and hasattr(data, "with_format"):
            plain = data.with_format(None)
            columns: Mapping[str, Any] = {name: plain[name] for name in data.column_names}
        elif hasattr(data, "iloc") and hasattr(data, "columns"):
            columns = {str(name): data[name].tolist() for name in data.columns} | {
                "index": data.index.tolist()
            }
        elif isinstance(data, list) and data and all(isinstance(row, Mapping) for row in data):
            columns = {str(name): [row.get(name) for row in data] for name in data[0]}
        else:
            raise InputError(
                f"data are of type {type(data).__name__}; a DataFrame, a datasets.Dataset, a list of dictionaries, or "
                "(texts, labels) is wanted."
            )
        if label is not None and not isinstance(label, str):
            columns, label = {**columns, "its label": label}, "its label"
        return cls(
            columns,
            _column(columns, text, (*TEXTS, *IMAGES), "text"),
            _column(columns, label, LABELS, "label"),
        )

    def items(self, tokenizer: Any, labels: tuple[str, ...], longest: int | None) -> Texts | Images:
        """Return the records as a data set of tokens, or of pixels."""
        content, truth = self.columns[self.content], _places(self.columns[self.truth], labels)
        if not len(truth):
            raise InputError("data hold no records.")
        if len(content) != len(truth):
            raise InputError(f"There are {len(content)} texts and {len(truth)} labels; one each is wanted.")
        if isinstance(content[0], str) or hasattr(tokenizer, "pad"):
            return Texts(content, truth, tokenizer, longest)
        return Images(content, truth, tokenizer)


def _columns(tables: list[_Table], source: Any) -> Any:
    """Return a column of all tables by its name, anything else as it is."""
    if not isinstance(source, str):
        return source
    return [
        value for table in tables for value in table.columns[_column(table.columns, source, (), "column")]
    ]


def _is_table(unseen: Any) -> bool:
    """Is it a list of dictionaries, or (texts, labels), rather than a list of ids?"""
    if isinstance(unseen, tuple) and len(unseen) == 2:
        return not isinstance(unseen[0], str) and hasattr(unseen[0], "__len__")
    return isinstance(unseen, list) and bool(unseen) and isinstance(unseen[0], Mapping)


def _column(columns: Mapping[str, Any], name: str | None, usual: Iterable[str], what: str) -> str:
    if name is None:
        fits = [one for one in usual if one in columns]
        if len(fits) == 1:
            return fits[0]
    elif name in columns:
        return name
    wanted = f"no column {name!r}" if name is not None else f"no one column that is the {what} by its name"
    raise InputError(f"There is {wanted}; there are {', '.join(columns)}. Name it, {what}=.")


def _places(values: Any, labels: tuple[str, ...]) -> NDArray[Any]:
    """Return labels as numbers; names are those of the model's configuration."""
    listed = list(values)
    for row, value in enumerate(listed):
        if is_missing(value):
            raise InputError(f"The label of record {row} is missing.")
    if listed and isinstance(listed[0], str):
        known = {name: place for place, name in enumerate(labels)}
        strange = next((value for value in listed if value not in known), None)
        if strange is not None:
            raise InputError(
                f"The label {strange!r} is none of the model's, {', '.join(labels)}; set config.id2label and label2id."
            )
        return np.array([known[value] for value in listed], np.int64)
    return as_array("labels", listed)


def _label_names(model: Any) -> tuple[str, ...]:
    """Return the classes as the model's configuration names them."""
    names = getattr(getattr(model, "config", None), "id2label", None)
    return tuple(str(names[place]) for place in sorted(names)) if isinstance(names, Mapping) else ()


def _example(model: Any) -> Any:
    """Return the model, or what the function builds. Raises `InputError` for a language model."""
    if not isinstance(model, nn.Module) and callable(model):
        with all_seeded(0):
            model = model()
    name = type(model).__name__
    if "CausalLM" in name or "LMHead" in name:
        raise InputError(
            f"{name} is a language model; those are unlearned from and audited by a run on texts: vestige run with "
            "kind: llm, or vestige.llm."
        )
    return model
