"""The commands. Each parses, calls one library function and prints what it returned.

Exit codes: 0 done, or audited and passed what was required, which is nothing without --require, --fail-under and
--fail-over; 1 failed it, or a table has an empty cell; 2 input that cannot be used; 3 something was changed since it
was written; 4 what was required cannot be decided; 130 interrupted.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestige.cli.audits import audit
from vestige.cli.bench import bench
from vestige.cli.commands import GATED, command, group
from vestige.cli.completion import listed, lists, one_of
from vestige.cli.evidence import VERIFIED, evidence, verify
from vestige.cli.ledger import key, ledger, model
from vestige.cli.monitor import WATCHED, monitor
from vestige.cli.options import (
    Address,
    Engine,
    FailOver,
    FailUnder,
    Gpu,
    Json,
    Out,
    Quiet,
    Require,
    Shared,
    Workers,
)  # fmt: skip
from vestige.cli.project import convert, init
from vestige.cli.requests import request
from vestige.cli.texts import llm
from vestige.cli.texts import run as run_texts
from vestige.errors import InputError, MissingExtra, need
from vestige.interrupts import listen

if TYPE_CHECKING:
    from vestige.evaluation import Audit

CODES = (
    "Exit code 0: done; 1: an audit failed what was required (without --require, --fail-under or --fail-over nothing "
    "is), a cell of a table is empty, or a commitment was re-opened; 2: input that cannot be used; 3: a ledger or "
    "evidence was changed since it was written; 4: what was required cannot be decided, or a version still waits; 130: "
    "interrupted. The help of a command says which of these it has."
)
app = group(
    "vestige", "Unlearn data from a trained model, and measure the vestige that remains of each record.",
    examples=("vestige demo", "vestige audit signals.npz --out audits/mine", "vestige run request.yaml --plan"),
    codes=CODES,
)  # fmt: skip
app.add_typer(llm)
app.add_typer(bench)
app.add_typer(evidence)
command(
    app, examples=["vestige verify evidence.json --key signing.key.pub --require unlearned"], codes=VERIFIED
)(verify)
command(app, examples=["vestige monitor churn --audits 'audits/{version}/{request}'"], codes=WATCHED)(monitor)
for rooms in (ledger, key, model, request):
    app.add_typer(rooms)
INTERRUPTED = 130
TARGETS = "logistic-regression, decision-tree (default), random-forest, mlp,"
CLASSIFIERS = ("logistic-regression", "decision-tree", "random-forest", "mlp")
LEAK_SETTINGS = ("scratch", "group", "multi_version", "online", "remaining", "sisa")
DEFENCES = "label_only, top_k=3, temperature=4, rounding=2; in training: train_temperature=4, dp=8"


def main() -> None:
    """Run the command line; an unusable input or file, or a full disk, is one sentence on stderr and exit code 2.

    SIGTERM, as from a batch system or a container that ends, is taken as Ctrl-C: what is under way is written first.
    """
    try:
        listen(signal.SIGINT, signal.SIGTERM)
        app()
    except (InputError, MissingExtra) as error:
        print(f"vestige: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except OSError as error:
        from vestige.store import fault_of

        print(f"vestige: {fault_of(error)}", file=sys.stderr)
        raise SystemExit(2) from None
    except SystemExit as ended:  # typer has turned a KeyboardInterrupt into this
        if ended.code == INTERRUPTED:
            print("vestige: interrupted; the same command continues where it stopped.", file=sys.stderr)
        raise


@command(app, examples=["vestige demo --out runs/demo"])
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("runs/demo"), json: Json = False
) -> None:
    """Run the main job on the embedded data: train, unlearn three ways, audit, report. (vestige.run)"""
    from importlib.resources import as_file, files

    with as_file(files("vestige").joinpath("experiments/demo.yaml")) as path:
        _run(path, [], out, json, False, {})


@command(
    app,
    examples=[
        "vestige run request.yaml",
        "vestige run request.yaml recipe.epochs=5 --out runs/second --workers 2",
        "vestige run request.yaml --require unlearned --fail-under 0.9",
    ],
    codes=GATED,
)
def run(
    config: Annotated[Path, typer.Argument(help="The run's YAML file.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Changes such as recipe.epochs=5.")] = None,
    out: Out = None, workers: Workers = None, engine: Engine = None, address: Address = None, gpu: Gpu = 0.0,
    store: Shared = None, require: Require = None, fail_under: FailUnder = None, fail_over: FailOver = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what it costs and will show, and stop.")] = False,
    json: Json = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Train, unlearn, audit and report as a YAML file says; continues a run that was stopped. (vestige.run)"""
    from vestige.cli.show import passed
    from vestige.evaluation.gate import Gate

    gate = Gate(require, fail_under, fail_over)
    where = {"workers": workers, "engine": engine, "address": address, "gpu": gpu, "store": store}
    if plan:
        _plan(config, overrides or [], out, json)
        return
    raise typer.Exit(passed(_run(config, overrides or [], out, json, quiet, where), gate))


def _plan(config: Path, overrides: list[str], out: Path | None, json: bool) -> None:
    """Print what a run will cost; nothing is trained but two small pilots, nothing is written."""
    from vestige.cli.show import print_costs
    from vestige.config import read_yaml
    from vestige.experiments.runner import costs_of

    values = read_yaml(config, overrides)
    if values.get("kind") == "llm":
        raise InputError(
            f"{config}: --plan is for runs on samples and requests to a system; this is one on texts."
        )
    print_costs(costs_of(_config_of(values, config), out), json)


def _config_of(values: dict[str, Any], config: Path) -> Any:
    """Return the configuration of a run on samples, or of a request to a system."""
    from vestige import experiments
    from vestige.config import validated

    if "system" in values:
        return validated(experiments.RequestConfig, values, str(config))
    need("torch", "torch", "A run that trains networks")
    return validated(experiments.RunConfig, values, str(config))


def _run(
    config: Path, overrides: list[str], out: Path | None, json: bool, quiet: bool, where: Mapping[str, Any]
) -> dict[str, Audit]:
    """Run a YAML file and print what came out; return the audits of what was unlearned."""
    from vestige.cli.show import print_audits, say_to
    from vestige.config import read_yaml

    values = read_yaml(config, overrides)
    if values.get("kind") == "llm":
        need("torch", "torch", "A run on texts")
        return run_texts(values, str(config), out, json, quiet, where)
    from vestige.experiments import run as run_config

    progress = not json and not quiet and sys.stderr.isatty()
    chosen = _config_of(values, config)
    result = run_config(chosen, out, say=say_to(json or quiet), progress=progress, **where)
    print_audits(result.audits, result.report, json)
    return result.audits


@command(app, examples=["vestige status runs/request-17", "vestige status s3://bucket/store --json"])
def status(
    folder: Annotated[str, typer.Argument(help="Folder of a run, or folder or URL of a store.")],
    json: Json = False,
) -> None:
    """Say how far every run in a folder is; from any terminal, while it runs. (vestige.graph.status)"""
    from vestige.cli.show import print_json
    from vestige.graph.progress import sentences, status

    runs = status(folder)
    print_json(runs, indent=2) if json else print("\n".join(sentences(runs, folder)))


command(
    app,
    examples=[
        "vestige audit signals.npz --measure iam:family=norm,steps=100 --measure rmia_ratio --out audits/mine",
        "vestige audit --before b.csv --after a.csv --shadow n.csv --forget ids.csv --holdout never.csv --label income "
        "--kind probabilities --require unlearned",
    ],
    codes=GATED,
)(audit)


@command(
    app,
    examples=[
        "vestige leaks --target decision-tree --setting scratch",
        "vestige leaks leaks.yaml --defence top_k=3 --defence label_only",
        "vestige leaks --pairs shadow.npz target.npz",
    ],
)
def leaks(
    config: Annotated[Path | None, typer.Argument(help="A YAML file; options given here take precedence.")] = None,
    dataset: Annotated[str | None, typer.Option(
        help="A data set, or a file of your own. Default: location30.", autocompletion=listed("datasets"))] = None,
    target: Annotated[str | None, typer.Option(
        help=f"{TARGETS} or torch:mlp, torch:cnn, ...",
        autocompletion=one_of(*CLASSIFIERS, "torch:mlp", "torch:cnn"))] = None,
    attack: Annotated[list[str] | None, typer.Option(
        help="Attack model; several times. Default: three.", autocompletion=one_of(*CLASSIFIERS))] = None,
    setting: Annotated[str | None, typer.Option(
        help=f"{', '.join(LEAK_SETTINGS)}.", autocompletion=one_of(*LEAK_SETTINGS))] = None,
    sets: Annotated[int | None, typer.Option(help="Original models a side. Default: 10.")] = None,
    records: Annotated[int | None, typer.Option(help="Training records of each. Default: 1000.")] = None,
    deletions: Annotated[int | None, typer.Option(help="Unlearned versions of each. Default: 20.")] = None,
    group: Annotated[int | None, typer.Option(help="Records that leave together. Default: 1.")] = None,
    shards: Annotated[int | None, typer.Option(help="Shards of SISA. Default: 5.")] = None,
    method: Annotated[str | None, typer.Option(
        help="retrain (default), or how else: finetune:epochs=3.", autocompletion=listed("methods"))] = None,
    defence: Annotated[list[str] | None, typer.Option(
        help=f"{DEFENCES}; joined by +.",
        autocompletion=one_of("label_only", "top_k=", "temperature=", "rounding="))] = None,
    pairs: Annotated[tuple[Path, Path] | None, typer.Option(help="Your own outputs: shadow.npz target.npz.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random. Default: 0.")] = None,
    workers: Workers = None, engine: Engine = None, address: Address = None, gpu: Gpu = 0.0, store: Shared = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results and the report. Default: runs/NAME.")] = None,
    json: Json = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Attack two versions of a model: who was deleted between them? (vestige.leaks.run_leaks)"""
    from vestige.cli.show import print_leaks, say_to
    from vestige.config import compact, over, read_yaml, validated
    from vestige.leaks.config import LeakConfig
    from vestige.leaks.experiment import run_into

    given = {
        "data": {"name": dataset}, "target": target, "attacks": attack, "defences": defence, "seed": seed,
        "setting": {
            "name": setting, "sets": sets, "records": records, "deletions": deletions, "group": group,
            "shards": shards, "method": method,
        },
    }  # fmt: skip
    values = over({} if config is None else read_yaml(config), given)
    if method is not None and isinstance(values["setting"], dict):  # with its own options and no others
        values["setting"]["method"] = compact(method, "--method")
    if pairs and {"setting", "target", "data"} & values.keys():
        raise InputError("--pairs are outputs that are at hand; data, target and setting would not be read.")
    chosen = validated(LeakConfig, values, str(config or "vestige leaks"))
    folder = out or Path("runs") / chosen.name
    result = run_into(
        folder, chosen, pairs, say=say_to(json or quiet), workers=workers, engine=engine, address=address, gpu=gpu,
        store=store,
    )  # fmt: skip
    print_leaks(result, folder, json, quiet)


@command(app, examples=["vestige report runs/request-17"])
def report(
    folder: Annotated[Path, typer.Argument(help="The folder of a run, or of an audit.")], json: Json = False
) -> None:
    """Write report.html again from the files of a run or an audit. (vestige.evaluation.write_report)"""
    from vestige.cli.show import print_audits, print_leaks, say_to
    from vestige.graph.folder import kind_in, recorded

    kind, say = kind_in(folder), say_to(json)
    if kind in ("run", "llm"):
        need("torch", "torch", "The report of a run")
    if kind == "leaks":
        from vestige.leaks.experiment import report_again as report_leaks

        print_leaks(report_leaks(folder, say), folder, json)
    elif kind == "llm":
        run_texts(recorded(folder, kind), str(folder / "llm.json"), folder, json, False, {"kept_only": True})
    elif kind == "run":
        from vestige.experiments.render import report_again as report_run

        print_audits(report_run(folder, say), folder / "report.html", json)
    else:
        from vestige.evaluation.folder import report_again as report_audit

        print_audits(report_audit(folder), folder / "report.html", json)


command(app, examples=["vestige init sklearn", "vestige init torch projects/churn"])(init)


command(
    app, examples=["vestige convert before.pt before.safetensors --key state_dict --strip-prefix module."]
)(convert)


@command(app, "list", examples=["vestige list methods", "vestige list measures --json"])
def list_(
    what: Annotated[
        str,
        typer.Argument(help="datasets, models, recipes, methods, measures, text-methods, ...", autocompletion=lists),
    ],
    json: Json = False,
) -> None:  # fmt: skip
    """List what can be named: data sets, models, recipes, unlearning methods, measures."""
    from vestige.cli.show import print_list
    from vestige.listing import listing

    print_list(listing(what), json)


@command(app, examples=["vestige doctor"])
def doctor(json: Json = False) -> None:
    """Say what is installed, what this machine can do, and where data are looked for."""
    from vestige.cli.show import print_json, print_list
    from vestige.machine import facts

    known = facts()
    print_json(known, 2) if json else print_list([{"name": k, "what": str(v)} for k, v in known.items()])


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:  # fmt: skip
    if version:
        from vestige import __version__

        typer.echo(__version__)
        raise typer.Exit()
