"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the result only.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the results.")]
Require = Annotated[
    str | None, typer.Option(help="The verdict that is required: unlearned. Exit 1 failed, 4 undecided.")
]
FailUnder = Annotated[float | None, typer.Option(help="Completeness (1 = complete) required at least.")]
FailOver = Annotated[float | None, typer.Option(help="Completeness that must not be exceeded (damage).")]
Tolerance = Annotated[float, typer.Option(help="Share of the influence that may be left for 'unlearned'.")]
Alpha = Annotated[float, typer.Option(help="Error rate of each claim of the verdict, 0.005 at least.")]
