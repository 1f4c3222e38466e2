"""The commands on the papers' tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vestige.cli.commands import FILLED, command, group
from vestige.cli.completion import experiments, one_of
from vestige.cli.options import Address, Gpu, Json, Quiet
from vestige.errors import need

bench = group(
    "bench", "The papers' tables and figures: run them, read them, draw them.",
    examples=("vestige bench list", "vestige bench run iam-table1"), codes=FILLED,
)  # fmt: skip
Name = Annotated[
    str,
    typer.Argument(
        help="An experiment (vestige bench list), or a YAML file of your own.", autocompletion=experiments
    ),
]
Scaled = Annotated[
    str,
    typer.Option(
        "--scale",
        help="small: two cores and the local data; paper: as published.",
        autocompletion=one_of("small", "paper"),
    ),
]
Kept = Annotated[str, typer.Option("--store", help="Folder or fsspec URL of models, outputs and results.")]
Result = Annotated[str, typer.Argument(help="An experiment, or a result file.", autocompletion=experiments)]
Figure = Annotated[str | None, typer.Option(help="Another figure than the table's own.")]


@command(bench, "list", examples=["vestige bench list"])
def bench_list(json: Json = False) -> None:
    """List the experiments: what each shows, and at which scales it can be run. (vestige.experiments.bench)"""
    from vestige.cli.show import print_list

    need("torch", "torch", "vestige bench")
    from vestige.experiments.bench import experiment, experiments

    rows = [
        {"name": e.name, "title": e.title, "source": e.source, "kind": e.kind, "scales": list(e.scales)}
        for e in map(experiment, experiments())
    ]
    shown = {"name": "name", "what": "title", "source": "source", "scales": "scales"}
    print_list(rows if json else [{word: row[key] for word, key in shown.items()} for row in rows], json)


@command(
    bench,
    "run",
    examples=["vestige bench run iam-table1", "vestige bench run iam-table1 small.shadows=4 --workers 2"],
    codes=FILLED,
)
def bench_run(
    name: Name,
    overrides: Annotated[list[str] | None, typer.Argument(help="Changes such as small.shadows=4.")] = None,
    scale: Scaled = "small", store: Kept = "runs/bench",
    data: Annotated[Path | None, typer.Option(help="Folder of the data sets. Default: VESTIGE_DATA.")] = None,
    engine: Annotated[str, typer.Option(
        help="inline, local or ray.", autocompletion=one_of("inline", "local", "ray"))] = "local",
    address: Address = None,
    workers: Annotated[int | None, typer.Option(help="Steps at once. Default: one for each core.")] = None,
    track: Annotated[str | None, typer.Option(
        help="Log the figures to mlflow or tensorboard too.", autocompletion=one_of("mlflow", "tensorboard"))] = None,
    save: Annotated[Path | None, typer.Option(help="Copy the result file there.")] = None,
    gpu: Gpu = 0.0, json: Json = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Fill a table from kept results; what is missing is computed. Exit code 1 where a cell could not be filled."""
    from vestige.cli.show import print_json, say_to

    need("torch", "torch", "vestige bench run")
    from vestige.experiments.bench import experiment, render_table, run_bench
    from vestige.experiments.bench.kept import copy_result
    from vestige.experiments.bench.table import agreement_text
    from vestige.experiments.bench.trackers import tracker

    chosen = experiment(name, overrides or [])
    told = tracker(track)  # a tracker that is not installed is found before any work
    result = run_bench(
        chosen, scale, store=store, root=None if data is None else str(data), engine_name=engine, workers=workers,
        address=address, gpu=gpu, progress=not (json or quiet), say=say_to(quiet),
    )  # fmt: skip
    told(result.result, result.path)
    if save is not None:
        copy_result(result.path, save)
    if json:
        print_json({
            "name": chosen.name, "scale": scale, "result": str(result.path), "seconds": result.seconds,
            "steps_done": result.done, "steps_kept": result.kept, "steps_failed": result.failed,
            "missing": result.missing,
        }, indent=2)  # fmt: skip
    else:
        print(f"\n{chosen.title}, {scale} scale ({chosen.source}; published values in brackets)\n")
        print(render_table(result.result))
        print(agreement_text(result.result))
        failed = f", {result.failed} failed" if result.failed else ""
        print(f"{result.done} steps done, {result.kept} kept{failed}, {result.seconds:.0f} s. {result.path}")
    raise typer.Exit(1 if result.missing else 0)


@command(bench, "table", examples=["vestige bench table iam-table1 --format latex"], codes=FILLED)
def bench_table(
    name: Result, scale: Scaled = "small", store: Kept = "runs/bench",
    format: Annotated[str, typer.Option(
        help="md, latex or csv.", autocompletion=one_of("md", "latex", "csv"))] = "md", figure: Figure = None,
) -> None:  # fmt: skip
    """Print a table from its result file: mean, 95 % interval, and the published value in brackets."""
    from vestige.cli.show import say_to
    from vestige.experiments.bench import render_table
    from vestige.experiments.bench.kept import kept_result
    from vestige.experiments.bench.table import values_of

    result = kept_result(name, scale, store, say_to(False))
    print(render_table(result, format, figure), end="")
    if any(cell.why for cell in values_of(result, figure)):
        raise typer.Exit(1)


@command(bench, "plot", examples=["vestige bench plot iam-figure1 --out figure1.pdf"])
def bench_plot(
    name: Result, out: Annotated[Path, typer.Option(help="File: .svg, .pdf or .png.")], scale: Scaled = "small",
    store: Kept = "runs/bench", figure: Figure = None,
) -> None:  # fmt: skip
    """Draw a table from its result file."""
    from vestige.cli.show import say_to
    from vestige.experiments.bench.kept import in_folder, kept_result
    from vestige.experiments.bench.plot import render_plot

    result = kept_result(name, scale, store, say_to(False))
    print(render_plot(result, in_folder(out, f"{result['name']}-{result['scale']}.svg"), figure))


@command(
    bench, "leaderboard", examples=["vestige bench leaderboard runs/bench/results --out leaderboard.html"]
)
def bench_leaderboard(
    results: Annotated[list[Path], typer.Argument(help="Result files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="The page.")] = Path("leaderboard.html"),
) -> None:
    """Write one page of all tables, with their controls and the published values."""
    from vestige.cli.show import say_to
    from vestige.experiments.bench.kept import in_folder, read_results
    from vestige.experiments.leaderboard import write_leaderboard

    print(write_leaderboard(in_folder(out, "leaderboard.html"), read_results(results, say_to(False))))
