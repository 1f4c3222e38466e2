"""`vestige audit`: of a file of signals, or of tables of outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vestige.cli.completion import listed, one_of
from vestige.cli.options import Alpha, FailOver, FailUnder, Json, Out, Require, Tolerance
from vestige.errors import InputError

WORDS = ("logits", "probabilities", "log_probabilities", "labels", "losses", "predictions", "multilabel")
KINDS = f"{', '.join(WORDS[:-1])} or {WORDS[-1]}."

# fmt: off
Signals = Annotated[Path | None, typer.Argument(help=".npz, .csv, .parquet or a folder of signals.")]
After = Annotated[Path | None, typer.Option(help="Outputs of the audited model: a CSV or Parquet file.")]
Before = Annotated[Path | None, typer.Option(help="The same of the model before unlearning.")]
Shadow = Annotated[list[Path] | None, typer.Option(help="Of a model that saw none of the records; several times.")]
Retrained = Annotated[list[Path] | None, typer.Option(help="Of a model trained without the forgotten; several times.")]
Forget = Annotated[Path | None, typer.Option(help="Ids of the forgotten records: one a line, or a column.")]
Holdout = Annotated[Path | None, typer.Option(help="Ids that no model saw; all others were kept.")]
Retain = Annotated[Path | None, typer.Option(help="Ids that were kept; all others no model saw.")]
Label = Annotated[list[str] | None, typer.Option(help="Column of the true class or the target. Default: label.")]
Id = Annotated[str, typer.Option(help="Column of the ids.")]
Cluster = Annotated[str | None, typer.Option(help="Column that says whose a record is.")]
Kind = Annotated[str, typer.Option(help=f"What the outputs are: {KINDS}", autocompletion=one_of(*WORDS))]
Measure = Annotated[list[str] | None, typer.Option(
    help="With options: iam:family=norm,steps=100.", autocompletion=listed("measures"))]
Preset = Annotated[str, typer.Option(help="recommended, or paper.", autocompletion=one_of("recommended", "paper"))]
# fmt: on


def audit(
    signals: Signals = None, after: After = None, before: Before = None, shadow: Shadow = None,
    retrained: Retrained = None, forget: Forget = None, holdout: Holdout = None, retain: Retain = None,
    label: Label = None, id: Id = "id", cluster: Cluster = None, kind: Kind = "logits", measure: Measure = None,
    out: Out = None, preset: Preset = "recommended", alpha: Alpha = 0.05, tolerance: Tolerance = 0.1,
    require: Require = None, fail_under: FailUnder = None, fail_over: FailOver = None, json: Json = False,
) -> None:  # fmt: skip
    """Measure outputs of your own, without models: one file of signals, or a file for each model. (vestige.audit)

    The files of several models are joined by id. torch is not needed. From Python: `vestige.evaluation.audit_file` and
    `vestige.systems.audit_tables`.
    """
    from vestige.cli.show import passed, print_audits
    from vestige.config import compact
    from vestige.evaluation.folder import audit_file
    from vestige.evaluation.gate import Gate

    source = after if signals is None else signals
    if source is None or (signals is not None and after is not None):
        raise InputError("Give a file of signals, or the outputs of the audited model, --after; one of them.")
    gate, folder = Gate(require, fail_under, fail_over), out or Path("audits") / source.stem
    options: dict[str, Any] = {"preset": preset, "alpha": alpha, "tolerance": tolerance}
    options["measures"] = [compact(text, "--measure") for text in measure] if measure else None
    tables: dict[str, Any] = {
        "before": before, "shadows": shadow, "retrained": retrained, "forget": forget, "holdout": holdout,
        "retain": retain, "label": label, "cluster": cluster,
    }  # fmt: skip
    tables = {name: value for name, value in tables.items() if value}
    if signals is not None:
        if tables:
            raise InputError(f"{signals} holds all that is audited; {', '.join(tables)} belong to --after.")
        result = audit_file(signals, folder, **options)
    else:
        from vestige.systems import audit_tables

        result = audit_tables(folder, source, **options, **tables, id=id, kind=kind)
    print_audits({result.name: result}, folder / "report.html", json)
    raise typer.Exit(passed({result.name: result}, gate))
