"""What the commands do; imported when one is called, so that `vestige --help` stays quick."""

from __future__ import annotations

import importlib.metadata
import json as jsonlib
import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

import vestige
from vestige.config import compact
from vestige.errors import ArtefactError, InputError, need, unknown
from vestige.evaluation import DEFAULT_MEASURES, Audit
from vestige.evaluation.gate import Gate
from vestige.store import file_hash, key_of, plain, read_record, write_json

EXIT = {"passed": 0, "failed": 1, "undecided": 4}
MOST_BESIDE = 4
"""Methods that a terminal can show beside each other; more are shown below each other."""


def demo(out: Path, json: bool) -> None:
    need("torch", "torch", "vestige demo")
    from importlib.resources import files

    from vestige.config import validated
    from vestige.experiments import RunConfig
    from vestige.experiments import run as run_config

    values = yaml.safe_load(files("vestige.experiments").joinpath("demo.yaml").read_text("utf-8"))
    made = run_config(validated(RunConfig, values, "demo.yaml"), out, say=say_to(json))
    print_run(made.audits, made.report, json)


def run(
    config: Path,
    overrides: Sequence[str],
    out: Path | None,
    gate: Gate,
    json: bool,
    quiet: bool,
) -> int:
    need("torch", "torch", "vestige run")
    from vestige.config import read_yaml, validated
    from vestige.experiments import RunConfig
    from vestige.experiments import run as run_config

    values = read_yaml(config, overrides)
    if values.get("kind") == "llm":
        from vestige.cli import texts

        return texts.run(values, str(config), out, gate, json, quiet)

    progress = not json and not quiet and sys.stderr.isatty()
    made = run_config(
        validated(RunConfig, values, str(config)), out, say=say_to(json or quiet), progress=progress
    )
    print_run(made.audits, made.report, json)
    return passed(made.audits, gate)


def audit(
    signals: Path,
    measures: Sequence[str] | None,
    out: Path | None,
    preset: str,
    alpha: float,
    tolerance: float,
    gate: Gate,
    json: bool,
) -> int:
    specs = [compact(text, "--measure") for text in measures] if measures else list(DEFAULT_MEASURES)
    folder = out or Path("audits") / signals.stem
    record = vestige.Signals.load(signals)
    digest = file_hash(signals) if signals.is_file() else file_hash(signals / "signals.json")
    key = key_of(digest, specs, preset, alpha, tolerance, vestige.__version__)
    _claim(folder, key)
    made = vestige.audit(record, specs, name=signals.stem, preset=preset, alpha=alpha, tolerance=tolerance)
    made.save(folder)
    manifest = {
        "vestige": vestige.__version__, "kind": "audit", "name": signals.stem, "key": key,
        "config": {
            "signals": str(signals), "measures": specs, "preset": preset, "alpha": alpha, "tolerance": tolerance,
        },
        "hashes": {signals.name: digest, "audit.json": file_hash(folder / "audit.json")},
        "timings": {"audit": made.seconds},
    }  # fmt: skip
    write_json(folder / "manifest.json", manifest)
    from vestige.report import write_report

    path = write_report(folder / "report.html", {made.name: made}, manifest=manifest)
    print_run({made.name: made}, path, json)
    return passed({made.name: made}, gate)


def _claim(folder: Path, key: str) -> None:
    """Refuse a folder that holds something else than this very audit."""
    if folder.is_file():
        raise InputError(f"{folder} is a file; a folder for the results is wanted.")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    path = folder / "manifest.json"
    if not path.exists():
        raise InputError(f"{folder} is not empty and holds no audit; name another folder with --out.")
    try:
        known = read_record(path).get("key")
    except ArtefactError as damage:
        raise InputError(f"{damage} Delete {folder}, or name another folder with --out.") from None
    if known != key:
        raise InputError(f"{folder} holds another run; name another folder with --out.")


def leaks(
    config: Path | None,
    given: Mapping[str, Any],
    pairs: tuple[Path, Path] | None,
    workers: int,
    out: Path | None,
    json: bool,
    quiet: bool,
) -> None:
    from vestige.config import read_yaml, validated
    from vestige.leaks import LeakConfig, PosteriorPairs, attack_pairs, run_leaks
    from vestige.report import write_leaks_report

    values = _over({} if config is None else read_yaml(config), given)
    chosen = validated(LeakConfig, values, str(config or "vestige leaks"))
    folder = out or Path("runs") / chosen.name
    if pairs is None:
        say = say_to(json or quiet)
        found = run_leaks(chosen, cache=folder / "pairs", workers=workers, say=say)
        told: dict[str, Any] = {"config": chosen.model_dump(mode="json")}
    else:
        if "setting" in values or "target" in values or "data" in values:
            raise InputError(
                "--pairs are outputs that are at hand; data, target and setting would not be read."
            )
        shadow, asked = (PosteriorPairs.load(path) for path in pairs)
        found = attack_pairs(
            shadow,
            asked,
            models=chosen.attacks,
            features=chosen.features,
            defences=chosen.defences,
            seed=chosen.seed,
        )
        told = {
            "pairs": {side: file_hash(path) for side, path in zip(("shadow", "target"), pairs, strict=True)}
        }
    manifest = {"kind": "leaks", "vestige": vestige.__version__, **told}
    record = {**manifest, **found.record()}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "leaks.json", record)
    path = write_leaks_report(folder / "report.html", found, title=chosen.title, manifest=manifest)
    if json:
        print(jsonlib.dumps(plain({**record, "report": str(path)})))
        return
    from vestige.report.leaks import attack_rows, defence_rows, headline

    if not quiet:
        print_rows("attacks, chosen by their AUC on shadow models", attack_rows(found))
        if found.defences:
            print_rows("defences, against an attacker that knows them", defence_rows(found))
    print(headline(found))
    print(f"Report: {path}")


def _over(values: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with those that are given (not None) put over them, at any depth."""
    for name, value in given.items():
        if isinstance(value, Mapping):
            inner = _over(dict(values.get(name) or {}), value)
            if inner:
                values[name] = inner
        elif value is not None:
            values[name] = value
    return values


def report(folder: Path, json: bool) -> None:
    manifest = read_record(folder / "manifest.json")
    if manifest.get("kind") == "audit":
        from vestige.report import write_report

        made = _sealed(folder, "audit.json", manifest)
        path = write_report(folder / "report.html", {made.name: made}, manifest=manifest)
        print_run({made.name: made}, path, json)
        return
    if manifest.get("kind") != "run":
        raise InputError(
            f"{folder} holds neither a run nor an audit of arrays; for texts and for two versions run the same command "
            "again: what is done is kept."
        )
    need("torch", "torch", "The report of a run")
    from vestige.experiments.render import render
    from vestige.experiments.runner import is_finished

    if not is_finished(manifest):
        raise InputError(
            f"{folder} holds a run that is not finished; the same vestige run command continues it."
        )
    titles, data = _told(folder, manifest)
    audits = {title: _sealed(folder, f"audits/{title}/audit.json", manifest) for title in titles}
    path = render(folder, audits, manifest, _data_of(data, json))
    print_run(audits, path, json)


def _sealed(folder: Path, name: str, manifest: Mapping[str, Any]) -> Audit:
    """Return the audit whose seal is the file `name`; refuse one that is not the manifest's."""
    hashes, seal = manifest.get("hashes"), folder / name
    wanted = hashes.get(name) if isinstance(hashes, Mapping) else None
    if seal.is_file() and file_hash(seal) != wanted:
        raise ArtefactError(
            f"{seal} is not the audit that {folder / 'manifest.json'} names; it was changed or swapped, audit again."
        )
    return Audit.load(seal.parent)


def _told(folder: Path, manifest: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Return the titles of a run's methods, and what its data are loaded by."""
    try:
        config = manifest["config"]
        titles = [str(m["label"] or m["name"]) for m in config["methods"]]
        data = {"root": None, **config["data"], "name": config["data"]["name"]}
    except (KeyError, TypeError):
        raise ArtefactError(
            f"{folder / 'manifest.json'}: it names no methods and data as a run's does; was it edited?"
        ) from None
    return titles, data


def _data_of(loaded_by: dict[str, Any], json: bool) -> Any:
    try:
        return vestige.load_dataset(**loaded_by)
    except InputError as error:
        say_to(json)(f"the report has no pictures: {error}")
        return None


def list_(what: str, json: bool) -> None:
    kinds = {
        "datasets": _datasets, "models": _models, "recipes": _recipes, "methods": _methods,
        "measures": _measures, "text-methods": _text_methods, "text-measures": _text_measures,
    }  # fmt: skip
    if what not in kinds:
        raise InputError(unknown("list", what, kinds))
    rows = kinds[what]()
    if json:
        print(jsonlib.dumps(plain(rows), indent=2))
        return
    print_list([{k: _brief(v) if k == "steps" else v for k, v in row.items()} for row in rows])


def _brief(steps: dict[str, Any]) -> dict[str, Any]:
    """What to print of a method's optimiser; --json has all of it."""
    return {name: steps[name] for name in ("epochs", "lr") if name in steps}


def print_rows(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table; rows have the same keys."""
    table = Table(title=Text(title, "table.title"), title_justify="left")
    for column in rows[0]:
        table.add_column(Text(column), overflow="fold", no_wrap=column.endswith("[95 %]"))
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    Console().print(table)


PLAIN = ("options", "steps", "fields")  # what names itself: name=value


def print_list(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print an entry for each row: its name whole, beside it what it is, under that the rest."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for row in rows:
        rest = {key: _cell(value) for key, value in row.items() if key not in ("name", "what") and value}
        facts = "; ".join(text if key in PLAIN else f"{key} {text}" for key, text in rest.items())
        body = [Text(row["what"])] if "what" in row else []
        body += [Text(facts, style="dim")] if facts else []
        grid.add_row(Text(str(row["name"])), Text("\n").join(body))
    Console().print(grid)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}={v!r}" for k, v in value.items())
    if isinstance(value, float):
        return f"{value:.3f}"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _datasets() -> list[dict[str, Any]]:
    from vestige.data.registry import DATASETS

    return [
        {"name": name, "what": DATASETS[name].description, "from": DATASETS[name].home} for name in DATASETS
    ]


def _models() -> list[dict[str, Any]]:
    need("torch", "torch", "Listing models")
    from vestige.models import MODELS

    return [
        {"name": m.name, "what": m.summary, "options": m.options, "cites": m.cites}
        for m in map(MODELS.__getitem__, MODELS)
    ]


def _recipes() -> list[dict[str, Any]]:
    need("torch", "torch", "Listing recipes")
    from vestige.training import PRESETS

    return [{"name": name, "fields": fields} for name, fields in PRESETS.items()]


def _methods() -> list[dict[str, Any]]:
    need("torch", "torch", "Listing methods")
    from vestige.unlearning import METHODS

    entries = [METHODS[name] for name in METHODS]
    return [
        {
            "name": m.name,
            "what": m.summary,
            "reads": m.needs,
            "on": m.worlds,
            "options": m.own_options,
            "steps": m.own_steps,
            "cites": m.cites,
        }
        for m in entries
    ]


def _measures() -> list[dict[str, Any]]:
    from vestige.measures import MEASURES

    entries = [MEASURES[name] for name in MEASURES]
    return [
        {
            "name": m.name,
            "what": m.summary,
            "needs": m.needs,
            "uses": m.uses,
            "options": m.options,
            "cites": m.cites,
        }
        for m in entries
    ]


def _text_methods() -> list[dict[str, Any]]:
    from vestige.llm import METHODS

    entries = [METHODS[name] for name in METHODS]
    return [
        {"name": m.name, "what": m.summary, "reads": m.needs, "options": m.options, "cites": m.cites}
        for m in entries
    ]


def _text_measures() -> list[dict[str, Any]]:
    from vestige.llm import MEASURES

    entries = [MEASURES[name] for name in MEASURES]
    return [
        {"name": m.name, "what": m.summary, "needs": m.needs, "options": m.options, "cites": m.cites}
        for m in entries
    ]


EXTRAS = {"torch": "torch", "dp": "opacus", "llm": "transformers", "ray": "ray", "track": "mlflow"}


def doctor(json: bool) -> None:
    found = {name: _version_of(module) for name, module in EXTRAS.items()}
    facts: dict[str, Any] = {
        "vestige": vestige.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "data folder (VESTIGE_DATA)": os.environ.get("VESTIGE_DATA") or "not set",
        "browser": next(filter(None, map(shutil.which, ("chromium", "google-chrome", "firefox"))), "none"),
    }
    facts |= _unverified()
    for extra, version in found.items():
        facts[f"extra [{extra}]"] = version or f"missing: pip install 'vestige[{extra}]'"
    if found["torch"]:
        import torch

        from vestige.training import has_fast_bf16

        facts["cuda"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
        facts["fast bf16"] = has_fast_bf16(torch.device("cpu"))
    if json:
        print(jsonlib.dumps(plain(facts), indent=2))
        return
    table = Table(show_header=False)
    for name, value in facts.items():
        table.add_row(Text(name), Text(str(value)))
    Console().print(table)


def _unverified() -> dict[str, str]:
    """Say which data sets are downloaded without a published digest, and which of them over plain http."""
    from vestige.data.registry import DATASETS

    loose = {
        name: any(d.url.startswith("http://") for d in DATASETS[name].downloads if d.digest is None)
        for name in DATASETS
        if any(d.digest is None for d in DATASETS[name].downloads)
    }
    names = [f"{name} (plain http)" if plain_http else name for name, plain_http in loose.items()]
    return {"downloads trusted on first use": ", ".join(names) or "none"}


def _version_of(module: str) -> str | None:
    try:
        return importlib.metadata.version(module.replace("_", "-"))
    except importlib.metadata.PackageNotFoundError:
        return None


def say_to(silent: bool) -> Any:
    """Return what progress is told to: stderr, or nothing."""
    return (
        (lambda text: None)
        if silent
        else (lambda text: print(f"vestige: {text}", file=sys.stderr, flush=True))
    )


def passed(audits: Mapping[str, Audit], gate: Gate) -> int:
    """Say of every audit that does not pass why not, and return the exit code: failed before undecided."""
    states = {name: gate.check(audit.verdict) for name, audit in audits.items()}
    for name, (state, reason) in states.items():
        if state != "passed":
            print(f"vestige: {name}: {state}; {reason}", file=sys.stderr)
    every = {state for state, _ in states.values()}
    return EXIT["failed" if "failed" in every else "undecided" if "undecided" in every else "passed"]


def print_run(audits: Mapping[str, Audit], path: Path, json: bool) -> None:
    if json:
        record = {
            name: {**a.verdict.record(), "metrics": [asdict(m) for m in a.metrics]}
            for name, a in audits.items()
        }
        print(jsonlib.dumps(plain({"audits": record, "report": str(path)}), indent=2))
        return
    console = Console()
    from vestige.report.sections import overview
    from vestige.report.tables import compare

    frame, title = compare(audits), "How completely was it unlearned?"
    many = len(audits) > MOST_BESIDE
    if many:
        title = overview(audits)
        frame = frame[
            [
                c
                for c in frame
                if str(c).startswith(("Method", "Verdict", "Completeness", "Average disparity"))
            ]
        ]
    else:
        frame = frame.set_index("Method").T.rename_axis("").reset_index()
    table = Table(title=Text(title, "table.title"), title_justify="left")
    for number, header in enumerate(frame.columns):
        table.add_column(Text(str(header)), no_wrap=many and number == 0)
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(str(cell)) for cell in row))
    console.print(table)
    if not many:
        print_verdicts(audits)
    print(f"Report: {path}")


def print_verdicts(audits: Mapping[str, Audit]) -> None:
    """Print of each audit the verdict, what would decide it, the records, and how sharp the audit was."""
    for name, audit in audits.items():
        verdict = audit.verdict
        lines = [verdict.sentence, verdict.advice, verdict.records_sentence, verdict.sharpness]
        text = Text.assemble((name, "bold"), ": ", "\n  ".join(filter(None, lines)))
        Console().print(text, soft_wrap=True)
