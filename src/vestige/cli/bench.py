"""What `vestige bench` does: call the library, print what it returned."""

from __future__ import annotations

import json as jsonlib
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from vestige.cli.commands import print_list
from vestige.errors import InputError, need
from vestige.store import plain


def list_(json: bool) -> None:
    need("torch", "torch", "vestige bench")
    from vestige.experiments.bench import experiment, experiments

    found = [experiment(name) for name in experiments()]
    if json:
        rows = [
            {"name": e.name, "title": e.title, "source": e.source, "kind": e.kind,
             "scales": list(e.scales)}
            for e in found
        ]  # fmt: skip
        print(jsonlib.dumps(rows, indent=2))
        return
    print_list([
        {"name": e.name, "what": e.title, "source": e.source, "scales": list(e.scales)} for e in found
    ])  # fmt: skip


def run(
    name: str,
    overrides: Sequence[str],
    scale: str,
    store: str,
    data: Path | None,
    engine: str,
    address: str | None,
    workers: int | None,
    gpu: float,
    track: str | None,
    save: Path | None,
    json: bool,
    quiet: bool,
) -> int:
    need("torch", "torch", "vestige bench run")
    from vestige.experiments.bench import experiment, render_table, run_bench
    from vestige.experiments.bench.table import agreement_text
    from vestige.experiments.bench.trackers import tracker

    chosen = experiment(name, overrides)
    told = tracker(track)  # a tracker that is not installed is found before any work
    made = run_bench(
        chosen, scale, store=store, root=None if data is None else str(data), engine_name=engine, workers=workers,
        address=address, gpu=gpu, progress=not (json or quiet),
        say=(lambda text: None) if quiet else lambda text: print(f"vestige: {text}", file=sys.stderr),
    )  # fmt: skip
    told(made.result, made.path)
    if save is not None:
        _copy(made.path, save)
    if json:
        summary = {
            "name": chosen.name, "scale": scale, "result": str(made.path), "seconds": made.seconds,
            "steps_done": made.done, "steps_kept": made.kept, "steps_failed": made.failed,
            "missing": made.missing,
        }  # fmt: skip
        print(jsonlib.dumps(plain(summary), indent=2))
    else:
        print(f"\n{chosen.title}, {scale} scale ({chosen.source}; published values in brackets)\n")
        print(render_table(made.result))
        print(agreement_text(made.result))
        failed = f", {made.failed} failed" if made.failed else ""
        print(f"{made.done} steps done, {made.kept} kept{failed}, {made.seconds:.0f} s. {made.path}")
    return 1 if made.missing else 0


def _copy(result: Path, save: Path) -> None:
    """Copy a result file: into a folder under its own name, and not onto itself."""
    save = _in_folder(save, result.name)
    save.parent.mkdir(parents=True, exist_ok=True)
    if not (save.exists() and save.samefile(result)):
        shutil.copyfile(result, save)


def _in_folder(path: Path, name: str) -> Path:
    """Return the path of a file to write: of a folder that is there, the file `name` in it."""
    return path / name if path.is_dir() else path


def status(store: str, json: bool) -> None:
    from vestige.experiments.bench.run import status as of

    found = of(store)
    if json:
        print(jsonlib.dumps(plain(found), indent=2))
        return
    if not found:
        print(f"No run in {store} yet.")
        if "://" in store:
            print("The status of a run is kept on the machine of its runner; ask there.")
    for one in found:
        done = one["counts"].get("done", 0) + one["counts"].get("kept", 0)
        left = "" if one["left"] is None else f", about {one['left']:.0f} s left"
        ended = "ended after" if one["ended"] else "running for"
        print(f"{one['name']}: {done} of {one['steps']} steps, {ended} {one['seconds']:.0f} s{left}")
        for label in one["running"]:
            print(f"  running  {label}")
        for gap in one["failed"]:
            print(f"  failed   {gap['label']}: {gap['why']}")


def _result(name: str, scale: str, store: str) -> dict[str, Any]:
    from vestige.experiments.bench import experiment
    from vestige.experiments.bench.plan import content
    from vestige.experiments.bench.run import read_result, result_path

    if name.endswith(".json"):
        return read_result(Path(name))
    chosen = experiment(name)
    wanted = content(chosen, scale)
    again = shlex.join(["vestige", "bench", "run", name, "--scale", scale, "--store", store])
    found = read_result(result_path(store, chosen, scale), again=again)
    if found["content"] != wanted:
        print(
            f"vestige: this result was made with other settings than {chosen.name} has now (options of its run, or an "
            f"older file); to make it anew: {again}",
            file=sys.stderr,
        )
    return found


def table(name: str, scale: str, store: str, form: str, figure: str | None) -> None:
    from vestige.experiments.bench import render_table
    from vestige.experiments.bench.table import values_of

    result = _result(name, scale, store)
    print(render_table(result, form, figure), end="")
    if any(cell.why for cell in values_of(result, figure)):
        raise typer.Exit(1)


def plot(name: str, out: Path, scale: str, store: str, figure: str | None) -> None:
    from vestige.experiments.bench.plot import render_plot

    result = _result(name, scale, store)
    print(render_plot(result, _in_folder(out, f"{result['name']}-{result['scale']}.svg"), figure))


def leaderboard(results: Sequence[Path], out: Path) -> None:
    from vestige.experiments.bench.run import read_result
    from vestige.experiments.leaderboard import write_leaderboard

    found = []
    for path in results:
        for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
            try:
                found.append(read_result(file))
            except InputError as error:
                if not path.is_dir():
                    raise
                print(f"vestige: passed over: {error}", file=sys.stderr)
    print(write_leaderboard(_in_folder(out, "leaderboard.html"), found))
