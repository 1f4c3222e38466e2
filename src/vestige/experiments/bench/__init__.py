"""A table: run what fills it, print it, draw it.

catalogue/NAME.yaml ─▶ kinds (cells and their steps) ─▶ graph ─▶ store/results/NAME-SCALE.json ─▶ table, plot
"""

from vestige.experiments.bench.run import Outcome, run_bench
from vestige.experiments.bench.table import render_table
from vestige.experiments.catalogue import experiment, experiments
from vestige.experiments.experiment import Experiment

__all__ = ["Experiment", "Outcome", "experiment", "experiments", "render_table", "run_bench"]
