"""A whole run on texts: learn them, unlearn them by every method, audit each.

    original, retrain, methods ─▶ models/<name>/ ─▶ signals/<name>/ and figures/<name>.json ─▶ audits

The base model is the reference that never saw the texts. The original has learned the forget and the retained texts,
the retrained model the retained ones alone. Every step is kept in the run's folder, and skipped when it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator
from safetensors.numpy import load_file, save_file

from vestige.arguments import Seed
from vestige.config import Config, PlainName
from vestige.data.texts import Texts, content_ids, gathered, read_texts
from vestige.errors import InputError
from vestige.evaluation.language import bag_of_words, extraction_strength
from vestige.evaluation.texts import TextAudit, audit_texts
from vestige.experiments.steps import named
from vestige.graph import Environment, Job, Step, Store, carry_out
from vestige.graph.folder import expect_own
from vestige.graph.step import Facts
from vestige.models.language import load_model
from vestige.signals.changed_texts import lowercased, neighbouring, prefixed, swapped
from vestige.signals.collect_texts import collect
from vestige.signals.texts import TextSignals
from vestige.store import file_hash, key_of, read_json, write_json
from vestige.unlearning.text import unlearn
from vestige.unlearning.text.recovery import quantised, relearned
from vestige.unlearning.text.registry import TextMethodConfig

Say = Callable[[str], None]
RELEARN = 1e-5
GROUPS = ("forget", "retain", "holdout")


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

    learn    options of the training that the original and the retrained model get
    relearn  steps of training on the forget texts, at the rate of `learn`, that show whether they come back
    further  under the retrained model, also the measures that need passes over changed texts
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

    @field_validator("methods")
    @classmethod
    def _distinct(cls, methods: tuple[TextMethodConfig, ...]) -> tuple[TextMethodConfig, ...]:
        names = [m.name for m in methods]
        if len(set(names)) < len(names) or {"original", "retrain"} & set(names):
            raise ValueError("each method is named once; the original and retraining are always there")
        return methods


@dataclass(frozen=True)
class BaseModel:
    """The language model that a run begins with.

    folder  where its files are; None: a name of the hub
    hashes  of the files, where it is a folder
    """

    name: str
    gguf: str | None = None
    folder: str | None = None
    hashes: Mapping[str, str] | None = None

    @classmethod
    def of(cls, model: LlmModel, root: str | None = None) -> BaseModel:
        """Return a configuration's model; a folder may be inside the folder of data sets."""
        folder = Path(root or ".") / model.name
        if not folder.is_dir():
            return cls(model.name, model.gguf)
        files = [folder / model.gguf] if model.gguf else [path for path in folder.iterdir() if path.is_file()]
        hashes = {path.name: file_hash(path) for path in sorted(files) if path.is_file()}
        return cls(model.name, model.gguf, str(folder), hashes)

    @property
    def key(self) -> str:
        return key_of(self.gguf, self.hashes or self.name)

    def load(self, environment: Environment) -> tuple[Any, Any]:
        """Return (model, tokenizer), loaded once in a process.

        Raises `InputError` where a file is not the one that the plan names.
        """
        for name, digest in (self.hashes or {}).items():
            path = Path(str(self.folder)) / name
            if not path.is_file() or file_hash(path) != digest:
                raise InputError(
                    f"{path}: the file that this step reads is not the one that it was planned with. Give every "
                    "machine the same files, and run the command again."
                )
        return _base(self.folder or self.name, self.gguf, environment.device)


@lru_cache(maxsize=1)
def _base(name: str, gguf: str | None, device: str) -> tuple[Any, Any]:
    return load_model(name, gguf=gguf, device=device)


@dataclass(frozen=True)
class Groups:
    """The texts of a run: to forget, to retain, and held out."""

    forget: Texts
    retain: Texts
    holdout: Texts

    @classmethod
    def of(cls, data: LlmData, root: str | None = None) -> Groups:
        """Read the files; relative paths are inside `root`, where one is given."""
        return cls(*(_texts(data, name, root) for name in GROUPS))

    @property
    def by_name(self) -> dict[str, Texts]:
        return {name: getattr(self, name) for name in GROUPS}

    @property
    def all(self) -> Texts:
        """All texts, with ids such as "forget-0"."""
        return gathered(self.by_name)

    @property
    def role(self) -> np.ndarray:
        """[n] the group of each of all texts."""
        return np.repeat(GROUPS, [len(texts) for texts in self.by_name.values()])

    @property
    def learned(self) -> Texts:
        """What the original learns: forget and retained texts."""
        own = self.forget.texts + self.retain.texts
        return Texts(own, content_ids(own))


@dataclass(frozen=True, eq=False, kw_only=True)
class TextModel(Step):
    """Make a language model by a method: "finetune" teaches the base the texts, "retrain" those that are retained.

    original  what the method works on; None: the base itself
    """

    base: BaseModel
    groups: Groups
    method: str
    options: Mapping[str, Any]
    seed: int
    original: TextModel | None = None

    suffix: ClassVar[str] = ""
    network: ClassVar[bool] = True

    def make(self, job: Job) -> Facts:
        base, tokenizer = self.base.load(job.environment)
        options = {"seed": self.seed, **self.options}
        with named(self.method):
            if self.original is None:
                result = unlearn(self.method, base, tokenizer, retain=self.groups.learned, **options)
            else:
                if self.method == "retrain":
                    options["base"] = base
                original = load_model(job.file(self.original), device=job.environment.device)[0]
                forget, retain = self.groups.forget, self.groups.retain
                result = unlearn(self.method, original, tokenizer, forget, retain, **options)
        result.model.save_pretrained(job.path)
        tokenizer.save_pretrained(job.path)
        return {"steps": result.steps}

    def load(self, job: Job) -> tuple[Any, Any]:
        """Return (model, tokenizer) for a step that reads them."""
        return load_model(job.file(self), device=job.environment.device)[0], self.base.load(job.environment)[
            1
        ]

    @property
    def size(self) -> float:
        return 1e9


@dataclass(frozen=True, eq=False, kw_only=True)
class TextOutputs(Step):
    """Collect what a model says of every token of all texts; of the base where no model is named."""

    base: BaseModel
    groups: Groups
    model: TextModel | None = None

    suffix: ClassVar[str] = ".parquet"
    network: ClassVar[bool] = True

    def make(self, job: Job) -> None:
        model, tokenizer = self.base.load(job.environment) if self.model is None else self.model.load(job)
        collect(model, tokenizer, self.groups.all).save(job.path)


@dataclass(frozen=True, eq=False, kw_only=True)
class ChangedTexts(Step):
    """Collect what lowercase, ReCaLL, PAC and neighbourhood read: passes over changed texts.

    ReCaLL's prefix is a text that was never seen; neighbours are proposed by the base model.
    """

    model: TextModel

    suffix: ClassVar[str] = ""
    network: ClassVar[bool] = True
    COPIES: ClassVar[int] = 2

    def make(self, job: Job) -> None:
        groups, base = self.model.groups, self.model.base.load(job.environment)[0]
        (model, tokenizer), texts = self.model.load(job), groups.all
        near = neighbouring(base, tokenizer, texts, copies=3)
        arrays = {
            "lower": lowercased(model, tokenizer, texts),
            "prefixed": prefixed(model, tokenizer, texts, [groups.holdout.texts[-1][:400]]),
            "neighbours": np.stack([collect(model, tokenizer, copy).nll for copy in near], axis=1),
        }
        job.path.mkdir(parents=True)
        save_file(arrays, job.path / "arrays.safetensors")
        for number, copy in enumerate(swapped(texts, copies=self.COPIES)):
            collect(model, tokenizer, copy).save(job.path / f"swapped-{number}.parquet")

    def read(self, folder: Path) -> dict[str, Any]:
        """Return what the measures read."""
        copies = [TextSignals.load(folder / f"swapped-{number}.parquet") for number in range(self.COPIES)]
        return {**load_file(folder / "arrays.safetensors"), "swapped": copies}


@dataclass(frozen=True, eq=False, kw_only=True)
class TextFigures(Step):
    """Compute the figures beside the scores: more passes over the forget texts; see `LlmRun`."""

    model: TextModel
    outputs: TextOutputs
    relearn: int
    lr: float

    suffix: ClassVar[str] = ".json"
    network: ClassVar[bool] = True

    def make(self, job: Job) -> None:
        model, tokenizer = self.model.load(job)
        groups, signals = self.model.groups, TextSignals.load(job.file(self.outputs))
        figures = {f"loss_{name}": float(signals.nll[groups.role == name].mean()) for name in GROUPS}
        held = groups.role == "holdout"
        figures["perplexity_holdout"] = float(np.exp(signals.totals[held].sum() / signals.tokens[held].sum()))
        figures["extraction"] = float(extraction_strength(model, tokenizer, groups.forget).mean())
        if self.relearn:
            again = relearned(model, tokenizer, groups.forget, steps=self.relearn, lr=self.lr)
            figures["loss_forget_relearned"] = float(collect(again, tokenizer, groups.forget).nll.mean())
        figures["loss_forget_4_bits"] = float(collect(quantised(model), tokenizer, groups.forget).nll.mean())
        write_json(job.path, figures, flush=False)


@dataclass(frozen=True, eq=False)
class LlmRun:
    """What a run on texts found.

    audits   {model: audit}: "original", "retrain", and each method
    figures  {model: figures}: losses of each side, perplexity of the holdout texts, extraction strength, and losses of
             the forget texts after relearning and after rounding to 4 bits
    texts    of all groups, with ids such as "forget-0"
    words    AUC of telling forget from retained and from holdout texts by their words alone
    """

    audits: dict[str, TextAudit]
    figures: dict[str, dict[str, float]]
    texts: Texts
    words: dict[str, float]
    seconds: dict[str, float]

    def save(self, folder: Path, config: LlmConfig) -> dict[str, Any]:
        """Write a folder for each model, llm.json and report.html; return what llm.json holds."""
        from vestige.experiments import render

        return render.save_texts(self, config, comparison(self, render.TABLE), folder)


@dataclass(frozen=True, eq=False)
class TextPlan:
    """The steps of a run on texts, by the name of the model: "original", "retrain", and each method.

    never    what the base model says
    changed  passes over changed texts, under the retrained model, where they are asked for
    figures  empty where they are not asked for
    """

    config: LlmConfig
    groups: Groups
    never: TextOutputs
    models: Mapping[str, TextModel]
    outputs: Mapping[str, TextOutputs]
    changed: Mapping[str, ChangedTexts]
    figures: Mapping[str, TextFigures]

    @property
    def key(self) -> str:
        """The hash of all steps."""
        return key_of([step.key for step in self.steps])

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps whose results are read."""
        return tuple(self.paths().values())

    def paths(self) -> dict[str, Step]:
        """Return every step by the place of its result in the run's folder."""
        kinds: dict[str, Mapping[str, Step]] = {
            "models": self.models, "signals": {"base": self.never, **self.outputs}, "changed": self.changed,
            "figures": self.figures,
        }  # fmt: skip
        return {f"{kind}/{name}": step for kind, steps in kinds.items() for name, step in steps.items()}

    def audits(self, store: Store, preset: str, say: Say = lambda text: None) -> dict[str, TextAudit]:
        """Audit every model from the signals that the finished steps have kept."""
        signals = {name: TextSignals.load(store.path(step)) for name, step in self.outputs.items()}
        never, texts = TextSignals.load(store.path(self.never)), self.groups.all
        audits = {}
        for name, own in signals.items():
            more = self.changed[name].read(store.path(self.changed[name])) if name in self.changed else {}
            audits[name] = audit_texts(
                own, signals["original"], [never], role=self.groups.role,
                extra={"texts": list(texts.texts)} | more, name=name, preset=preset,
            )  # fmt: skip
            say(f"{name}: {audits[name].audit.verdict.sentence}")
        return audits


def plan_texts(config: LlmConfig, root: str | None = None, *, figures_too: bool = True) -> TextPlan:
    """Return the steps of a run on texts; `root` is the folder that relative paths are in.

    Raises `InputError` where a method is unknown or a file is missing.
    """
    base, groups = BaseModel.of(config.model, root), Groups.of(config.data, root)
    original = TextModel(
        base=base, groups=groups, method="finetune", options=config.learn, seed=config.seed, label="original"
    )  # fmt: skip
    chosen = {
        "retrain": config.learn,
        **{method.name: method.options_with_preset for method in config.methods},
    }
    models = {"original": original} | {
        name: TextModel(
            base=base, groups=groups, method=name, options=options, seed=config.seed, original=original, label=name
        )
        for name, options in chosen.items()
    }  # fmt: skip
    outputs = {
        name: TextOutputs(base=base, groups=groups, model=model, label=f"signals of {name}")
        for name, model in models.items()
    }
    never = TextOutputs(base=base, groups=groups, label="signals of the base model")
    changed = (
        {"retrain": ChangedTexts(model=models["retrain"], label="changed texts")} if config.further else {}
    )
    figures = {
        name: TextFigures(
            model=model, outputs=outputs[name], relearn=config.relearn, lr=config.learn.get("lr", RELEARN),
            label=f"figures of {name}",
        )
        for name, model in models.items()
        if figures_too
    }  # fmt: skip
    return TextPlan(config, groups, never, models, outputs, changed, figures)


def run_llm(
    config: LlmConfig,
    out: Path,
    *,
    preset: str = "recommended",
    figures_too: bool = True,
    workers: int | None = None,
    engine: str | None = None,
    address: str | None = None,
    gpu: float = 0.0,
    store: str | None = None,
    say: Say = lambda text: None,
) -> LlmRun:
    """Run everything that a configuration asks for, or continue where an earlier call stopped.

    Parameters
    ----------
    config
        What is run.
    out
        The folder of the results.
    preset
        Of the measures on texts.
    figures_too
        Compute the figures beside the scores as well: more passes over the forget texts.
    workers, engine, address, gpu, store
        As of `vestige.run`.
    say
        Is told, in a line each, what begins.

    Returns
    -------
    LlmRun
        Audits and figures of every model.

    Raises
    ------
    InputError
        As the parts do.
    """
    expect_own(out, "llm", config.model_dump(mode="json"))
    plan = plan_texts(config, figures_too=figures_too)
    results = Store(out, store, {step.key: path for path, step in plan.paths().items()})
    before = {name for name, model in plan.models.items() if results.done(model)}
    carry_out(
        plan.steps, results, name=config.name, engine_name=engine, workers=workers, address=address, gpu=gpu,
        say=say, stop=True,
    )  # fmt: skip
    groups = plan.groups
    words = {
        f"forget and {name}": bag_of_words(groups.forget.texts, groups.by_name[name].texts)
        for name in GROUPS[1:]
        if min(len(groups.forget), len(groups.by_name[name])) >= 5
    }
    seconds = {
        name: results.record(model)["seconds"] for name, model in plan.models.items() if name not in before
    }
    figures = {name: read_json(results.path(step)) for name, step in plan.figures.items()}
    figures = {name: figures.get(name, {}) for name in plan.models}
    return LlmRun(plan.audits(results, preset, say), figures, groups.all, words, seconds)


@dataclass(frozen=True, eq=False)
class Chain:
    """Signals of the same texts while a model learns those to forget and to retain; `never` are the base model's.

    checkpoints  after each pass; the last is the original model
    role         "forget", "retain" or "holdout" for each text
    """

    checkpoints: list[TextSignals]
    never: TextSignals
    texts: Texts
    role: np.ndarray


def learn_chain(
    config: LlmConfig, base: BaseModel, groups: Groups, environment: Environment | None = None
) -> Chain:
    """Learn the texts as the original does, and keep the signals after each pass: degrees of membership for ScoreUI."""
    model, tokenizer = base.load(environment or Environment())
    checkpoints: list[TextSignals] = []

    def keep(model: Any) -> None:
        checkpoints.append(collect(model, tokenizer, groups.all))

    options = {"seed": config.seed, **config.learn, "on_epoch": keep}
    unlearn("finetune", model, tokenizer, retain=groups.learned, **options)
    return Chain(checkpoints, collect(model, tokenizer, groups.all), groups.all, groups.role)


def _texts(data: LlmData, name: str, root: str | None) -> Texts:
    path = Path(root or ".") / getattr(data, name)
    texts = read_texts(path)
    count = data.texts or len(texts)
    if len(texts) < count:
        raise InputError(f"{path} holds {len(texts)} texts; {count} are asked for.")
    return Texts(tuple(text[: data.characters] for text in texts.texts[:count]), texts.ids[:count])


def comparison(run: LlmRun, measures: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Return a row for each model: verdicts, completeness, AUCs of the measures, figures."""
    rows = []
    for name, audit in run.audits.items():
        verdict, table = audit.audit.verdict, {row["measure"]: row for row in audit.table}
        counts = verdict.counts
        row: dict[str, Any] = {
            "model": name, "outcome": verdict.outcome, "under": counts["under"], "over": counts["over"],
            "undecided": counts["undecided"], "completeness": verdict.completeness, **run.figures[name],
        }  # fmt: skip
        for measure in measures or table:
            row[f"auc {measure}"] = table[measure]["auc_retain"]
        rows.append(row)
    return rows
