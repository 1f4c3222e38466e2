"""What the command line prints: tables, verdicts, progress."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from vestige.evaluation import Audit
    from vestige.evaluation.gate import Gate
    from vestige.experiments.costs import Costs
    from vestige.leaks import Findings

EXIT = {"passed": 0, "failed": 1, "undecided": 4}
MOST_BESIDE = 4
"""Methods that a terminal can show beside each other; more are shown below each other."""
NARROW = ("Method", "Verdict", "Completeness", "Average disparity")
"""What is shown of methods below each other."""
HEAD = ("name", "what")
PLAIN = ("options", "steps", "fields")  # what names itself: name=value


def print_json(record: Any, indent: int | None = None) -> None:
    """Print one JSON object for machines."""
    from vestige.store import plain

    print(jsonlib.dumps(plain(record), indent=indent))


def print_rows(title: str, rows: Sequence[Mapping[Any, Any]], whole: Sequence[str] = ()) -> None:
    """Print a table; rows have the same keys, and the columns in `whole` are not broken over lines."""
    table = Table(title=Text(title, "table.title"), title_justify="left")
    for column in rows[0]:
        unbroken = column in whole or column.endswith("[95 %]")
        table.add_column(Text(column), overflow="fold", no_wrap=unbroken)
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    Console().print(table)


def print_list(rows: Sequence[Mapping[str, Any]], json: bool = False) -> None:
    """Print an entry for each row, of plain values: its name whole, beside it what it is, under that the rest."""
    if json:
        print(jsonlib.dumps(rows, indent=2))
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for row in rows:
        rest = {k: _cell(_brief(v) if k == "steps" else v) for k, v in row.items() if k not in HEAD and v}
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


def print_costs(costs: Costs, json: bool) -> None:
    """Print what a plan will cost, and how sharp its verdict will be."""
    from vestige.report.words import number

    if json:
        print_json(asdict(costs), indent=2)
        return
    rows = [
        {
            "Model": m["name"],
            "What": m["what"],
            "Records": number(m["records"]),
            "Done": "yes" if m["done"] else "",
        }
        for m in costs.models
    ]
    print_rows("What will be done", rows, whole=("Model",))
    print("\n".join(costs.sentences))


def say_to(silent: bool) -> Callable[[str], None]:
    """Return what progress is told to: stderr, or nothing."""
    if silent:
        return lambda text: None
    return lambda text: print(f"vestige: {text}", file=sys.stderr, flush=True)


def passed(audits: Mapping[str, Audit], gate: Gate) -> int:
    """Say of every audit that does not pass why not, and return the exit code."""
    state, reasons = gate.check_all({name: audit.verdict for name, audit in audits.items()})
    for reason in reasons:
        print(f"vestige: {reason}", file=sys.stderr)
    return EXIT[state]


def print_audits(audits: Mapping[str, Audit], report: Path, json: bool) -> None:
    """Print the figures of methods side by side, their verdicts, and where the report is."""
    if json:
        record = {
            name: {
                **a.verdict.record(),
                "metrics": [asdict(m) for m in a.figures],
                "retained": None if a.retained is None else a.retained.record(),
            }
            for name, a in audits.items()
        }
        print_json({"audits": record, "report": str(report)}, indent=2)
        return
    from vestige.evaluation.page import compare
    from vestige.evaluation.page.cards import overview

    frame = compare(audits)
    if len(audits) > MOST_BESIDE:
        rows = frame[[name for name in frame if str(name).startswith(NARROW)]]
        print_rows(overview(audits), rows.to_dict("records"), whole=("Method",))
    else:
        rows = frame.set_index("Method").T.rename_axis("").reset_index()
        print_rows("How completely was it unlearned?", rows.to_dict("records"))
        print_verdicts(audits)
    print(f"Report: {report}")


def print_leaks(findings: Findings, folder: Path, json: bool, quiet: bool = False) -> None:
    """Print what two versions of a model give away, and where its report is."""
    from vestige.leaks.page import attack_rows, defence_rows, headline
    from vestige.store import read_json

    if json:
        print_json({**read_json(folder / "leaks.json"), "report": str(folder / "report.html")})
        return
    if not quiet:
        print_rows("attacks, chosen by their AUC on shadow models", attack_rows(findings))
        if findings.defences:
            print_rows("defences, against an attacker that knows them", defence_rows(findings))
    print(headline(findings))
    print(f"Report: {folder / 'report.html'}")


def print_verdicts(audits: Mapping[str, Audit]) -> None:
    """Print of each audit the verdict, what would decide it, the records, and how sharp the audit was."""
    for name, audit in audits.items():
        verdict = audit.verdict
        others = "" if audit.retained is None else audit.retained.sentence
        lines = [verdict.sentence, verdict.advice, verdict.records_sentence, verdict.sharpness, others]
        text = Text.assemble((name, "bold"), ": ", "\n  ".join(filter(None, lines)))
        Console().print(text, soft_wrap=True)


def _brief(steps: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is printed of a method's optimiser; --json has all of it."""
    return {name: steps[name] for name in ("epochs", "lr") if name in steps}
