"""An experiment: one table or figure of a paper, at the paper's scale and at one that fits two cores."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from vestige.config import Config, PlainName, Spelled
from vestige.data import DataConfig
from vestige.errors import InputError, unknown
from vestige.experiments.config import distinct
from vestige.models import ModelConfig
from vestige.store import key_of
from vestige.training import RecipeFields
from vestige.unlearning import MethodConfig


class Counts(Config):
    """How many samples train the original, are held out, form the shadow pool, and train each shadow model."""

    train: int = Field(ge=2)
    holdout: int = Field(ge=1)
    shadow: int = Field(default=0, ge=0)
    shadow_size: int | None = Field(default=None, ge=2)
    seed: int = Field(default=0, ge=0)


class Block(Config):
    """A data set with the networks that are trained on it.

    Attributes
    ----------
    recipe : Recipe, str or dict
        Fields of `vestige.Recipe`, or the name of a published one.
    shadow_model, shadow_data, shadow_counts
        Where the auditor's side differs.
    continues : bool
        Original and retrained models go on from one network that was trained on the shadow side's data.
    checkpoints : int
        Of a training run, for `degrees`.
    """

    data: DataConfig
    counts: Counts
    model: ModelConfig
    recipe: RecipeFields = Field(default_factory=dict)
    shadow_model: ModelConfig | None = None
    shadow_data: DataConfig | None = None
    shadow_counts: Counts | None = None
    continues: bool = False
    checkpoints: int = Field(default=20, ge=2)

    @model_validator(mode="after")
    def _both(self) -> Block:
        if (self.shadow_data is None) != (self.shadow_counts is None):
            raise ValueError("shadow_data and shadow_counts go together")
        return self


class Request(Config):
    """Which samples are forgotten; see `make_split`. `measures`: rows that the paper computes otherwise for it."""

    scenario: Literal["random", "class", "partial_class"] = "random"
    forget: int | float | None = None
    label: int | str | None = None
    measures: dict[str, Spelled] = Field(default_factory=dict)


class Scale(Config):
    """What is run at one scale.

    Attributes
    ----------
    splits : int
        How many requests of each kind, with a retrained model each.
    shadows : int
        How many shadow models.
    groups : tuple[int, ...]
        How many of them a measure is given at once; each disjoint group is one value.
    seeds : int
        How many times each method is run.
    models : int
        How many retrained and how many unlearned models, for epsilon-hat.
    max_epochs : float or None
        Budget of every method, in retrain-epoch equivalents.
    leaks : dict[str, dict[str, Any]]
        Row -> a configuration of the two-version attack.
    texts : dict[str, dict[str, Any]]
        Column -> a configuration of a run on texts; paths are inside the folder of data sets.
    """

    blocks: dict[str, Block] = Field(default_factory=dict)
    requests: dict[str, Request] = Field(default_factory=lambda: {"random": Request()}, min_length=1)
    splits: int = Field(default=1, ge=1)
    shadows: int = Field(default=1, ge=0)
    groups: tuple[int, ...] = Field(default=(1,), min_length=1)
    seeds: int = Field(default=1, ge=1)
    models: int = Field(default=20, ge=2)
    max_epochs: float | None = Field(default=None, gt=0)
    leaks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    texts: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> Scale:
        if any(not 1 <= g <= max(self.shadows, 1) for g in self.groups):
            raise ValueError(f"groups of {self.groups} shadows cannot be drawn from {self.shadows}")
        if len(set(self.groups)) < len(self.groups):
            raise ValueError(f"groups are {self.groups}; each size is wanted once")
        return self


class Experiment(Config):
    """One table or figure.

    Attributes
    ----------
    source : str
        Where the paper has it.
    kind : str
        What is computed: a file of `experiments.kinds`.
    curve : bool
        Keep true positive rates at 25 false positive rates too; the picture is of them; for `separation`.
    figure : str
        Which figure the cells show.
    smaller : bool or None
        Is it better when smaller? None: there is no better and worse, and rows are not ranked.
    measures : dict[str, str or dict[str, Any]]
        Row -> measure: a name, or {name, preset, option}; for `separation` and `degrees`.
    preset : {"recommended", "paper"}
        Of the measures.
    methods : tuple[MethodConfig, ...]
        Rows, for `methods` and `epsilon`.
    over : {"split", "shadow", "seed"}
        The level over which a cell's interval is taken.
    published : dict[str, dict[str, float]]
        Column -> row -> value as printed in the paper, in the unit of the cells.
    favourite : str or None
        Row that the paper puts first.
    note : str
        What a reader must know of the difference between the scales.
    """

    name: PlainName
    title: str
    source: str
    kind: str
    figure: str
    percent: bool = False
    smaller: bool | None = False
    curve: bool = False
    measures: dict[str, Spelled] = Field(default_factory=dict)
    preset: Literal["recommended", "paper"] = "paper"
    methods: tuple[MethodConfig, ...] = ()
    over: Literal["split", "shadow", "seed"] = "split"
    published: dict[str, dict[str, float]] = Field(default_factory=dict)
    favourite: str | None = None
    note: str = ""
    small: Scale | None = None
    paper: Scale | None = None

    _distinct = field_validator("methods")(distinct)

    @model_validator(mode="after")
    def _some(self) -> Experiment:
        if self.small is None and self.paper is None:
            raise ValueError("at least one scale is wanted: small, paper")
        return self

    @property
    def scales(self) -> dict[str, Scale]:
        """The scales at which it can be run."""
        return {name: s for name, s in (("small", self.small), ("paper", self.paper)) if s is not None}

    def methods_at(self, scale: Scale) -> tuple[MethodConfig, ...]:
        """Return the methods with the scale's budget; exact retraining has none."""
        budget = {} if scale.max_epochs is None else {"max_epochs": scale.max_epochs}
        return tuple(m if m.name == "retrain" else m.model_copy(update=budget) for m in self.methods)

    def at(self, scale: str) -> Scale:
        """Return what is run at a scale, or raise `InputError`."""
        if scale not in self.scales:
            raise InputError(f"{self.name}: {unknown('scale', scale, self.scales)} {self.note}".strip())
        return self.scales[scale]

    def content(self, scale: str) -> str:
        """Return the hash of what decides the table's figures: a result file of another is never mixed in."""
        kept = self.model_dump(mode="json", include={"kind", "measures", "preset", "methods"})
        if self.curve:
            kept["curve"] = True
        chosen = self.at(scale)
        unset = {"max_epochs"} if chosen.max_epochs is None else set()
        return key_of(kept, chosen.model_dump(mode="json", exclude=unset))
