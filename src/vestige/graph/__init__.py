"""Steps, and where they are done: one key rule, one store, three engines, one status.

step     what a step is, and how it is named
store    results by key: in a folder, or behind a URL
engines  inline, local (processes), ray
execute  which step is ready, and what becomes of it
status   how far a run is, for any terminal
address  whether a Ray cluster answers
"""

from vestige.graph.engines import ENGINES
from vestige.graph.execute import Outcome, carry_out
from vestige.graph.progress import status
from vestige.graph.step import Environment, Job, Step
from vestige.graph.store import Store

__all__ = ["ENGINES", "Environment", "Job", "Outcome", "Step", "Store", "carry_out", "status"]
