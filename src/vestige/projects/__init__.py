"""Projects to begin with: files for a framework that run as they are, on a small data set of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vestige.arguments import checked
from vestige.errors import InputError, need, unknown
from vestige.files import as_path, looked_at
from vestige.store import write_text

HOME = Path(__file__).parent
RUN = ("vestige run request.yaml --plan", "vestige run request.yaml")
NEXT = {"sklearn": RUN, "torch": RUN, "transformers": RUN, "outputs": ("sh audit.sh",)}
"""What is run in the folder of each framework."""
NEEDS = {"torch": ("torch", "torch"), "transformers": ("transformers", "llm")}


@dataclass(frozen=True)
class Project:
    """What was written: the folder, its files, and the commands that run them there."""

    folder: Path
    files: tuple[Path, ...]
    commands: Sequence[str]


@checked
def init(framework: str, folder: Path | None = None) -> Project:
    """Write a project that runs at once, to be filled with a model and data of one's own.

    Parameters
    ----------
    framework : str
        "sklearn", "torch" or "transformers": a request to a model, `request.yaml`, `system.py` and `asked.txt`;
        "outputs": an audit of files of what models answer, `outputs.py` and `audit.sh`.
    folder : path, optional
        Where the files go; default: a folder that is called as the framework is.

    Returns
    -------
    Project
        The files, and the commands to run next.

    Raises
    ------
    InputError
        For another framework, and where one of the files exists: nothing is written over, and then nothing is written.
    MissingExtra
        Where the framework is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from vestige.projects import init
    >>> sorted(path.name for path in init("sklearn", tempfile.mkdtemp()).files)
    ['asked.txt', 'request.yaml', 'system.py']
    """
    if framework not in NEXT:
        raise InputError(unknown("framework", framework, NEXT))
    if framework in NEEDS:
        module, extra = NEEDS[framework]
        need(module, extra, f"A project with {framework}")
    folder = Path(framework) if folder is None else as_path(folder)
    sources = sorted(path for path in (HOME / framework).iterdir() if path.is_file())
    targets = [
        folder / path.name.removesuffix(".txt" if path.stem.endswith(".py") else "") for path in sources
    ]
    for target in targets:
        if looked_at(target) is not None:
            raise InputError(f"{target} exists, and is not written over; name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for source, target in zip(sources, targets, strict=True):
        write_text(target, source.read_text(encoding="utf-8"))
    return Project(folder, tuple(targets), NEXT[framework])
