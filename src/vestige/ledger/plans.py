"""From requests in the ledger to the plan of their work: which records of the system they are, and what it will cost.

The ledger knows pseudonyms alone: the ids are found again among those of the system.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vestige.errors import InputError, unknown
from vestige.files import as_path
from vestige.ledger.keys import Key
from vestige.ledger.records import Commitment, Request, Version

if TYPE_CHECKING:
    from vestige.experiments.costs import Costs
    from vestige.experiments.plan import Plan
    from vestige.ledger.ledger import Ledger
    from vestige.systems.source import SystemSource

Say = Callable[[str], None]


def source_of(system: Any) -> SystemSource:
    from vestige.systems.source import SystemSource

    return SystemSource.of(system)


def ids_of(key: Key, records: Sequence[str], source: SystemSource) -> list[str]:
    """Return the ids of the records that a system's original saw and that have these pseudonyms."""
    known = source.load()
    names = known.records.ids[np.sort(known.seen)].tolist()
    wanted = set(records)
    return [name for name, seen in zip(names, key.pseudonyms("record", names), strict=True) if seen in wanted]


def plan(
    ledger: Ledger, request: str | Sequence[str], line: str | None = None, *, how: Any = ("retrain",),
    folder: Path | str = "runs", **options: Any,
) -> Costs:  # fmt: skip
    """Measure what ways to forget would cost, and how sharp the audit would be; nothing is written, see `execute`.

    Parameters
    ----------
    ledger, request, line, options
        As for `execute`: system, shadows, measures, alpha, tolerance, seed.
    how
        Ways, side by side: "retrain", or methods that the system knows.
    """
    from vestige.experiments.costs import costs

    pairs = commitments_of(ledger, request, line)
    requests, ways = [record for record, _ in pairs], [how] if isinstance(how, (str, Mapping)) else list(how)
    line = pairs[0][1].line
    built, _, _ = planned(ledger, requests, line, ways, as_path(folder) / title_of(requests), options)
    return costs(built)


def commitments_of(
    ledger: Ledger, request: str | Sequence[str], line: str | None
) -> list[tuple[Request, Commitment]]:
    """Return the requests, one or several, with their commitments in one line."""
    names = [request] if isinstance(request, str) else list(dict.fromkeys(request))
    if not names:
        raise InputError("No request is named; at least one is wanted.")
    pairs = [(record, record.commitment(line)) for record in map(ledger.requests.show, names)]
    lines = list(dict.fromkeys(commitment.line for _, commitment in pairs))
    if len(lines) > 1:
        raise InputError(
            f"The requests concern the lines {', '.join(lines)}; name those of one line together."
        )
    return pairs


def title_of(requests: Sequence[Request]) -> str:
    """Return what a folder and a version are called after: "R4", or "R4-to-R17-5" for five requests."""
    if len(requests) == 1:
        return requests[0].id
    return f"{requests[0].id}-to-{requests[-1].id}-{len(requests)}"


def planned(
    ledger: Ledger, requests: Sequence[Request], line: str, ways: Sequence[Any], folder: Path,
    options: Mapping[str, Any],
) -> tuple[Plan, Version, dict[str, Any]]:  # fmt: skip
    """Return the plan, the version that the system's original is, and what the ledger keeps of the settings.

    The records of all requests leave together.
    """
    from vestige.config import validated
    from vestige.experiments.forgetting import Forgetting
    from vestige.experiments.requests import plan_ids
    from vestige.experiments.settings import AuditConfig

    kept: dict[str, Any] = {"system": None, "shadows": 1, "seed": 0, "audit": {}}
    strange = sorted(options.keys() - kept.keys())
    if strange:
        raise InputError(unknown("option of an execution", strange[0], kept))
    kept |= options
    system = kept["system"]
    if system is None:
        raise InputError("Which system is trained? Give it, such as churn.py:system.")
    source = source_of(system)
    parent, title = _parent(ledger, line, source), title_of(requests)
    for request in requests:
        if not ids_of(ledger.key, request.records, source):
            raise InputError(
                f"The system has none of the records of {request.id}; it was loaded from data without them."
            )
    ids = ids_of(ledger.key, records_of(requests), source)
    audit = validated(AuditConfig, dict(kept["audit"]), "audit")
    built = plan_ids(
        source, ids, folder, name=title, title=f"{title}: {len(ids):,} records leave {parent.id}",
        ways=[Forgetting.of(way) for way in ways], shadows=kept["shadows"], audit=audit, seed=kept["seed"],
    )  # fmt: skip
    facts = {
        "system": source.place or "", "fingerprint": source.fingerprint, "shadows": kept["shadows"],
        "seed": str(kept["seed"]), "audit": audit.model_dump(mode="json"), "key": built.key,
        "how": [way if isinstance(way, str) else dict(way) for way in ways], "parent": parent.id,
    }  # fmt: skip
    if len(requests) > 1:
        facts["together"] = [request.id for request in requests]
    return built, parent, facts


def records_of(requests: Sequence[Request]) -> list[str]:
    """Return the pseudonyms of all records of some requests."""
    return sorted({record for request in requests for record in request.records})


def _parent(ledger: Ledger, line: str, source: SystemSource) -> Version:
    """Return the version of a line that saw what the system's original saw; a live one before others."""
    manifest = ledger.models.manifest_of(source)
    same = [v for v in ledger.models.list(line) if v.manifest == manifest.digest]
    same = [v for v in same if v.state == "live"] or [v for v in same if v.state == "candidate"] or same
    if not same:
        raise InputError(
            f"The system saw {len(manifest):,} records, which is what no version of {line} saw; give the "
            "system as it was when the version was trained, or add its version."
        )
    return same[-1]
