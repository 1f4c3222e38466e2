"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vestige.cli.completion import one_of

# fmt: off
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the result only.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the results.")]
Require = Annotated[str | None, typer.Option(
    help="The verdict required: unlearned. Exit 1 failed, 4 undecided.", autocompletion=one_of("unlearned"))]
FailUnder = Annotated[float | None, typer.Option(help="Completeness (1 = complete) required at least.")]
FailOver = Annotated[float | None, typer.Option(help="Completeness that must not be exceeded (damage).")]
Workers = Annotated[int | None, typer.Option(help="Steps at once, one thread each. Default: one after another.")]
Engine = Annotated[str | None, typer.Option(
    help="inline, local or ray. Default: as --workers says.", autocompletion=one_of("inline", "local", "ray"))]
Address = Annotated[str | None, typer.Option(help="Of a Ray cluster: auto, or host:port.")]
Gpu = Annotated[float, typer.Option(help="Share of a GPU for each step with a network; on Ray.")]
Shared = Annotated[str | None, typer.Option("--store", help="Folder or fsspec URL of results that runs share.")]
Tolerance = Annotated[float, typer.Option(help="Share of the influence that may be left for 'unlearned'.")]
Alpha = Annotated[float, typer.Option(help="Error rate of each claim of the verdict, 0.005 at least.")]
# fmt: on
