"""The commands on the ledger: `vestige ledger`, `vestige key` and `vestige model`. Each parses, calls one verb, prints.

Exit code 3: the ledger does not fit, something was changed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import vestige
from vestige.cli.commands import command, group
from vestige.cli.options import Json
from vestige.errors import InputError, need

if TYPE_CHECKING:
    from vestige.ledger import Ledger
    from vestige.ledger.records import Version

TAMPERED, WAITS = 3, 4
CHECKED = (
    "Exit code 0: everything fits; 2: input that cannot be used; 3: something was changed, and it is named."
)
POLLED = "Exit code 0: everything is registered; 2: input that cannot be used; 4: a version waits for its manifest."

ledger = group(
    "ledger", "The ledger of deletions: make, verify, export it.",
    examples=("vestige ledger init --ledger sqlite:///deletions.db", "vestige ledger verify"),
)  # fmt: skip
key = group(
    "key",
    "The key that makes pseudonyms, outside of the ledger.",
    examples=("vestige key new safe/ledger.key",),
)
model = group(
    "model", "Model versions and the records that they saw.",
    examples=("vestige model add churn@v1 models/v1 --system churn.py:system --live", "vestige model list churn"),
)  # fmt: skip

# fmt: off
Url = Annotated[str, typer.Option("--ledger", envvar="VESTIGE_LEDGER", help="sqlite:///FILE or postgresql+psycopg://...")]
KeyFile = Annotated[Path | None, typer.Option("--key", help="Default: VESTIGE_KEY, or ~/.config/vestige/ledger.key.")]
Actor = Annotated[str, typer.Option("--actor", envvar="VESTIGE_ACTOR", help="Who acts: a role, no person's name.")]
System = Annotated[str | None, typer.Option(help="How the model is trained and asked: churn.py:system.")]
DEFAULT = "sqlite:///deletions.db"
# fmt: on


def open_ledger(url: str, key: Path | None, actor: str = "operator") -> Ledger:
    """Return the ledger that the options name."""
    return vestige.Ledger(url, key, actor=actor)


# ledger


@command(ledger, "init", examples=("vestige ledger init --ledger sqlite:///deletions.db",))
def ledger_init(url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator") -> None:
    """Make a ledger, or bring one to the newest tables. (vestige.Ledger.create)"""
    made = vestige.Ledger.create(url, key, actor=actor)
    print(f"Ledger {made.name}: {made.place}; its last event is noted in {made.head_path}.")


@command(
    ledger,
    "verify",
    examples=(
        "vestige ledger verify",
        "vestige ledger verify --no-files --json",
    ),
    codes=CHECKED,
)
def ledger_verify(
    url: Url = DEFAULT, key: KeyFile = None,
    files: Annotated[bool, typer.Option(help="Also look at the files of versions, audits and evidence.")] = True,
    head: Annotated[Path | None, typer.Option(help="The noted last event. Default: beside the key.")] = None,
    json: Json = False,
) -> None:  # fmt: skip
    """Does everything fit? Exit code 3, and the first event that does not, where not. (vestige.Ledger.verify)"""
    from vestige.cli.show import print_json

    result = open_ledger(url, key).verify(files=files, head=head)
    print_json(asdict(result), 2) if json else print(result.sentence)
    raise typer.Exit(TAMPERED if result.fault else 0)


@command(ledger, "rebuild", examples=("vestige ledger rebuild",))
def ledger_rebuild(url: Url = DEFAULT, key: KeyFile = None) -> None:
    """Compute the tables again from the events. (vestige.Ledger.rebuild)"""
    print(f"The tables were computed from {open_ledger(url, key).rebuild():,} events.")


@command(
    ledger,
    "export",
    examples=(
        "vestige ledger export csv --out register.csv",
        "vestige ledger export dpv R17",
    ),
)
def ledger_export(
    kind: Annotated[str, typer.Argument(help="jsonl: every event; csv: record of processing; dpv: one request.")],
    about: Annotated[str | None, typer.Argument(help="The request, for dpv.")] = None,
    url: Url = DEFAULT, key: KeyFile = None,
    out: Annotated[Path | None, typer.Option(help="A file; default: the screen.")] = None,
) -> None:  # fmt: skip
    """Export the ledger, or one request. (vestige.Ledger.export)"""
    from vestige.store import write_text

    text = "".join(open_ledger(url, key).export(kind, about))
    print(text, end="") if out is None else write_text(out, text)


@command(
    ledger,
    "redact",
    examples=("vestige ledger redact 17 --reason request", "vestige ledger redact --ended-before 2024-01-01"),
)
def ledger_redact(
    event: Annotated[int | None, typer.Argument(help="The event whose free text is erased.")] = None,
    reason: Annotated[str, typer.Option(help="A word for the chain.")] = "retention",
    ended_before: Annotated[str | None, typer.Option(help="All free texts of requests that ended by a day.")] = None,
    url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator",
) -> None:  # fmt: skip
    """Erase free text; the chain still holds. (vestige.Ledger.redact, vestige.Ledger.retain)"""
    if (event is None) == (ended_before is None):
        raise InputError("Which free text is erased? Give an event, or --ended-before.")
    book = open_ledger(url, key, actor)
    if event is not None:
        print(f"Erased; event {book.redact(event, reason).sequence} says so.")
    elif ended_before is not None:
        print(f"Erased: {book.retain(ended_before):,} free texts.")


@command(
    ledger,
    "accept",
    examples=("vestige ledger accept --reason 'the disk broke, the copy of Monday is the newest'",),
)
def ledger_accept(
    reason: Annotated[str, typer.Option(help="Why an older copy is gone on with.")],
    url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator",
) -> None:  # fmt: skip
    """Go on from an older copy of the ledger, knowingly. (vestige.Ledger.accept)"""
    event = open_ledger(url, key, actor).accept(reason)
    print(f"Event {event.sequence} says that what came after event {event.sequence - 1} is lost.")


@command(ledger, "expire", examples=("vestige ledger expire",))
def ledger_expire(url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator") -> None:
    """Destroy every escrow whose day has come. (vestige.Ledger.requests.expire)"""
    gone = open_ledger(url, key, actor).requests.expire()
    print(f"Destroyed: {', '.join(gone)}." if gone else "No escrow has come to its day.")


# key


@command(key, "new", examples=("vestige key new safe/ledger.key",))
def key_new(path: Annotated[Path | None, typer.Argument(help="A new file.")] = None) -> None:
    """Make a key. (vestige.ledger.Key.create)"""
    made = vestige.ledger.Key.create(path)
    print(f"Key {made.id}: {made.path}. Keep a copy apart from the ledger: without it nobody can be named.")


@command(key, "show", examples=("vestige key show",))
def key_show(key: KeyFile = None) -> None:
    """Say which key it is; the key itself is never shown. (vestige.ledger.Key.read)"""
    known = vestige.ledger.Key.read(key)
    print(f"Key {known.id}: {known.path}.")


@command(key, "destroy", examples=("vestige key destroy --yes",))
def key_destroy(
    url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator",
    yes: Annotated[bool, typer.Option("--yes", help="Yes: nobody can be named any more, no escrow be read.")] = False,
) -> None:  # fmt: skip
    """Destroy the key for good; the receipt is an event. (vestige.Ledger.destroy_key)"""
    if not yes:
        raise InputError("After this nobody can be named any more, and no escrow be read; say --yes.")
    receipt = open_ledger(url, key, actor).destroy_key()
    print(f"Destroyed: key {receipt.body['key']}; the receipt is event {receipt.sequence}.")


# model


@command(
    model,
    "add",
    examples=(
        "vestige model add churn@v1 models/v1 --system churn.py:system --live",
        "vestige model add churn@v2 models/v2 --manifest ids.txt --parent churn@v1",
    ),
)
def model_add(
    version: Annotated[str, typer.Argument(help="Line and name: churn@v1.")],
    place: Annotated[Path, typer.Argument(help="Folder or file of the weights.")],
    system: System = None,
    manifest: Annotated[Path | None, typer.Option(help="Ids of the records that it saw, one a line.")] = None,
    parent: Annotated[str, typer.Option(help="The version that it was made from.")] = "",
    live: Annotated[bool, typer.Option("--live", help="It is in use.")] = False,
    url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator", json: Json = False,
) -> None:  # fmt: skip
    """Register a version with its weights and the records that it saw. (vestige.Ledger.models.add)"""
    line, at, name = version.partition("@")
    if not at:
        raise InputError(f"{version!r} is no version; a line and a name, such as churn@v1, are wanted.")
    book = open_ledger(url, key, actor)
    state = "live" if live else "candidate"
    added = book.models.add(line, name, place, system=system, manifest=manifest, parent=parent, state=state)
    _print_versions([added], json)
    _warn_of_return(book, added.id)


@command(model, "list", examples=("vestige model list churn",))
def model_list(
    line: Annotated[str | None, typer.Argument(help="One line.")] = None,
    url: Url = DEFAULT, key: KeyFile = None, json: Json = False,
) -> None:  # fmt: skip
    """List versions. (vestige.Ledger.models.list)"""
    _print_versions(open_ledger(url, key).models.list(line), json)


@command(model, "tags", examples=("vestige model tags .",))
def model_tags(
    repository: Annotated[Path, typer.Argument(help="A git repository.")] = Path("."),
    url: Url = DEFAULT, key: KeyFile = None,
) -> None:  # fmt: skip
    """List git tags such as churn@v1 that are no registered version yet. (vestige.Ledger.models.tags)"""
    tags = open_ledger(url, key).models.tags(repository)
    print("\n".join(f"{line}@{name}" for line, name in tags) or "Every tag is a version.")


@command(
    model,
    "poll",
    examples=(
        "vestige model poll --folder models/churn --line churn",
        "vestige model poll --mlflow sqlite:///mlflow.db --alias champion",
        "vestige model poll --git . --path 'models/{line}'",
    ),
    codes=POLLED,
)
def model_poll(
    folder: Annotated[Path | None, typer.Option(help="A folder with a folder for each version of --line.")] = None,
    git: Annotated[Path | None, typer.Option(help="A repository with tags such as churn@v1.")] = None,
    mlflow: Annotated[str | None, typer.Option(help="URI of an MLflow registry.")] = None,
    line: Annotated[list[str] | None, typer.Option(help="The model line; of a registry several, default: all.")] = None,
    path: Annotated[str, typer.Option(help="Of the weights in the repository.")] = "models/{line}",
    alias: Annotated[str | None, typer.Option(help="In the registry, of the version that is in use.")] = None,
    out: Annotated[Path, typer.Option(help="Folder that weights are fetched to.")] = Path("versions"),
    system: System = None, url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator", json: Json = False,
) -> None:  # fmt: skip
    """Register new versions of a folder, git tags or an MLflow registry. (vestige.Ledger.models.poll)

    The ids of the records that a version saw stand in its manifest.txt; a version without it waits.
    """
    from vestige.cli.show import print_json

    need("sqlalchemy", "ledger", "The ledger")
    from vestige.ledger import sources

    places = [value for value in (folder, git, mlflow) if value is not None]
    if len(places) != 1 or (folder is not None and len(line or []) != 1):
        raise InputError(
            "Where are the versions? Give --folder and its --line, or --git, or --mlflow; one of them."
        )
    source: sources.Source = sources.Registry(mlflow, line, alias, out)
    if folder is not None and line:
        source = sources.Folder(folder, line[0])
    elif git is not None:
        source = sources.Tags(git, path, out)
    book = open_ledger(url, key, actor)
    polled = book.models.poll(source, system=system)
    if json:
        print_json(asdict(polled), 2)
    else:
        _print_versions(polled.added, False)
        for name, state in [
            *((one, "live") for one in polled.live),
            *((one, "retired") for one in polled.retired),
        ]:
            print(f"{name} is {state}.")
        for name, why in polled.waiting:
            print(f"{name} waits: {why}")
    for version in polled.added:
        _warn_of_return(book, version.id)
    raise typer.Exit(WAITS if polled.waiting else 0)


@command(
    model,
    "overview",
    examples=("vestige model overview churn", "vestige model overview churn --out commitments.html"),
)
def model_overview(
    line: Annotated[str, typer.Argument(help="The model line, such as churn.")],
    out: Annotated[Path | None, typer.Option(help="A page of it; default: a table on the screen.")] = None,
    url: Url = DEFAULT, key: KeyFile = None, json: Json = False,
) -> None:  # fmt: skip
    """Show the completeness of every commitment under every version. (vestige.Ledger.overview)"""
    from vestige.cli.show import print_json
    from vestige.report import write

    overview = open_ledger(url, key).overview(line)
    if out is not None:
        write(out, overview.page())
    if json:
        print_json(asdict(overview), 2)
    elif out is None:
        print(overview.text())


@command(model, "live", examples=("vestige model live churn@v2",))
def model_live(version: str, url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator") -> None:
    """Note that a version is in use now. (vestige.Ledger.models.live)"""
    book = open_ledger(url, key, actor)
    _warn_of_return(book, version)
    _print_versions([book.models.live(version)], False)


@command(model, "retire", examples=("vestige model retire churn@v1",))
def model_retire(version: str, url: Url = DEFAULT, key: KeyFile = None, actor: Actor = "operator") -> None:
    """Note that a version is used no more. (vestige.Ledger.models.retire)"""
    _print_versions([open_ledger(url, key, actor).models.retire(version)], False)


# printing


def _print_versions(versions: Sequence[Version], json: bool) -> None:
    from vestige.cli.show import print_json, print_rows

    if json:
        print_json([asdict(version) for version in versions])
    elif versions:
        rows = [
            {
                "Version": v.id,
                "State": v.state,
                "Parent": v.parent,
                "Records": f"{v.records:,}",
                "Place": v.place,
            }
            for v in versions
        ]
        print_rows("Model versions", rows, whole=("Version",))
    else:
        print("No model version.")


def _warn_of_return(book: Ledger, version: str) -> None:
    back = book.models.brings_back(version)
    if back:
        print(f"vestige: {version} saw records that were deleted for {', '.join(back)}.", file=sys.stderr)
