"""`Audit`: what an audit returns. Plain records and one table; saved to a folder and loaded from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vestige.errors import ArtefactError
from vestige.signals import Signals
from vestige.store import file_hash, published, read_json, write_json

Outcome = Literal["unlearned", "under", "over", "undecided"]
OUTCOMES: tuple[Outcome, ...] = ("unlearned", "under", "over", "undecided")


@dataclass(frozen=True)
class Metric:
    """One figure with what is needed to read it.

    measure     the measure it is about, or "model" for figures of the model itself
    name        "auc", "tnr_at_fnr_1%", "unlearning_accuracy", ...
    comparison  what is compared with what, in words
    value       the figure; None where it could not be computed, and `reason` says why
    low, high   95 % interval, None where there is none
    direction   how to read it, in words
    range       smallest and largest possible value
    reference   the value to compare with (chance, or a perfect unlearner), with `reference_is` in words
    n           how many samples it is computed from
    """

    measure: str
    name: str
    comparison: str
    value: float | None
    direction: str
    range: tuple[float | None, float | None]
    low: float | None = None
    high: float | None = None
    reference: float | None = None
    reference_is: str = ""
    n: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class Control:
    """A check of the ruler itself. `passed` is None where it could not be run, and `reason` says why."""

    name: Literal["negative", "positive"]
    measure: str
    statement: str
    value: float | None
    wanted: str
    passed: bool | None
    reason: str | None = None


@dataclass(frozen=True)
class MeasureRun:
    """What happened to one requested measure: its options, its cost, or why it has no scores.

    null   where the p-values come from, in words; None where the measure carries no p-values
    label  its name in this audit's table, figures and controls; differs from `measure` where one is asked twice
    """

    measure: str
    preset: str
    options: dict[str, Any]
    status: Literal["scored", "failed"]
    seconds: float
    reason: str | None = None
    null: str | None = None
    unit: str = ""
    cites: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or self.measure)


@dataclass(frozen=True)
class Verdict:
    """The answer for the whole request.

    outcome       "unlearned", "under" (a vestige remains), "over" (damaged), or "undecided"
    sentence      the answer in plain words, with the counts
    measure       the measure that carries the verdict; None where none could
    counts        forget samples by verdict, keys as `outcome`
    alpha         the false-discovery rate among flagged samples that the verdict aims at
    completeness  0 = like a model that still has the samples, 1 = like one that never saw them, above 1 =
                  further away still; mean over the forget samples, with its 95 % interval
    """

    outcome: Outcome
    sentence: str
    measure: str | None
    counts: dict[str, int]
    alpha: float
    completeness: float | None = None
    low: float | None = None
    high: float | None = None


SCORE_COLUMNS = (
    "id", "role", "label", "measure", "score", "low", "high", "p_under", "p_over",
    "completeness", "completeness_low", "completeness_high", "verdict",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Audit:
    """The result of `vestige.audit`.

    name      what was audited, for example the unlearning method
    signals   what was measured
    scores    one row per sample x measure: id, role, label, measure, score (larger = more unlearned), low and
              high (95 % interval over shadow models; null with fewer than two), p_under, p_over (null where
              the measure has no null distribution), completeness with its 95 % interval (0 = untouched, 1 =
              exactly deleted, above 1 = beyond; null without simulated deletions), verdict ("" for samples
              outside the forget set)
    metrics   figures, each with direction, range and interval
    controls  checks of the ruler
    measures  one entry per requested measure, failed ones included
    verdict   the answer for the whole request
    limits    what this audit cannot say, in sentences
    seconds   wall-clock time of the audit
    """

    name: str
    signals: Signals
    scores: pd.DataFrame
    metrics: tuple[Metric, ...]
    controls: tuple[Control, ...]
    measures: tuple[MeasureRun, ...]
    verdict: Verdict
    limits: tuple[str, ...]
    seconds: float

    def summary(self) -> str:
        """Return the verdict and the limits as plain text, the verdict first."""
        return "\n".join([self.verdict.sentence, *(f"- {limit}" for limit in self.limits)])

    def metric(self, measure: str, name: str) -> Metric | None:
        """Return one figure, or None."""
        found = [m for m in self.metrics if (m.measure, m.name) == (measure, name)]
        return found[0] if found else None

    def save(self, folder: Path | str) -> Path:
        """Write signals/, scores.parquet and metrics.json (last, with the hashes of the others)."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.signals.save(folder / "signals")
        with published(folder / "scores.parquet") as temporary:
            table = pa.Table.from_pandas(self.scores, preserve_index=False)
            pq.write_table(table, temporary, compression="zstd")
        record = {
            "name": self.name,
            "verdict": asdict(self.verdict),
            "measures": [asdict(m) for m in self.measures],
            "controls": [asdict(c) for c in self.controls],
            "metrics": [asdict(m) for m in self.metrics],
            "limits": list(self.limits),
            "seconds": self.seconds,
            "sha256": {"scores.parquet": file_hash(folder / "scores.parquet")},
        }
        write_json(folder / "metrics.json", record)
        return folder

    @classmethod
    def load(cls, folder: Path | str) -> Audit:
        """Read an audit back. Raises `ArtefactError` where a file is missing or changed since."""
        folder = Path(folder)
        record = read_json(folder / "metrics.json")
        scores = folder / "scores.parquet"
        if not scores.is_file() or file_hash(scores) != record["sha256"]["scores.parquet"]:
            raise ArtefactError(f"{scores} is missing or was changed after the audit was written.")
        return cls(
            name=record["name"],
            signals=Signals.load(folder / "signals"),
            scores=pd.read_parquet(scores),
            metrics=tuple(Metric(**{**m, "range": tuple(m["range"])}) for m in record["metrics"]),
            controls=tuple(Control(**c) for c in record["controls"]),
            measures=tuple(MeasureRun(**m) for m in record["measures"]),
            verdict=Verdict(**record["verdict"]),
            limits=tuple(record["limits"]),
            seconds=record["seconds"],
        )

    def to_html(self, path: Path | str) -> Path:
        """Write the self-contained report of this audit."""
        from vestige.report import write_report

        return write_report(Path(path), {self.name: self})


def none_if_nan(value: float) -> float | None:
    """Return a plain float, or None for NaN and infinity, which no table may hold."""
    return float(value) if np.isfinite(value) else None
