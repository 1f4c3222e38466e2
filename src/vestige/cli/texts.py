"""What the commands on language models do."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import vestige
from vestige import llm
from vestige.cli.commands import passed, print_rows, print_verdicts, say_to
from vestige.config import compact
from vestige.errors import need
from vestige.evaluation.gate import Gate
from vestige.llm.evaluation import bag_of_words
from vestige.llm.experiment import LlmConfig, comparison
from vestige.llm.texts import gathered
from vestige.report import write_report, write_texts_report
from vestige.report.tables import plain_cell
from vestige.store import plain, write_json

TABLE = ("iam", "lira_online", "loss", "min_k", "zlib")


def quiet() -> None:
    """Keep the bars of transformers off the screen."""
    need("transformers", "llm", "A command on language models").utils.logging.disable_progress_bar()


def collect(
    model: str, texts: Path, out: Path, context: int | None, gguf: str | None, remote_code: bool, json: bool
) -> None:
    given = llm.read_texts(texts)
    quiet()
    made, tokenizer = llm.load_model(model, gguf=gguf, remote_code=remote_code)
    signals = llm.collect(made, tokenizer, given, context=context, out=out, progress=not json)
    record = {
        "texts": len(signals),
        "tokens": int(signals.tokens.sum()),
        "loss": float(signals.nll.mean()),
        "out": str(out),
    }
    if json:
        print(jsonlib.dumps(record))
        return
    print(
        f"{record['texts']:,} texts of {record['tokens']:,} tokens, mean loss {record['loss']:.3f} nats a token: {out}"
    )


def unlearn(
    method: str,
    model: str,
    forget: Path,
    retain: Path | None,
    base: str | None,
    out: Path,
    lora: int | None,
    seed: int,
    remote_code: bool,
    json: bool,
) -> None:
    entry, options, beside = llm.METHODS.chosen(compact(method, "the method"))
    quiet()
    gone, kept = llm.read_texts(forget), llm.read_texts(retain) if retain else None
    original, tokenizer = llm.load_model(model, remote_code=remote_code)
    if base is not None:
        options["base"] = llm.load_model(base, remote_code=remote_code)[0]
    made = llm.unlearn(entry.name, original, tokenizer, gone, kept, seed=seed, lora=lora, **beside, **options)
    made.model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    record = {
        "method": entry.name, "steps": made.steps, "seconds": round(made.seconds, 1), "losses": made.losses,
        "stopped": made.stopped, "options": {k: v for k, v in made.options.items() if k != "base"}, "seed": seed,
        "vestige": vestige.__version__,
    }  # fmt: skip
    write_json(out / "vestige.json", record)
    print(
        jsonlib.dumps(plain(record))
        if json
        else f"{entry.name}: {made.steps} steps in {made.seconds:.0f} s: {out}"
    )


def audit(
    after: str,
    before: str | None,
    shadows: Sequence[str],
    groups: Mapping[str, Path | None],
    out: Path,
    context: int | None,
    alpha: float,
    tolerance: float,
    gate: Gate,
    remote_code: bool,
    json: bool,
) -> int:
    say = say_to(json)
    quiet()
    given = {name: llm.read_texts(path) for name, path in groups.items() if path is not None}
    everything = gathered(given)
    role = np.repeat(list(given), [len(g) for g in given.values()])

    def signals(name: str, source: str) -> llm.TextSignals:
        if any(Path(source).glob("part-*.parquet")):
            kept = llm.TextSignals.load(source)
            kept.expect(everything.ids, everything.hashes, f"the files given, in {source}")
            return kept
        say(f"{name}: {source}")
        model, tokenizer = llm.load_model(source, remote_code=remote_code)
        return llm.collect(model, tokenizer, everything, context=context, out=out / "signals" / name)

    made = llm.audit_texts(
        signals("after", after), None if before is None else signals("before", before),
        [signals(f"shadow-{i}", source) for i, source in enumerate(shadows)], role=role,
        extra={"texts": list(everything.texts)}, alpha=alpha, tolerance=tolerance,
    )  # fmt: skip
    words = None
    if "holdout" in given and min(len(given["forget"]), len(given["holdout"])) >= 5:
        words = bag_of_words(given["forget"].texts, given["holdout"].texts)
    manifest = {
        "kind": "llm audit", "vestige": vestige.__version__,
        "config": {
            "after": after, "before": before, "shadows": list(shadows), "context": context, "alpha": alpha,
            "tolerance": tolerance,
        },
        "texts": {name: len(g) for name, g in given.items()},
    }  # fmt: skip
    report = _write(out, "audit", made, everything, manifest, words)
    if json:
        record = {
            **manifest,
            "verdict": made.audit.verdict.record(),
            "measures": made.table,
            "words": words,
        }
        print(jsonlib.dumps(plain({**record, "report": str(report)})))
    else:
        rows = [{k: r[k] for k in ("measure", "auc_retain", "auc_holdout", "reason")} for r in made.table]
        print_rows("AUC of forget against retained and holdout texts", rows)
        print_verdicts({"audit": made.audit})
        print(f"Reports: {report}, {report.with_name('texts.html')}")
    return passed({"audit": made.audit}, gate)


def run(values: dict[str, Any], source: str, out: Path | None, gate: Gate, json: bool, silent: bool) -> int:
    from vestige.config import validated
    from vestige.llm.experiment import run_llm

    quiet()
    config = validated(LlmConfig, values, source)
    folder = out or Path("runs") / config.name
    made = run_llm(config, folder, say=say_to(json or silent))
    rows = comparison(made, TABLE)
    manifest = {
        "kind": "llm", "vestige": vestige.__version__, "config": config.model_dump(mode="json"),
        "seconds": made.seconds, "words": made.words,
    }  # fmt: skip
    for name, found in made.audits.items():
        _write(folder / name, name, found, made.texts, manifest, made.words.get("forget and holdout"))
    report = write_report(
        folder / "report.html", {name: found.audit for name, found in made.audits.items()}, title=config.title,
        manifest=manifest,
    )  # fmt: skip
    write_json(folder / "llm.json", {**manifest, "models": rows})
    if json:
        print(jsonlib.dumps(plain({**manifest, "models": rows, "report": str(report)})))
    else:
        print_rows("what is left of the forget texts", [{"model": r["model"], **_brief(r)} for r in rows])
        print_verdicts({name: found.audit for name, found in made.audits.items()})
        print(f"Report: {report}; texts: {folder}/*/texts.html")
    # nobody has unlearned the original
    asked = {name: found.audit for name, found in made.audits.items() if name != "original"}
    return passed(asked, gate)


def _brief(row: Mapping[str, Any]) -> dict[str, Any]:
    wanted = ("outcome", "under", "over", "auc iam", "auc loss", "loss_forget", "perplexity_holdout")
    return {name: row[name] for name in wanted}


def _write(
    out: Path,
    name: str,
    made: llm.TextAudit,
    texts: llm.Texts,
    manifest: Mapping[str, Any],
    words: float | None,
) -> Path:
    made.audit.save(out / "audit")
    pd.DataFrame(made.table).map(plain_cell).to_csv(out / "measures.csv", index=False)
    write_json(out / "manifest.json", manifest)
    by_id = dict(zip(texts.ids, texts.texts, strict=True))
    write_texts_report(out / "texts.html", made, by_id, manifest=manifest, words=words)
    return write_report(out / "report.html", {name: made.audit}, manifest=manifest)
