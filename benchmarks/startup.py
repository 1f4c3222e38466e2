"""Start-up: `import vestige` and `vestige --help` against `python -c pass`, as whole processes."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.timing import medians


def call(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    bare, imported, helped = medians(
        7,
        lambda: call("-c", "pass"),
        lambda: call("-c", "import vestige"),
        lambda: call(
            "-c", "from vestige.cli import main; import sys; sys.argv = ['vestige', '--help']; main()"
        ),
    )
    print(f"python -c pass      {bare:.3f} s")
    print(f"import vestige      {imported - bare:+.3f} s above it (wanted: under 0.5 s)")
    print(f"vestige --help      {helped - bare:+.3f} s above it (wanted: under 0.5 s)")
