"""The configuration of a run on texts: what a YAML file may say, with every default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from vestige.arguments import Seed
from vestige.config import Config, PlainName
from vestige.unlearning.text import METHODS
from vestige.unlearning.text.registry import TextMethodConfig

BESIDE = ("lora", "max_steps", "max_seconds", "preset", "seed")
"""Arguments of `vestige.unlearning.text.unlearn` that may stand beside the options of the training."""


class LlmModel(Config):
    """Which base model: a hub id or a folder; `gguf`, the file of quantised weights in it."""

    name: str
    gguf: str | None = None


class LlmData(Config):
    """Files of texts; of each the first `texts`, cut after `characters`."""

    forget: Path
    retain: Path
    holdout: Path
    texts: int | None = Field(default=None, ge=1)
    characters: int | None = Field(default=None, ge=1)


class LlmConfig(Config):
    """A run on texts.

    Attributes
    ----------
    learn : dict[str, Any]
        Options of the training that the original and the retrained model get.
    relearn : int
        Steps of training on the forget texts, at the rate of `learn`, that show whether they come back.
    further : bool
        Under the retrained model, also the measures that need passes over changed texts.
    """

    kind: str = "llm"
    name: PlainName = "llm"
    title: str | None = None
    model: LlmModel
    data: LlmData
    learn: dict[str, Any] = Field(default_factory=dict)
    methods: tuple[TextMethodConfig, ...] = ()
    relearn: int = Field(default=10, ge=0)
    further: bool = False
    seed: Seed = 0

    @field_validator("learn")
    @classmethod
    def _learnable(cls, learn: dict[str, Any]) -> dict[str, Any]:
        options = {name: value for name, value in learn.items() if name not in BESIDE}
        METHODS["finetune"].resolve(options, learn.get("preset", "recommended"))
        return learn

    @field_validator("methods")
    @classmethod
    def _distinct(cls, methods: tuple[TextMethodConfig, ...]) -> tuple[TextMethodConfig, ...]:
        names = [m.name for m in methods]
        if len(set(names)) < len(names) or {"original", "retrain"} & set(names):
            raise ValueError("each method is named once; the original and retraining are always there")
        return methods
