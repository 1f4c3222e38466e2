"""The commands on evidence: make a key, sign an audit, verify what others signed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from vestige.cli.commands import command, group
from vestige.cli.options import FailOver, FailUnder, Json, Require
from vestige.errors import InputError, need

evidence = group(
    "evidence", "Signed statements on audits: make a key, certify, sign, show, prove.",
    examples=["vestige evidence certify audits/mine --key signing.key"],
)  # fmt: skip
VERIFIED = (
    "Exit code 0: the evidence holds, and passed what was required; 1: it failed; 2: input that cannot be used; "
    "3: it was changed; 4: the gate is undecided; 130: interrupted."
)
# fmt: off
PrivateKey = Annotated[
    str, typer.Option("--key", help="Private key, its passphrase is VESTIGE_PASSPHRASE or asked; or URI of a signer.")
]
Public = Annotated[Path | None, typer.Option("--public-key", help="The public key, where --key is a URI.")]
PublicKey = Annotated[list[Path], typer.Option("--key", help="Public key that you trust; several: each must sign.")]
Weights = Annotated[Path | None, typer.Option(help="Folder of the audited model's files.")]
Salt = Annotated[Path | None, typer.Option(help="disclosure.json. Default: beside the evidence.")]
Facts = Annotated[Path | None, typer.Option(help="JSON: request, scope, action, assurance, limits, valid_until.")]
# fmt: on


@command(evidence, "key", examples=["vestige evidence key signing.key"])
def evidence_key(
    path: Annotated[Path, typer.Argument(help="File of the private key; the public one is PATH.pub.")],
    plain: Annotated[bool, typer.Option("--plain", help="Without a passphrase.")] = False,
) -> None:
    """Make a key pair that signs evidence. (vestige.evidence.new_key)"""
    from vestige.evidence import new_key

    private, public = new_key(path, None if plain else _passphrase(twice=True), encrypt=not plain)
    print(f"Private key: {private}, for you alone.\nPublic key: {public}, for whoever shall verify.")


@command(evidence, "certify", examples=["vestige evidence certify audits/mine --key signing.key"])
def evidence_certify(
    audit: Annotated[Path, typer.Argument(help="Folder of an audit.")], key: PrivateKey,
    public: Public = None, weights: Weights = None,
    facts: Facts = None, out: Annotated[Path | None, typer.Option(help="Default: evidence in the folder.")] = None,
) -> None:  # fmt: skip
    """Sign what an audit says. (vestige.evidence.certify)"""
    from vestige.evidence import certify
    from vestige.store import read_record

    known = {} if facts is None else read_record(facts)
    allowed = {"request", "scope", "action", "assurance", "limits", "valid_until", "issued"}
    if not known.keys() <= allowed:
        raise InputError(
            f"{facts}: {sorted(known.keys() - allowed)[0]!r} is none of {', '.join(sorted(allowed))}."
        )
    for name in ("valid_until", "issued"):
        if name in known:
            known[name] = _moment(known[name], f"{facts}: {name}")
    path = certify(audit, out, key=key, passphrase=_passphrase(key), public=public, weights=weights, **known)
    print(f"Evidence: {path}\nFor people: {path.with_suffix('.html')}")


@command(evidence, "sign", examples=["vestige evidence sign evidence.json --key second.key"])
def evidence_sign(
    path: Annotated[Path, typer.Argument(help="evidence.json")], key: PrivateKey, public: Public = None
) -> None:
    """Add another signature. (vestige.evidence.sign)"""
    from vestige.evidence import sign

    print(f"Signed: {sign(path, key=key, passphrase=_passphrase(key), public=public)}")


@command(evidence, "prove", examples=["vestige evidence prove audits/mine customer-4711"])
def evidence_prove(
    audit: Annotated[Path, typer.Argument(help="Folder of the audit that was signed.")],
    record: Annotated[str, typer.Argument(help="Id of the record.")], salt: Salt = None,
) -> None:  # fmt: skip
    """Print the proof of one record's answer, which discloses no other record. (vestige.evidence.prove)"""
    from vestige.cli.show import print_json
    from vestige.evidence import prove

    print_json(prove(audit, record, salt), indent=2)


@command(evidence, "show", examples=["vestige evidence show evidence.json"])
def evidence_show(path: Annotated[Path, typer.Argument(help="evidence.json or evidence.html")]) -> None:
    """Print the signed statement as JSON, whoever signed it; `vestige verify` says whether it holds."""
    need("rfc8785", "ledger", "Evidence")
    from vestige.cli.show import print_json
    from vestige.evidence.statement import carried
    from vestige.evidence.verification import read_envelope

    print_json(carried(read_envelope(path), str(path)).record(), indent=2)


def verify(
    evidence: Annotated[Path, typer.Argument(help="evidence.json, or evidence.html")], key: PublicKey,
    signals: Annotated[Path | None, typer.Option(help="Folder of the audit or its signals: compute again.")] = None,
    weights: Weights = None, salt: Salt = None,
    proof: Annotated[Path | None, typer.Option(help="Proof of one record's answer.")] = None,
    predicate_type: Annotated[str | None, typer.Option("--type", help="URI of the predicate, where not ours.")] = None,
    require: Require = None, fail_under: FailUnder = None, fail_over: FailOver = None, json: Json = False,
) -> None:  # fmt: skip
    """Verify evidence: 0 holds, 1 fails, 2 unusable, 3 tampered, 4 undecided. (vestige.evidence.verify)"""
    from vestige.cli.show import print_json
    from vestige.evaluation.gate import Gate
    from vestige.evidence import PREDICATE_TYPE
    from vestige.evidence import verify as verified

    result = verified(
        evidence, key, signals, weights=weights, salt=salt, proof=proof,
        gate=Gate(require, fail_under, fail_over), predicate_type=predicate_type or PREDICATE_TYPE,
    )  # fmt: skip
    print_json(result.record(), indent=2) if json else print(result.summary())
    raise typer.Exit(result.exit_code)


def _passphrase(key: str | None = None, twice: bool = False) -> str | None:
    """Return the passphrase of a key's file: none where it needs none, or the environment has it; else ask."""
    import os

    from vestige.evidence.keys import PASSPHRASE
    from vestige.evidence.signers import is_uri
    from vestige.files import read_bytes

    plain = key is not None and (is_uri(key) or b"ENCRYPTED" not in read_bytes(key))
    if plain or os.environ.get(PASSPHRASE) or not sys.stdin.isatty():
        return None
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=twice))


def _moment(text: object, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise InputError(f"{where} is {text!r}; a date such as 2027-01-31 is wanted.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
