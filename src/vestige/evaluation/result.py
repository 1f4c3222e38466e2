"""`Audit`: what an audit returns. Plain records and one table; saved to a folder and loaded from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vestige.errors import ArtefactError
from vestige.evaluation.retained import Retained
from vestige.evaluation.verdict import Control, Power, Verdict
from vestige.files import as_path
from vestige.report.notebook import notebook_card
from vestige.report.words import plural
from vestige.signals import Signals
from vestige.store import file_hash, published, read_record, write_json


@dataclass(frozen=True)
class Metric:
    """One figure with what is needed to read it.

    Attributes
    ----------
    measure : str
        The measure it is about, or "model" for figures of the model itself.
    name : str
        "auc", "tnr_at_fnr_1%", "unlearning_accuracy", ...
    comparison : str
        What is compared with what, in words.
    value : float or None
        The figure; None where it could not be computed, and `reason` says why.
    low, high : float or None
        95 % interval, None where there is none.
    direction : str
        How to read it, in words.
    range : tuple[float or None, float or None]
        Smallest and largest possible value.
    reference : float or None
        The value to compare with (chance, or a perfect unlearner), with `reference_is` in words.
    n : int
        How many samples it is computed from.
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
class MeasureRun:
    """What happened to one requested measure: its options, its cost, or why it has no scores.

    Attributes
    ----------
    null : str or None
        Where the p-values come from, in words; None where the measure carries no p-values.
    label : str
        Its name in this audit's table, figures and controls; differs from `measure` where one is asked twice.
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


HASHED, RETAINED = ("signals/signals.json", "scores.parquet", "metrics.json"), "retained.parquet"
SCORE_COLUMNS = (
    "id", "role", "label", "measure", "score", "low", "high", "p_under", "p_over",
    "degree", "degree_low", "degree_high", "verdict",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Audit:
    """The result of `vestige.audit`.

    Attributes
    ----------
    name : str
        What was audited, for example the unlearning method.
    signals : Signals
        What was measured.
    scores : pd.DataFrame
        One row per sample x measure: id, role, label, measure, score (larger = more unlearned), low and high
        (95 % interval over shadow models; null with fewer than two), p_under, p_over (null where the measure
        has no null distribution), degree with its 95 % interval (0 = untouched, 1 = exactly deleted, above 1
        = beyond, the ends of -0.5 to 2 mean "or further"; null where nothing calibrates). The rows of the
        measure "trace", which the verdict rests on, hold in `verdict` the answer for each forget sample:
        "cleared", "under", "over" or "undecided"; elsewhere it is "".
    figures : tuple[Metric, ...]
        Each with direction, range and interval; `metrics` is their table.
    controls : tuple[Control, ...]
        Checks of the measurement itself.
    measures : tuple[MeasureRun, ...]
        One entry per requested measure, failed ones included.
    verdict : Verdict
        The answer for the whole request.
    limits : tuple[str, ...]
        What this audit cannot say, in sentences.
    seconds : float
        Wall-clock time of the audit.
    seed : int
        Of its permutations, planted traces and bootstraps.
    retained : Retained or None
        What the deletion did to the records that were kept; None in audits of earlier versions.
    """

    name: str
    signals: Signals
    scores: pd.DataFrame
    figures: tuple[Metric, ...]
    controls: tuple[Control, ...]
    measures: tuple[MeasureRun, ...]
    verdict: Verdict
    limits: tuple[str, ...]
    seconds: float
    seed: int = 0
    retained: Retained | None = None

    def summary(self) -> str:
        """Return the verdict, what it rests on and the limits as plain text, the verdict first."""
        verdict = self.verdict
        others = "" if self.retained is None else self.retained.sentence
        lines = [verdict.sentence, verdict.advice, verdict.records_sentence, verdict.power_sentence, others]
        return "\n".join([*filter(None, lines), *(f"- {limit}" for limit in self.limits)])

    def __repr__(self) -> str:
        failed = [run.label for run in self.measures if run.status == "failed"]
        lines = [
            f"Audit of {self.name!r}: {self.verdict.outcome}",
            *filter(None, (self.verdict.sentence, self.verdict.records_sentence, self.verdict.sharpness)),
            f"{plural(len(self.limits), 'limit')}, see summary()" if self.limits else "",
            f"Not computed: {', '.join(failed)}" if failed else "",
            "Records: to_frame(), scores; figures: metrics; report: to_html(path), save(folder)",
        ]
        return "\n".join(filter(None, lines))

    def _repr_html_(self) -> str:
        rows = [(run.label, run.status if run.reason is None else run.reason) for run in self.measures]
        return notebook_card(
            f"Audit of {self.name}", self.verdict.outcome, self.verdict.sentence, self.verdict.facts,
            {"Limits": self.limits, "Measures": [f"{label}: {text}" for label, text in rows]},
        )  # fmt: skip

    @property
    def metrics(self) -> pd.DataFrame:
        """The figures as a table, a row each: measure, name, comparison, value, low, high, direction, range, ...

        What could not be computed has no value, and its reason. The rows as objects are `figures`.
        """
        names = [f.name for f in dataclasses.fields(Metric)]
        table = pd.DataFrame([asdict(metric) for metric in self.figures], columns=names)
        numbers = ["value", "low", "high", "reference"]
        return table.astype(dict.fromkeys(numbers, float))

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row for each record: what is known of it, the answer, and its score by each measure.

        Returns
        -------
        DataFrame
            `id`, `role`, `label`; `source` and `cluster` where they are known; `verdict` ("" for records that are not
            forgotten), `p_under`, `p_over` of the trace; then a column for each measure, larger = more unlearned.
            Records stand in the order of `signals`; ids are text, so that a table of your own joins by them:
            `audit.to_frame().merge(customers, on="id")`.
        """
        signals = self.signals
        known = {"id": signals.names, "role": signals.roles, "label": signals.labels}
        known |= {
            name: getattr(signals, name)
            for name in ("source", "cluster")
            if getattr(signals, name) is not None
        }
        table = pd.DataFrame(known)
        runs = [run.label for run in self.measures if run.status == "scored"]
        by_id = self.scores.set_index("id")
        parts = {label: by_id[by_id["measure"] == label].reindex(table["id"]) for label in runs}
        answers = parts.get("trace")
        if answers is not None:
            columns = {name: answers[name].to_numpy() for name in ("verdict", "p_under", "p_over")}
            table = table.assign(**columns).fillna({"verdict": ""})
        return table.assign(**{label: part["score"].to_numpy() for label, part in parts.items()})

    def metric(self, measure: str, name: str) -> Metric | None:
        """Return one figure, or None."""
        figures = (m for m in self.figures if (m.measure, m.name) == (measure, name))
        return next(figures, None)

    def save(self, folder: Path | str, known: Mapping[str, Any] | None = None) -> Path:
        """Write a folder that is complete: the data, manifest.json and report.html; `Audit.load` reads it back.

        Parameters
        ----------
        folder : path
        known : mapping, optional
            What the manifest holds besides: "config", "hashes", "timings", "data", "models".

        Returns
        -------
        Path
            The folder.
        """
        import vestige
        from vestige.evaluation.page import write_report

        folder = self.write(folder)
        settled = {"alpha": self.verdict.alpha, "tolerance": self.verdict.tolerance}
        manifest: dict[str, Any] = {
            "vestige": vestige.__version__, "kind": "audit", "name": self.name, **(known or {}),
        }  # fmt: skip
        manifest["config"] = manifest.get("config", {"measures": self._requested()}) | settled
        manifest["hashes"] = manifest.get("hashes", {}) | {"audit.json": file_hash(folder / "audit.json")}
        manifest["timings"] = manifest.get("timings", {}) | {"audit": self.seconds}
        write_json(folder / "manifest.json", manifest)
        write_report(folder / "report.html", {self.name: self}, manifest=manifest)
        return folder

    def _requested(self) -> list[dict[str, Any]]:
        """Return the measures as they were asked for, without the score that the verdict rests on."""
        return [
            {"name": run.measure, "preset": run.preset, **run.options}
            for run in self.measures
            if run.measure != "trace"
        ]

    def write(self, folder: Path | str, references: Path | None = None) -> Path:
        """Write signals/, scores.parquet, retained.parquet, metrics.json and, last, audit.json with their hashes.

        Parameters
        ----------
        references : Path or None
            A saved record of signals that differs in `unlearned` alone; see `Signals.save`.
        """
        folder = as_path(folder)
        self.signals.save(folder / "signals", references)
        _write_table(folder / "scores.parquet", self.scores)
        files: tuple[str, ...] = HASHED
        if self.retained is not None:
            _write_table(folder / RETAINED, self.retained.table)
            files = (*HASHED, RETAINED)
        record = {
            "name": self.name,
            "verdict": asdict(self.verdict),
            "measures": [asdict(m) for m in self.measures],
            "controls": [asdict(c) for c in self.controls],
            "metrics": [asdict(m) for m in self.figures],
            "limits": list(self.limits),
            "seconds": self.seconds,
            "seed": self.seed,
            "retained": None if self.retained is None else self.retained.record(),
        }
        write_json(folder / "metrics.json", record)
        write_json(
            folder / "audit.json", {"name": self.name, "sha256": {f: file_hash(folder / f) for f in files}}
        )
        return folder

    @classmethod
    def load(cls, folder: Path | str) -> Audit:
        """Read an audit back. Raises `ArtefactError` where a file is missing or was changed since."""
        folder = as_path(folder)
        seal = read_record(folder / "audit.json")
        hashes = seal.get("sha256") or {}
        for name in dict.fromkeys((*HASHED, *([RETAINED] if RETAINED in hashes else []))):
            file = folder / name
            if not file.is_file() or file_hash(file) != hashes.get(name):
                raise ArtefactError(
                    f"{file} is not what audit.json says: one of the two is missing or was changed since; audit again."
                )
        record = read_record(folder / "metrics.json")
        verdict = record["verdict"]
        verdict |= {
            "power": tuple(Power(**p) for p in verdict["power"]),
            "blocked_by": tuple(verdict["blocked_by"]),
        }
        return cls(
            name=record["name"],
            signals=Signals.load(folder / "signals"),
            scores=pd.read_parquet(folder / "scores.parquet"),
            figures=tuple(Metric(**{**m, "range": tuple(m["range"])}) for m in record["metrics"]),
            controls=tuple(Control(**c) for c in record["controls"]),
            measures=tuple(MeasureRun(**m) for m in record["measures"]),
            verdict=Verdict(**verdict),
            limits=tuple(record["limits"]),
            seconds=record["seconds"],
            seed=record.get("seed", 0),
            retained=_retained(record.get("retained"), folder),
        )

    def to_html(self, path: Path | str) -> Path:
        """Write the self-contained report of this audit."""
        from vestige.evaluation.page import write_report

        return write_report(as_path(path), {self.name: self})


def _write_table(path: Path, rows: pd.DataFrame) -> None:
    with published(path) as temporary:
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), temporary, compression="zstd")


def _retained(record: dict[str, Any] | None, folder: Path) -> Retained | None:
    return None if record is None else Retained.of_record(record, pd.read_parquet(folder / RETAINED))
