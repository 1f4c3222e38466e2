"""A whole run on texts: learn them, unlearn them by every method, audit each.

    original, retrain, methods ─▶ models/<name>/ ─▶ signals/<name>/ and figures/<name>.json ─▶ audits

The base model is the reference that never saw the texts. The original has learned the forget and the retained texts,
the retrained model the retained ones alone. Every step is kept in the run's folder, and skipped when it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestige.data.texts import Texts
from vestige.evaluation.language import bag_of_words
from vestige.evaluation.texts import TextAudit, audit_texts
from vestige.experiments.text_config import LlmConfig
from vestige.experiments.text_steps import (
    GROUPS,
    BaseModel,
    ChangedTexts,
    Groups,
    TextFigures,
    TextModel,
    TextOutputs,
)
from vestige.graph import Step, Store, carry_out
from vestige.graph.folder import expect_own
from vestige.signals.texts import TextSignals
from vestige.store import key_of, read_json

Say = Callable[[str], None]
RELEARN = 1e-5


@dataclass(frozen=True, eq=False)
class LlmRun:
    """What a run on texts found.

    Attributes
    ----------
    audits : dict[str, TextAudit]
        {model: audit}: "original", "retrain", and each method.
    figures : dict[str, dict[str, float]]
        {model: figures}: losses of each side, perplexity of the holdout texts, extraction strength, and
        losses of the forget texts after relearning and after rounding to 4 bits.
    texts : Texts
        Of all groups, with ids such as "forget-0".
    words : dict[str, float]
        AUC of telling forget from retained and from holdout texts by their words alone.
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

    Attributes
    ----------
    never : TextOutputs
        What the base model says.
    changed : Mapping[str, ChangedTexts]
        Passes over changed texts, under the retrained model, where they are asked for.
    figures : Mapping[str, TextFigures]
        Empty where they are not asked for.
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
    kept_only: bool = False,
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
    kept_only
        Raise where a step is not in the folder, rather than do it.
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
        say=say, stop=True, kept_only=kept_only,
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
