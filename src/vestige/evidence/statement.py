"""What is signed: an in-toto Statement v1 with a predicate of our own, an unlearning audit.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md. The JSON Schema of these classes ships as
`statement.schema.json`. No id of a person or of a record stands in a statement: people are pseudonyms, records a Merkle
root, and arrays digests with a secret salt, so that nobody can guess who was forgotten and try the digest.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, AwareDatetime, Field, JsonValue

from vestige.config import Config, validated
from vestige.errors import InputError
from vestige.evaluation.verdict import Control, Verdict
from vestige.evidence.envelope import canonical, content
from vestige.files import parse_json

STATEMENT_TYPE: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:vestige:unlearning-audit:1"
"""Name of the predicate, that of no domain; an organisation that has one puts its own in its place."""
OUTPUTS = "outputs/unlearned"
"""Name of the subject where no weights were at hand: the outputs that were audited."""
LONGEST_NAME = 1000
LARGEST = 2**53 - 1
"""The largest whole number of JSON that every reader reads alike."""

Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Whole: TypeAlias = Annotated[int, Field(ge=0, le=LARGEST)]
Assurance: TypeAlias = Literal["self-attested", "reproduced", "third-party"]


def inside(name: str) -> str:
    """Return the name of a file in a folder. Raises `ValueError` for one that leads out of it."""
    parts = PurePosixPath(name).parts
    out = name.startswith("/") or ".." in parts or "\\" in name or re.match(r"^[A-Za-z]:", name) is not None
    if out or not parts or "\0" in name or len(name) > LONGEST_NAME or "/".join(parts) != name:
        raise ValueError(f"{name[:100]!r} leaves the folder, or is no plain name of a file in it")
    return name


class Digest(Config):
    """A digest by the name of its hash function."""

    sha256: Sha256


class Subject(Config):
    """A file of the audited weights; where there were none, the outputs that were audited."""

    name: Annotated[str, AfterValidator(inside)]
    digest: Digest


class Request(Config):
    """Who asked, as a pseudonym, and when."""

    pseudonym: str | None = None
    received: AwareDatetime | None = None
    due: AwareDatetime | None = None


class Version(Config):
    """A version of the model, and whether it saw the records; None: it is not known."""

    name: str
    digest: str | None = None
    saw: bool | None = None


class Scope(Config):
    """Which versions saw the records, and how that is known."""

    line: str | None = None
    versions: tuple[Version, ...] = ()
    records: Whole | None = None
    known_by: str = "it was not established which versions saw the records"


class Action(Config):
    """What was done to forget them. `cost` is in the units that its keys name, such as "seconds"."""

    method: str | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)
    seed: Whole | None = None
    cost: dict[str, float] = Field(default_factory=dict)
    recipe: Sha256 | None = None


class Scores(Config):
    """The scores of one measure over all records, without those that it gives none."""

    count: Whole
    mean: float | None
    deviation: float | None
    least: float | None
    most: float | None


class Measured(Config):
    """One measure: how it was asked for, and its scores or the reason why there are none."""

    label: str
    measure: str
    preset: str
    options: dict[str, JsonValue] = Field(default_factory=dict)
    status: Literal["scored", "failed"]
    reason: str | None = None
    unit: str = ""
    null: str | None = None
    cites: str = ""
    scores: Scores | None = None


class Sharpness(Config):
    """The smallest influence in every record that the audit would have seen, with this probability; None: none."""

    influence: float | None
    probability: float


class Negative(Config):
    """What could not be measured or checked, and why."""

    what: str
    reason: str


class Records(Config):
    """The answers for single records: the root of a Merkle tree (RFC 6962, SHA-256) over `size` salted entries."""

    root: Sha256
    size: Whole


class Audited(Config):
    """What was measured, how sharply, and what came out."""

    name: str
    seed: Whole
    roles: dict[str, Whole]
    classes: Whole
    shadows: Whole
    verdict: Verdict
    sharpness: Sharpness
    measures: tuple[Measured, ...]
    controls: tuple[Control, ...]
    negative_results: tuple[Negative, ...]
    records: Records
    arrays: dict[str, Sha256]


class Predicate(Config):
    """An unlearning audit: one request, one model version, one measurement."""

    request: Request
    scope: Scope
    action: Action
    audit: Audited
    limits: tuple[str, ...]
    issued: AwareDatetime
    valid_until: AwareDatetime
    assurance: Assurance
    software: dict[str, str]


class Statement(Config):
    """An in-toto statement with an unlearning audit as its predicate."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field(STATEMENT_TYPE, alias="_type")
    subject: Annotated[tuple[Subject, ...], Field(min_length=1)]
    predicate_type: str = Field(PREDICATE_TYPE, alias="predicateType")
    predicate: Predicate

    def record(self) -> dict[str, Any]:
        """Return the statement as plain values, by the names of in-toto."""
        return self.model_dump(mode="json", by_alias=True)

    def expired(self, now: datetime) -> bool:
        """Is its validity over?"""
        return now > self.predicate.valid_until


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a statement, as it ships."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Statement.model_json_schema(by_alias=True),
    }


def parsed(body: bytes, where: str) -> Statement:
    """Read a payload whose signature holds.

    Raises `InputError`, every fault with its field: no JSON, another schema, a name that leaves the folder, a field
    that is not known, or another form than the canonical one.
    """
    try:
        value = parse_json(body.decode())
    except ValueError as error:
        raise InputError(f"{where}: the payload is no JSON ({error}).") from None
    statement = validated(Statement, value, where)
    fields = different(value, statement.record())
    if fields:
        raise InputError(f"{where}: {', '.join(fields[:5])}: not a field of this schema, or of another form.")
    if canonical(value) != body:
        raise InputError(f"{where}: the payload is not in canonical form (RFC 8785).")
    return statement


def carried(envelope: Any, where: str) -> Statement:
    """Return what an envelope says, whoever signed it. Raises `InputError` where it is none."""
    body = content(envelope)
    if isinstance(body, bytes):
        return parsed(body, where)
    raise InputError(f"{where}: {body.where}: {body.what}.")


def different(one: Any, other: Any, name: str = "") -> list[str]:
    """Return the names of the fields in which two JSON values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = [key for key in {**one, **other} if key not in one or key not in other]
        inner = [different(one[key], other[key], f"{name}{key}.") for key in one if key in other]
        return [f"{name}{key}" for key in names] + [field for fields in inner for field in fields]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = zip(one, other, strict=True)
        return [field for k, (a, b) in enumerate(pairs) for field in different(a, b, f"{name}{k}.")]
    same = one == other and isinstance(one, bool) == isinstance(other, bool)
    return [] if same else [name.removesuffix(".")]
