"""Unlearn and audit texts by files and models that are at hand, each into a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import vestige
from vestige.data.texts import Texts, gathered, read_texts
from vestige.evaluation.language import bag_of_words
from vestige.evaluation.texts import TextAudit, audit_texts
from vestige.models.language import load_model
from vestige.signals.collect_texts import collect
from vestige.signals.texts import TextSignals
from vestige.store import plain, write_json
from vestige.unlearning.text import unlearn

Say = Callable[[str], None]
FEWEST = 5
"""Texts of a group from which on it is asked whether words alone tell them from others."""


def audit_models(
    after: str,
    groups: Mapping[str, Path],
    folder: Path,
    *,
    before: str | None = None,
    shadows: Sequence[str] = (),
    context: int | None = None,
    alpha: float = 0.05,
    tolerance: float = 0.1,
    remote_code: bool = False,
    say: Say = lambda text: None,
) -> tuple[TextAudit, dict[str, Any]]:
    """Audit texts, and write the signals, the audit and the reports into a folder.

    Returns the audit, and its manifest with "words": how well words alone tell forget from holdout texts, as an AUC.
    Raises `InputError` where signals are of other texts, and as `audit_texts` does.

    Parameters
    ----------
    after, before, shadows
        Models (hub ids or folders), or folders of signals: after unlearning, before it, and models that never
        saw the texts. The signals are those that an earlier audit of these texts wrote, or were collected from one
        file with the texts of all groups in their order.
    groups : Mapping[str, Path]
        Files of texts: "forget", and "retain" and "holdout" where there are some.
    context : int or None
        Longest window in tokens; default: the models'.
    """
    given = {name: read_texts(path) for name, path in groups.items()}
    texts = gathered(given)
    own = [one for group in given.values() for one in group.ids]

    def signals(name: str, source: str) -> TextSignals:
        if any(Path(source).glob("part-*.parquet")):
            return _kept(source, texts, own)
        say(f"{name}: {source}")
        model, tokenizer = load_model(source, remote_code=remote_code)
        return collect(model, tokenizer, texts, context=context, out=folder / "signals" / name)

    result = audit_texts(
        signals("after", after), None if before is None else signals("before", before),
        [signals(f"shadow-{i}", source) for i, source in enumerate(shadows)],
        role=np.repeat(list(given), [len(group) for group in given.values()]), extra={"texts": list(texts.texts)},
        name="audit", alpha=alpha, tolerance=tolerance,
    )  # fmt: skip
    words = None
    if "holdout" in given and min(len(given["forget"]), len(given["holdout"])) >= FEWEST:
        words = bag_of_words(given["forget"].texts, given["holdout"].texts)
    manifest = {
        "kind": "llm audit", "vestige": vestige.__version__,
        "config": {
            "after": after, "before": before, "shadows": list(shadows), "context": context, "alpha": alpha,
            "tolerance": tolerance,
        },
        "texts": {name: len(group) for name, group in given.items()},
    }  # fmt: skip
    by_id = dict(zip(texts.ids, texts.texts, strict=True))
    result.save(folder, by_id, manifest=manifest, words=words)
    return result, {**manifest, "words": words}


def _kept(source: str, texts: Texts, own: Sequence[str]) -> TextSignals:
    """Return the signals that a folder holds, under the ids of `texts`; `own` are those without the name of a group."""
    kept = TextSignals.load(source)
    if kept.ids.tolist() == list(own):
        kept = replace(kept, ids=np.array(texts.ids))
    kept.expect(texts.ids, texts.hashes, f"the files given, in {source}")
    return kept


def unlearn_files(
    method: str,
    model: str,
    forget: Path,
    folder: Path,
    *,
    retain: Path | None = None,
    base: str | None = None,
    lora: int | None = None,
    seed: int = 0,
    remote_code: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Unlearn the texts of a file from a copy of a model, save it in a folder, and return what vestige.json there says.

    Parameters
    ----------
    model, base
        Hub ids or folders; `base` is the model before it knew the texts, for "retrain".
    lora : int or None
        Rank of adapters; default: all weights.
    options : Any
        Of the method.

    Raises
    ------
    InputError
        As `vestige.llm.unlearn` does.
    """
    gone, kept = read_texts(forget), read_texts(retain) if retain else None
    original, tokenizer = load_model(model, remote_code=remote_code)
    if base is not None:
        options["base"] = load_model(base, remote_code=remote_code)[0]
    result = unlearn(method, original, tokenizer, gone, kept, seed=seed, lora=lora, **options)
    result.model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    record = {
        "method": method, "steps": result.steps, "seconds": round(result.seconds, 1), "losses": result.losses,
        "stopped": result.stopped, "options": {k: v for k, v in result.options.items() if k != "base"}, "seed": seed,
        "vestige": vestige.__version__,
    }  # fmt: skip
    write_json(folder / "vestige.json", record)
    return dict(plain(record))
