"""The commands that prepare a request: a project to begin with, and weights made safetensors."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from vestige.cli.completion import one_of
from vestige.cli.options import Json
from vestige.errors import need


def init(
    framework: Annotated[
        str,
        typer.Argument(
            help="sklearn, torch, transformers or outputs.",
            autocompletion=one_of("sklearn", "torch", "transformers", "outputs"),
        ),
    ],
    folder: Annotated[
        Path | None, typer.Argument(help="Where the files go. Default: the framework's name.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a project that runs at once, for a model and data of your own; no file is written over.
    (vestige.projects.init)"""
    from vestige.cli.show import print_json
    from vestige.projects import init as write_project

    project = write_project(framework, folder)
    if json:
        print_json(asdict(project))
        return
    print(f"{project.folder}: {', '.join(path.name for path in project.files)}. Next:")
    print("\n".join(["", f"    cd {project.folder}", *(f"    {line}" for line in project.commands)]))


def convert(
    before: Annotated[
        Path, typer.Argument(help="A checkpoint that torch.save wrote: .pt, .pth, .ckpt, .bin.")
    ],
    after: Annotated[Path, typer.Argument(help="The .safetensors file to write; none may be there.")],
    strip_prefix: Annotated[str, typer.Option(help="Taken off every name: module., _orig_mod., model.")] = "",
    key: Annotated[
        str | None, typer.Option(help="The part that holds the weights, such as state_dict.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a checkpoint safetensors, without running any code in it. (vestige.training.convert)"""
    from vestige.cli.show import print_json

    need("torch", "torch", "vestige convert")
    from vestige.training import convert as convert_file

    conversion = convert_file(before, after, strip_prefix=strip_prefix, key=key)
    print_json(asdict(conversion)) if json else print("\n".join(conversion.sentences))
