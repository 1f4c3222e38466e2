"""Which versions of a model the adversary sees, and what left or stayed between them.

Chen et al. 2021 (UnlearningLeaks). Half of the data is the adversary's (shadow), half the victim's (target); within
each 80 % may be trained on, 17 % never are, and 3 % arrive later. A set is an original with its deletions:

    scratch        one record leaves, the model is refitted on the others
    group          `group` records leave together; all of them are asked about
    multi_version  `group` records leave one after another; the adversary sees the first and the last version, and
                   asks about one of them
    online         `group` records leave, and as many arrive
    remaining      one record leaves; the adversary asks about records that stay
    sisa           one record leaves a SISA ensemble of `shards` models, whose touched shard is refitted

Every set also holds remaining and outside records, so that other questions can be asked of the same models. Records
keep their order when others leave. `seeds="shared"`: both versions are fitted with the same random state, as most of
the published models are; "independent": each with its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vestige.arguments import Count, Seed, check_fields, checked
from vestige.data.dataset import Dataset
from vestige.data.source import Source
from vestige.errors import InputError, need, several, unknown
from vestige.graph import Job, Step, Store, carry_out
from vestige.graph.step import UNNAMED
from vestige.leaks.record import PosteriorPairs, joined
from vestige.leaks.targets import Network, fitted, posteriors, target_of
from vestige.registry import spelled

Positions = NDArray[np.int64]
SETTINGS = ("scratch", "group", "multi_version", "online", "remaining", "sisa")
SIDES = ("shadow", "target")
BESIDE = ("max_epochs", "max_seconds", "recipe")
"""Arguments of `unlearn` that may stand beside the options of a method."""


@dataclass(frozen=True)
class Setting:
    """How pairs are made.

    Attributes
    ----------
    name : {"scratch", "group", "multi_version", "online", "remaining", "sisa"}
        "scratch", "group", "multi_version", "online", "remaining" or "sisa".
    sets : int
        Originals a side.
    records : int
        Training records of each.
    deletions : int
        Unlearned versions of each original.
    group : int
        Records that leave between the two versions.
    shards : int
        Of SISA.
    seeds : {"shared", "independent"}
        "shared" or "independent" random states of the two versions.
    method : str or Mapping[str, Any]
        How records leave: "retrain", or any method of `vestige list methods` that works on the target, with
        its options beside its name: {"name": "finetune", "epochs": 3}.
    """

    name: Literal["scratch", "group", "multi_version", "online", "remaining", "sisa"] = "scratch"
    sets: Count = 10
    records: Annotated[int, Field(ge=2)] = 1000
    deletions: Count = 20
    group: Count = 1
    shards: Count = 5
    seeds: Literal["shared", "independent"] = "shared"
    method: str | Mapping[str, Any] = "retrain"

    def __post_init__(self) -> None:
        check_fields("Setting", self)
        faults = []
        try:
            _expect_method(self.method)
        except InputError as fault:
            faults.append(str(fault))
        if self.group >= self.records:
            faults.append(
                f"{self.group} records are to leave a set of {self.records}; there would be nothing to retrain on."
            )
        if self.method != "retrain" and self.name in ("sisa", "online"):
            faults.append(f"The {self.name} setting refits; it takes no other method than retrain.")
        if self.name in ("group", "multi_version") and self.group == 1:
            faults.append(f"The {self.name} setting with group 1 is scratch; set group to 2 or more.")
        if self.name == "sisa" and self.group != 1:
            faults.append("The SISA setting deletes one record at a time; group must be 1.")
        if faults:
            raise several("Setting", faults)


def _expect_method(spec: str | Mapping[str, Any]) -> None:
    """Refuse an unknown method, and options that it does not take."""
    if spelled("method", spec) == {"name": "retrain"}:
        return
    need("torch", "torch", "Unlearning by a method")
    from vestige.unlearning import METHODS

    entry, options, beside = METHODS.chosen(spec)
    own = {name: value for name, value in options.items() if name not in BESIDE}
    entry.resolve(own, beside.get("preset", "recommended"))


@dataclass(frozen=True, eq=False)
class Pools:
    """Positions of a side's records: `positive` may be trained on, `negative` never are, `replace` arrive later."""

    positive: Positions
    negative: Positions
    replace: Positions


def pools(count: int, side: str, seed: int) -> Pools:
    """Return a side's pools of `count` records: 80, 17 and 3 % of its half."""
    if side not in SIDES:
        raise InputError(unknown("side", side, SIDES))
    order = np.random.default_rng((seed, 51)).permutation(count)
    half = order[: count // 2] if side == "shadow" else order[count // 2 :]
    cut = round(0.8 * len(half)), round(0.97 * len(half))
    return Pools(half[: cut[0]], half[cut[0] : cut[1]], half[cut[1] :])


@dataclass(frozen=True, eq=False, kw_only=True)
class PairSet(Step):
    """Fit one original and its unlearned versions; the result is what both say of the asked records.

    Attributes
    ----------
    named : str
        Stands for the target in the key.
    """

    source: Source
    target: Any = field(metadata=UNNAMED)
    named: str
    setting: Setting
    pools: Pools
    side: str
    seed: int
    number: int

    suffix: ClassVar[str] = ".npz"

    @property
    def runs_network(self) -> bool:
        return isinstance(self.target, Network)

    def make(self, job: Job) -> None:
        rng = np.random.default_rng((self.seed, SIDES.index(self.side), self.number))
        data = self.source.load(job.environment.root)
        _fit_set(data, self.target, self.setting, self.pools, rng).save(job.path)


@checked
def make_pairs(
    data: Dataset,
    target: Any = "decision-tree",
    setting: Setting | None = None,
    *,
    side: str = "target",
    seed: Seed = 0,
    workers: Count = 1,
    cache: Path | None = None,
) -> PosteriorPairs:
    """Fit originals and their unlearned versions of one side; return what they say of the asked records.

    Versions that are trained privately draw their noise anew, whatever `seeds` says: the guarantee rests on it, and
    with one noise for both the deletion would stand out all the more.

    Parameters
    ----------
    target : Any
        A name of `vestige.leaks.targets`, or an unfitted scikit-learn classifier.
    seed : int
        Of splits, sets, deletions and models; each set has its own stream, so that neither order nor number
        of workers matters.
    workers : int
        Processes; each fits with one thread.
    cache : Path or None
        A folder; a set that is there is not fitted again.

    Raises
    ------
    InputError
        Where the data have too few records for the setting.
    """
    steps = pair_sets(Source.holding(data), target, setting or Setting(), side=side, seed=seed)
    with Store.opened(cache) as store:
        carry_out(steps, store, name=f"pairs-{side}", workers=workers, stop=True)
        return read_pairs(steps, store)


def pair_sets(
    source: Source, target: Any, setting: Setting, *, side: str, seed: int, root: str | None = None
) -> list[PairSet]:
    """Return the steps that fit one side, a set each; see `make_pairs`.

    Raises `InputError` where the data have too few records for the setting.
    """
    data = source.load(root)
    estimator, parts = target_of(target), pools(len(data), side, seed)
    if isinstance(estimator, Network) and estimator.privacy is not None:
        setting = replace(setting, seeds="independent")
    asked = setting.group if setting.name in ("group", "online") else 1
    if setting.records > len(parts.positive):
        raise InputError(
            f"A set of {setting.records} records is asked for; the {side} side of {data.name} has "
            f"{len(parts.positive)}."
        )
    if asked > len(parts.negative):
        raise InputError(
            f"{asked} records that were never trained on are asked about at a time; the {side} side of {data.name} has "
            f"{len(parts.negative)}."
        )
    if setting.name == "online" and setting.group > len(parts.replace):
        raise InputError(
            f"{setting.group} records are to arrive; the {side} side has {len(parts.replace)} for that."
        )
    return [
        PairSet(
            source=source, target=estimator, named=repr(estimator), setting=replace(setting, sets=1), pools=parts,
            side=side, seed=seed, number=number, label=f"set {number + 1} of {setting.sets}, {side} side",
        )
        for number in range(setting.sets)
    ]  # fmt: skip


def read_pairs(steps: Sequence[PairSet], store: Store) -> PosteriorPairs:
    """Return the answers of all sets as one; the steps must be done."""
    return joined([PosteriorPairs.load(store.path(step)) for step in steps])


def _fit_set(
    data: Dataset, target: Any, setting: Setting, parts: Pools, rng: np.random.Generator
) -> PosteriorPairs:
    members = rng.choice(parts.positive, setting.records, replace=False)
    states = rng.integers(0, 2**31 - 1, setting.deletions + 1)
    before = _Versions(data, target, setting, members, int(states[0]))
    original, unlearned, status, labels = [], [], [], []
    for number in range(setting.deletions):
        leaving = rng.choice(setting.records, setting.group, replace=False)
        arriving = (
            rng.choice(parts.replace, setting.group, replace=False) if setting.name == "online" else None
        )
        state = int(states[0] if setting.seeds == "shared" else states[number + 1])
        after = before.without(leaving, arriving, state)
        gone = leaving if setting.name in ("group", "online") else rng.choice(leaving, 1)
        staying = rng.choice(np.setdiff1d(np.arange(setting.records), leaving), len(gone), replace=False)
        outside = rng.choice(parts.negative, len(gone), replace=False)
        rows = data.take(np.concatenate([members[gone], members[staying], outside]))
        original.append(before.say(rows))
        unlearned.append(posteriors(after, rows))
        status.append(np.repeat(["deleted", "remaining", "outside"], len(gone)))
        labels.append(rows.y)
    first, second, kinds = (np.concatenate(part) for part in (original, unlearned, status))
    return PosteriorPairs(first, second, kinds, None, np.concatenate(labels))


class _Versions:
    """A trained original, and the versions of it that some records have left."""

    def __init__(self, data: Dataset, target: Any, setting: Setting, members: Positions, state: int) -> None:
        self.data, self.target, self.setting, self.members = data, target, setting, members
        if setting.name == "sisa":
            from vestige.unlearning.sisa import train_sisa

            self.model = train_sisa(target, data.take(members), shards=setting.shards, seed=state)
        else:
            self.model = fitted(target, data.take(members), state)

    def say(self, rows: Dataset) -> NDArray[np.float64]:
        return posteriors(self.model, rows)

    def without(self, leaving: Positions, arriving: Positions | None, state: int) -> Any:
        kept = np.ones(len(self.members), bool)
        kept[leaving] = False
        if self.setting.name == "sisa" or self.setting.method != "retrain":
            from vestige.data.split import Split
            from vestige.unlearning import METHODS, unlearn

            none, method = np.zeros(0, np.int64), self.setting.method
            split = Split(self.data, self.members[leaving], self.members[kept], none, none)
            if self.setting.name == "sisa":
                return unlearn("sisa", self.model, split).model
            entry, options, beside = METHODS.chosen(method)
            return unlearn(entry.name, self.model, split, seed=state, **beside, **options).model
        rows = self.members[kept] if arriving is None else np.concatenate([self.members[kept], arriving])
        return fitted(self.target, self.data.take(rows), state)
