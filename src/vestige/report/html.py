"""The report: one HTML page that opens offline, holds everything it shows, and says the verdict first."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestige.errors import InputError
from vestige.files import as_path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vestige.evaluation.result import Audit
    from vestige.report.plots import Drawing
    from vestige.report.samples import Samples

MOST_FIGURES = 40
"""Methods x measures beyond which figures are drawn for one measure only."""


MOST_CARDS = 6
"""Methods beyond which the verdicts are a table, with the cards folded below the first sentence."""


def write_report(
    path: Path,
    audits: Mapping[str, Audit],
    *,
    title: str | None = None,
    manifest: Mapping[str, Any] | None = None,
    pictures: Callable[[Sequence[str]], Mapping[str, bytes]] | None = None,
) -> Path:
    """Write a self-contained report of one or more audits to `path` and return it.

    audits    {name of the method: its audit}, shown in this order
    title     heading; made from the names where not given
    manifest  what the run knows: "vestige", "created", "data" (with "class_names", where known), "config",
              "hashes", "timings", "models"
    pictures  asked for PNG bytes of at most 200 listed forget samples; only where the data are images

    The same input gives the same bytes. Raises `InputError` where there is no audit, or a picture is not a PNG.
    """
    if not audits:
        raise InputError("A report needs at least one audit; none was given.")
    from vestige.store import write_text

    path = as_path(path)
    write_text(path, render(audits, title=title, manifest=manifest or {}, pictures=pictures))
    return path


def render(
    audits: Mapping[str, Audit],
    *,
    title: str | None = None,
    manifest: Mapping[str, Any],
    pictures: Callable[[Sequence[str]], Mapping[str, bytes]] | None = None,
) -> str:
    """Return the page that `write_report` writes."""
    from vestige.report import samples

    names = class_names(manifest)
    tables = [samples.suspicious(audit, names) for audit in audits.values()]
    shown = samples.choose_pictures(tables, pictures)
    script = _file("report.js")
    return page(
        "report.html.jinja",
        title=title or _title(audits),
        script=_markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        **_overview(audits),
        **_evidence(audits, tables),
        **_samples(tables, shown, asked=pictures is not None),
        **configuration(manifest),
    )


def page(template: str, **values: Any) -> str:
    """Return a page of this package made from one of its templates; text is escaped, no name may be missing."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("vestige.report", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(template).render(style=_markup(_file("report.css")), **values)


def class_names(manifest: Mapping[str, Any]) -> list[str]:
    """Return the names of the classes that the manifest's "data" holds, or nothing."""
    data = manifest.get("data")
    names = data.get("class_names") if isinstance(data, Mapping) else None
    return [str(name) for name in names] if isinstance(names, (list, tuple)) else []


def _overview(audits: Mapping[str, Audit]) -> dict[str, Any]:
    from vestige.report import sections, tables
    from vestige.report.words import RECORD_WORDS

    compared = tables.compare(audits)
    facts = [sections.facts(audit) for audit in audits.values()]
    return {
        "cards": [sections.card(name, audit) for name, audit in audits.items()],
        "many": len(audits) > MOST_CARDS,
        "overview": sections.overview(audits) if len(audits) > 1 else "",
        "facts": list(dict.fromkeys(facts)),
        "words": RECORD_WORDS,
        "compared": [(column, list(compared[column])) for column in compared.columns],
        "controls": sections.control_rows(audits),
        "glossary": sections.GLOSSARY,
        "limits": sections.limits(audits),
    }


def _evidence(audits: Mapping[str, Audit], tables: list[Samples]) -> dict[str, Any]:
    from vestige.report import plots, sections, words

    runs = [(run.label, run.status) for audit in audits.values() for run in audit.measures]
    measures = list(dict.fromkeys(name for name, _ in runs))
    many = len(measures) * len(audits) > MOST_FIGURES
    first = next((table.measure for table in tables if table.measure), None)
    methods = []
    for i, (name, audit) in enumerate(audits.items()):
        scatter = plots.before_after(audit.signals, key=f"m{i}-before-after")
        methods.append({
            "name": name,
            "panels": _panels(audit, measures, f"m{i}", first if many else None),
            "scatter": shown_figure(scatter),
            "measures": sections.measure_rows(audit),
            "metrics": sections.metric_rows(audit),
            "seconds": words.seconds(audit.seconds),
        })  # fmt: skip
    scored = {name for name, status in runs if status == "scored"}
    return {
        "methods": methods,
        "measures": [{"name": name, "failed": name not in scored} for name in measures],
        "first_measure": measures.index(first) if first in measures else 0,
    }


def _panels(audit: Audit, measures: list[str], key: str, only: str | None) -> list[dict[str, Any]]:
    """Return one panel per measure: its figures, or the reason why there are none."""
    from vestige.report import plots
    from vestige.report.tables import auc_of

    runs = {run.label: run for run in audit.measures}
    scores = _scores_by_role(audit)
    panels: list[dict[str, Any]] = []
    for j, measure in enumerate(measures):
        run = runs.get(measure)
        reason = None
        if run is None:
            reason = f"{measure} was not requested for this method."
        elif run.status == "failed":
            reason = f"{measure} could not be computed: {run.reason or 'no reason given'}"
        elif only is not None and measure != only:
            reason = f"Left out to keep this report small; figures are drawn for {only} only."
        if reason is not None or run is None:
            panels.append({"reason": reason})
            continue
        by_role = scores.get(measure, {})
        drawings = (
            plots.distributions(by_role, measure, run.unit, f"{key}-s{j}"),
            *plots.roc(by_role, measure, auc_of(audit, measure), f"{key}-r{j}"),
        )
        figures = [shown_figure(drawing) for drawing in drawings]
        panels.append({"reason": None, "scores": figures[0], "roc": figures[1:]})
    return panels


def _scores_by_role(audit: Audit) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return {measure: {role: finite scores [n]}}."""
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    for (measure, role), rows in audit.scores.groupby(["measure", "role"], sort=False, observed=True):
        values = rows["score"].dropna().to_numpy(dtype="float64")
        found.setdefault(str(measure), {})[str(role)] = values
    return found


def shown_figure(drawing: Drawing) -> dict[str, Any]:
    """Return a drawing as the templates take it."""
    return drawing._asdict() | {"svg": _markup(drawing.svg)}


def _samples(tables: list[Samples], pictures: dict[str, str], asked: bool) -> dict[str, Any]:
    from vestige.report import samples
    from vestige.report.words import RECORD_WORDS

    places = {name: place for place, name in enumerate(pictures)}
    for table in tables:
        if asked and len(table.rows) > len(pictures):
            table.notes.append(f"Pictures are embedded for the {len(pictures):,} most suspicious samples.")
    payload = {
        "verdicts": [[key, RECORD_WORDS[key].word, RECORD_WORDS[key].sign] for key in samples.VERDICTS],
        "degrees": [samples.LOWEST_DEGREE, samples.HIGHEST_DEGREE],
        "pictures": places,
        "page": samples.PAGE,
        "methods": [{"rows": table.rows, "ranked": table.ranked, **table.columns} for table in tables],
    }
    return {
        "tables": [
            {
                "rows": [samples.server_row(row) for row in table.rows[: samples.PAGE]],
                "listed": len(table.rows), "measure": table.measure, "ranked": table.ranked, "notes": table.notes,
                **table.columns,
            }
            for table in tables
        ],
        "pictures": list(pictures.values()),
        "places": places,
        "payload": _markup(samples.json_in_html(payload)),
    }  # fmt: skip


def configuration(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the section on configuration and hashes shows of a manifest, and its version and date."""
    from vestige.report.words import flattened, plain_text

    heading = {"vestige", "created"}
    told = {
        key: value for key, value in manifest.items() if key not in heading and value not in (None, {}, [])
    }
    single = {key: value for key, value in told.items() if not isinstance(value, (Mapping, list, tuple))}
    groups = {key: value for key, value in told.items() if key not in single}
    blocks = [
        {"name": str(key).replace("_", " ").capitalize(), "pairs": flattened(value)}
        for key, value in (({"run": single} if single else {}) | groups).items()
    ]
    return {
        "blocks": blocks,
        "version": plain_text(manifest["vestige"]) if manifest.get("vestige") else "",
        "created": plain_text(manifest["created"]) if manifest.get("created") else "",
    }


def _title(audits: Mapping[str, Audit]) -> str:
    names = list(audits)
    return f"Unlearning audit: {names[0]}" if len(names) == 1 else f"Unlearning audit of {len(names)} methods"


def _file(name: str) -> str:
    from importlib.resources import files

    return files("vestige.report").joinpath(name).read_text(encoding="utf-8")


def _markup(text: str | None) -> Any:
    """Mark text that this package made as safe to stand in the page as it is."""
    from markupsafe import Markup

    return None if text is None else Markup(text)
