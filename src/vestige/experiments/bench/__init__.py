"""The papers' tables and figures as data, and the runner that fills them from kept results.

catalogue/NAME.yaml ─▶ plan (steps) ─▶ engine (local, ray) ─▶ store/results/NAME-SCALE.json ─▶ table, plot
"""

from vestige.experiments.bench.experiment import Experiment, experiment, experiments
from vestige.experiments.bench.run import Outcome, run_bench
from vestige.experiments.bench.table import render_table

__all__ = ["Experiment", "Outcome", "experiment", "experiments", "render_table", "run_bench"]
