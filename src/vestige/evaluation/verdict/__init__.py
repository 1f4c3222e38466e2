"""The verdict: is there a trace, how much can be left, which records; each claim with its own error rate.

margins      one number per record and model
adjustment   two trace scores that allow for difficulty and class
matching     strata and weights that make never-seen records comparable with forgotten ones
permutation  the group test: mean and extremes
bounds       how much can be left, how many could be whole, how many bear a trace
evidence     these together, for one model
controls     what must hold before anything is said
power        what would have been seen
decision     the order in which all this becomes an answer
answer       the answer and its sentences
advice       what would decide an undecided request
signals      the door: `Signals` in, an answer for every row out
"""

from vestige.evaluation.verdict.answer import OUTCOMES, RECORD_OUTCOMES, Outcome, Verdict
from vestige.evaluation.verdict.controls import Control
from vestige.evaluation.verdict.decision import LEAST_ALPHA, Judgement, judge
from vestige.evaluation.verdict.margins import Margins, by_cluster, margins_of
from vestige.evaluation.verdict.power import Power
from vestige.evaluation.verdict.signals import judge_signals

__all__ = [
    "LEAST_ALPHA",
    "OUTCOMES",
    "RECORD_OUTCOMES",
    "Control",
    "Judgement",
    "Margins",
    "Outcome",
    "Power",
    "Verdict",
    "by_cluster",
    "judge",
    "judge_signals",
    "margins_of",
]
