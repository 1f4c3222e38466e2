"""Are the numbers the same before and after a change that should move none?

    python -m benchmarks.same_numbers run FOLDER [NAME ...]    runs what is named, by default everything, into FOLDER
    python -m benchmarks.same_numbers compare OLD NEW          compares two such folders

Each version runs its own checkout: the demo, `examples/location30.yaml`, a block of the table `iam-table5`, the leaks
experiment of `examples/leaks_location30.yaml`, and a run on texts with a language model of random weights. Compared are
all scores and all numbers of the JSON files that both have, but for times, hashes and what is said of the run itself.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

CLOSE = 1e-12
PASSED_OVER = {
    "seconds", "timings", "created", "key", "base", "sha256", "hashes", "vestige", "content", "format", "config",
    "experiment", "run_time", "models", "data", "kind", "code", "sentence", "limits", "detail", "options", "knobs",
}  # fmt: skip
"""Keys whose values are times, hashes, words, or what was asked for."""


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the command line of each run."""
    return {
        "demo": ["demo", "--out", str(folder / "demo")],
        "location30": ["run", "examples/location30.yaml", "--out", str(folder / "location30")],
        "table": ["bench", "run", str(_table(folder)), "--store", str(folder / "table")],
        "leaks": ["leaks", "examples/leaks_location30.yaml", "--out", str(folder / "leaks")],
        "texts": ["run", str(tiny_texts(folder)), "--out", str(folder / "texts")],
    }


def _table(folder: Path) -> Path:
    path = folder / "table.yaml"
    path.write_text(
        "like: iam-table5\nname: table\ntitle: one block\nsource: a check\nsmall:\n  splits: 2\n  shadows: 4\n"
        "  requests:\n    random: {scenario: random, forget: 500}\n  blocks:\n    location30:\n"
        "      data: {name: location30}\n"
        "      counts: {train: 1700, holdout: 710, shadow: 2600, shadow_size: 1700, seed: 7}\n"
        "      model: {name: mlp}\n      recipe: {epochs: 10, batch_size: 64, lr: 0.05}\n"
    )
    return path


def tiny_texts(folder: Path) -> Path:
    """Write a language model of random weights, texts, and the configuration of a run on them; return its path."""
    path = folder / "texts.yaml"
    if path.exists():
        return path
    (place,) = (Path(__file__).parents[1] / "tests").rglob("tiny.py")
    sys.path.insert(0, str(place.parent))
    import tiny

    model = folder / "model"
    tiny.model(seed=0).save_pretrained(model)
    tiny.tokenizer().save_pretrained(model)
    files = {}
    for number, group in enumerate(("forget", "retain", "holdout")):
        files[group] = str(folder / f"{group}.json")
        Path(files[group]).write_text(json.dumps(tiny.news(24, seed=number)))
    path.write_text(
        f"kind: llm\nname: texts\nmodel: {{name: {model}}}\ndata: {json.dumps(files)}\n"
        "learn: {epochs: 6, lr: 1.0e-3, batch_size: 4, length: 96}\nmethods: [gradient_ascent, npo]\nrelearn: 3\n"
    )
    return path


def run(folder: Path, names: list[str]) -> None:
    """Run what is named into the folder; a run that is there already is left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    known = commands(folder)
    for name in names or list(known):
        if (folder / f"{name}.done").is_file():
            continue
        shutil.rmtree(folder / name, ignore_errors=True)
        ended = subprocess.run([sys.executable, "-m", "vestige", *known[name]], check=False, env=os.environ)
        if ended.returncode in (0, 1):
            (folder / f"{name}.done").touch()
        print(f"{name}: exit code {ended.returncode}", flush=True)


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every number and text of a JSON value with its place."""
    if isinstance(value, dict) and value.get("name") == "run_time":  # wall-clock seconds
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in PASSED_OVER:
                yield from leaves(inner, f"{place}/{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{place}/{number}")
    else:
        yield place, value


def numbers(folder: Path) -> dict[str, Any]:
    """Return everything that is compared, by file and place."""
    values: dict[str, Any] = {}
    for path in sorted(folder.rglob("*.parquet")):
        table = pd.read_parquet(path)
        if {"id", "measure", "score"} <= set(table.columns):
            for row in table.to_dict("records"):
                place = f"{path.relative_to(folder)}:{row['id']}:{row['measure']}"
                values |= {
                    f"{place}:{name}": row[name] for name in table.columns if name not in ("id", "measure")
                }
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder)
        metrics = path.name in ("metrics.json", "comparison.json", "leaks.json")
        if metrics or name.parts[-2:-1] == ("results",):
            values |= {f"{name}:{place}": value for place, value in leaves(json.loads(path.read_text()))}
    return values


def same(old: Any, new: Any) -> bool:
    """Are two values equal: numbers to 1e-12 of their size, missing ones alike?"""
    if isinstance(old, (int, float, np.number)) and isinstance(new, (int, float, np.number)):
        if math.isnan(old) or math.isnan(new):
            return math.isnan(old) and math.isnan(new)
        return math.isclose(old, new, rel_tol=CLOSE, abs_tol=CLOSE)
    return bool(old == new) or (old is None and new is None)


def compare(old: Path, new: Path) -> int:
    """Print, for each run, how many values are the same, differ, and stand in one folder only."""
    status = 0
    for name in ("demo", "location30", "table", "leaks", "texts"):
        before, after = numbers(old / name), numbers(new / name)
        both = before.keys() & after.keys()
        other = sorted(place for place in both if not same(before[place], after[place]))
        print(f"{name}: {len(both) - len(other):,} the same, {len(other):,} differ, {len(before.keys() - both):,} only "
              f"before, {len(after.keys() - both):,} only after")  # fmt: skip
        for place in other[:5]:
            print(f"    {place}: {before[place]} and {after[place]}")
        for place in [*sorted(before.keys() - both)[:2], *sorted(after.keys() - both)[:2]]:
            print(f"    in one only: {place}")
        status |= bool(other) or not both
    return status


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands_ = parser.add_subparsers(dest="command", required=True)
    one = commands_.add_parser("run")
    one.add_argument("folder", type=Path)
    one.add_argument("names", nargs="*")
    two = commands_.add_parser("compare")
    two.add_argument("old", type=Path)
    two.add_argument("new", type=Path)
    chosen = parser.parse_args()
    if chosen.command == "run":
        run(chosen.folder.resolve(), chosen.names)
        return 0
    return compare(chosen.old, chosen.new)


if __name__ == "__main__":
    sys.exit(main())
