"""Results that are kept: found by the experiment's name, by file or by folder, and copied out of a store."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vestige.errors import InputError
from vestige.experiments.bench.run import read_result, result_path
from vestige.experiments.bench.table import made_by
from vestige.experiments.catalogue import experiment

Say = Callable[[str], None]


def kept_result(name: str, scale: str, store: str, say: Say = lambda text: None) -> dict[str, Any]:
    """Return the content of a result file, or of the kept result of an experiment.

    Parameters
    ----------
    say : Say
        Is told where the result was made with other settings than the experiment has now.

    Raises
    ------
    InputError
        Where there is none.
    """
    if name.endswith(".json"):
        result = read_result(Path(name))
        _say_version(result, say)
        return result
    chosen = experiment(name)
    again = shlex.join(["vestige", "bench", "run", name, "--scale", scale, "--store", store])
    result = read_result(result_path(store, chosen, scale), again=again)
    if result["content"] != chosen.content(scale):
        say(
            f"this result was made with other settings than {chosen.name} has now (options of its run, or an older "
            f"file); to make it anew: {again}"
        )
    _say_version(result, say)
    return result


def _say_version(result: dict[str, Any], say: Say) -> None:
    if version := made_by(result):
        say(version)


def read_results(paths: Sequence[Path], say: Say = lambda text: None) -> list[dict[str, Any]]:
    """Return the content of result files, and of those in folders; of a folder, `say` is told what is passed over."""
    results = []
    for path in paths:
        for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
            try:
                results.append(read_result(file))
            except InputError as error:
                if not path.is_dir():
                    raise
                say(f"passed over: {error}")
    return results


def copy_result(result: Path, save: Path) -> None:
    """Copy a result file: into a folder under its own name, and not onto itself."""
    save = in_folder(save, result.name)
    save.parent.mkdir(parents=True, exist_ok=True)
    if not (save.exists() and save.samefile(result)):
        shutil.copyfile(result, save)


def in_folder(path: Path, name: str) -> Path:
    """Return the path of a file to write: of a folder that is there, the file `name` in it."""
    return path / name if path.is_dir() else path
