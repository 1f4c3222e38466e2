"""What an attack on two versions found: undefended, and under each defence, against two kinds of attacker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestige.arguments import Seed, checked
from vestige.leaks.attack import Leakage, attack, three_way
from vestige.leaks.config import ATTACKS
from vestige.leaks.metrics import overfitting
from vestige.leaks.record import PosteriorPairs


@dataclass(frozen=True)
class Defended:
    """A defence against an attacker that knows it, and against one that does not."""

    adaptive: Leakage
    unaware: Leakage


@dataclass(frozen=True, eq=False)
class Findings:
    """What an experiment found.

    Attributes
    ----------
    positive : str
        The status that is looked for: "deleted" or "remaining".
    undefended : Leakage
        The attack on what the target says.
    defences : dict[str, Defended]
        The same under each defence.
    three_way : dict[str, float] or None
        AUC of telling each status from the two others; None where one is missing.
    overfitting : float or None
        Accuracy of the target's originals on their training records minus that on others; None without
        labels.
    rows, sets : int
        Of the target's side that the attack is judged on.
    """

    positive: str
    undefended: Leakage
    defences: dict[str, Defended]
    three_way: dict[str, float] | None
    overfitting: float | None
    rows: int
    sets: int

    @property
    def sentence(self) -> str:
        """What was found, in plain words: the first sentence of the report."""
        from vestige.leaks import page

        return page.headline(self)

    def __repr__(self) -> str:
        return f"Findings: {self.sentence}"

    def record(self) -> dict[str, Any]:
        """Return everything but the scores, for JSON."""
        return {
            "positive": self.positive, "rows": self.rows, "sets": self.sets, "overfitting": self.overfitting,
            "three_way": self.three_way, "summary": summary(self.undefended),
            "attacks": self.undefended.table(),
            "defences": {
                name: {"adaptive": summary(found.adaptive), "unaware": summary(found.unaware)}
                for name, found in self.defences.items()
            },
        }  # fmt: skip

    def save(
        self, folder: Path | str, *, title: str | None = None, known: Mapping[str, Any] | None = None
    ) -> Path:
        """Write `leaks.json` and `report.html`; `known` is what was asked for, such as {"config": ...}."""
        from vestige.leaks import page

        return page.save(self, folder, title=title, known=known)


def summary(found: Leakage) -> dict[str, Any]:
    """Return the chosen attack and the best one on one version as one flat row."""
    best, baseline = found.best, found.baseline
    return {
        "best": best.feature, "attack": best.model, "auc": best.target.auc, "low": best.target.low,
        "high": best.target.high, "tpr_1%": best.target.tpr_1, "tpr_0.1%": best.target.tpr_01,
        "baseline": baseline.feature, "baseline_attack": baseline.model, "baseline_auc": baseline.target.auc,
        "baseline_tpr_1%": baseline.target.tpr_1,
        "gain": found.gain, "gain_low": found.gain_low, "gain_high": found.gain_high,
    }  # fmt: skip


@checked
def attack_pairs(
    shadow: PosteriorPairs,
    target: PosteriorPairs,
    *,
    positive: str = "deleted",
    models: Sequence[str] = ATTACKS,
    features: Sequence[str] | None = None,
    defences: Sequence[str] = (),
    refitted: Mapping[str, tuple[PosteriorPairs, PosteriorPairs, str]] | None = None,
    seed: Seed = 0,
) -> Findings:
    """Attack pairs that are at hand, undefended and under each defence.

    Parameters
    ----------
    refitted : Mapping[str, tuple[PosteriorPairs, PosteriorPairs, str]] or None
        For a defence: the pairs of shadow and target models that have it, and what of it is still to be
        applied.

    Raises
    ------
    InputError
        As `attack` does.
    """
    options: dict[str, Any] = {"positive": positive, "models": models, "features": features, "seed": seed}
    found = {}
    for name in defences:
        known, asked, left = (refitted or {}).get(name, (shadow, target, name))
        found[name] = Defended(
            attack(known, asked, defence=left, **options),
            attack(shadow, asked, defence=left, adaptive=False, **options),
        )
    statuses = [set(side.status) for side in (shadow, target)]
    whole = all(len(s) == 3 for s in statuses) and shadow.classes == target.classes
    asked = target.of(positive, "outside")
    return Findings(
        positive,
        attack(shadow, target, **options),
        found,
        three_way(shadow, target, seed=seed) if whole else None,
        overfitting(target),
        len(asked),
        len(set(asked.sets.tolist())),
    )
