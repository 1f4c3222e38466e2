"""What all commands share: `-h` beside `--help`, flags without a type, examples and exit codes under every help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

F = TypeVar("F", bound=Callable[..., Any])

DONE = "Exit code 0: done; 2: input that cannot be used; 130: interrupted."
GATED = (
    "Exit code 0: done, and every audit passed what was required by --require, --fail-under or --fail-over; without "
    "these nothing is required, and the code is 0 whatever the verdict is, under-unlearned and undecided included; "
    "1: an audit failed what was required; 2: input that cannot be used; 4: an audit cannot decide what was required; "
    "130: interrupted."
)
FILLED = "Exit code 0: done; 1: a cell of the table is empty; 2: input that cannot be used; 130: interrupted."


def _without_types(parameters: list[Any]) -> list[Any]:
    """Let a help text show flags as they are typed: `--json`, without a type."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


class Command(TyperCommand):
    """One command."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))


class Group(TyperGroup):
    """Several commands under one name."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))


def group(name: str, help: str, *, examples: Sequence[str] = (), codes: str = "") -> typer.Typer:
    """Return an application that commands are added to."""
    return typer.Typer(
        name=name, help=help, epilog=_epilog(examples, codes), cls=Group, no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]}, pretty_exceptions_enable=False,
    )  # fmt: skip


def command(
    app: typer.Typer, name: str | None = None, *, examples: Sequence[str], codes: str = DONE
) -> Callable[[F], F]:
    """Add a function to an application as a command."""
    return app.command(name, cls=Command, epilog=_epilog(examples, codes))


def _epilog(examples: Sequence[str], codes: str) -> str:
    title = ["Example:" if len(examples) == 1 else "Examples:"] if examples else []
    return "\n\n".join([*title, *examples, *([codes] if codes else [])])
