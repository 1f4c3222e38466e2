"""What the steps on texts do: a language model learns them, unlearns them, and each measure says what is left.

Results are JSON as those of the other steps, see `work`; a cell may name its own column.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vestige.config import validated
from vestige.errors import InputError
from vestige.evaluation import scoreui
from vestige.experiments.bench.steps import Job
from vestige.experiments.bench.work import SCOREUI, folder_of
from vestige.store import file_hash, key_of, write_json

if TYPE_CHECKING:
    from vestige.llm.experiment import LlmConfig


def files_of(config: LlmConfig, base: Path) -> dict[str, Path]:
    """Return the files that a run on texts reads, by what they are: texts, and the base model where it is a file."""
    files = {name: base / str(getattr(config.data, name)) for name in ("forget", "retain", "holdout")}
    folder = base / config.model.name
    if config.model.gguf is not None:
        files["model"] = folder / config.model.gguf
    elif folder.is_dir():
        files |= {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    return files


def audited_texts(job: Job) -> None:
    """Learn texts, unlearn them by every method, and compute what each measure says under each model.

    auc, auc_holdout   forget texts above retained ones, above holdout ones
    membership_forget, membership_retain  means of 1 - score, scaled to [0, 1] over both groups
    under, over        shares of forget texts with a verdict, by the measure that carries it
    """
    from vestige.llm.experiment import run_llm

    folder = job.path.parent / f"{key_of(job.what['config'], job.what['files'])}-models"
    made = run_llm(_texts_config(job), folder, preset=job.what["preset"], figures_too=False)
    cells, missing = [], []
    for model, audit in made.audits.items():
        found = {row["measure"]: row for row in audit.table}
        counts = audit.audit.verdict.counts
        shares = {name: counts[name] / max(1, sum(counts.values())) for name in ("under", "over")}
        for row, name in job.what["measures"].items():
            own = found[name]
            if own["reason"]:
                missing.append({"row": row, "column": model, "why": own["reason"]})
                continue
            values = {
                "auc": own["auc_retain"],
                **{k: own[k] for k in own if k.startswith("membership")},
                **shares,
            }
            if own["auc_holdout"] is not None:
                values["auc_holdout"] = own["auc_holdout"]
            cells.append(
                {"column": model, "row": row, "group": 0, "figures": {k: [v] for k, v in values.items()}}
            )
    write_json(job.path, {"cells": cells, "missing": missing}, flush=False)


def degrees_of_texts(job: Job) -> None:
    """Compute ScoreUI on texts: how each measure follows the passes in which a model learns them."""
    from vestige.evaluation.texts import degrees as scores_along
    from vestige.llm.experiment import learn_chain

    chain = learn_chain(_texts_config(job))
    held = chain.role == "holdout"
    extra = {"texts": list(chain.texts.texts)}
    degree = np.arange(1, len(chain.checkpoints) + 1) / len(chain.checkpoints)
    cells, missing = [], []
    for row, name in job.what["measures"].items():
        try:
            scores = scores_along(
                name, chain.checkpoints, chain.checkpoints[-1], [chain.never], holdout=held, extra=extra,
                preset=job.what["preset"],
            )  # fmt: skip
            ui = scoreui(scores[~held], degree, draws=1)
        except InputError as error:
            missing.append({"row": row, "why": str(error)})
            continue
        own = {figure: [float(getattr(ui, figure))] for figure in SCOREUI}
        cells.append({"row": row, "group": 0, "figures": own})
    write_json(job.path, {"cells": cells, "missing": missing}, flush=False)


def _texts_config(job: Job) -> LlmConfig:
    """The configuration of a run on texts, with its paths inside the folder of data sets."""
    from vestige.llm.experiment import GROUPS, LlmConfig

    config = validated(LlmConfig, job.what["config"], "texts")
    base = folder_of(job.root)
    for name, digest in job.what["files"].items():
        path = files_of(config, base).get(name)
        if path is None or not path.is_file() or file_hash(path) != digest:
            raise InputError(
                f"{name}: the file that this step reads is not the one that it was planned with. Give every machine "
                "the same files, and run the command again."
            )
    update: dict[str, Any] = {
        "data": config.data.model_copy(update={g: base / getattr(config.data, g) for g in GROUPS})
    }
    if (base / config.model.name).is_dir():
        update["model"] = config.model.model_copy(update={"name": str(base / config.model.name)})
    return config.model_copy(update=update)
