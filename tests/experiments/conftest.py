"""What the tests of the bench share."""

from __future__ import annotations

import pytest
from bench_tables import tiny

from vestige.experiments.bench import experiment, run_bench


@pytest.fixture(scope="session")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    return run_bench(experiment(tiny(folder)), store=folder / "store", engine_name="inline"), folder
