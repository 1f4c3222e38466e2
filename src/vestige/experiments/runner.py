"""A run: train, unlearn, collect, audit, report. Every step is skipped when done, so a killed run continues.

    original, shadows ─▶ models/*.safetensors ─▶ logits/*.safetensors ─▶ audits/<method>/ ─▶ report.html

The steps are those of `experiments.steps`, in a store whose files are named for people.

A folder belongs to one run. Until that is finished its methods and its audit may be changed, for example where one
was refused: the models that are trained are kept, audits are made again.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import vestige
from vestige.arguments import checked
from vestige.config import validated
from vestige.data import Dataset, Split, make_split
from vestige.data.source import Parts, Samples, Source, read_anew
from vestige.errors import ArtefactError, InputError
from vestige.evaluation import Audit
from vestige.experiments.config import RunConfig
from vestige.experiments.render import render
from vestige.experiments.steps import AuditMethod, Outputs, References, Train, Unlearn, named
from vestige.files import read_lines
from vestige.graph import Environment, Step, Store, carry_out
from vestige.graph.engines import check_engine
from vestige.graph.folder import RECORDS, flat
from vestige.store import file_hash, key_of, read_record, room_in, write_json
from vestige.training import Recipe, pick_device
from vestige.unlearning import METHODS, MethodConfig

Say = Callable[[str], None]
PURPOSES = ("original", "shadow", "membership", "unlearn", "calibration")


@dataclass(frozen=True, eq=False)
class Run:
    """What `run` returns: the folder, the audits by method, and the report's path."""

    folder: Path
    audits: dict[str, Audit]
    report: Path


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that is decided before the first step.

    key   the hash of all that decides the results
    base  the same without the methods and the audit, which may be changed until the run is finished
    """

    config: RunConfig
    folder: Path
    split: Split
    source: Source
    recipe: Recipe
    key: str
    base: str
    behind: str | None = None

    @property
    def data(self) -> Dataset:
        return self.split.data

    @functools.cached_property
    def members(self) -> NDArray[np.bool_]:
        """[S, P] which shadow is trained on which sample of the pool."""
        return _memberships(self.config, self.split, self.seed)

    @functools.cached_property
    def parts(self) -> dict[str, NDArray[np.int64]]:
        """Positions of the audited samples by where they come from: forget, retain, holdout, pool.

        The pool's part are its samples that no shadow was trained on: a second source of never-seen ones.
        """
        split = self.split
        unseen = split.shadow[~self.members.any(axis=0)] if self.config.shadows.count else split.shadow[:0]
        return {"forget": split.forget, "retain": split.retain, "holdout": split.holdout, "pool": unseen}

    @property
    def sources(self) -> NDArray[np.str_]:
        """Where each of the audited samples comes from."""
        return np.repeat(list(self.parts), [len(part) for part in self.parts.values()])

    def seed(self, purpose: str, number: int = 0) -> int:
        """A seed of its own for each purpose, from the run's root seed."""
        spawned = np.random.SeedSequence([self.config.seed, PURPOSES.index(purpose), number])
        return int(spawned.generate_state(1)[0])

    @functools.cached_property
    def steps(self) -> Steps:
        """The steps, each of which is named for people."""
        return _steps(self)

    @functools.cached_property
    def store(self) -> Store:
        """Where the results are: in the run's folder, under names for people."""
        names: dict[str, str] = {}
        for path, step in self.steps.paths().items():
            if step.key in names:
                one, other = names[step.key].partition("/")[2], path.partition("/")[2]
                raise InputError(
                    f"{one} and {other} are one method with the same options; leave one of them out."
                )
            names[step.key] = path
        return Store(self.folder, self.behind, names)


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of a run, by the name of the model, or of the method."""

    models: dict[str, Train | Unlearn]
    outputs: dict[str, Outputs]
    references: References
    audits: dict[str, AuditMethod]

    def paths(self) -> dict[str, Step]:
        """Return every step by the place of its file in the run's folder."""
        kinds: dict[str, Mapping[str, Step]] = {
            "models": self.models, "logits": self.outputs, "signals": {"references": self.references},
            "audits": self.audits,
        }  # fmt: skip
        return {f"{kind}/{name}": step for kind, steps in kinds.items() for name, step in steps.items()}


def _steps(plan: Plan) -> Steps:
    config, split, source = plan.config, plan.split, plan.source
    parts, pool = Parts.of(source, split), Samples(source, split.shadow)

    def trained(name: str, positions: NDArray[np.int64], seed: int) -> Train:
        samples = Samples(source, positions)
        recipe = plan.recipe.model_copy(update={"seed": seed})
        label = f"training {name} on {len(samples):,} samples"
        return Train(samples=samples, model=config.model, recipe=recipe, label=label)

    original = trained("original", split.train, plan.seed("original"))
    models: dict[str, Train | Unlearn] = {"original": original}
    shadows = [f"shadow-{number}" for number in range(len(plan.members))]
    for number, (name, member) in enumerate(zip(shadows, plan.members, strict=True)):
        models[name] = trained(name, split.shadow[member], plan.seed("shadow", number))
    for method in config.methods:
        label = f"unlearning {len(split.forget):,} samples by {method.title}"
        models[method.title] = Unlearn(
            original=original, parts=parts, model=config.model, recipe=plan.recipe, method=method,
            seed=plan.seed("unlearn"), title=method.title, label=label,
        )  # fmt: skip
    audited = Samples(source, np.concatenate(list(plan.parts.values())))
    outputs = {
        name: Outputs(
            trained=model, model=config.model, label=f"collecting what {name} says",
            groups={"audited": audited} | ({"pool": pool} if name in shadows else {}),
        )
        for name, model in models.items()
    }  # fmt: skip
    exact = tuple(outputs[method.title] for method in config.methods if METHODS[method.name].exact)
    references = References(
        original=outputs["original"], shadows=tuple(outputs[name] for name in shadows), retrained=exact,
        audited=audited, sources=plan.sources, pool=pool, members=plan.members, seed=plan.seed("calibration"),
        label="gathering what the audits share",
    )  # fmt: skip
    audits = {
        method.title: AuditMethod(
            title=method.title, unlearned=outputs[method.title], references=references, config=config.audit,
            label=f"auditing {method.title}",
        )
        for method in config.methods
    }  # fmt: skip
    return Steps(models, outputs, references, audits)


@checked
def run(
    config: RunConfig,
    folder: Path | str | None = None,
    *,
    say: Say = print,
    progress: bool = False,
    workers: int | None = None,
    engine: str | None = None,
    address: str | None = None,
    gpu: float = 0.0,
    store: str | None = None,
) -> Run:
    """Run `config` in a folder, or continue where an earlier call stopped.

    Parameters
    ----------
    config
        What is run.
    folder
        Where the results go; default: runs/<name>.
    say
        Is told, in a line each, what begins.
    progress
        Show bars, where the steps are done in this process.
    workers
        How many steps are done at once. None and 1: one after another in this process; more: in processes of their
        own, with one thread each.
    engine
        "inline", "local" or "ray"; None: as `workers` says. `address` is that of the Ray cluster, `gpu` the share of a
        GPU that each step with a network asks for there.
    store
        A folder or an fsspec URL that runs and tables share: what is there is taken, and what is made is put there.

    Returns
    -------
    Run
        The folder, the audits by method, and the report.

    Raises
    ------
    InputError
        Before any work where the configuration does not fit the data, and where the folder holds another run; later
        where a method refuses its input, and where the disk is full.
    """
    folder = Path("runs") / config.name if folder is None else Path(folder)
    with room_in(folder):
        start = time.perf_counter()
        check_engine(engine, workers=workers, address=address, gpu=gpu)
        plan = _plan(config, folder, store)
        _claim(plan, say)
        steps = plan.steps.paths()
        root = None if config.data.root is None else str(config.data.root)
        environment = Environment(root, config.device, progress)
        carry_out(
            steps.values(), plan.store, environment, name=config.name, engine_name=engine, workers=workers,
            address=address, gpu=gpu, say=say, stop=True,
        )  # fmt: skip
        with contextlib.suppress(OSError):
            (folder / "unfinished").rmdir()
        audits = {name: Audit.load(plan.store.path(step)) for name, step in plan.steps.audits.items()}
        return Run(folder, audits, _report(plan, audits, time.perf_counter() - start))


def _plan(config: RunConfig, folder: Path, store: str | None = None) -> Plan:
    read_anew()
    source = Source.of(config.data)
    data = source.load()
    if len(np.unique(data.y)) < 2:
        raise InputError(f"{data.name} has one class only; at least two are wanted.")
    chosen = config.split
    ids = None if chosen.ids_file is None else read_ids(chosen.ids_file)
    split = make_split(
        data, chosen.scenario, forget=chosen.forget, label=chosen.label, ids=ids, train=chosen.train,
        holdout=chosen.holdout, shadow=chosen.shadow, seed=chosen.seed,
    )  # fmt: skip
    recipe = validated(Recipe, config.recipe, "recipe")
    pick_device(config.device)
    for method in config.methods:
        _check_method(method)
    _shadow_size(config, split)
    settings = config.model_dump(
        mode="json", exclude={"title": True, "data": {"root"}, "split": {"ids_file"}}
    )
    content = {"config": settings, "ids": ids, "data": data.fingerprint, "code": vestige.__version__}
    kept = {name: value for name, value in settings.items() if name not in ("methods", "audit")}
    plan = Plan(
        config, folder, split, source, recipe, key_of(content), key_of(content | {"config": kept}), store
    )
    _ = plan.store  # methods that are one are refused before any work
    return plan


def _check_method(method: MethodConfig) -> None:
    """Refuse before any work what `unlearn` would refuse after the training."""
    entry = METHODS[method.name]
    with named(method.title):
        if "torch" not in entry.worlds:
            raise InputError(f"{method.name} does not work on networks, and a run trains one; leave it out.")
        if entry.exact and not (method.max_epochs is None and method.max_seconds is None):
            raise InputError(
                f"{method.name} is exact only when it runs to its end; leave out max_epochs and max_seconds."
            )


def _claim(plan: Plan, say: Say) -> None:
    """Write the manifest into an empty folder, or check that the folder's manifest is this run's.

    A manifest that is lost or damaged is written anew where the folder holds the original model of this very run.
    """
    path = plan.folder / "manifest.json"
    if plan.folder.is_file():
        raise InputError(f"{plan.folder} is a file; a folder for the results is wanted.")
    for kind in ("leaks", "llm"):
        if (plan.folder / RECORDS[kind]).is_file():
            raise InputError(f"{plan.folder} holds a run of another kind; name another folder.")
    try:
        manifest = read_record(path)
    except ArtefactError as damage:
        if plan.folder.is_dir() and any(plan.folder.iterdir()):
            if not _has_begun(plan):
                raise InputError(
                    f"{plan.folder} is not empty and holds no run that this one continues ({damage}); delete it, or "
                    "name another folder."
                ) from None
            say(f"the manifest is written anew, the finished steps are kept ({damage})")
        plan.folder.mkdir(parents=True, exist_ok=True)
        write_json(path, _manifest(plan))
        return
    if manifest.get("key") == plan.key:
        return
    if is_finished(manifest) or manifest.get("base") != plan.base:
        raise InputError(
            f"{plan.folder} holds another run{_difference(manifest, plan)}; name another folder."
        )
    write_json(path, _manifest(plan))


def _has_begun(plan: Plan) -> bool:
    """Does the folder hold the original model that this run trains?"""
    return Store(plan.folder, names=plan.store.names).done(plan.steps.models["original"])


def is_finished(manifest: Mapping[str, Any]) -> bool:
    """Has the run come to its report? The manifest gets its date then."""
    return "created" in manifest


def _difference(manifest: dict[str, Any], plan: Plan) -> str:
    if manifest.get("vestige") != vestige.__version__:
        return f" (of version {manifest.get('vestige')}, this is {vestige.__version__})"
    old, new = flat(manifest.get("config", {})), flat(plan.config.model_dump(mode="json"))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key) and key not in ("title", "data.root"):
            return f" ({key} is {old.get(key)!r} there and {new.get(key)!r} here)"
    return " (of other data)"


def _manifest(plan: Plan) -> dict[str, Any]:
    split = plan.split
    return {
        "vestige": vestige.__version__,
        "kind": "run",
        "name": plan.config.name,
        "key": plan.key,
        "base": plan.base,
        "config": plan.config.model_dump(mode="json"),
        "data": {
            "name": plan.data.name, "samples": len(plan.data), "classes": len(plan.data.classes),
            "sha256": plan.data.fingerprint, "notes": list(plan.data.notes),
        },
        "split": {role: len(getattr(split, role)) for role in ("forget", "retain", "holdout", "shadow")},
    }  # fmt: skip


def read_ids(path: Path) -> list[str]:
    """Read a user's list of sample ids: one per line, exactly as it is written; blank lines are ignored."""
    return [line for line in read_lines(path) if line.strip()]


def _shadow_size(config: RunConfig, split: Split) -> int:
    """Return on how many samples each shadow is trained: as many as are retained, if the pool allows.

    The shadows stand in for a model that never saw the forget samples, so they match its size.
    """
    pool, wanted = len(split.shadow), config.shadows.size or len(split.retain)
    if not config.shadows.count:
        return 0
    if wanted < 2:
        raise InputError(
            "One sample is retained, too few to train a shadow model on as many; forget fewer or set shadows.size."
        )
    if config.shadows.size is not None and wanted > pool:
        raise InputError(f"shadows.size is {wanted}; the shadow pool has {pool} samples.")
    if config.shadows.count > 1 and wanted > 0.8 * pool:
        wanted = round(0.65 * pool)  # several shadows must leave samples out, or they calibrate nothing
    wanted = min(wanted, pool)
    if wanted < 2:
        raise InputError(
            f"The shadow pool has {pool} samples, too few for {config.shadows.count} shadow models."
        )
    return wanted


def _memberships(config: RunConfig, split: Split, seed: Callable[[str, int], int]) -> NDArray[np.bool_]:
    """Return [S, P]: which shadow is trained on which sample of the pool."""
    size, pool = _shadow_size(config, split), len(split.shadow)
    members = np.zeros((config.shadows.count, pool), bool)
    for number, member in enumerate(members):
        rng = np.random.default_rng(seed("membership", number))
        member[rng.permutation(pool)[:size]] = True
    return members


def _report(plan: Plan, audits: dict[str, Audit], seconds: float) -> Path:
    folder = plan.folder
    manifest = _manifest(plan)
    manifest["models"] = {name: plan.store.record(step) for name, step in plan.steps.models.items()}
    manifest["hashes"] = {
        str(path.relative_to(folder)): file_hash(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (path.suffix in (".parquet", ".safetensors") or path.name == "audit.json")
    }
    manifest["timings"] = {name: facts["seconds"] for name, facts in manifest["models"].items()}
    manifest["timings"]["this call"] = seconds
    manifest["created"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    write_json(folder / "manifest.json", manifest)
    return render(folder, audits, manifest, plan.data)
