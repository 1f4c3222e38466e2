"""The gate: does an audit pass what a pipeline asks of it? One of three answers, with its reason.

| gate | passed | failed | undecided |
| --- | --- | --- | --- |
| any | | the verdict is "under" or "over" | |
| `require="unlearned"` | the verdict is "unlearned" | | the verdict is "undecided" |
| `fail_under=x` | completeness is x or more for certain | it is below x for certain | x lies within its interval |
| `fail_over=x` | completeness is x or less for certain | it is above x for certain | x lies within its interval |

"For certain": the whole interval lies there. Of several that are asked, one that failed counts before an undecided
one. Where a control withholds the completeness, the answer is undecided.
Completeness: 0 = like records that the model still has, 1 = like never-seen ones, above 1 = damaged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vestige.errors import InputError, unknown
from vestige.evaluation.verdict import Verdict

REQUIRED = ("unlearned",)
State = Literal["passed", "failed", "undecided"]


@dataclass(frozen=True)
class Gate:
    """What is asked of a verdict.

    Attributes
    ----------
    require : "unlearned" or None
    fail_under, fail_over : float or None
        Limits of the completeness.

    Raises
    ------
    InputError
        Where a limit is no finite number, or another verdict is required.
    """

    require: str | None = None
    fail_under: float | None = None
    fail_over: float | None = None

    def __post_init__(self) -> None:
        if self.require is not None and self.require not in REQUIRED:
            raise InputError(f"--require: {unknown('verdict', self.require, REQUIRED)}")
        for option, value in (("--fail-under", self.fail_under), ("--fail-over", self.fail_over)):
            if value is not None and not math.isfinite(value):
                raise InputError(f"{option} is {value}; a finite number is wanted, 1 is complete.")
        if self.fail_under is not None and self.fail_over is not None and self.fail_under > self.fail_over:
            raise InputError(
                f"--fail-under is {self.fail_under:g} and --fail-over {self.fail_over:g}; nothing can pass both."
            )

    @property
    def asks(self) -> bool:
        """Is anything asked?"""
        return not (self.require is None and self.fail_under is None and self.fail_over is None)

    def check(self, verdict: Verdict) -> tuple[State, str]:
        """Return the answer and, unless it passed, the reason with the figure that the report shows."""
        if not self.asks:
            return "passed", ""
        if verdict.outcome in ("under", "over"):
            return "failed", f"the verdict is {verdict.outcome!r}: {verdict.sentence}"
        answers: list[tuple[State, str]] = []
        if self.require is not None and verdict.outcome != self.require:
            answers.append(("undecided", verdict.sentence))
        answers += self._limits(verdict)
        return min(answers, key=lambda answer: answer[0], default=("passed", ""))  # failed before undecided

    def check_all(self, verdicts: Mapping[str, Verdict]) -> tuple[State, list[str]]:
        """Return the answer for several: failed before undecided; and of each that does not pass why, by its name."""
        answers = {name: self.check(verdict) for name, verdict in verdicts.items()}
        reasons = [f"{name}: {state}; {why}" for name, (state, why) in answers.items() if state != "passed"]
        states = {state for state, _ in answers.values()}
        return "failed" if "failed" in states else "undecided" if "undecided" in states else "passed", reasons

    def _limits(self, verdict: Verdict) -> list[tuple[State, str]]:
        """Return what each limit that is not passed says."""
        value, low, high = verdict.completeness, verdict.low, verdict.high
        if self.fail_under is None and self.fail_over is None:
            return []
        if value is None or low is None or high is None:
            return [("undecided", f"no completeness can be given. {verdict.sentence}")]
        figure = f"completeness is {value:.2f} [{low:.2f}, {high:.2f}]"
        answers: list[tuple[State, str]] = []
        if self.fail_under is not None and low < self.fail_under:
            asked = f"{figure}; --fail-under asks for {self.fail_under:g} or more"
            answers.append(("failed" if high < self.fail_under else "undecided", asked))
        if self.fail_over is not None and high > self.fail_over:
            asked = f"{figure}; --fail-over asks for {self.fail_over:g} or less"
            answers.append(("failed" if low > self.fail_over else "undecided", asked))
        return answers
