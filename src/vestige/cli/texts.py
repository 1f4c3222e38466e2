"""The commands on language models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestige.cli.commands import GATED, command, group
from vestige.cli.completion import listed
from vestige.cli.options import Alpha, FailOver, FailUnder, Json, Require, Tolerance
from vestige.errors import InputError, need

if TYPE_CHECKING:
    from vestige.evaluation import Audit

llm = group(
    "llm", "Language models: unlearn texts, and measure what is left of each.", codes=GATED,
    examples=("vestige llm audit --after gone/ --before gpt2 --forget gone.jsonl --out audits/texts",),
)  # fmt: skip
Context = Annotated[int | None, typer.Option(help="Longest window in tokens. Default: the model's.")]
SHOWN = ("model", "outcome", "under", "over", "auc iam", "auc loss", "loss_forget", "perplexity_holdout")
Model = Annotated[str, typer.Option(help="Hub id or folder of a causal language model.")]
Remote = Annotated[bool, typer.Option("--remote-code", help="Run code that comes with the model.")]


@command(llm, "collect", examples=["vestige llm collect gpt2 texts.jsonl --out signals/gpt2"])
def llm_collect(
    model: Annotated[str, typer.Argument(help="Hub id or folder of a causal language model.")],
    texts: Annotated[Path, typer.Argument(help=".jsonl of strings or of objects with text and id, or a .json list.")],
    out: Annotated[Path, typer.Option(help="Folder for the signals; what is there is not collected again.")],
    context: Context = None,
    gguf: Annotated[str | None, typer.Option(help="File of quantised weights in the folder.")] = None,
    remote_code: Remote = False, json: Json = False,
) -> None:  # fmt: skip
    """Write what a model says of every token of every text. (vestige.llm.collect)"""
    from vestige import llm
    from vestige.cli.show import print_json

    given = llm.read_texts(texts)
    _keep_quiet()
    network, tokenizer = llm.load_model(model, gguf=gguf, remote_code=remote_code)
    signals = llm.collect(network, tokenizer, given, context=context, out=out, progress=not json)
    tokens, loss = int(signals.tokens.sum()), float(signals.nll.mean())
    if json:
        print_json({"texts": len(signals), "tokens": tokens, "loss": loss, "out": str(out)})
    else:
        print(f"{len(signals):,} texts of {tokens:,} tokens, mean loss {loss:.3f} nats a token: {out}")


@command(
    llm,
    "unlearn",
    examples=[
        "vestige llm unlearn npo:beta=0.1,lr=1e-5 --model gpt2 --forget gone.jsonl --retain kept.jsonl --out gone/"
    ],
)
def llm_unlearn(
    method: Annotated[str, typer.Argument(
        help="A method, with options after a colon: npo:beta=0.1,lr=1e-5.", autocompletion=listed("text-methods"))],
    model: Model, forget: Annotated[Path, typer.Option(help="Texts to unlearn.")],
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
    retain: Annotated[Path | None, typer.Option(help="Texts to keep.")] = None,
    base: Annotated[str | None, typer.Option(help="Model before it knew the texts, for retrain.")] = None,
    lora: Annotated[int | None, typer.Option(help="Rank of adapters. Default: all weights.")] = None,
    option: Annotated[list[str] | None, typer.Option(hidden=True)] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0, remote_code: Remote = False,
    json: Json = False,
) -> None:  # fmt: skip
    """Unlearn texts from a copy of a model and save it. (vestige.llm.unlearn)"""
    from vestige.cli.show import print_json
    from vestige.config import compact
    from vestige.experiments.text_files import unlearn_files
    from vestige.unlearning.text import METHODS

    if option:
        raise InputError(f"Options stand behind the method's name: write {method}:{','.join(option)}.")
    entry, options, beside = METHODS.chosen(compact(method, "the method"))
    _keep_quiet()
    record = unlearn_files(
        entry.name, model, forget, out, retain=retain, base=base, lora=lora, seed=seed, remote_code=remote_code,
        **beside, **options,
    )  # fmt: skip
    said = f"{entry.name}: {record['steps']} steps in {record['seconds']:.0f} s: {out}"
    print_json(record) if json else print(said)


@command(
    llm,
    "audit",
    examples=[
        "vestige llm audit --after gone/ --before gpt2 --shadow other/ --forget gone.jsonl --retain kept.jsonl "
        "--holdout never.jsonl --out audits/texts --require unlearned",
    ],
    codes=GATED,
)
def llm_audit(
    after: Annotated[str, typer.Option(help="Model after unlearning: hub id, folder, or a folder of signals.")],
    forget: Annotated[Path, typer.Option(help="Texts that were to be unlearned.")],
    out: Annotated[Path, typer.Option(help="Folder for signals, audit and reports.")],
    before: Annotated[str | None, typer.Option(help="Model before unlearning.")] = None,
    shadow: Annotated[list[str] | None, typer.Option(help="Model that never saw the texts; several times.")] = None,
    retain: Annotated[Path | None, typer.Option(help="Texts that the model was trained on and keeps.")] = None,
    holdout: Annotated[Path | None, typer.Option(help="Texts that no model saw.")] = None,
    context: Context = None, alpha: Alpha = 0.05, tolerance: Tolerance = 0.1, require: Require = None,
    fail_under: FailUnder = None, fail_over: FailOver = None, remote_code: Remote = False, json: Json = False,
) -> None:  # fmt: skip
    """Audit a model that texts were unlearned from; nothing of the training is needed. (vestige.llm.audit_texts)"""
    from vestige.cli.show import passed, print_json, print_rows, print_verdicts, say_to
    from vestige.evaluation.gate import Gate

    gate = Gate(require, fail_under, fail_over)
    _keep_quiet()
    from vestige.experiments.text_files import audit_models

    files = {"forget": forget, "retain": retain, "holdout": holdout}
    result, manifest = audit_models(
        after, {name: path for name, path in files.items() if path is not None}, out, before=before,
        shadows=shadow or [], context=context, alpha=alpha, tolerance=tolerance, remote_code=remote_code,
        say=say_to(json),
    )  # fmt: skip
    audits = {result.audit.name: result.audit}
    if json:
        known = {"verdict": result.audit.verdict.record(), "measures": result.table}
        print_json({**manifest, **known, "report": str(out / "report.html")})
    else:
        rows = [{k: r[k] for k in ("measure", "auc_retain", "auc_holdout", "reason")} for r in result.table]
        print_rows("AUC of forget against retained and holdout texts", rows)
        print_verdicts(audits)
        print(f"Reports: {out / 'report.html'}, {out / 'texts.html'}")
    raise typer.Exit(passed(audits, gate))


def run(
    values: dict[str, Any], source: str, out: Path | None, json: bool, silent: bool, where: Mapping[str, Any]
) -> dict[str, Audit]:
    """Do what `vestige run` does where the data are texts; return the audits of what was unlearned."""
    from vestige.cli.show import print_json, print_rows, print_verdicts, say_to
    from vestige.config import validated

    _keep_quiet()
    from vestige.experiments.text_config import LlmConfig
    from vestige.experiments.texts import run_llm

    config = validated(LlmConfig, values, source)
    folder = out or Path("runs") / config.name
    result = run_llm(config, folder, say=say_to(json or silent), **where)
    record = result.save(folder, config)
    audits = {name: audit.audit for name, audit in result.audits.items()}
    if json:
        print_json({**record, "report": str(folder / "report.html")})
    else:
        rows = [{name: row[name] for name in SHOWN} for row in record["models"]]
        print_rows("what is left of the forget texts", rows)
        print_verdicts(audits)
        print(f"Report: {folder / 'report.html'}; texts: {folder}/*/texts.html")
    return {name: audit for name, audit in audits.items() if name != "original"}


def _keep_quiet() -> None:
    """Keep the bars of transformers off the screen."""
    need("transformers", "llm", "A command on language models").utils.logging.disable_progress_bar()
