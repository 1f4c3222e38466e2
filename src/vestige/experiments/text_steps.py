"""The steps of a run on texts: models, what they say of every token, and figures beside the scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from safetensors.numpy import load_file, save_file

from vestige.data.texts import Texts, content_ids, gathered, read_texts
from vestige.errors import InputError
from vestige.evaluation.language import extraction_strength
from vestige.experiments.steps import named
from vestige.experiments.text_config import LlmConfig, LlmData, LlmModel
from vestige.graph import Environment, Job, Step
from vestige.graph.step import Facts
from vestige.models.language import load_model
from vestige.signals.changed_texts import lowercased, neighbouring, prefixed, swapped
from vestige.signals.collect_texts import collect
from vestige.signals.texts import TextSignals
from vestige.signals.token_information import token_information
from vestige.store import file_hash, key_of, write_json
from vestige.unlearning.text import unlearn
from vestige.unlearning.text.recovery import quantised, relearned

GROUPS = ("forget", "retain", "holdout")


@dataclass(frozen=True)
class BaseModel:
    """The language model that a run begins with.

    Attributes
    ----------
    folder : str or None
        Where its files are; None: a name of the hub.
    hashes : Mapping[str, str] or None
        Of the files, where it is a folder.
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
        return _base(self.folder or self.name, self.gguf, environment.device, self.key)


@lru_cache(maxsize=1)
def _base(name: str, gguf: str | None, device: str, key: str) -> tuple[Any, Any]:
    """Load a model whose files have this key: changed ones are read anew."""
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


def _texts(data: LlmData, name: str, root: str | None) -> Texts:
    path = Path(root or ".") / getattr(data, name)
    texts = read_texts(path)
    count = data.texts or len(texts)
    if len(texts) < count:
        raise InputError(f"{path} holds {len(texts)} texts; {count} are asked for.")
    return Texts(tuple(text[: data.characters] for text in texts.texts[:count]), texts.ids[:count])


@dataclass(frozen=True, eq=False, kw_only=True)
class TextModel(Step):
    """Make a language model by a method: "finetune" teaches the base the texts, "retrain" those that are retained.

    Attributes
    ----------
    original : TextModel or None
        What the method works on; None: the base itself.
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
    """Collect what lowercase, ReCaLL, PAC, neighbourhood and InfoRMIA read: passes over changed texts, and by the base.

    ReCaLL's prefix is a text that was never seen; neighbours are proposed by the base model, InfoRMIA's reference.
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
        told = token_information(model, base, tokenizer, texts)
        arrays |= {"information": np.concatenate(told), "tokens": np.array([len(one) for one in told])}
        job.path.mkdir(parents=True)
        save_file(arrays, job.path / "arrays.safetensors")
        for number, copy in enumerate(swapped(texts, copies=self.COPIES)):
            collect(model, tokenizer, copy).save(job.path / f"swapped-{number}.parquet")

    def read(self, folder: Path) -> dict[str, Any]:
        """Return what the measures read."""
        copies = [TextSignals.load(folder / f"swapped-{number}.parquet") for number in range(self.COPIES)]
        arrays: dict[str, Any] = {**load_file(folder / "arrays.safetensors"), "swapped": copies}
        if "information" in arrays:
            ends = np.cumsum(arrays.pop("tokens"))
            arrays["information"] = np.split(arrays["information"], ends[:-1])
        return arrays


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
class Chain:
    """Signals of the same texts while a model learns those to forget and to retain; `never` are the base model's.

    Attributes
    ----------
    checkpoints : list[TextSignals]
        After each pass; the last is the original model.
    role : ndarray
        "forget", "retain" or "holdout" for each text.
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
