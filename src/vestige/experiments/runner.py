"""A run: train, unlearn, collect, audit, report. Every step is skipped when done, so a killed run continues.

    original, shadows ─▶ models/*.safetensors ─▶ logits/*.safetensors ─▶ audits/<method>/ ─▶ report.html

A step is named by the hash of everything that decides its result (data, split, model, recipe, seed, code
version, method and options). Its file is published in one rename, with its hash beside it.

A folder belongs to one run. Until that is finished its methods and its audit may be changed, for example where one
was refused: the models that are trained are kept, logits and audits are made again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

import vestige
from vestige.config import validated
from vestige.data import Dataset, Split, load_dataset, make_split
from vestige.errors import ArtefactError, InputError
from vestige.evaluation import Audit, Metric, audit
from vestige.experiments.config import RunConfig
from vestige.experiments.render import render
from vestige.files import read_lines, read_safetensors
from vestige.models import build_model
from vestige.signals import Signals, collect_logits, simulated_deletions
from vestige.signals.transforms import confidence
from vestige.store import file_hash, is_done, key_of, read_record, room_in, sidecar, step, write_json
from vestige.training import Recipe, load_model, pick_device, train, train_sparse, write_weights
from vestige.unlearning import METHODS, MethodConfig, unlearn

Say = Callable[[str], None]


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
    recipe: Recipe
    key: str
    base: str

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
    def audited(self) -> NDArray[np.int64]:
        """Positions of the audited samples."""
        return np.concatenate(list(self.parts.values()))

    @property
    def sources(self) -> NDArray[np.str_]:
        """Where each of the audited samples comes from."""
        return np.repeat(list(self.parts), [len(part) for part in self.parts.values()])

    @property
    def roles(self) -> NDArray[np.str_]:
        """The role of each of the audited samples."""
        return np.where(self.sources == "pool", "holdout", self.sources)

    def seed(self, purpose: str, number: int = 0) -> int:
        """A seed of its own for each purpose, from the run's root seed."""
        spawned = np.random.SeedSequence([self.config.seed, PURPOSES.index(purpose), number])
        return int(spawned.generate_state(1)[0])


PURPOSES = ("original", "shadow", "membership", "unlearn", "calibration")


def run(
    config: RunConfig, folder: Path | str | None = None, *, say: Say = print, progress: bool = False
) -> Run:
    """Run `config` in `folder` (default: runs/<name>), or continue where an earlier call stopped.

    Raises `InputError` before any work where the configuration does not fit the data, and where the folder
    holds another run; and, later, where the disk is full.
    """
    folder = Path("runs") / config.name if folder is None else Path(folder)
    with room_in(folder):
        return _run(config, folder, say, progress)


def _run(config: RunConfig, folder: Path, say: Say, progress: bool) -> Run:
    start = time.perf_counter()
    plan = _plan(config, folder)
    _claim(plan, say)
    models: dict[str, Any] = {"original": _original(plan, say, progress)}
    members = plan.members
    for number, member in enumerate(members):
        models[f"shadow-{number}"] = _shadow(plan, number, member, say, progress)
    for method in config.methods:
        models[method.title] = _unlearned(plan, method, models["original"], say, progress)
    logits = {name: _logits(plan, name, model) for name, model in models.items()}
    references = _references(plan, logits, members)
    audits: dict[str, Audit] = {}
    for method in config.methods:
        audits[method.title] = _audit(plan, method, logits, references, say)
    report = _report(plan, audits, models, time.perf_counter() - start)
    return Run(folder, audits, report)


def _plan(config: RunConfig, folder: Path) -> Plan:
    data = load_dataset(config.data.name, root=config.data.root, **config.data.options)
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
    told = config.model_dump(mode="json", exclude={"title": True, "data": {"root"}, "split": {"ids_file"}})
    content = {"config": told, "ids": ids, "data": data.fingerprint, "code": vestige.__version__}
    kept = {name: value for name, value in told.items() if name not in ("methods", "audit")}
    return Plan(config, folder, split, recipe, key_of(content), key_of(content | {"config": kept}))


def _check_method(method: MethodConfig) -> None:
    """Refuse before any work what `unlearn` would refuse after the training."""
    entry = METHODS[method.name]
    with _named(method.title):
        if "torch" not in entry.worlds:
            raise InputError(f"{method.name} does not work on networks, and a run trains one; leave it out.")
        if entry.exact and not (method.max_epochs is None and method.max_seconds is None):
            raise InputError(
                f"{method.name} is exact only when it runs to its end; leave out max_epochs and max_seconds."
            )


@contextlib.contextmanager
def _named(title: str) -> Iterator[None]:
    """Let an `InputError` say which method of the run it is about."""
    try:
        yield
    except InputError as error:
        if str(error).startswith(f"{title}: "):
            raise
        raise InputError(f"{title}: {error}") from error


def _claim(plan: Plan, say: Say) -> None:
    """Write the manifest into an empty folder, or check that the folder's manifest is this run's.

    A manifest that is lost or damaged is written anew where the folder holds the original model of this very run.
    """
    path = plan.folder / "manifest.json"
    if plan.folder.is_file():
        raise InputError(f"{plan.folder} is a file; a folder for the results is wanted.")
    try:
        found = read_record(path)
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
    if found.get("key") == plan.key:
        return
    if is_finished(found) or found.get("base") != plan.base:
        raise InputError(f"{plan.folder} holds another run{_difference(found, plan)}; name another folder.")
    write_json(path, _manifest(plan))


def _has_begun(plan: Plan) -> bool:
    """Does the folder hold the original model that this run trains?"""
    rows = plan.data.take(plan.split.train)
    key = _training_key(plan, rows, plan.seed("original"))
    return is_done(plan.folder / "models" / "original.safetensors", key)


def is_finished(manifest: Mapping[str, Any]) -> bool:
    """Has the run come to its report? The manifest gets its date then."""
    return "created" in manifest


def _difference(found: dict[str, Any], plan: Plan) -> str:
    if found.get("vestige") != vestige.__version__:
        return f" (of version {found.get('vestige')}, this is {vestige.__version__})"
    old, new = _flat(found.get("config", {})), _flat(plan.config.model_dump(mode="json"))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key) and key not in ("title", "data.root"):
            return f" ({key} is {old.get(key)!r} there and {new.get(key)!r} here)"
    return " (of other data)"


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {prefix.rstrip("."): value}
    return {k: v for key, inner in value.items() for k, v in _flat(inner, f"{prefix}{key}.").items()}


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


def _build(plan: Plan, seed: int) -> Any:
    chosen = plan.config.model
    return build_model(chosen.name, plan.data.shape, len(plan.data.classes), seed=seed, **chosen.options)


def _training_key(plan: Plan, rows: Dataset, seed: int) -> str:
    return key_of(
        plan.config.model.model_dump(), plan.recipe.key, seed, rows.fingerprint, vestige.__version__
    )


def _train_step(plan: Plan, name: str, rows: Dataset, seed: int, say: Say, progress: bool) -> Any:
    """Train one model, or read it back if the step is done; a half-trained one is continued."""
    path = plan.folder / "models" / f"{name}.safetensors"
    key = _training_key(plan, rows, seed)
    partial = path.with_name(f"{name}.partial.safetensors")

    def make(temporary: Path) -> dict[str, Any]:
        say(f"training {name} on {len(rows):,} samples")
        recipe = plan.recipe.model_copy(update={"seed": seed})
        options: dict[str, Any] = {"device": plan.config.device, "progress": progress}
        fresh = _build(plan, seed)
        if plan.config.model.sparsity:
            trained = train_sparse(fresh, rows, recipe, plan.config.model.sparsity, **options)
        else:
            trained = train(fresh, rows, recipe, checkpoint=partial, **options)
        write_weights(temporary, trained.model)
        return {"train_seconds": trained.seconds, "epochs": trained.epochs, "final_loss": trained.loss[-1]}

    step(path, key, make)
    for leftover in (partial, sidecar(partial)):
        leftover.unlink(missing_ok=True)
    return _read_model(plan, path)


def _read_model(plan: Plan, path: Path) -> Any:
    return load_model(path, _build(plan, 0))


def _original(plan: Plan, say: Say, progress: bool) -> Any:
    rows = plan.data.take(plan.split.train)
    return _train_step(plan, "original", rows, plan.seed("original"), say, progress)


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


def _shadow(plan: Plan, number: int, member: NDArray[np.bool_], say: Say, progress: bool) -> Any:
    rows = plan.data.take(plan.split.shadow[member])
    return _train_step(plan, f"shadow-{number}", rows, plan.seed("shadow", number), say, progress)


def _unlearned(plan: Plan, method: MethodConfig, original: Any, say: Say, progress: bool) -> Any:
    path = plan.folder / "models" / f"{method.title}.safetensors"
    entry = METHODS[method.name]
    options = entry.resolve(method.options, method.preset)
    trained = _record(plan, "models", "original")["sha256"]
    seed = plan.seed("unlearn")
    key = key_of(
        plan.config.model.model_dump(), plan.recipe.key, trained, method.name, options,
        method.max_epochs, method.max_seconds, seed, vestige.__version__,
        plan.data.fingerprint, plan.data.ids[plan.split.forget].tolist(), plan.data.ids[plan.split.retain].tolist(),
    )  # fmt: skip

    def make(temporary: Path) -> dict[str, Any]:
        say(f"unlearning {len(plan.split.forget):,} samples by {method.title}")
        with _named(method.title):
            result = unlearn(
                method.name, original, plan.split, preset=method.preset, recipe=plan.recipe, seed=seed,
                device=plan.config.device, progress=progress, max_epochs=method.max_epochs,
                max_seconds=method.max_seconds, **method.options,
            )  # fmt: skip
        write_weights(temporary, result.model)
        return {
            "unlearn_seconds": result.seconds, "method": method.name, "options": result.options,
            "retrain_epochs": result.epochs, "gradient_steps": result.gradient_steps, "stopped": result.stopped,
            "decided": result.decided,
        }  # fmt: skip

    step(path, key, make)
    return _read_model(plan, path)


def _record(plan: Plan, kind: str, name: str) -> dict[str, Any]:
    """Return what was noted beside a file of the run; `kind` is its folder."""
    return read_record(sidecar(plan.folder / kind / f"{name}.safetensors"))


def _logits(plan: Plan, name: str, model: Any) -> dict[str, NDArray[np.float32]]:
    """Return the model's logits on the audited samples, and those of a shadow on the pool."""
    path = plan.folder / "logits" / f"{name}.safetensors"
    weights = _record(plan, "models", name)["sha256"]
    wanted = {"audited": plan.audited}
    if name.startswith("shadow-"):
        wanted["pool"] = plan.split.shadow

    def make(temporary: Path) -> None:
        save_file(
            {part: collect_logits(model, plan.data.take(rows)) for part, rows in wanted.items()}, temporary
        )

    step(path, key_of(weights, plan.key, sorted(wanted)), make)
    return read_safetensors(path)


def _references(
    plan: Plan, logits: dict[str, dict[str, NDArray[np.float32]]], members: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return the fields of `Signals` that all methods share."""
    audited, data = plan.audited, plan.data
    fields: dict[str, Any] = {
        "labels": data.y[audited], "ids": data.ids[audited], "role": plan.roles, "source": plan.sources,
        "original": logits["original"]["audited"],
    }  # fmt: skip
    if not len(members):
        return fields
    shadows = [logits[f"shadow-{s}"] for s in range(len(members))]
    pool = plan.split.shadow
    fields["shadow_out"] = np.stack([s["audited"] for s in shadows])
    own = [confidence(s["pool"][m], data.y[pool[m]]) for s, m in zip(shadows, members, strict=True)]
    fields["shadow_fit"] = np.concatenate(own)
    fields["shadow_ids"] = data.ids[pool[members.any(axis=0)]]
    if len(members) >= 3:
        stacked = np.stack([s["pool"] for s in shadows])
        known = simulated_deletions(
            data.y[pool], stacked, members, ids=data.ids[pool], seed=plan.seed("calibration")
        )
        fields |= {"calibration": known, "shadow_out": fields["shadow_out"][: known.shadows]}
    return fields


def _audit(
    plan: Plan, method: MethodConfig, logits: dict[str, Any], references: dict[str, Any], say: Say
) -> Audit:
    folder = plan.folder / "audits" / method.title
    hashes = [_record(plan, "logits", name)["sha256"] for name in sorted(logits)]
    key = key_of(plan.key, method.model_dump(mode="json"), hashes)
    done = folder / "done.json"
    if _is_audited(done, key):
        try:
            return Audit.load(folder)
        except InputError as damaged:
            say(f"auditing {method.title} again: {damaged}")
    done.unlink(missing_ok=True)
    exact = [m.title for m in plan.config.methods if METHODS[m.name].exact]
    fields = dict(references)
    if exact:
        fields["retrained"] = np.stack([logits[name]["audited"] for name in exact])
    signals = Signals(unlearned=logits[method.title]["audited"], **fields)
    config = plan.config.audit
    with _named(method.title):
        made = audit(
            signals, config.measures, name=method.title, preset=config.preset, alpha=config.alpha,
            tolerance=config.tolerance,
        )  # fmt: skip
    made = dataclasses.replace(made, metrics=(*made.metrics, *_cost(plan, method)))
    made.save(folder)
    write_json(done, {"key": key, "audit": file_hash(folder / "audit.json")})
    return made


def _is_audited(done: Path, key: str) -> bool:
    """Was the audit `key`, and no other, written to its end there? A file that cannot be read says no."""
    try:
        record = read_record(done)
    except ArtefactError:
        return False
    seal = done.with_name("audit.json")
    return record.get("key") == key and seal.is_file() and record.get("audit") == file_hash(seal)


def _cost(plan: Plan, method: MethodConfig) -> tuple[Metric, Metric]:
    facts = _record(plan, "models", method.title)
    n = len(plan.split.forget)
    return (
        Metric(
            "model", "run_time", "wall-clock seconds of the unlearning, without evaluation", facts["unlearn_seconds"],
            "smaller is cheaper", (0.0, None), n=n,
        ),
        Metric(
            "model", "cost", "sample passes of the unlearning, in passes over the retained samples",
            facts["retrain_epochs"], "smaller is cheaper", (0.0, None), n=n,
        ),
    )  # fmt: skip


def _report(plan: Plan, audits: dict[str, Audit], models: dict[str, Any], seconds: float) -> Path:
    folder = plan.folder
    manifest = _manifest(plan)
    manifest["models"] = {name: _record(plan, "models", name) for name in models}
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
