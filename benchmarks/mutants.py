"""Does the suite notice a fault? One-line mutations of the source, one at a time, and how many the tests kill.

    python -m benchmarks.mutants                        all of them, by the tests that `make test` runs
    python -m benchmarks.mutants --mark ""              by all tests, as `make test-all`
    python -m benchmarks.mutants --only verdict --list  those whose file or text holds a word; only list them
    python -m benchmarks.mutants --results FILE         JSON lines; what stands there is not run again
    python -m benchmarks.mutants --most 30              the first so many; every room of the source is among the first

A mutation is a file, a text that stands in it once, what it becomes, and the test files that ought to notice. The
source is mutated in a temporary copy, which the tests import in its place, each mutant in a fork of one process that
has loaded the other libraries. Of these files the tests run first that are named after the mutated file or after a
measure or method in it, and all of them where none of those fails. "survived" is a gap in the tests, "killed" is as it
should be, "lost" says that the text is gone and the list must follow the source.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import re
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from itertools import zip_longest
from multiprocessing import get_context
from pathlib import Path

import pytest

from benchmarks.mutations import MUTATIONS

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
SECONDS = 3600
LIBRARIES = (
    "numpy", "scipy.stats", "pandas", "pyarrow.parquet", "sklearn.ensemble", "sklearn.svm", "sklearn.neural_network",
    "pydantic", "hypothesis", "torch", "torch.func", "torch._dynamo", "rich.progress", "typer", "jsonschema",
)  # fmt: skip


@dataclass(frozen=True)
class Mutation:
    """`before` in `file` becomes `after`; `tests` are files or folders below `tests`."""

    file: str
    before: str
    after: str
    tests: tuple[str, ...]

    @property
    def key(self) -> str:
        """The hash of the mutation and of the file that it changes."""
        text = json.dumps(asdict(self)) + (SOURCE / "vestige" / self.file).read_text(encoding="utf-8")
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def stands(self) -> bool:
        """Does its text stand in the source, once?"""
        return (SOURCE / "vestige" / self.file).read_text(encoding="utf-8").count(self.before) == 1

    @property
    def words(self) -> tuple[str, ...]:
        """What tests are named after: the file, and what is registered in it; none where all tests are of the file."""
        stem = Path(self.file).stem
        if all(stem in test for test in self.tests):
            return ()
        text = (SOURCE / "vestige" / self.file).read_text(encoding="utf-8")
        return (stem, *re.findall(r'@register\(\s*"(\w+)"', text))

    def __str__(self) -> str:
        return f"{self.file}: {self.before.strip()!r} -> {self.after.strip()!r}"


def every() -> list[Mutation]:
    """Return all mutations of the list, one of each room of the source, then the next of each."""
    listed = [
        Mutation(file, before, after, tuple(tests.split()))
        for tests, files in MUTATIONS.items()
        for file, changes in files.items()
        for before, after in changes
    ]
    rooms: dict[str, list[Mutation]] = {}
    for mutation in listed:
        rooms.setdefault(mutation.file.partition("/")[0], []).append(mutation)
    return [mutation for turn in zip_longest(*rooms.values()) for mutation in turn if mutation is not None]


def outcome(mutation: Mutation, copy: Path, mark: str) -> tuple[str, str]:
    """Run the tests against the mutated copy: "killed", "survived" or "lost", and what killed it."""
    path = copy / "vestige" / mutation.file
    text = (SOURCE / "vestige" / mutation.file).read_text(encoding="utf-8")
    if not mutation.stands:
        return "lost", ""
    path.write_text(text.replace(mutation.before, mutation.after), encoding="utf-8")
    try:
        by = killer(mutation.tests, copy, mark, mutation.words) if mutation.words else ""
        by = by or killer(mutation.tests, copy, mark)
        return ("killed", by) if by else ("survived", "")
    finally:
        path.write_text(text, encoding="utf-8")


def killer(tests: tuple[str, ...], copy: Path, mark: str, words: tuple[str, ...] = ()) -> str:
    """Run test files with the library of `copy`; return the test that fails, or "" (a hang is a failure).

    Parameters
    ----------
    words : tuple[str, ...]
        Run those tests alone whose file or name holds one of them.
    """
    log = copy.parent / "log.txt"
    process = get_context("fork").Process(
        target=_run_tests, args=(tests, copy, mark, " or ".join(words), log)
    )
    process.start()
    process.join(SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
        return f"no end in {SECONDS} s"
    told = log.read_text(encoding="utf-8", errors="replace")
    if words and process.exitcode == 5:  # no test is named so
        return ""
    if process.exitcode not in (0, 1, 2):  # 2: the mutated file cannot be imported
        sys.exit(f"pytest ended with {process.exitcode}:\n{told[-2000:]}")
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", told, re.MULTILINE)
    return "" if process.exitcode == 0 else (failed or ["not collected"])[0]


def _run_tests(tests: tuple[str, ...], copy: Path, mark: str, words: str, log: Path) -> None:
    """Be the process in which one mutant is tested: libraries are loaded, the library under test is not."""
    folders = [str(folder) for folder in (copy, ROOT / "tests", ROOT)]
    sys.path[:0] = folders
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONPATH": os.pathsep.join(folders), "PYTHONDONTWRITEBYTECODE": "1"}
    os.chdir(ROOT)
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    options = ["-x", "-q", "-p", "no:cacheprovider", "-m", mark, "-k", words]
    code = int(pytest.main([*options, *(str(ROOT / "tests" / test) for test in tests)]))
    sys.stdout.flush()
    os._exit(code)


def load_libraries() -> None:
    """Import what takes most of a test's start, once for all mutants; "vestige" must not be among it."""
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in LIBRARIES:
        importlib.import_module(name)
    if any(name.partition(".")[0] == "vestige" for name in sys.modules):
        sys.exit("vestige is loaded already; its mutants would not be seen")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="a word in the file or the text")
    parser.add_argument("--mark", default="not slow", help="pytest's -m")
    parser.add_argument("--results", type=Path, help="JSON lines to keep and to go on from")
    parser.add_argument("--most", type=int, help="run so many at most")
    parser.add_argument("--list", action="store_true", help="run nothing")
    asked = parser.parse_args()
    mutations = [mutation for mutation in every() if asked.only in str(mutation)][: asked.most]
    if asked.list:
        print("\n".join(f"{'' if mutation.stands else 'lost: '}{mutation}" for mutation in mutations))
        sys.exit(f"{len(mutations)} mutations")
    load_libraries()
    known = {}
    if asked.results and asked.results.is_file():
        lines = [json.loads(line) for line in asked.results.read_text(encoding="utf-8").splitlines()]
        known = {(line["key"], line["mark"]): line["outcome"] for line in lines}
    counts = {"killed": 0, "survived": 0, "lost": 0}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "src"
        shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        for mutation in mutations:
            told = known.get((mutation.key, asked.mark))
            result, by = (told, "") if told else outcome(mutation, copy, asked.mark)
            counts[result] += 1
            print(f"{result:9} {mutation} {by}", flush=True)
            if asked.results and not told:
                line = {
                    "key": mutation.key, "mark": asked.mark, "outcome": result, "by": by, "mutation": str(mutation),
                }  # fmt: skip
                with asked.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
    print(", ".join(f"{count} {name}" for name, count in counts.items()))
    sys.exit(counts["survived"] + counts["lost"] > 0)


if __name__ == "__main__":
    main()
