"""A run: train, unlearn, collect, audit, report. Every step is skipped when done, so a killed run continues.

    original, shadows ─▶ models/*.safetensors ─▶ logits/*.safetensors ─▶ audits/<method>/ ─▶ report.html

The steps are those of `experiments.steps`, in a store whose files are named for people.

A folder belongs to one run. Until that is finished its methods and its audit may be changed, for example where one
was refused: the models that are trained are kept, audits are made again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vestige
from vestige.arguments import checked
from vestige.errors import ArtefactError, InputError
from vestige.evaluation import Audit
from vestige.experiments.costs import Costs, costs
from vestige.experiments.plan import Plan
from vestige.experiments.render import render
from vestige.experiments.requests import RequestConfig, plan_request
from vestige.graph import Store, carry_out
from vestige.graph.engines import check_engine
from vestige.graph.folder import FREE, difference, expect_kind
from vestige.store import file_hash, files_in, is_vacant, read_record, room_in, write_json

if TYPE_CHECKING:
    from vestige.experiments.config import RunConfig

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Run:
    """What `run` returns: the folder, the audits by method, and the report's path."""

    folder: Path
    audits: dict[str, Audit]
    report: Path


@checked
def run(
    config: RunConfig | RequestConfig,
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
        check_engine(engine, workers=workers, address=address, gpu=gpu)
        plan = plan_of(config, folder, store)
        return carry_out_plan(
            plan, say=say, progress=progress, workers=workers, engine=engine, address=address, gpu=gpu
        )


def costs_of(config: RunConfig | RequestConfig, folder: Path | str | None = None) -> Costs:
    """Return what a run will cost and how sharp its verdict will be; nothing is written. See `Costs`."""
    return costs(plan_of(config, Path("runs") / config.name if folder is None else Path(folder)))


def plan_of(config: RunConfig | RequestConfig, folder: Path, store: str | None = None) -> Plan:
    """Return the plan of a configuration. Raises `InputError` where it does not fit the data."""
    if isinstance(config, RequestConfig):
        return plan_request(config, folder, store)
    from vestige.experiments.network_runs import plan_run

    return plan_run(config, folder, store)


def make_models(
    plan: Plan, names: Iterable[str], *, say: Say = lambda text: None, workers: int | None = None
) -> None:
    """Make some models of a plan and what these need, and nothing else; `carry_out_plan` goes on from there."""
    _claim(plan, say)
    steps = [plan.steps.models[name] for name in names]
    carry_out(steps, plan.store, plan.maker.environment, name=plan.name, workers=workers, say=say, stop=True)


def carry_out_plan(
    plan: Plan,
    *,
    say: Say = lambda text: None,
    progress: bool = False,
    workers: int | None = None,
    engine: str | None = None,
    address: str | None = None,
    gpu: float = 0.0,
) -> Run:
    """Do every step of a plan that is not done yet, and write its report; see `run`."""
    start = time.perf_counter()
    _claim(plan, say)
    if not is_finished(read_record(plan.folder / "manifest.json")):
        say(plan.copies)
    carry_out(
        plan.steps.paths().values(), plan.store, replace(plan.maker.environment, progress=progress), name=plan.name,
        engine_name=engine, workers=workers, address=address, gpu=gpu, say=say, stop=True,
    )  # fmt: skip
    with contextlib.suppress(OSError):
        (plan.folder / "unfinished").rmdir()
    audits = {name: Audit.load(plan.store.path(step)) for name, step in plan.steps.audits.items()}
    return Run(plan.folder, audits, _report(plan, audits, time.perf_counter() - start))


def _claim(plan: Plan, say: Say) -> None:
    """Write the manifest into an empty folder, or check that the folder's manifest is this run's.

    A manifest that is lost or damaged is written anew where the folder holds the original model of this very run.
    """
    path = plan.folder / "manifest.json"
    expect_kind(plan.folder, "run")
    try:
        manifest = read_record(path)
    except ArtefactError as damage:
        if not is_vacant(plan.folder):
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
    change = difference(manifest.get("config", {}), dict(plan.maker.config), (*FREE, "data.root"))
    return f" ({change or 'of other data'})"


def _manifest(plan: Plan) -> dict[str, Any]:
    return {
        "vestige": vestige.__version__,
        "kind": "run",
        "name": plan.name,
        "key": plan.key,
        "base": plan.base,
        "config": plan.maker.config,
        "data": plan.maker.facts,
        "split": {role: len(getattr(plan.roles, role)) for role in ("forget", "retain", "holdout", "shadow")},
    }


def _report(plan: Plan, audits: dict[str, Audit], seconds: float) -> Path:
    folder = plan.folder
    manifest = _manifest(plan)
    manifest["models"] = {name: plan.store.record(step) for name, step in plan.steps.models.items()}
    manifest["hashes"] = {
        name: file_hash(path)
        for name, path in files_in(folder).items()
        if path.suffix in (".parquet", ".safetensors") or path.name == "audit.json"
    }
    manifest["timings"] = {name: facts["seconds"] for name, facts in manifest["models"].items()}
    manifest["timings"]["this call"] = seconds
    manifest["created"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    write_json(folder / "manifest.json", manifest)
    return render(folder, audits, manifest, getattr(plan.maker, "data", None))
