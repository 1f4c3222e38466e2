"""The commands that prepare a request: weights made safetensors."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from vestige.cli.options import Json
from vestige.errors import need


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
