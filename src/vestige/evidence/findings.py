"""What a verification says: findings that name their place, and the exit code that they add up to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from vestige.evidence.statement import Statement

Kind = Literal["tampered", "differs", "expired", "failed", "undecided", "unusable", "unchecked"]
CODES: dict[Kind, int] = {
    "tampered": 3, "unusable": 2, "differs": 1, "expired": 1, "failed": 1, "undecided": 4, "unchecked": 0,
}  # fmt: skip
"""Exit codes, the gravest first; `unchecked` says what was not looked at, and is no fault."""


@dataclass(frozen=True)
class Finding:
    """What does not fit, or was not looked at.

    Attributes
    ----------
    kind : {"tampered", "differs", "expired", "failed", "undecided", "unusable", "unchecked"}
        "tampered": it is not what was signed; "differs": recomputed, it comes out otherwise; "expired";
        "failed" and "undecided": by the gate; "unusable": it cannot be read; "unchecked": it was not looked
        at.
    where : str
        The file or the field.
    what : str
        A sentence.
    """

    kind: Kind
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.what}"


@dataclass(frozen=True)
class Verification:
    """The answer of `verify`.

    Attributes
    ----------
    statement : Statement or None
        What was signed; None where no signature holds.
    findings : tuple[Finding, ...]
        Every fault, and what was not looked at.
    """

    statement: Statement | None
    findings: tuple[Finding, ...]

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The findings that are faults."""
        return tuple(finding for finding in self.findings if CODES[finding.kind])

    @property
    def holds(self) -> bool:
        """Is there no fault?"""
        return not self.faults

    @property
    def exit_code(self) -> int:
        """0 it holds; 3 tampered; 2 unusable; 1 expired, differs, or the gate failed; 4 the gate is undecided."""
        kinds = {finding.kind for finding in self.findings}
        return next((code for kind, code in CODES.items() if kind in kinds), 0)

    def summary(self) -> str:
        """Return the answer as text: whether it holds, what was signed, every finding."""
        head = "It holds." if self.holds else f"It does not hold: {self.faults[0]}"
        signed = [] if self.statement is None else [self.statement.predicate.audit.verdict.sentence]
        return "\n".join([head, *signed, *(f"- {finding}" for finding in self.findings)])

    def record(self) -> dict[str, Any]:
        """Return the answer as plain values for JSON, with what was signed."""
        return {
            "holds": self.holds,
            "exit_code": self.exit_code,
            "findings": [asdict(finding) for finding in self.findings],
            "statement": None if self.statement is None else self.statement.record(),
        }
