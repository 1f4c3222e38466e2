"""The commands. Each parses, calls one library function and prints what it returned.

Exit codes: 0 done, or audited and passed; 1 failed the gate, or a table has an empty cell; 2 input that cannot be used;
4 the gate is undecided; 130 interrupted.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from vestige.errors import InputError, MissingExtra

app = typer.Typer(
    name="vestige",
    help="Unlearn data from a trained model, and measure the vestige that remains of each record.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

llm = typer.Typer(
    name="llm", help="Language models: unlearn texts, and measure what is left of each.", no_args_is_help=True
)
app.add_typer(llm)
bench = typer.Typer(
    name="bench", help="The papers' tables and figures: run them, read them, draw them.", no_args_is_help=True
)
app.add_typer(bench)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the result only.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the results.")]
Require = Annotated[
    str | None, typer.Option(help="The verdict that is required: unlearned. Exit 1 failed, 4 undecided.")
]
FailUnder = Annotated[
    float | None,
    typer.Option(help="Completeness (1 = complete) that is required at least. Exit 1 failed, 4 undecided."),
]
FailOver = Annotated[
    float | None,
    typer.Option(help="Completeness that must not be exceeded (damage). Exit 1 failed, 4 undecided."),
]
Tolerance = Annotated[
    float, typer.Option(help="Largest share of the influence that may be left for 'unlearned'.")
]
Alpha = Annotated[float, typer.Option(help="Error rate of each claim of the verdict.")]


INTERRUPTED = 130


def main() -> None:
    """Run the command line; an unusable input or file, or a full disk, is one sentence on stderr and exit code 2.

    SIGTERM, as from a batch system or a container that ends, is taken as Ctrl-C: what is under way is written first.
    """
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        app()
    except (InputError, MissingExtra) as error:
        print(f"vestige: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except OSError as error:
        print(f"vestige: {_sentence(error)}", file=sys.stderr)
        raise SystemExit(2) from None
    except SystemExit as ended:  # typer has turned a KeyboardInterrupt into this
        if ended.code == INTERRUPTED:
            print("vestige: interrupted; the same command continues where it stopped.", file=sys.stderr)
        raise


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _sentence(error: OSError) -> str:
    """Say which file is at fault and why. An error without a file is a fault of vestige, and raised again."""
    from vestige.store import disk_full

    file = error.filename2 or error.filename
    if disk_full(error):
        return f"{f'{file}: ' if file else ''}the disk is full; free some space and run again."
    if file is None:
        raise error
    return f"{file}: {error.strerror or error}"


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("runs/demo"), json: Json = False
) -> None:
    """Run the main job on the embedded data: train, unlearn three ways, audit, report. (vestige.run)"""
    from vestige.cli import commands

    commands.demo(out, json)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="The run's YAML file.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Changes such as recipe.epochs=5.")] = None,
    out: Out = None,
    require: Require = None,
    fail_under: FailUnder = None,
    fail_over: FailOver = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train, unlearn, audit and report as a YAML file says; continues a run that was stopped. (vestige.run)"""
    from vestige.cli import commands
    from vestige.evaluation.gate import Gate

    gate = Gate(require, fail_under, fail_over)
    raise typer.Exit(commands.run(config, overrides or [], out, gate, json, quiet))


@app.command()
def audit(
    signals: Annotated[Path, typer.Argument(help=".npz, .csv, .parquet or a folder of signals.")],
    measure: Annotated[
        list[str] | None,
        typer.Option(help="A measure, with options after a colon: iam:family=norm,steps=100."),
    ] = None,
    out: Out = None,
    preset: Annotated[str, typer.Option(help="recommended, or paper.")] = "recommended",
    alpha: Alpha = 0.05,
    tolerance: Tolerance = 0.1,
    require: Require = None,
    fail_under: FailUnder = None,
    fail_over: FailOver = None,
    json: Json = False,
) -> None:
    """Measure your own arrays; needs no model and no torch. (vestige.audit)"""
    from vestige.cli import commands
    from vestige.evaluation.gate import Gate

    gate = Gate(require, fail_under, fail_over)
    raise typer.Exit(commands.audit(signals, measure, out, preset, alpha, tolerance, gate, json))


@app.command()
def leaks(
    config: Annotated[
        Path | None, typer.Argument(help="An experiment's YAML file; options given here take precedence.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="A data set, or a file of your own. Default: location30.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="logistic-regression, decision-tree (default), random-forest, mlp, or torch:mlp, torch:cnn, ..."
        ),
    ] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(help="Attack model; may be given several times. Default: three of them."),
    ] = None,
    setting: Annotated[
        str | None, typer.Option(help="scratch (default), group, multi_version, online, remaining or sisa.")
    ] = None,
    sets: Annotated[int | None, typer.Option(help="Original models a side. Default: 10.")] = None,
    records: Annotated[int | None, typer.Option(help="Training records of each. Default: 1000.")] = None,
    deletions: Annotated[int | None, typer.Option(help="Unlearned versions of each. Default: 20.")] = None,
    group: Annotated[int | None, typer.Option(help="Records that leave together. Default: 1.")] = None,
    shards: Annotated[int | None, typer.Option(help="Shards of SISA. Default: 5.")] = None,
    method: Annotated[
        str | None, typer.Option(help="How records leave: retrain (default), or another method.")
    ] = None,
    defence: Annotated[
        list[str] | None,
        typer.Option(
            help="label_only, top_k=3, temperature=4, rounding=2; in training: train_temperature=4, dp=8; joined by +."
        ),
    ] = None,
    pairs: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Your own outputs instead: shadow.npz target.npz.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random. Default: 0.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that fit models.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results and the report. Default: runs/NAME.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Attack two versions of a model: who was deleted between them? (vestige.leaks.run_leaks)"""
    from vestige.cli import commands

    given = {
        "data": {"name": dataset}, "target": target, "attacks": attack, "defences": defence, "seed": seed,
        "setting": {
            "name": setting, "sets": sets, "records": records, "deletions": deletions, "group": group,
            "shards": shards, "method": method,
        },
    }  # fmt: skip
    commands.leaks(config, given, pairs, workers, out, json, quiet)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="The folder of a run or of an audit.")], json: Json = False
) -> None:
    """Write report.html again from the files of a run or an audit. (vestige.report.write_report)"""
    from vestige.cli import commands

    commands.report(folder, json)


Model = Annotated[str, typer.Option(help="Hub id or folder of a causal language model.")]
Remote = Annotated[
    bool, typer.Option("--remote-code", help="Run code that comes with the model; refused otherwise.")
]


@llm.command("collect")
def llm_collect(
    model: Annotated[str, typer.Argument(help="Hub id or folder of a causal language model.")],
    texts: Annotated[
        Path, typer.Argument(help=".jsonl of strings or of objects with text and id, or a .json list.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the signals; what is there is not collected again.")],
    context: Annotated[
        int | None, typer.Option(help="Longest window in tokens. Default: the model's.")
    ] = None,
    gguf: Annotated[str | None, typer.Option(help="File of quantised weights in the folder.")] = None,
    remote_code: Remote = False,
    json: Json = False,
) -> None:
    """Write what a model says of every token of every text. (vestige.llm.collect)"""
    from vestige.cli import texts as commands

    commands.collect(model, texts, out, context, gguf, remote_code, json)


@llm.command("unlearn")
def llm_unlearn(
    method: Annotated[
        str, typer.Argument(help="A method, with options after a colon: npo:beta=0.1,lr=1e-5.")
    ],
    model: Model,
    forget: Annotated[Path, typer.Option(help="Texts to unlearn.")],
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
    retain: Annotated[Path | None, typer.Option(help="Texts to keep.")] = None,
    base: Annotated[str | None, typer.Option(help="Model before it knew the texts, for retrain.")] = None,
    lora: Annotated[int | None, typer.Option(help="Rank of adapters. Default: all weights.")] = None,
    option: Annotated[list[str] | None, typer.Option(hidden=True)] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    remote_code: Remote = False,
    json: Json = False,
) -> None:
    """Unlearn texts from a copy of a model and save it. (vestige.llm.unlearn)"""
    from vestige.cli import texts as commands

    if option:
        raise InputError(f"Options stand behind the method's name: write {method}:{','.join(option)}.")
    commands.unlearn(method, model, forget, retain, base, out, lora, seed, remote_code, json)


@llm.command("audit")
def llm_audit(
    after: Annotated[
        str, typer.Option(help="Model after unlearning: hub id, folder, or a folder of signals.")
    ],
    forget: Annotated[Path, typer.Option(help="Texts that were to be unlearned.")],
    out: Annotated[Path, typer.Option(help="Folder for signals, audit and reports.")],
    before: Annotated[str | None, typer.Option(help="Model before unlearning.")] = None,
    shadow: Annotated[
        list[str] | None, typer.Option(help="Model that never saw the texts; several times.")
    ] = None,
    retain: Annotated[
        Path | None, typer.Option(help="Texts that the model was trained on and keeps.")
    ] = None,
    holdout: Annotated[Path | None, typer.Option(help="Texts that no model saw.")] = None,
    context: Annotated[
        int | None, typer.Option(help="Longest window in tokens. Default: the model's.")
    ] = None,
    alpha: Alpha = 0.05,
    tolerance: Tolerance = 0.1,
    require: Require = None,
    fail_under: FailUnder = None,
    fail_over: FailOver = None,
    remote_code: Remote = False,
    json: Json = False,
) -> None:
    """Audit a model that texts were unlearned from; nothing of the training is needed. (vestige.llm.audit_texts)"""
    from vestige.cli import texts as commands

    groups = {"forget": forget, "retain": retain, "holdout": holdout}
    from vestige.evaluation.gate import Gate

    gate = Gate(require, fail_under, fail_over)
    raise typer.Exit(
        commands.audit(
            after, before, shadow or [], groups, out, context, alpha, tolerance, gate, remote_code, json
        )
    )


Name = Annotated[str, typer.Argument(help="An experiment (vestige bench list), or a YAML file of your own.")]
Scaled = Annotated[
    str, typer.Option("--scale", help="small: two cores and the local data; paper: as published.")
]
Kept = Annotated[str, typer.Option("--store", help="Folder or fsspec URL of models, outputs and results.")]
Result = Annotated[str, typer.Argument(help="An experiment, or a result file.")]
Figure = Annotated[str | None, typer.Option(help="Another figure than the table's own.")]


@bench.command("list")
def bench_list(json: Json = False) -> None:
    """List the experiments: what each shows, and at which scales it can be run. (vestige.experiments.bench)"""
    from vestige.cli import bench as commands

    commands.list_(json)


@bench.command("run")
def bench_run(
    name: Name,
    overrides: Annotated[list[str] | None, typer.Argument(help="Changes such as small.shadows=4.")] = None,
    scale: Scaled = "small",
    store: Kept = "runs/bench",
    data: Annotated[Path | None, typer.Option(help="Folder of the data sets. Default: VESTIGE_DATA.")] = None,
    engine: Annotated[str, typer.Option(help="local, or ray.")] = "local",
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster: auto, or host:port.")] = None,
    gpu: Annotated[float, typer.Option(help="Share of a GPU for each step with a network; on Ray.")] = 0.0,
    workers: Annotated[int | None, typer.Option(help="Steps at once. Default: one for each core.")] = None,
    track: Annotated[str | None, typer.Option(help="Log the figures to mlflow or tensorboard too.")] = None,
    save: Annotated[Path | None, typer.Option(help="Copy the result file there.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fill a table from kept results; what is missing is computed. Exit code 1 where a cell could not be filled."""
    from vestige.cli import bench as commands

    raise typer.Exit(
        commands.run(
            name, overrides or [], scale, store, data, engine, address, workers, gpu, track, save, json, quiet
        )
    )


@bench.command("status")
def bench_status(store: Kept = "runs/bench", json: Json = False) -> None:
    """Say how far every run in a store is; from any terminal, while it runs."""
    from vestige.cli import bench as commands

    commands.status(store, json)


@bench.command("table")
def bench_table(
    name: Result,
    scale: Scaled = "small",
    store: Kept = "runs/bench",
    format: Annotated[str, typer.Option(help="md, latex or csv.")] = "md",
    figure: Figure = None,
) -> None:
    """Print a table from its result file: mean, 95 % interval, and the published value in brackets."""
    from vestige.cli import bench as commands

    commands.table(name, scale, store, format, figure)


@bench.command("plot")
def bench_plot(
    name: Result,
    out: Annotated[Path, typer.Option(help="File: .svg, .pdf or .png.")],
    scale: Scaled = "small",
    store: Kept = "runs/bench",
    figure: Figure = None,
) -> None:
    """Draw a table from its result file."""
    from vestige.cli import bench as commands

    commands.plot(name, out, scale, store, figure)


@bench.command("leaderboard")
def bench_leaderboard(
    results: Annotated[list[Path], typer.Argument(help="Result files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="The page.")] = Path("leaderboard.html"),
) -> None:
    """Write one page of all tables, with their controls and the published values."""
    from vestige.cli import bench as commands

    commands.leaderboard(results, out)


@app.command("list")
def list_(
    what: Annotated[
        str,
        typer.Argument(help="datasets, models, recipes, methods, measures, text-methods or text-measures."),
    ],
    json: Json = False,
) -> None:
    """List what can be named: data sets, models, recipes, unlearning methods, measures."""
    from vestige.cli import commands

    commands.list_(what, json)


@app.command()
def doctor(json: Json = False) -> None:
    """Say what is installed, what this machine can do, and where data are looked for."""
    from vestige.cli import commands

    commands.doctor(json)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    if version:
        from vestige import __version__

        typer.echo(__version__)
        raise typer.Exit()
