"""What a plan will cost, and how sharp its verdict will be: said before the work, from two small pilot models."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from vestige.errors import InputError
from vestige.evaluation.outlook import Outlook, outlooks, pilot
from vestige.experiments.plan import Plan, Positions
from vestige.experiments.steps import ModelStep
from vestige.signals.reading import Reading
from vestige.signals.transforms import scaled_logit

SHARE, FEWEST, MOST = 0.05, 200, 2_000
"""A pilot model is trained on this share of what a model is trained on, within these counts where there are so many."""
LEAST = 20
MOST_SIMULATED = 4_000
"""Records of a role in the worlds that are simulated; more sharpen a verdict little."""


@dataclass(frozen=True)
class Costs:
    """What a plan will cost.

    Attributes
    ----------
    models : list of dict
        Each with "name", "what", "records" that it is trained on (None where that is the method's business) and "done":
        is it there already?
    pilot : int
        Records that each of the two pilot models was trained on; 0 where none could be.
    seconds : float or None
        Of the training that is not done yet, by one worker: time grows with the records as it does for the pilots.
    output_bytes : int
        Of all that is collected of the models.
    outlooks : list of Outlook
        How sharp the verdict will be, with as many shadow models as are planned, and with more.
    limits : list of str
        What the estimate rests on, and what could not be measured.
    """

    models: list[dict[str, Any]]
    pilot: int
    seconds: float | None
    output_bytes: int
    outlooks: list[Outlook]
    limits: list[str]

    def summary(self) -> str:
        """Return everything as plain text: the models, the time, the sharpness, the limits."""
        from vestige.report.words import plural

        lines = []
        for model in self.models:
            count = "" if model["records"] is None else f", {plural(model['records'], 'record')}"
            lines.append(f"{model['name']}: {model['what']}{count}{', done' if model['done'] else ''}")
        return "\n".join([*lines, *self.sentences])

    @property
    def sentences(self) -> list[str]:
        """The time, the size, the sharpness and the limits, a line each."""
        from vestige.report.words import seconds

        lines = [] if self.seconds is None else [f"Training: about {seconds(self.seconds)} by one worker."]
        lines.append(f"Outputs: {self.output_bytes / 2**20:,.1f} MiB.")
        if self.outlooks:
            lines.append(f"If the models remember a record as the two pilots on {self.pilot:,} records do:")
        return [*lines, *(view.sentence for view in self.outlooks), *(f"- {limit}" for limit in self.limits)]

    def __repr__(self) -> str:
        return self.summary()


def costs(plan: Plan, *, sharpness: bool = True) -> Costs:
    """Measure two pilot models, and say what the plan costs and, with `sharpness`, what it will show.

    Nothing is written.
    """
    models = [_told(plan, name, step) for name, step in plan.steps.models.items()]
    limits = [plan.copies, *(limit for limit in plan.limits if limit not in plan.copies)]
    size = int(min(np.clip(SHARE * len(plan.roles.retain), FEWEST, MOST), len(plan.roles.retain) // 3))
    seconds, views = None, []
    columns = 2
    try:
        per_record, columns, gap, ease = _pilots(plan, size)
        open_records = sum(model["records"] for model in models if not model["done"] and model["records"])
        seconds = per_record * open_records
        limits.append(
            f"Time and sharpness come from two pilot models on {size:,} records each; models on more records may take "
            "longer than in proportion, and remember each record less: the audit is then blunter than this says."
        )
        views = _outlooks(plan, gap, ease) if sharpness else []
    except InputError as error:
        size = 0
        limits.append(f"No pilot model could be trained, so that time and sharpness are unknown: {error}")
    audited = sum(len(part) for part in plan.parts.values())
    pool = len(plan.roles.shadow) * len(plan.members)
    return Costs(models, size, seconds, 4 * columns * (audited * len(models) + pool), views, limits)


def _told(plan: Plan, name: str, step: ModelStep) -> dict[str, Any]:
    rows = {"original": plan.roles.train} | {
        f"shadow-{number}": plan.roles.shadow[member] for number, member in enumerate(plan.members)
    }
    exact = {way.title for way in plan.ways if way.exact}
    records = len(rows[name]) if name in rows else len(plan.roles.retain) if name in exact else None
    what = step.label
    if step.kind == "keep":
        records = 0
    elif records is None:
        what = f"{what}; its time is not estimated"
    return {"name": name, "what": what, "records": records, "done": plan.store.done(step)}


def _pilots(plan: Plan, size: int) -> tuple[float, int, float, float]:
    """Return seconds for each record, columns of the outputs, the gap and the ease that two pilot models show."""
    rng = np.random.default_rng(plan.seed("original"))
    order: Positions = rng.permutation(plan.roles.retain)
    if len(order) < 3 * LEAST:
        raise InputError(f"{len(order):,} retained records are too few for pilots; {3 * LEAST:,} are wanted.")
    one, two, other = order[:size], order[size : 2 * size], order[2 * size : 3 * size]
    start = time.perf_counter()
    asks = [plan.maker.trial(rows, plan.seed("shadow", number)) for number, rows in enumerate((one, two))]
    seconds = (time.perf_counter() - start) / (2 * size)
    seen, unseen, again = asks[0](one), asks[0](other), asks[1](other)
    inside, outside = _truth(plan, one), _truth(plan, other)
    reading = Reading.of(unseen, outside)
    gap, ease = pilot(
        *(
            scaled_logit(reading.logits(answer.values, truth), reading.labels(truth))
            for answer, truth in ((seen, inside), (unseen, outside), (again, outside))
        )
    )
    return seconds, int(np.prod(seen.values.shape[1:], dtype=int)), gap, ease


def _truth(plan: Plan, rows: Positions) -> Any:
    return plan.maker.rows(rows).truth(plan.maker.environment.root).values


def _outlooks(plan: Plan, gap: float, ease: float) -> list[Outlook]:
    never = len(plan.parts["holdout"]) + len(plan.parts["pool"])
    if not plan.shadows.count or never < 2:
        return []
    return outlooks(
        len(plan.roles.forget), min(len(plan.roles.retain), MOST_SIMULATED), min(never, MOST_SIMULATED), gap, ease,
        plan.shadows.count, worlds=4, alpha=plan.audit.alpha, tolerance=plan.audit.tolerance,
    )  # fmt: skip
