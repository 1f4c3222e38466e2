"""The commands on requests: `vestige request`. Each parses, calls one verb, prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestige.cli.commands import command, group
from vestige.cli.ledger import DEFAULT, Actor, KeyFile, System, Url, open_ledger
from vestige.cli.options import Json, Workers

if TYPE_CHECKING:
    from vestige.ledger.records import Request

request = group(
    "request", "Requests to delete, from receipt to the end.",
    examples=(
        "vestige request new anna@example.org --record row-3 --external 'ticket 4711'",
        "vestige request list --state open",
        "vestige request execute R17 --system churn.py:system --reason 'retraining is cheap'",
    ),
)  # fmt: skip

# fmt: off
Id = Annotated[str, typer.Argument(help="The request, such as R17.")]
Ids = Annotated[list[str], typer.Argument(help="The request, such as R17; several: one training serves them.")]
Line = Annotated[str | None, typer.Option(help="The model line, where the request concerns several.")]
Note = Annotated[str | None, typer.Option(help="Free text; it can be redacted.")]
Runs = Annotated[Path, typer.Option("--out", help="Folder for models and audits.")]
Content = Annotated[Path | None, typer.Option(help="The records: a .jsonl file of objects with an id.")]
Custody = Annotated[str, typer.Option(help="escrow, supplied or none: how later audits get the records.")]
Until = Annotated[str | None, typer.Option(help="A day, such as 2027-06-30.")]
Shadows = Annotated[int, typer.Option(help="Models fitted on records that the original never saw.")]
# fmt: on


@command(
    request,
    "new",
    examples=(
        "vestige request new anna@example.org --record row-3 --external 'ticket 4711'",
        "vestige request new 4711 --ids ids.txt --content records.jsonl --custody escrow --until 2027-06-30",
    ),
)
def request_new(
    subject: Annotated[str, typer.Argument(help="Whose data; the ledger keeps a pseudonym.")],
    ids: Annotated[Path | None, typer.Option(help="Ids of the records, one a line.")] = None,
    record: Annotated[list[str] | None, typer.Option(help="Id of a record; several times.")] = None,
    external: Annotated[str | None, typer.Option(help="Your own id; the same again is the same request.")] = None,
    source: Annotated[str, typer.Option(help="A word: mail, portal.")] = "",
    received: Annotated[str | None, typer.Option(help="The day; default: today.")] = None,
    note: Note = None, content: Content = None, custody: Custody = "none", until: Until = None,
    url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator", json: Json = False,
) -> None:  # fmt: skip
    """Receive a request. (vestige.Ledger.requests.new)"""
    from vestige.files import read_ids

    records = [*(read_ids(ids) if ids else []), *(record or [])]
    made = open_ledger(url, key, actor).requests.new(
        subject, records, external=external, source=source, received=received, note=note, content=content,
        custody=custody, until=until,
    )  # fmt: skip
    _print_request(made, json)


@command(
    request,
    "list",
    examples=(
        "vestige request list --state open",
        "vestige request list --state overdue --json",
    ),
)
def request_list(
    state: Annotated[str | None, typer.Option(help="One state; open: not at its end; overdue.")] = None,
    line: Line = None, limit: Annotated[int | None, typer.Option(min=1)] = None,
    url: Url = DEFAULT, key: KeyFile = None, json: Json = False,
) -> None:  # fmt: skip
    """List requests by due date; what is overdue is said. (vestige.Ledger.requests.list)"""
    from vestige.cli.show import print_json, print_rows

    chosen = open_ledger(url, key).requests.list(
        "open" if state == "overdue" else state, line=line, limit=limit
    )
    rows = [one for one in chosen if state != "overdue" or one.overdue]
    if json:
        print_json([asdict(one) for one in rows])
    elif rows:
        print_rows("Requests by due date", [_row(one) for one in rows], whole=("Request", "State", "Due"))
    else:
        print("No request.")
    _warn_of_overdue(rows)


@command(request, "show", examples=("vestige request show R17",))
def request_show(about: Id, url: Url = DEFAULT, key: KeyFile = None, json: Json = False) -> None:
    """Show a request and what happened to it. (vestige.Ledger.requests.show)"""
    from vestige.cli.show import print_json

    book = open_ledger(url, key)
    record, events = book.requests.show(about), book.events(about=about)
    if json:
        print_json({**asdict(record), "events": [event.record() for event in events]}, 2)
        return
    _print_request(record, False)
    for event in events:
        print(f"  {event.sequence:>6}  {event.time[:19]}  {event.kind}  ({event.actor})")


@command(request, "scope", examples=("vestige request scope R17",))
def request_scope(
    about: Id, system: System = None, url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator",
    json: Json = False,
) -> None:  # fmt: skip
    """Find which versions of which models saw the records. (vestige.Ledger.requests.scope)"""
    _print_request(open_ledger(url, key, actor).requests.scope(about, system), json)


@command(request, "plan", examples=("vestige request plan R17 --system churn.py:system --how retrain",))
def request_plan(
    about: Ids, how: Annotated[list[str] | None, typer.Option(help="Ways side by side.")] = None, line: Line = None,
    system: System = None, shadows: Shadows = 1, url: Url = DEFAULT, key: KeyFile = None, json: Json = False,
) -> None:  # fmt: skip
    """Say what it would cost to execute, and how sharp the audit would be; nothing changes. (Ledger.requests.plan)"""
    from vestige.cli.show import print_costs

    ways = _ways(how or ["retrain"])
    print_costs(
        open_ledger(url, key).requests.plan(about, line, how=ways, system=system, shadows=shadows), json
    )


@command(
    request,
    "execute",
    examples=(
        "vestige request execute R17 --system churn.py:system --reason 'retraining is cheap'",
        "vestige request execute R17 --version churn@v2",
        "vestige request execute R17 R21 R30 --system churn.py:system",
    ),
)
def request_execute(
    about: Ids,
    how: Annotated[str, typer.Option(help="retrain, a method with options, retire, or wait.")] = "retrain",
    alternative: Annotated[list[str] | None, typer.Option(help="Also measure what this way costs.")] = None,
    line: Line = None, system: System = None,
    version: Annotated[str | None, typer.Option(help="A version that was trained without the records.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why this way; it can be redacted.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the new version.")] = None,
    until: Until = None, out: Runs = Path("runs"), shadows: Shadows = 1,
    plan: Annotated[bool, typer.Option("--plan", help="As vestige request plan, and stop.")] = False,
    workers: Workers = None, url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator", json: Json = False,
) -> None:  # fmt: skip
    """Forget the records, and register the version without them. (vestige.Ledger.requests.execute)"""
    from vestige.cli.show import say_to

    if plan:
        request_plan(about, [how, *(alternative or [])], line, system, shadows, url, key, json)
        return
    records = open_ledger(url, key, actor).requests.execute(
        about, line, how=_ways([how])[0], alternatives=_ways(alternative or []), system=system, version=version,
        until=until, reason=reason, name=name, folder=out, shadows=shadows, workers=workers, say=say_to(json),
    )  # fmt: skip
    _print_requests(records, json)


@command(request, "audit", examples=("vestige request audit R17",))
def request_audit(
    about: Id, line: Line = None, system: System = None,
    folder: Annotated[Path | None, typer.Option(help="An audit that was made elsewhere.")] = None,
    workers: Workers = None, url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator", json: Json = False,
) -> None:  # fmt: skip
    """Measure what is left of each record. (vestige.Ledger.requests.audit)"""
    from vestige.cli.show import say_to

    book = open_ledger(url, key, actor)
    record = book.requests.audit(about, line, system=system, folder=folder, workers=workers, say=say_to(json))
    _print_request(record, json)


@command(request, "certify", examples=("vestige request certify R17 --signing-key evidence.key",))
def request_certify(
    about: Id, line: Line = None,
    signing_key: Annotated[str | None, typer.Option(help="The private key that signs, or URI of a signer.")] = None,
    public_key: Annotated[Path | None, typer.Option(help="The public key, where it is a URI.")] = None,
    valid_until: Until = None, out: Annotated[Path | None, typer.Option(help="Folder of the evidence.")] = None,
    assurance: Annotated[str, typer.Option(help="self-attested, reproduced or third-party.")] = "self-attested",
    url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator", json: Json = False,
) -> None:  # fmt: skip
    """Sign evidence of an audit that holds. (vestige.Ledger.requests.certify)"""
    record = open_ledger(url, key, actor).requests.certify(
        about,
        line,
        key=signing_key,
        public=public_key,
        valid_until=valid_until,
        assurance=assurance,
        folder=out,
    )
    _print_request(record, json)


@command(request, "extend", examples=("vestige request extend R17 --reason 'many models' --months 1",))
def request_extend(
    about: Id, reason: Annotated[str, typer.Option(help="Why; it can be redacted.")],
    months: Annotated[int, typer.Option(min=1, max=2)] = 2,
    url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator", json: Json = False,
) -> None:  # fmt: skip
    """Extend the time by one or two months. (vestige.Ledger.requests.extend)"""
    _print_request(open_ledger(url, key, actor).requests.extend(about, reason, months), json)


@command(request, "deny", examples=("vestige request deny R17 --reason 'no match'",))
def request_deny(
    about: Id, reason: Annotated[str, typer.Option(help="no match, claim not covered, suspected fraud, ...")],
    note: Note = None, url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator", json: Json = False,
) -> None:  # fmt: skip
    """Deny a request, for a reason of the list. (vestige.Ledger.requests.deny)"""
    _print_request(open_ledger(url, key, actor).requests.deny(about, reason, note), json)


@command(request, "withdraw", examples=("vestige request withdraw R17",))
def request_withdraw(
    about: Id, note: Note = None, url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator",
    json: Json = False,
) -> None:  # fmt: skip
    """Note that the subject takes the request back. (vestige.Ledger.requests.withdraw)"""
    _print_request(open_ledger(url, key, actor).requests.withdraw(about, note), json)


@command(request, "close", examples=("vestige request close R17",))
def request_close(
    about: Id, note: Note = None, url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator",
    json: Json = False,
) -> None:  # fmt: skip
    """End a request; refused while a live version saw its records. (vestige.Ledger.requests.close)"""
    _print_request(open_ledger(url, key, actor).requests.close(about, note), json)


# printing


def _ways(texts: Sequence[str]) -> list[Any]:
    """Return ways to forget as they are written in options: "scrub:epochs=3"."""
    from vestige.config import compact

    return [compact(text, "--how") for text in texts]


def _row(one: Request) -> dict[str, str]:
    from vestige.ledger.projections import ENDED

    left = (
        ""
        if one.state in ENDED
        else f"{-one.days_left} days OVERDUE"
        if one.overdue
        else f"{one.days_left} days"
    )
    return {
        "Request": one.id, "State": one.state.replace("_", " "), "Due": one.due, "Left": left,
        "Failed": one.failed, "Repeats": one.duplicate_of, "Live versions that saw it": ", ".join(one.open),
    }  # fmt: skip


def _print_request(one: Request, json: bool) -> None:
    from vestige.cli.show import print_json

    if json:
        print_json(asdict(one), 2)
        return
    parts = [
        f"{key.lower()} {value}"
        for key, value in _row(one).items()
        if value and key not in ("Request", "State")
    ]
    print(f"{one.id} is {one.state.replace('_', ' ')}: {'; '.join(parts)}.")
    for c in one.commitments:
        facts = {"way": c.way, "version": c.version, "verdict": c.verdict, "folder": c.folder}
        print(
            f"  {c.line}: {c.state}" + "".join(f", {name} {value}" for name, value in facts.items() if value)
        )
    _warn_of_overdue([one])


def _print_requests(records: Sequence[Request], json: bool) -> None:
    from vestige.cli.show import print_json

    if json and len(records) > 1:
        print_json([asdict(one) for one in records])
        return
    for one in records:
        _print_request(one, json)


def _warn_of_overdue(requests: Sequence[Request]) -> None:
    for one in requests:
        if one.overdue:
            print(f"vestige: {one.id} is OVERDUE by {-one.days_left} days (due {one.due}).", file=sys.stderr)
