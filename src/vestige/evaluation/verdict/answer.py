"""`Verdict`: the answer for a request, and the sentences in which it is said."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from vestige.evaluation.verdict.power import Power
from vestige.report.notebook import notebook_card
from vestige.report.words import completeness_words, percent, plural

Outcome = Literal["unlearned", "under", "over", "undecided"]
OUTCOMES: tuple[Outcome, ...] = ("unlearned", "under", "over", "undecided")
RecordOutcome = Literal["cleared", "under", "over", "undecided"]
WEAK_TRACE = 0.1
RECORD_OUTCOMES: tuple[RecordOutcome, ...] = ("cleared", "under", "over", "undecided")


@dataclass(frozen=True)
class Verdict:
    """The answer for the whole request: three claims, each with its own error rate.

    Attributes
    ----------
    outcome : "unlearned", "under", "over" or "undecided"
        "under": a vestige remains; "over": the records lie further away than never-seen ones, which is damage.
    sentence : str
        The answer in plain words.
    advice : str
        What would decide an undecided answer, or sharpen it; empty where nothing is missing.
    blocked_by : tuple of str
        Names of the controls that forbade an answer.
    alpha : float
        Error rate of the group's claim (half of it in each direction), of the named records (false discoveries), and
        of each bound.
    tolerance : float
        Largest share of the influence that may be left for "unlearned".
    counts : dict of str to int
        Forget records by answer: "cleared", "under", "over", "undecided".
    p_under, p_over : float or None
        p-values of "no record bears a trace" and "none lies too far", in (0, 1]; None where not computed.
    completeness, low, high : float or None
        0 = like records that the model still has, 1 = like never-seen ones, above 1 = further away; the mean over the
        request, each end missing the truth with probability alpha / 2. None where the data give none, or a control
        withholds it.
    could_be_whole : int or None
        How many records could be as whole as kept ones and would not have been seen.
    allowed : int
        How many may be, for "unlearned".
    at_least : int
        How many records bear a trace, with probability 1 - alpha / 2.
    n, null, kept : int
        Records (clusters, where they were named) of the request, never seen, and kept.
    effective_null : float or None
        To how many never-seen records the matched ones amount.
    power : tuple of Power
        With which probability planted traces would have been found.
    unit : str
        What is counted: "record" or "cluster".
    """

    outcome: Outcome
    sentence: str
    advice: str
    blocked_by: tuple[str, ...]
    alpha: float
    tolerance: float
    counts: dict[str, int]
    p_under: float | None = None
    p_over: float | None = None
    completeness: float | None = None
    low: float | None = None
    high: float | None = None
    could_be_whole: int | None = None
    allowed: int = 0
    at_least: int = 0
    n: int = 0
    null: int = 0
    kept: int = 0
    effective_null: float | None = None
    power: tuple[Power, ...] = ()
    unit: str = "record"

    @property
    def left_at_most(self) -> float | None:
        """The largest share of the influence that can be left, 0 to 1; None where it is not bounded or withheld."""
        return None if self.low is None else capped(1.0 - self.low)

    @property
    def records_sentence(self) -> str:
        """How many records are cleared, flagged, undecided."""
        c = self.counts
        counts = (
            f"Of {plural(self.n, self.unit)}: {c['cleared']:,} cleared, {c['under']:,} flagged as under, "
            f"{c['over']:,} flagged as over, {c['undecided']:,} undecided"
        )
        if not c["under"] + c["over"]:
            return f"{counts}."
        return f"{counts}; on average at most {percent(self.alpha / 2)} of the flagged are false alarms."

    @property
    def sharpness(self) -> str:
        """How sharp the audit was, in one short sentence; empty where that is not known."""
        if not self.power:
            return ""
        rare, weak = self.power[0], next(p for p in self.power if p.influence == WEAK_TRACE)
        return (
            f"Sharpness: the verdict would have been a vestige in {rare.probability:.0%} of cases with {rare.trace}, "
            f"and in {weak.probability:.0%} with {weak.trace}."
        )

    def record(self) -> dict[str, Any]:
        """Return everything as plain values for JSON, with `left_at_most`."""
        return {**asdict(self), "left_at_most": self.left_at_most}

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What the answer rests on, by name, as a notebook shows it."""
        facts = [("Records", self.records_sentence)]
        if self.completeness is not None:
            facts.append(("Completeness", completeness_words(self.completeness, self.low, self.high)))
        if self.left_at_most is not None:
            facts.append(("Influence left, at most", percent(self.left_at_most)))
        pairs = (("p of no trace", self.p_under), ("p of no damage", self.p_over))
        facts += [(name, f"{value:.2g}") for name, value in pairs if value is not None]
        words = (
            ("Withheld by", ", ".join(self.blocked_by)),
            ("Advice", self.advice),
            ("Sharpness", self.sharpness),
        )
        return facts + [(name, text.removeprefix("Sharpness: ")) for name, text in words if text]

    def _repr_html_(self) -> str:
        return notebook_card("Verdict", self.outcome, self.sentence, self.facts)

    @property
    def power_sentence(self) -> str:
        """How sharp the audit was; empty where that is not known."""
        if not self.power:
            return ""
        seen = "; ".join(f"{p.trace}: {p.probability:.0%}" for p in self.power)
        return f"How often this verdict, as the audit was run, would have been a vestige with a planted trace: {seen}."


@dataclass(frozen=True)
class Figures:
    """What the sentences are made of."""

    n: int
    p_under: float
    p_over: float
    left: float
    left_low: float
    left_high: float
    could_be_whole: int
    allowed: int
    at_least: int
    named: int
    alpha: float
    tolerance: float
    null: int
    kept: int
    unit: str
    other_difficulty: bool = False
    shadows: int = 1
    whole_at_best: int = 0
    """Records that could be whole with any number of shadow models, by the scores at hand."""


def unlearned_sentence(f: Figures) -> str:
    """The all-clear: an equivalence claim, with what it allows."""
    return (
        f"Unlearned within {percent(f.tolerance)}: no trace found (p {f.p_under:.2g}); at most "
        f"{percent(capped(f.left_high))} of the influence can be left; {whole_words(f)} ({f.allowed:,} allowed)."
    )


def under_sentence(f: Figures) -> str:
    """A vestige remains: in how many records at least, and how much."""
    amount = left_words(f)
    if f.named:
        which = f"{traced_words(f)}; {f.named:,} {'is' if f.named == 1 else 'are'} named"
    elif f.at_least:
        which = f"{traced_words(f)}; no single one can be named"
    elif f.n == 1:
        which = f"the {f.unit} bears a trace"
    else:
        which = f"it is in the {plural(f.n, f.unit)} as a group; no single one can be named"
    also = (
        "" if f.p_over > f.alpha / 2 else f" Others lie further away than never-seen ones (p {f.p_over:.2g})."
    )
    return f"A vestige remains (p {f.p_under:.2g}): {which}; {amount}.{also}"


def over_sentence(f: Figures) -> str:
    """Damage: further away than never-seen records."""
    return (
        f"Over-unlearned (p {f.p_over:.2g}): the {plural(f.n, f.unit)} lie further away than never-seen ones, "
        f"{beyond_words(f)}; {whole_words(f)}."
    )


def undecided_sentence(f: Figures, sharp: bool) -> str:
    """Not an acquittal: what was found, and what could be left unseen."""
    if f.other_difficulty and min(f.p_under, f.p_over) <= f.alpha / 2:
        return (
            f"Undecided: the {plural(f.n, f.unit)} answer unlike never-seen ones (p {min(f.p_under, f.p_over):.2g}). "
            "They are harder or easier than those, and a model that is trained without such records changes for all of "
            f"them; {left_words(f)}; {whole_words(f)}."
        )
    if f.p_over <= f.alpha / 2:
        return (
            f"Undecided: the {plural(f.n, f.unit)} lie further away than never-seen ones (p {f.p_over:.2g}), "
            f"{beyond_words(f)}; that is damage, unless the model was trained on some of the never-seen ones, which "
            "was not ruled out."
        )
    trace = "no trace found" if sharp else "no trace found, but none could have been"
    bound = (
        "how much of the influence can be left is not bounded"
        if f.left_high == float("inf")
        else f"at most {percent(capped(f.left_high))} of the influence can be left ({percent(f.tolerance)} allowed)"
    )
    if -f.tolerance > f.left_low > -float("inf"):
        bound += f", and the records can lie beyond never-seen ones by {percent(-f.left_low)} of it"
    return f"Undecided: {trace} (p {f.p_under:.2g}); {bound}; {whole_words(f)} ({f.allowed:,} allowed)."


def blocked_sentence(names: tuple[str, ...], statements: list[str]) -> str:
    """A control failed: which, and what it saw."""
    more = "" if len(names) == 1 else f" Also failed: {', '.join(names[1:])}."
    return f"Undecided, blocked by the control “{names[0]}”: {statements[0]}{more}"


def whole_words(f: Figures) -> str:
    """Return how many records could be untouched unseen."""
    most = "none" if not f.could_be_whole else f"up to {f.could_be_whole:,}"
    return f"{most} of {plural(f.n, f.unit)} could still be untouched unseen"


def left_words(f: Figures) -> str:
    """Return how much of the influence is left, with its interval."""
    if abs(f.left_low) == float("inf") or f.left_high == float("inf"):
        return "how much of the influence is left is not bounded"
    return f"{percent(f.left)} of the influence is left [{percent(f.left_low)}, {percent(f.left_high)}]"


def beyond_words(f: Figures) -> str:
    """Return how far beyond never-seen records the request lies, with its interval."""
    if abs(f.left_low) == float("inf") or f.left_high == float("inf"):
        return "by how much is not bounded"
    return f"on average by {percent(-f.left)} of a record's influence [{percent(-f.left_high)}, {percent(-f.left_low)}]"


def traced_words(f: Figures) -> str:
    """Return how many records bear a trace at least."""
    least = max(f.at_least, 1)
    return f"at least {least:,} of {plural(f.n, f.unit)} {'bears' if least == 1 else 'bear'} a trace"


def capped(share: float) -> float:
    """Return what can be left, which is between nothing and all of it."""
    return min(max(share, 0.0), 1.0)
