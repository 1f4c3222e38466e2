"""Fill the tables of the lab book from the files in benchmarks/results.

    python -m benchmarks.tables              writes every page of docs/ whose tables are not as their files say
    python -m benchmarks.tables --check      writes nothing; exit code 1, with the pages, where one would change

Between `<!-- table: KIND NAME -->` and `<!-- end -->` stands what the kind makes of its file:

    bench NAME         NAME-small.json, and how it agrees with the paper
    methods BLOCK      methods_cifar10.jsonl
    dau_classes KIND   dau_classes.jsonl; KIND as in `crop`, `crop sparse`
    claims all         claims.jsonl
    epsilon NAME       NAME-small.json, all of its figures
    calibration PART   calibration.jsonl; PART is random, other or simulated
    coverage all       coverage.jsonl
    monotone all       monotone.jsonl
    study FIGURE       study.jsonl; FIGURE is auc or tnr, with one shadow, or auc-4 or tnr-4, with four
    monitoring PART    monitoring.json; PART is false or found
    lifecycle PART     lifecycle.jsonl, the years on Adult; PART is years or sizes
    entered NAME       entered/NAME.json: figures that were copied from what a command printed, with the command and
                       the day; what the command had written is not in the repository
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from benchmarks import calibration as calibrated
from benchmarks import claims as simulated
from benchmarks import coverage as covered
from benchmarks import dau_classes as classes
from benchmarks import lifecycle_tables as lived
from benchmarks import methods as trained
from benchmarks import monitoring as monitored
from benchmarks import monotone as compared
from benchmarks import study as models
from vestige.experiments.bench import render_table
from vestige.experiments.bench.run import read_result
from vestige.experiments.bench.table import agreement_text

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MARKED = re.compile(r"<!-- table: (\w+) ([^>]+?) -->.*?<!-- end -->", re.DOTALL)


def bench(name: str) -> str:
    """Return a table of `vestige bench`, and how it agrees with the paper."""
    result = read_result(RESULTS / f"{name}-small.json")
    return f"{render_table(result)}\n{agreement_text(result)}"


def methods(block: str) -> str:
    """Return the methods of one block on CIFAR-10."""
    return trained.table(RESULTS / "methods_cifar10.jsonl", block)


def dau_classes(kind: str) -> str:
    """Return the methods on whole classes, for one kind of original."""
    name, _, sparse = kind.partition(" ")
    return classes.table(RESULTS / "dau_classes.jsonl", name, 0.95 if sparse else 0.0)


def claims(_: str) -> str:
    """Return the simulated worlds."""
    return simulated.table(RESULTS / "claims.jsonl")


def calibration(part: str) -> str:
    """Return false accusations and power of per-record p-values."""
    return calibrated.table(RESULTS / "calibration.jsonl", part)


def coverage(_: str) -> str:
    """Return how often intervals of completeness hold 1 under exact retraining."""
    return covered.table(RESULTS / "coverage.jsonl")


def monotone(_: str) -> str:
    """Return the comparison of `monotone` with IAM."""
    return compared.table(RESULTS / "monotone.jsonl")


def epsilon(name: str) -> str:
    """Return every figure of a table of epsilon-hat."""
    titles = {
        "epsilon_cross_fitted": ("epsilon-hat, cross-fitted", 2), "epsilon": ("as published", 2),
        "forget_accuracy": ("accuracy on forget %", 1), "test_accuracy": ("on test %", 1),
    }  # fmt: skip
    rows = [
        [f"`{cell['row']}`", *(rounded(cell["figures"][k][0][0], n) for k, (_, n) in titles.items())]
        for cell in read_result(RESULTS / f"{name}-small.json")["cells"]
    ]
    return markdown(["method", *(title for title, _ in titles.values())], ["---", *["---:"] * 4], rows)


def study(figure: str) -> str:
    """Return one figure of the measures on real models: "auc" with one shadow, "auc-4" with four."""
    figure, _, shadows = figure.partition("-")
    return models.table(RESULTS / "study.jsonl", figure, int(shadows or 1))


def monitoring(part: str) -> str:
    """Return what monitoring re-opens falsely, or how often it finds what comes back, in simulated worlds."""
    rows = json.loads((RESULTS / "monitoring.json").read_text(encoding="utf-8"))[part]
    return {"false": monitored.false_table, "found": monitored.delay_table}[part](rows)


def lifecycle(part: str) -> str:
    """Return a table of the year of deletions, lived many times on Adult."""
    lines = (RESULTS / "lifecycle.jsonl").read_text(encoding="utf-8").splitlines()
    records = [one for one in map(json.loads, lines) if one["data"] == "adult"]
    return {"years": lived.years, "sizes": lived.sizes}[part](records)


def rounded(value: float, digits: int) -> str:
    """Return a number as it is read: 54.55 is 54.6, whichever way its binary form lies."""
    return str(Decimal(str(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def entered(name: str) -> str:
    """Return figures that were copied from what a command printed, and where they come from."""
    table = read_entered(name)
    source = (
        f"Entered by hand on {table['date']} from what `{table['command']}` printed "
        f"(`benchmarks/results/entered/{name}.json`); what it had written is not in the repository."
    )
    return f"{markdown(table['columns'], table['align'], table['rows'])}\n*{source}*\n"


def read_entered(name: str) -> dict[str, Any]:
    """Return the columns, rows, command and date of a table that was entered by hand."""
    table: dict[str, Any] = json.loads((RESULTS / "entered" / f"{name}.json").read_text(encoding="utf-8"))
    return table


KINDS: dict[str, Callable[[str], str]] = {
    one.__name__: one
    for one in (
        bench,
        methods,
        dau_classes,
        claims,
        epsilon,
        calibration,
        coverage,
        monotone,
        study,
        monitoring,
        lifecycle,
        entered,
    )
}


def markdown(columns: list[str], align: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown; `align` holds "---" or "---:" for each column."""
    return "".join(f"| {' | '.join(row)} |\n" for row in (columns, align, *rows))


def filled(page: str) -> str:
    """Return the page with every marked table as its file says."""

    def table(match: re.Match[str]) -> str:
        kind, name = match[1], match[2]
        return f"<!-- table: {kind} {name} -->\n\n{KINDS[kind](name).strip()}\n\n<!-- end -->"

    return MARKED.sub(table, page)


def stale(folder: Path = ROOT / "docs") -> dict[Path, str]:
    """Return the pages of a folder that are not as their files say, each with what it should be."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.md"))}
    texts = {path: filled(text) for path, text in pages.items() if "<!-- table: " in text}
    return {path: text for path, text in texts.items() if text != pages[path]}


def main(check: bool) -> int:
    pages = stale()
    for path, text in pages.items():
        print(path.relative_to(ROOT))
        if not check:
            path.write_text(text, encoding="utf-8")
    return int(check and bool(pages))


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
