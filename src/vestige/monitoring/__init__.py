"""Monitoring: every new version of a model against every open commitment, with one error budget over time.

control      how small a p-value must be, so that few re-openings are false: online procedures, state in, state out
commitments  which commitments a version re-opens; what was decided stays decided
e_values     evidence as large as it is, where permutations see no further
"""

from vestige.monitoring.commitments import Decision, Test, decide, open_pairs
from vestige.monitoring.control import PROCEDURES, Budget, budget, judge, next_level, start
from vestige.monitoring.e_values import group_e_value

__all__ = [
    "PROCEDURES",
    "Budget",
    "Decision",
    "Test",
    "budget",
    "decide",
    "group_e_value",
    "judge",
    "next_level",
    "open_pairs",
    "start",
]
