"""`vestige.forget`: one call from a model, its data and some ids to a new model, a verdict and a report."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from vestige.arguments import OWN_CHECK, Count, Seed, Whole, checked
from vestige.config import validated
from vestige.errors import InputError
from vestige.evaluation import Audit
from vestige.evaluation.verdict import Verdict
from vestige.experiments.costs import Costs, costs
from vestige.experiments.forgetting import Forgetting
from vestige.experiments.plan import Plan
from vestige.experiments.requests import plan_ids
from vestige.experiments.runner import carry_out_plan
from vestige.experiments.settings import AuditConfig
from vestige.experiments.system_steps import SystemStep
from vestige.graph.step import Job
from vestige.report.notebook import notebook_card
from vestige.report.words import plural
from vestige.store import folder_at, is_vacant
from vestige.systems.doors import system_of
from vestige.systems.portable import expect_guarded, expect_portable
from vestige.systems.source import SystemSource
from vestige.values import id_list


@dataclass(frozen=True, eq=False)
class Answer:
    """What `forget` returns.

    Attributes
    ----------
    verdict : Verdict
        What is left of the records, for the whole request.
    audit : Audit
        Per-record scores, figures, controls and limits.
    folder : Path
        Models, outputs, audit and report.html. Without a folder of one's own it lies among the temporary files, and
        goes with this answer; `save` keeps it.
    """

    audit: Audit
    folder: Path
    plan: Plan = field(repr=False)
    kept: Any = field(default=None, repr=False)

    @property
    def verdict(self) -> Verdict:
        return self.audit.verdict

    @property
    def report(self) -> Path:
        """The report, one HTML file that needs no network."""
        return self.folder / "report.html"

    @property
    def model(self) -> Any:
        """The new model, read from the folder."""
        return self._read(self.plan.ways[0].title)

    @property
    def original(self) -> Any:
        """The model before, read from the folder."""
        return self._read("original")

    def _read(self, name: str) -> Any:
        step = self.plan.steps.models[name]
        assert isinstance(step, SystemStep)
        store = self.plan.store
        return step.model(Job(store.path(step), store, self.plan.maker.environment, step.key))

    def save(self, folder: Path | str) -> Path:
        """Keep everything in a folder of one's own, which must be empty or new; return it."""
        path = folder_at(folder)
        if not is_vacant(path):
            raise InputError(f"{path} is not empty; name another folder.")
        shutil.copytree(self.folder, path, dirs_exist_ok=True)
        return path

    @property
    def _title(self) -> str:
        return f"Answer to {plural(len(self.plan.roles.forget), 'id')} by {self.audit.name}"

    def __repr__(self) -> str:
        return f"{self._title}: {self.verdict.outcome}\n{self.verdict.sentence}"

    def _repr_html_(self) -> str:
        verdict = self.verdict
        return notebook_card(
            self._title, verdict.outcome, verdict.sentence, verdict.facts, {"Limits": self.audit.limits}
        )


@checked
def forget(
    model: Any,
    data: Any = None,
    ids: Annotated[Iterable[str] | str | None, OWN_CHECK] = None,
    how: Annotated[str | Mapping[str, Any], OWN_CHECK] = "retrain",
    *,
    label: Any = None,
    id: Any = None,
    unseen: Any = None,
    cluster: Any = None,
    shadows: Whole = 1,
    measures: Annotated[Iterable[str | Mapping[str, Any]] | None, OWN_CHECK] = None,
    alpha: float | None = None,
    tolerance: float | None = None,
    seed: Seed = 0,
    folder: str | Path | None = None,
    workers: Count | None = None,
    say: Callable[[str], None] | None = None,
    **options: Any,
) -> Answer:
    """Forget some records of a model: a new model, what is left of each record, and a report.

    The original is fitted anew where it is not fitted yet. Models of the same kind are fitted on records that the
    original never saw; they show what a model says that never saw the request.

    Parameters
    ----------
    model
        A scikit-learn estimator or pipeline, a LightGBM or XGBoost model, a `torch.nn.Module`, a Hugging Face model, a
        `vestige.systems.System`, or "file.py:name" of one.
    data
        What the model was trained on: a DataFrame, (x, y), a torch or Hugging Face data set. A system has its own.
    ids
        Who is forgotten.
    how
        "retrain", or an unlearning method that the model knows, such as {"name": "scrub", "epochs": 5}.
    label, id, cluster
        Columns of the data: the class or target, the name of each record, and which records are one person's.
    unseen
        Records that the model never saw, in the form of `data`; or their ids among `data`. Needed where the model is
        fitted; else a part of the data is kept from it, which is said.
    shadows
        How many models are fitted on never-seen records; without one there is no verdict.
    measures, alpha, tolerance
        See `vestige.audit`.
    seed
        Of everything random.
    folder
        Where models, outputs and report go, and where a stopped call goes on; None: among the temporary files.
    workers
        How many models are fitted at once, in processes of their own.
    say
        Is told, in a line each, what begins.
    options
        Of the system: see `vestige.systems.estimators`, `networks` and `transformers`.

    Returns
    -------
    Answer
        With `verdict`, `model`, `audit`, `report`, and `save`.

    Raises
    ------
    InputError
        For ids that the data do not hold, for a model or data that cannot be understood, and where a fit is refused.

    Examples
    --------
    >>> import vestige
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> table = load_breast_cancer(as_frame=True).frame
    >>> answer = vestige.forget(RandomForestClassifier(20), table, ids=[3, 14, 15], label="target")
    >>> answer.verdict.outcome in ("unlearned", "undecided")
    True
    """
    settings: dict[str, Any] = {"shadows": shadows, "alpha": alpha, "tolerance": tolerance, "seed": seed}
    settings["measures"] = None if measures is None else list(measures)
    system, names = _asked(model, data, ids, label=label, id=id, unseen=unseen, cluster=cluster, **options)
    if workers is not None and workers > 1:
        expect_guarded()
        if not isinstance(model, str):
            expect_portable(system)
    kept = None if folder is not None else tempfile.TemporaryDirectory(prefix="vestige-")
    place = Path(kept.name) / "forget" if kept is not None else Path(str(folder))
    way = Forgetting.of(how)
    plan = _planned(system, names, [way], place, **settings)
    run = carry_out_plan(plan, say=say or (lambda text: None), workers=workers)
    return Answer(run.audits[way.title], place, plan, kept)


@checked
def forget_costs(
    model: Any,
    data: Any = None,
    ids: Annotated[Iterable[str] | str | None, OWN_CHECK] = None,
    how: Annotated[str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]], OWN_CHECK] = "retrain",
    *,
    label: Any = None,
    id: Any = None,
    unseen: Any = None,
    cluster: Any = None,
    shadows: Whole = 1,
    alpha: float | None = None,
    tolerance: float | None = None,
    seed: Seed = 0,
    sharpness: bool = True,
    **options: Any,
) -> Costs:
    """Say what `forget` will cost, and how sharp its verdict will be, before anything is done.

    Two small models are trained on a part of the data; time and sharpness are taken from them. Nothing is written.

    Parameters
    ----------
    model, data, ids, label, id, unseen, cluster, shadows, alpha, tolerance, seed, options
        As of `forget`.
    how
        A way to forget, or several side by side.
    sharpness : bool
        Whether verdicts are simulated, which takes some seconds.

    Returns
    -------
    Costs
        With `models`, `seconds`, `outlooks`, and `summary()`.

    Raises
    ------
    InputError
        As `forget` does.

    Examples
    --------
    >>> import vestige
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> table = load_breast_cancer(as_frame=True).frame
    >>> costs = vestige.forget_costs(RandomForestClassifier(20), table, [3, 14, 15], label="target", sharpness=False)
    >>> [model["name"] for model in costs.models]
    ['original', 'shadow-0', 'retrain']
    """
    system, names = _asked(model, data, ids, label=label, id=id, unseen=unseen, cluster=cluster, **options)
    ways = [Forgetting.of(one) for one in ([how] if isinstance(how, (str, Mapping)) else how)]
    settings: dict[str, Any] = {"shadows": shadows, "alpha": alpha, "tolerance": tolerance, "seed": seed}
    with tempfile.TemporaryDirectory(prefix="vestige-") as folder:
        return costs(
            _planned(system, names, ways, Path(folder) / "forget", measures=None, **settings),
            sharpness=sharpness,
        )


def _asked(model: Any, data: Any, ids: Iterable[str] | str | None, **options: Any) -> tuple[Any, list[str]]:
    """Return the system of a model, or the place of its file, and who is forgotten."""
    names = [str(name) for name in id_list("ids", [] if ids is None else ids)]
    if isinstance(model, str):
        return model, names
    return system_of(model, data, forget=names, **options), names


def _planned(
    system: Any,
    names: list[str],
    ways: Sequence[Forgetting],
    place: Path,
    *,
    shadows: int,
    measures: list[Any] | None,
    alpha: float | None,
    tolerance: float | None,
    seed: int,
) -> Plan:
    source = SystemSource.of(system)
    asked = {"measures": measures, "alpha": alpha, "tolerance": tolerance}
    audit = validated(
        AuditConfig, {name: value for name, value in asked.items() if value is not None}, "forget"
    )
    title = f"{len(names):,} records leave {source.load().name}"
    return plan_ids(
        source, names, place, name="forget", title=title, ways=ways, shadows=shadows, audit=audit, seed=seed
    )
