"""The list of mutations follows the source: what is not there any more tests nothing."""

from __future__ import annotations

from benchmarks.mutants import every


def test_every_mutation_stands_in_the_source_once():
    assert [str(one) for one in every() if not one.stands] == []
