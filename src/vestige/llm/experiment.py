"""A whole run on texts: learn them, unlearn them by every method, audit each, write the reports.

The base model is the reference that never saw the texts. The original has learned the forget and the retained texts,
the retrained model the retained ones alone. Models are kept in the run's folder; what is there is not made again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

import vestige
from vestige.arguments import Seed
from vestige.config import Config, Named, PlainName
from vestige.errors import InputError
from vestige.llm.audit import TextAudit, audit_texts
from vestige.llm.collect import collect
from vestige.llm.evaluation import (
    bag_of_words,
    extraction_strength,
    lowercased,
    neighbouring,
    prefixed,
    quantised,
    relearned,
    swapped,
)
from vestige.llm.load import load_model
from vestige.llm.signals import TextSignals
from vestige.llm.texts import Texts, content_ids, gathered, read_texts
from vestige.llm.unlearning import METHODS, unlearn
from vestige.store import key_of, read_json, write_json

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


class LlmMethod(Named):
    """One method with its options."""

    REGISTRY = METHODS

    preset: str = "recommended"


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
    methods: tuple[LlmMethod, ...] = ()
    relearn: int = Field(default=10, ge=0)
    further: bool = False
    seed: Seed = 0

    @field_validator("methods")
    @classmethod
    def _distinct(cls, methods: tuple[LlmMethod, ...]) -> tuple[LlmMethod, ...]:
        names = [m.name for m in methods]
        if len(set(names)) < len(names) or {"original", "retrain"} & set(names):
            raise ValueError("each method is named once; the original and retraining are always there")
        return methods


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


def run_llm(
    config: LlmConfig,
    out: Path,
    *,
    preset: str = "recommended",
    figures_too: bool = True,
    say: Say = lambda text: None,
) -> LlmRun:
    """Run everything that a configuration asks for.

    preset       of the measures on texts
    figures_too  compute the figures beside the scores as well: more passes over the forget texts

    Raises `InputError` as the parts do.
    """
    groups, everything, role = _read(config.data)
    start = time.perf_counter()
    base, tokenizer = load_model(config.model.name, gguf=config.model.gguf)
    seconds = {"load": time.perf_counter() - start}
    forget, retain = groups["forget"], groups["retain"]
    learned = _learned(groups)

    def made(name: str, make: Callable[[], Any], *facts: object) -> Any:
        """Return a model from the folder, or make it and keep it."""
        folder = out / "models" / name
        told = config.model.model_dump(), config.learn, config.seed, {k: g.texts for k, g in groups.items()}
        key = key_of(vestige.__version__, told, name, *facts)
        record = folder / "vestige.json"
        if record.is_file() and read_json(record).get("key") == key:
            return load_model(folder)[0]
        record.unlink(missing_ok=True)
        say(name)
        begun = time.perf_counter()
        model = make()
        seconds[name] = time.perf_counter() - begun
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        write_json(record, {"key": key, "seconds": seconds[name]})
        return model

    options = {"seed": config.seed, **config.learn}
    original = made("original", lambda: unlearn("finetune", base, tokenizer, retain=learned, **options).model)
    models: dict[str, Callable[[], Any]] = {
        "retrain": lambda: unlearn("retrain", original, tokenizer, forget, retain, base=base, **options).model
    }
    for method in config.methods:
        job = partial(
            unlearn,
            method.name,
            original,
            tokenizer,
            forget,
            retain,
            preset=method.preset,
            seed=config.seed,
            **method.options,
        )
        models[method.name] = lambda job=job: job().model  # type: ignore[misc]

    say("signals of the base model and the original")
    never, before = (collect(model, tokenizer, everything) for model in (base, original))
    audits: dict[str, TextAudit] = {}
    figures: dict[str, dict[str, float]] = {}
    extra = {"texts": list(everything.texts)}
    options_of = {m.name: m.model_dump() for m in config.methods}
    for name in ("original", *models):
        model = original if name == "original" else made(name, models[name], options_of.get(name))
        after = before if name == "original" else collect(model, tokenizer, everything)
        asked = config.further and name == "retrain"
        more = _further(model, base, tokenizer, everything, groups) if asked else {}
        audits[name] = audit_texts(
            after, before, [never], role=role, extra=extra | more, name=name, preset=preset
        )
        figures[name] = _figures(config, model, tokenizer, groups, after, role) if figures_too else {}
        say(f"{name}: {audits[name].audit.verdict.sentence}")
    words = {
        f"forget and {name}": bag_of_words(forget.texts, groups[name].texts)
        for name in GROUPS[1:]
        if min(len(forget), len(groups[name])) >= 5
    }
    return LlmRun(audits, figures, everything, words, seconds)


def _further(model: Any, base: Any, tokenizer: Any, texts: Texts, groups: dict[str, Texts]) -> dict[str, Any]:
    """What lowercase, ReCaLL, PAC and neighbourhood read: passes over changed texts.

    ReCaLL's prefix is a text that was never seen; neighbours are proposed by the base model.
    """
    near = neighbouring(base, tokenizer, texts, copies=3)
    return {
        "lower": lowercased(model, tokenizer, texts),
        "prefixed": prefixed(model, tokenizer, texts, [groups["holdout"].texts[-1][:400]]),
        "swapped": [collect(model, tokenizer, copy) for copy in swapped(texts, copies=2)],
        "neighbours": np.stack([collect(model, tokenizer, copy).nll for copy in near], axis=1),
    }


def _figures(
    config: LlmConfig,
    model: Any,
    tokenizer: Any,
    groups: dict[str, Texts],
    after: TextSignals,
    role: np.ndarray,
) -> dict[str, float]:
    forget = groups["forget"]
    found = {f"loss_{name}": float(after.nll[role == name].mean()) for name in groups}
    held = role == "holdout"
    found["perplexity_holdout"] = float(np.exp(after.totals[held].sum() / after.tokens[held].sum()))
    found["extraction"] = float(extraction_strength(model, tokenizer, forget).mean())
    if config.relearn:
        again = relearned(model, tokenizer, forget, steps=config.relearn, lr=config.learn.get("lr", RELEARN))
        found["loss_forget_relearned"] = float(collect(again, tokenizer, forget).nll.mean())
    found["loss_forget_4_bits"] = float(collect(quantised(model), tokenizer, forget).nll.mean())
    return found


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


def learn_chain(config: LlmConfig) -> Chain:
    """Learn the texts as `run_llm` does, and keep the signals after each pass: degrees of membership for ScoreUI."""
    groups, everything, role = _read(config.data)
    base, tokenizer = load_model(config.model.name, gguf=config.model.gguf)
    found: list[TextSignals] = []

    def keep(model: Any) -> None:
        found.append(collect(model, tokenizer, everything))

    options = {"seed": config.seed, **config.learn, "on_epoch": keep}
    unlearn("finetune", base, tokenizer, retain=_learned(groups), **options)
    return Chain(found, collect(base, tokenizer, everything), everything, role)


def _read(data: LlmData) -> tuple[dict[str, Texts], Texts, np.ndarray]:
    """Read the texts of each group; return them, all of them in one, and the group of each."""
    groups = {name: _texts(data, name) for name in GROUPS}
    return groups, gathered(groups), np.repeat(list(groups), [len(g) for g in groups.values()])


def _learned(groups: dict[str, Texts]) -> Texts:
    own = groups["forget"].texts + groups["retain"].texts
    return Texts(own, content_ids(own))


def _texts(data: LlmData, name: str) -> Texts:
    given = read_texts(getattr(data, name))
    count = data.texts or len(given)
    if len(given) < count:
        raise InputError(f"{getattr(data, name)} holds {len(given)} texts; {count} are asked for.")
    return Texts(tuple(t[: data.characters] for t in given.texts[:count]), given.ids[:count])


def comparison(run: LlmRun, measures: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Return a row for each model: verdicts, completeness, AUCs of the measures, figures."""
    rows = []
    for name, made in run.audits.items():
        verdict, table = made.audit.verdict, {row["measure"]: row for row in made.table}
        counts = verdict.counts
        row: dict[str, Any] = {
            "model": name, "outcome": verdict.outcome, "under": counts["under"], "over": counts["over"],
            "undecided": counts["undecided"], "completeness": verdict.completeness, **run.figures[name],
        }  # fmt: skip
        for measure in measures or table:
            row[f"auc {measure}"] = table[measure]["auc_retain"]
        rows.append(row)
    return rows
