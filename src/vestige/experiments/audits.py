"""`vestige.audit`: of signals, or of two models that exist, before and after something was done against a trace."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from vestige.arguments import checked
from vestige.errors import InputError, unknown
from vestige.evaluation import Audit, audit_signals
from vestige.evaluation.audits import DEFAULT_MEASURES, MeasureSpec
from vestige.evaluation.features import Probed, probe_margins
from vestige.experiments.forgetting import Forgetting
from vestige.experiments.requests import plan_system
from vestige.experiments.settings import AuditConfig, ShadowConfig
from vestige.experiments.system_steps import Existing, SystemStep
from vestige.graph import carry_out
from vestige.graph.step import UNNAMED, Job
from vestige.signals import Signals
from vestige.signals.kinds import OF_CLASSES
from vestige.systems.base import System, ask, expect_system, represent
from vestige.systems.doors import system_of
from vestige.systems.source import SystemSource
from vestige.values import id_list

SHADOWS_LIMIT = "That the given shadow models never saw the audited records was not checked."


@checked
def audit(
    signals: Signals | None = None,
    measures: Iterable[MeasureSpec] = DEFAULT_MEASURES,
    *,
    name: str = "unlearned",
    preset: str = "recommended",
    alpha: float = 0.05,
    tolerance: float = 0.1,
    seed: int = 0,
    before: Any = None,
    after: Any = None,
    data: Any = None,
    ids: Iterable[Any] | None = None,
    shadows: int | Sequence[Any] = 1,
    retrained: Sequence[Any] = (),
    **options: Any,
) -> Audit:
    """Measure every record and say how completely those that were to be forgotten were unlearned.

    Either of `signals`, which may come from anywhere, or of two models that exist: `before` and `after`.

    Parameters
    ----------
    signals : Signals, optional
        The verdict needs at least one shadow and 20 holdout samples; the all-clear also needs retained samples.
    measures : iterable of str or mapping
        Names, or mappings with "name", "preset", "label" and options: {"name": "iam", "family": "norm"}. They rank the
        samples and describe the model; the verdict does not depend on which are chosen. One that has the label
        of another is numbered: "iam", "iam (2)".
    name : str
        What is audited, for the report.
    preset : "recommended" or "paper"
        For measures that name none themselves.
    alpha : float
        Error rate of each claim of the verdict, from 0.005 and below 1; see `vestige.evaluation.Verdict`.
    tolerance : float
        Largest share of the influence that may be left for "unlearned", above 0 and below 1.
    seed : int
        Of everything random; the same seed gives the same answer.
    before, after : fitted models
        The model that saw the records, and the one that shall have forgotten them.
    data
        What `before` was trained on, as `vestige.forget` takes it; or the `vestige.systems.System` of it.
    ids : iterable of str
        Who was to be forgotten.
    shadows : int or list of models
        How many models of the same kind are fitted on records that `before` never saw; or such models, which never saw
        any of the records in `data` and `unseen`.
    retrained : list of models
        Fitted without the forgotten records, where there are such: figures are compared with theirs.
    options
        Of the data of two models: label, id, unseen, cluster and others, see `vestige.systems.estimators`, `networks`
        and `transformers`. Beside `signals`: features, a `vestige.evaluation.Features`.

    Returns
    -------
    Audit
        A measure that cannot run is an entry with its reason, never a missing row.

    Raises
    ------
    InputError
        For an unknown measure or option, where no measure at all could run, and for models or data that do not fit.

    References
    ----------
    docs/labbook/claims.md: every claim, its null, its error rate, and the control that guards it.

    Examples
    --------
    >>> import numpy as np, vestige
    >>> rng = np.random.default_rng(0)
    >>> labels, role = rng.integers(0, 10, 900), np.repeat(["forget", "retain", "holdout"], [100, 400, 400])
    >>> def outputs(seen):
    ...     return rng.normal(size=(900, 10)) + (3 + 8 * np.isin(role, seen))[:, None] * np.eye(10)[labels]
    >>> signals = vestige.Signals(
    ...     labels, outputs(["retain"]), outputs(["retain", "forget"]), outputs([]), role=role
    ... )
    >>> vestige.audit(signals, ["iam"]).verdict.outcome
    'unlearned'

    Two models, of which the second was never told to forget:

    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> profiles = vestige.load_dataset("profiles")
    >>> old, new = profiles.take(np.arange(1000)), profiles.take(np.arange(1000, 3000))
    >>> model = ExtraTreesClassifier(random_state=0).fit(old.x, old.y)
    >>> result = vestige.audit(measures=["iam"], before=model, after=model, data=old, unseen=new, ids=old.ids[:60])
    >>> result.verdict.outcome
    'under'
    """
    settings: dict[str, Any] = {
        "name": name, "preset": preset, "alpha": alpha, "tolerance": tolerance, "seed": seed,
    }  # fmt: skip
    models = {"before": before, "after": after, "data": data, "ids": ids}
    if all(value is None for value in models.values()):
        strange = [option for option in options if option != "features"]
        if strange:
            known = [*inspect.signature(audit).parameters][:-1]
            raise InputError(f"audit of signals: {unknown('argument', strange[0], [*known, 'features'])}")
        return audit_signals(cast(Signals, signals), measures, **settings, **options)
    if signals is not None:
        given = ", ".join(key for key, value in models.items() if value is not None)
        raise InputError(
            f"audit is given signals and {given}; it takes signals, or two models and their data."
        )
    missing = [key for key, value in models.items() if value is None]
    if missing:
        raise InputError(
            f"audit of two models lacks {', '.join(missing)}; before, after, data and ids are wanted."
        )
    wanted = [str(one) for one in id_list("ids", ids if ids is not None else ())]
    system = _system(before, data, wanted, options)
    limits, signals_of_models, features = _signals(system, wanted, before, after, shadows, retrained, seed)
    result = audit_signals(signals_of_models, measures, features=features, **settings)
    return dataclasses.replace(result, limits=(*result.limits, *limits))


def _system(before: Any, data: Any, ids: list[str], options: Mapping[str, Any]) -> System:
    if hasattr(data, "records") and hasattr(data, "outputs"):
        if options:
            raise InputError(f"A system has its own records; leave out {', '.join(options)}.")
        return expect_system(data, "data")
    system = system_of(before, data, forget=ids, **options)
    if system.original is None:
        raise InputError(f"before, {system.name}, is not fitted; two models that exist are compared.")
    return system


@dataclass(frozen=True, eq=False, kw_only=True)
class Present(SystemStep):
    """A model that exists: it is asked as it is, in this process."""

    role: str
    held: Any = field(repr=False, metadata=UNNAMED)

    def make(self, job: Job) -> None:
        job.path.mkdir()

    def model(self, job: Job) -> Any:
        return self.held


def _signals(
    system: System,
    ids: Sequence[str],
    before: Any,
    after: Any,
    shadows: int | Sequence[Any],
    retrained: Sequence[Any],
    seed: int,
) -> tuple[tuple[str, ...], Signals, Probed | None]:
    """Fit what shadows are wanted, ask all models; return what limits the audit, what they say, what features hold."""
    number, others = (shadows, []) if isinstance(shadows, int) else (0, list(shadows))
    source, settings = SystemSource.of(system), {"name": "audit"}
    with TemporaryDirectory(prefix="vestige-") as folder:
        plan = plan_system(
            source, ids, settings, Path(folder), ways=[Forgetting("after", title="after")],
            shadows=ShadowConfig(count=number), audit=AuditConfig(), seed=seed,
            maker=Existing(
                source, settings, Present(source=source, role="before", held=before),
                Present(source=source, role="after", held=after),
            ),
        )  # fmt: skip
        step, environment = plan.steps.audits["after"], plan.maker.environment
        carry_out([step.references, step.unlearned], plan.store, environment, name="audit", stop=True)
        job = Job(plan.store.path(step), plan.store, environment, step.key)
        reading, signals, features = step.references.reading(job), step.signals(job), step.features(job)
    rows = np.concatenate(list(plan.parts.values()))
    truth = system.records.truth[rows]
    for name, models in (("shadow_out", others), ("retrained", list(retrained))):
        if models:
            said = [reading.logits(ask(system, model, rows).values, truth) for model in models]
            signals = signals.with_(**{name: np.stack(said)})
            features = _with_features(features, name, system, models, reading.kind)
    return (*plan.limits, *((SHADOWS_LIMIT,) if others else ())), signals, features


def _with_features(
    features: Probed | None, name: str, system: System, models: Sequence[Any], kind: str
) -> Probed | None:
    """Return what probes read from the features, with those of more models of one kind."""
    if features is None:
        return None
    places = system.records.positions(features.ids.tolist(), "features")
    labels = system.records.truth[places] if kind in OF_CLASSES else None
    each = [represent(system, model, places) for model in models]
    more = tuple(probe_margins(one, labels, features.ids) for one in each if one is not None)
    if name == "shadow_out":
        return dataclasses.replace(features, shadow_out=more)
    return dataclasses.replace(features, retrained=more)
