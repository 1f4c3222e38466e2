"""Write the tables of docs/labbook/reproduction.md again, from the result files in benchmarks/results.

    python -m benchmarks.reproduction

Between `<!-- NAME -->` and `<!-- end -->` stands what `vestige bench table` prints, and how it agrees with the paper.
"""

from __future__ import annotations

import re
from pathlib import Path

from vestige.experiments.bench import render_table
from vestige.experiments.bench.run import read_result
from vestige.experiments.bench.table import agreement_text

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reproduction.md"


def main() -> None:
    def filled(match: re.Match[str]) -> str:
        result = read_result(ROOT / "benchmarks" / "results" / f"{match[1]}-small.json")
        return f"<!-- {match[1]} -->\n\n{render_table(result)}\n{agreement_text(result)}\n<!-- end -->"

    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        re.sub(r"<!-- ([\w-]+) -->.*?<!-- end -->", filled, text, flags=re.DOTALL), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
