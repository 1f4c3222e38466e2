"""The command that audits new versions against open commitments: for CI, and for a clock."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestige.cli.ledger import DEFAULT, Actor, KeyFile, Url, open_ledger
from vestige.cli.options import Json, Workers
from vestige.errors import InputError

if TYPE_CHECKING:
    from vestige.ledger.records import Commitment, Version

WATCHED = (
    "Exit code 0: every pair was audited, and nothing re-opened; 1: a commitment was re-opened; 2: input that cannot "
    "be used; 4: audits are missing, or could test nothing; 130: interrupted."
)


def monitor(
    line: Annotated[str, typer.Argument(help="The model line, such as churn.")],
    audits: Annotated[
        str, typer.Option(help="Folders of audits that were made, by {line}, {version} and {request}.")
    ] = "audits/{version}/{request}",
    system: Annotated[
        str | None, typer.Option(help="In their place, who loads and asks the versions: churn.py:system.")
    ] = None,
    supplied: Annotated[
        Path | None, typer.Option(help="Records that are supplied again: a .jsonl file of objects with an id.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for shadow models, outputs and audits.")] = Path("runs"),
    shadows: Annotated[int, typer.Option(help="Models fitted on records that no version saw.", min=0)] = 1,
    seed: Annotated[int, typer.Option(help="Of everything random.", min=0)] = 0,
    procedure: Annotated[str, typer.Option(help="elond, lond, lord or addis; it counts at the first call.")] = "elond",
    alpha: Annotated[float, typer.Option(help="Promised share of false re-openings.")] = 0.05,
    by_records: Annotated[
        bool, typer.Option("--by-records", help="Re-open also by a record that stands out in two audits.")
    ] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be audited, and stop.")] = False,
    workers: Workers = None, url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "monitor", json: Json = False,
) -> None:  # fmt: skip
    """Audit every new version against every open commitment; re-open what it breaks. (vestige.Ledger.monitor)"""
    from vestige.cli.show import print_json, say_to
    from vestige.ledger import watch

    def folder(commitment: Commitment, version: Version) -> Path | None:
        try:
            place = audits.format(line=line, version=version.name, request=commitment.request)
        except (KeyError, IndexError, ValueError):
            raise InputError(
                f"--audits is {audits!r}; {{line}}, {{version}} and {{request}} may stand in it."
            ) from None
        return Path(place) if Path(place, "audit.json").is_file() else None

    ledger = open_ledger(url, key, actor)
    if plan:
        waiting = [(commitment.request, version.id) for commitment, version in watch.pairs(ledger, line)]
        rows = [f"{request} under {version}" for request, version in waiting] or ["Nothing is to be audited."]
        print_json({"waiting": waiting}, indent=2) if json else print("\n".join(rows))
        return
    control: dict[str, Any] = {"procedure": procedure, "alpha": alpha, "by_records": by_records}
    if system is None:
        result = ledger.monitor(line, folder, **control)
    else:
        result = ledger.monitor(
            line, system=system, supplied=supplied, folder=out, shadows=shadows, seed=seed, workers=workers,
            say=say_to(json), **control,
        )  # fmt: skip
    if json:
        print_json(asdict(result), indent=2)
    else:
        names = {version.digest: version.id for version in ledger.models.list(line)}
        for decision in result.decisions:
            print(f"{decision.commitment} under {names[decision.digest]}: {decision.sentence}")
        for request, version in result.waiting:
            print(f"{request} under {version}: waits for an audit that says something.")
        left = result.budget
        print(
            f"{left.tests:,} tests by {left.procedure}, {left.reopened:,} re-opened; the next is judged at "
            f"{left.next_level:.2g}. Of the budget {left.spent:.2g} is spent, {left.left:.2g} is left."
        )
    raise typer.Exit(1 if result.reopened else 4 if result.waiting else 0)
