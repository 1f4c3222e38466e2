"""From an experiment to its steps: the matrix of blocks, requests, splits and methods, spelled out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vestige.config import validated
from vestige.errors import InputError
from vestige.evaluation.accuracy import FEATURES
from vestige.experiments.bench.checks import check
from vestige.experiments.bench.experiment import Block, Counts, Experiment, Request, Scale
from vestige.experiments.bench.steps import Step
from vestige.experiments.bench.texts import files_of
from vestige.experiments.bench.work import (
    dataset,
    folder_of,
    leak_config,
    leak_data,
    members_of,
    read_anew,
    split_of,
)
from vestige.store import file_hash, key_of

HERE = "vestige.experiments.bench.work"
TEXTS = "vestige.experiments.bench.texts"


@dataclass(frozen=True)
class Cell:
    """A step that gives figures, and where they go: `column` of the table, `number` of the split or seed."""

    column: str
    number: int
    step: Step


def cells_of(experiment: Experiment, scale: str, root: str | None) -> list[Cell]:
    """Return the steps that give the table's figures; what they read hangs on them.

    Raises `InputError` before any work: for a name or an option that is not known, a data set that is not at hand, and
    counts or requests that do not fit it. Whether a network takes samples of that shape is found when it is built.
    """
    chosen = experiment.at(scale)
    check(experiment, chosen)
    read_anew()
    if experiment.kind == "leaks":
        return [Cell("AUC", 0, _leaks(row, config, root)) for row, config in chosen.leaks.items()]
    if experiment.kind in ("texts", "degrees_of_texts"):
        return [
            Cell(column, 0, _texts(experiment, column, config, root))
            for column, config in chosen.texts.items()
        ]
    return [
        cell
        for name, block in chosen.blocks.items()
        for cell in _Matrix(experiment, chosen, name, block, root).cells()
    ]


def _leaks(row: str, config: dict[str, Any], root: str | None) -> Step:
    """The step of one setting of the two-version attack; its data sets are loaded before any work."""
    asked = leak_config(config, root, f"leaks.{row}")
    fingerprints = [data.fingerprint for data in leak_data(asked, root)]
    told = {"row": row, "config": config, "fingerprints": fingerprints}
    return Step(f"{HERE}:leaked", told, (), row, ".json")


def _texts(experiment: Experiment, column: str, config: dict[str, Any], root: str | None) -> Step:
    """The step of a run on texts; its files, and those of the base model, are looked for before any work."""
    from vestige.llm.experiment import LlmConfig
    from vestige.measures.texts import MEASURES
    from vestige.unlearning.text import METHODS

    asked = validated(LlmConfig, config, f"texts.{column}")
    for name in (*experiment.measures.values(), *(method.name for method in asked.methods)):
        if not isinstance(name, str):
            raise InputError(f"{experiment.name}: a measure on texts is a name, not {name!r}.")
        _ = METHODS[name] if name in METHODS else MEASURES[name]
    files = files_of(asked, folder_of(root))
    for name, path in files.items():
        if not path.is_file():
            raise InputError(
                f"{experiment.name}: {path} is not there ({name} of {column!r}). {experiment.note}"
            )
    hashes = {name: file_hash(path) for name, path in files.items()}
    told = {
        "config": config,
        "files": hashes,
        "measures": experiment.measures,
        "preset": experiment.preset,
    }
    if experiment.kind == "degrees_of_texts":
        return Step(f"{TEXTS}:degrees_of_texts", told, (), f"{column}: learn texts, pass by pass", ".json")
    return Step(f"{TEXTS}:audited_texts", told, (), f"{column}: learn, unlearn and audit texts", ".json")


class _Matrix:
    """The steps of one block; one network is one step, however many tables read it."""

    def __init__(
        self, experiment: Experiment, scale: Scale, name: str, block: Block, root: str | None
    ) -> None:
        self.experiment, self.scale, self.name, self.block = experiment, scale, name, block
        self.base = self._side(block, root)
        self.pool = self.base
        if block.shadow_data is not None and block.shadow_counts is not None:
            other = block.model_copy(update={"data": block.shadow_data, "counts": block.shadow_counts})
            self.pool = self._side(other, root)
        if block.shadow_model is not None:
            self.pool = self.pool | {"model": block.shadow_model.model_dump(mode="json")}
        self._requests_fit(root)
        if scale.shadows or block.continues or experiment.kind == "degrees":
            self._pool_fits(root)

    def _requests_fit(self, root: str | None) -> None:
        """Raise `InputError` where counts, or what is to be forgotten, do not fit the data."""
        split_of(self.base, root)
        for asked, wanted in self.scale.requests.items() if self.experiment.kind != "degrees" else ():
            try:
                split_of(self.request(wanted, 0), root)
            except InputError as error:
                raise InputError(f"{self.experiment.name}, {self.name}, request {asked!r}: {error}") from None

    def _pool_fits(self, root: str | None) -> None:
        """Raise `InputError` where the shadow models cannot be trained on their pool."""
        where = f"{self.experiment.name}, {self.name}"
        if not self.pool["counts"]["shadow"]:
            raise InputError(f"{where}: there is no shadow pool; set counts.shadow.")
        split, counts = split_of(self.pool, root), validated(Counts, self.pool["counts"], "counts")
        members_of(split, counts, 0)
        data = dataset(self.base["data"], root)
        if (split.data.shape, len(split.data.classes)) != (data.shape, len(data.classes)):
            raise InputError(
                f"{where}: a sample of {split.data.name} has shape {split.data.shape} and one of "
                f"{len(split.data.classes)} classes, one of {data.name} {data.shape} and {len(data.classes)}; the "
                "shadow side needs data of the same form."
            )

    def _side(self, block: Block, root: str | None) -> dict[str, Any]:
        data = block.data.model_dump(mode="json", exclude={"root"})
        given = data if block.data.root is None else data | {"root": str(block.data.root)}
        return {
            "data": given, "fingerprint": dataset(given, root).fingerprint,
            "counts": block.counts.model_dump(mode="json"), "model": block.model.model_dump(mode="json"),
            "recipe": block.recipe,
        }  # fmt: skip

    def network(self, side: dict[str, Any], rows: str, seed: int, label: str, **more: Any) -> Step:
        what = side | {"rows": rows, "seed": seed} | more
        inputs: tuple[Step, ...] = ()
        if self.block.continues and rows in ("train", "retain"):
            number = self.scale.shadows  # a draw of the pool that no shadow model has
            begun = {"rows": "shadow", "seed": 2000 + number, "number": number}
            inputs = (
                Step(f"{HERE}:trained", self.pool | begun, (), f"{self.name}: train the earlier model"),
            )
        return Step(f"{HERE}:trained", what, inputs, f"{self.name}: train {label}")

    def answers(self, model: Step, side: dict[str, Any], label: str, *, pool: bool = False) -> Step:
        what = {k: v for k, v in self.base.items() if k != "recipe"} | {"model": side["model"]}
        what |= {"pool": {k: self.pool[k] for k in ("data", "counts", "fingerprint")} if pool else None}
        return Step(f"{HERE}:outputs", what, (model,), f"{self.name}: outputs of {label}")

    def original(self, number: int = 0) -> Step:
        return self.network(self.base, "train", 1000 + number, "the original")

    def shadows(self) -> dict[str, Step]:
        return {
            f"shadow-{k}": self.answers(
                self.network(self.pool, "shadow", 2000 + k, f"shadow {k}", number=k), self.pool, f"shadow {k}",
                pool=True,
            )
            for k in range(self.scale.shadows)
        }  # fmt: skip

    def population(self) -> dict[str, Step]:
        """A model that was trained on the population, where a measure wants one."""
        if not any("rmia_online" in str(m) for m in self.experiment.measures.values()):
            return {}
        member = self.network(self.base, "holdout", 4000, "the population's model")
        return {"population": self.answers(member, self.base, "the population's model")}

    def request(self, wanted: Request, draw: int) -> dict[str, Any]:
        return self.base | {"request": wanted.model_dump(mode="json", exclude={"measures"}), "draw": draw}

    def retrained(self, side: dict[str, Any], seed: int, label: str) -> Step:
        return self.answers(self.network(side, "retain", seed, label), side, label)

    def made_by(self, method: Any, side: dict[str, Any], seed: int) -> Step:
        """A method's model; exact retraining is training on what is retained."""
        if method.name == "retrain":
            return self.network(side, "retain", 3000 + seed, f"retraining {seed}")
        what = side | {"method": method.model_dump(mode="json", exclude={"label"}), "seed": seed}
        return Step(
            f"{HERE}:unlearned", what, (self.original(),), f"{self.name}: {method.title}, seed {seed}"
        )

    def cells(self) -> list[Cell]:
        kinds = {
            "separation": self.separation,
            "degrees": self.degrees,
            "methods": self.methods,
            "epsilon": self.epsilon,
        }
        return kinds[self.experiment.kind]()

    def figures(self, call: str, told: dict[str, Any], named: tuple[Step, ...], label: str) -> Step:
        """A step that computes figures."""
        return Step(f"{HERE}:{call}", told, named, f"{self.name}: {label}", ".json")

    def told(self, side: dict[str, Any], named: dict[str, Step], **more: Any) -> dict[str, Any]:
        """What a step of figures is told."""
        return side | {
            "inputs": list(named), "preset": self.experiment.preset, "shadows": self.scale.shadows,
            "pool": {k: self.pool[k] for k in ("data", "counts", "fingerprint")},
        } | more  # fmt: skip

    def separation(self) -> list[Cell]:
        shared = {
            "original": self.answers(self.original(), self.base, "the original"), **self.shadows(),
        }  # fmt: skip
        shared |= self.population()
        found = []
        for asked, wanted in self.scale.requests.items():
            for number in range(self.scale.splits):
                side = self.request(wanted, number)
                label = f"{asked}, split {number}"
                named = shared | {"retrained": self.retrained(side, 3000 + number, f"retraining, {label}")}
                told = self.told(
                    side,
                    named,
                    measures=self.experiment.measures | wanted.measures,
                    groups=list(self.scale.groups),
                    **({"curve": True} if self.experiment.curve else {}),
                )
                step = self.figures("separation", told, tuple(named.values()), f"measures, {label}")
                found.append(Cell(f"{self.name} · {asked}", number, step))
        return found

    def degrees(self) -> list[Cell]:
        shadows = self.shadows()
        found = []
        for number in range(self.scale.splits):
            start = self.network(self.pool, "shadow", 2000 + number, f"shadow {number}", number=number)
            what = self.base | {"seed": 5000 + number, "checkpoints": self.block.checkpoints}
            path = Step(f"{HERE}:along_training", what, (start,), f"{self.name}: checkpoints {number}")
            named = {
                "original": self.answers(self.original(), self.base, "the original"), **shadows,
                **self.population(), "checkpoints": path,
            }  # fmt: skip
            told = self.told(
                self.base, named, measures=self.experiment.measures, groups=list(self.scale.groups)
            )
            step = self.figures("degrees", told, tuple(named.values()), f"ScoreUI {number}")
            found.append(Cell(self.name, number, step))
        return found

    def methods(self) -> list[Cell]:
        shared = {
            "original": self.answers(self.original(), self.base, "the original"), **self.shadows(),
        }  # fmt: skip
        (_, spec), *_ = self.experiment.measures.items() or [("IAM-On", "iam")]
        found = []
        for asked, wanted in self.scale.requests.items():
            for number in range(self.scale.seeds):
                side = self.request(wanted, number % self.scale.splits)
                exact = self.retrained(side, 3000 + number, f"retraining, {asked}, seed {number}")
                for method in self.experiment.methods_at(self.scale):
                    label = f"{method.title}, {asked}, seed {number}"
                    model = self.made_by(method, side, number)
                    named = shared | {"retrained": exact, "method": self.answers(model, side, label)}
                    told = self.told(side, named, measure=spec, row=method.title, attacks=list(FEATURES))
                    step = self.figures("against_retraining", told, tuple(named.values()), f"{label}")
                    found.append(Cell(f"{self.name} · {asked}", number, step))
        return found

    def epsilon(self) -> list[Cell]:
        found = []
        for asked, wanted in self.scale.requests.items():
            side = self.request(wanted, 0)
            exact = [self.retrained(side, 3000 + k, f"retraining {k}") for k in range(self.scale.models)]
            for method in self.experiment.methods_at(self.scale):
                made = [
                    self.answers(
                        self.made_by(method, side, self.scale.models + k), side, f"{method.title} {k}"
                    )
                    for k in range(self.scale.models)
                ]
                told = side | {"models": self.scale.models, "row": method.title}
                step = self.figures("epsilon_hat", told, (*exact, *made), f"epsilon-hat of {method.title}")
                found.append(Cell(f"{self.name} · {asked}", 0, step))
        return found


def content(experiment: Experiment, scale: str) -> str:
    """Return the hash of what decides a table's figures: a result file of another is never mixed in."""
    kept = experiment.model_dump(mode="json", include={"kind", "measures", "preset", "methods"})
    if experiment.curve:
        kept["curve"] = True
    chosen = experiment.at(scale)
    unset = {"max_epochs"} if chosen.max_epochs is None else set()
    return key_of(kept, chosen.model_dump(mode="json", exclude=unset))
