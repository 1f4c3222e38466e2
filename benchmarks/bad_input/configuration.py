"""The door of configurations: YAML of runs, leaks and texts that is hostile, and values that no field takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import vestige
from vestige.config import option_value, read_yaml, validated
from vestige.errors import InputError
from vestige.experiments import RunConfig
from vestige.experiments.text_config import LlmConfig
from vestige.leaks import LeakConfig
from vestige.training import Recipe

Case = tuple[str, Callable[[], Any], Any]
RUN: dict[str, Any] = {"name": "a", "data": {"name": "digits"}, "methods": ["finetune"]}
TEXTS = {"name": "a", "model": {"name": "m"}, "data": {"forget": "f", "retain": "r", "holdout": "h"}}
BASES: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "run": (RunConfig, RUN),
    "leaks": (LeakConfig, {"name": "a"}),
    "llm": (LlmConfig, TEXTS),
    "recipe": (Recipe, {}),
}


def cases(folder: Path) -> Iterator[Case]:
    yield from _yaml(folder)
    yield from _overrides(folder)
    yield from _values()
    yield from _plans(folder)


def bomb(levels: int) -> str:
    """Return YAML of a few hundred bytes that expands to 10^levels values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, levels)]
    return "\n".join([*lines, f"name: *a{levels - 1}"])


def _yaml(folder: Path) -> Iterator[Case]:
    texts = {
        "bomb": bomb(9), "small bomb": bomb(6), "merges": "a: &a {b: 1}\n" + "c: {<<: [" + "*a, " * 200_000 + "*a]}",
        "cycle": "a: &a [*a]", "cycle of keys": "&a {b: *a}", "deep": "[" * 3000,
        "deep and closed": "[" * 200 + "]" * 200, "deep keys": "{a: " * 2000,
        "large": "a: " + "x" * 300_000, "many": "- a\n" * 65_000, "digits": "seed: " + "9" * 5000,
        "hex": "seed: 0x" + "f" * 5000, "twice": "name: a\nname: b",
        "twice inside": "data: {name: a, name: b}", "code": "!!python/object/apply:os.system [ls]",
        "name of Python": "a: !!python/name:os.system", "tag": "!x y",
        "date": "seed: 2024-99-99", "float": "seed: !!float abc", "integer": "seed: !!int abc",
        "binary": "seed: !!binary '***'", "key of a list": "[a]: b",
        "key of keys": "{a: 1}: b", "surrogate": 'name: "\\ud800"', "list": "[a]", "text": "a", "nothing": "",
        "null": "null", "number": "3", "two": "a: 1\n---\nb: 2",
        "tab": "a:\n\tb", "quote": "name: 'a", "anchor": "a: *b", "sexagesimal": "seed: " + ":".join(["1"] * 500),
        "set": "!!set {a, b}", "pairs": "!!pairs [a: b]",
        "omap": "!!omap [a]", "percent": "%" * 1000, "at": "@a", "timestamp": "seed: !!timestamp x",
        "bool": "seed: !!bool x", "null tag": "seed: !!null x",
        "keys of numbers": "1: 2", "key of null": "null: 2", "key of true": "true: 2", "value": "= : 1",
        "merge of text": "<<: a", "merge of a number": "{<<: [1]}",
    }  # fmt: skip
    for name, text in texts.items():
        path = folder / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        for kind, read in (
            ("run", vestige.load_config),
            ("leaks", lambda p: validated(LeakConfig, read_yaml(p), str(p))),
        ):
            yield f"{kind}: YAML: {name}", lambda f=read, p=path: f(p), InputError
    for name, content in {
        "latin": b"name: \xe4",
        "utf-16": "name: a".encode("utf-16"),
        "NUL": b"\0" * 100,
        "noise": bytes(range(256)),
    }.items():
        (folder / f"{name}.yaml").write_bytes(content)
        yield f"YAML: {name}", lambda p=folder / f"{name}.yaml": vestige.load_config(p), InputError
    path = folder / "fine.yaml"
    path.write_text("\ufeffname: a\nx: &x {name: digits}\ndata: *x\nmethods: [finetune]\n", encoding="utf-8")
    yield (
        "YAML: aliases and a mark are read",
        lambda: read_yaml(path)["data"],
        lambda v: v == {"name": "digits"},
    )


def _overrides(folder: Path) -> Iterator[Case]:
    path = folder / "run.yaml"
    path.write_text("name: a\ndata: {name: digits}\nmethods: [finetune]\n")
    bad = [
        "",
        "a",
        "=",
        "=1",
        "name.a=1",
        "recipe.epochs=[",
        "seed=-1",
        "seed=a",
        "seed=1e400",
        "seed=.nan",
        "seed=" + "9" * 5000,
        "a.b=1",
        "data.options=3",
    ]
    bad += [
        "seed=0x" + "f" * 5000,
        ".".join("a" * 5000) + "=1",
        "data.options." + ".".join("a" * 60) + "=1",
        "methods=[",
        "split.label={a: [}",
        "name=" + "a" * 300_000,
    ]
    bad += [
        "name=../x",
        "name=",
        "name=null",
        "name=.",
        "name=a/b",
        "split.forget=true",
        "split.scenario=clas",
        "audit.alpha=2",
        "audit.alpha=.nan",
        "audit.measures=[]",
    ]
    bad += [
        f"split.label={bomb(8)}",
        "shadows.count=-1",
        "shadows.count=1.5",
        "methods=[]",
        "methods=[finetune, finetune]",
        "methods=[{name: finetune, label: a/../b}]",
    ]
    for text in bad:
        yield f"override {text[:40]!r}", lambda t=text: vestige.load_config(path, [t]), InputError
    for text in ("[", "9" * 5000, "&a [*a]", "!!python/name:os", "2024-99-99", '"\\ud800"', bomb(7)):
        yield f"option {text[:20]!r}", lambda t=text: option_value(t, "--option a"), InputError


STRANGE: dict[str, Any] = {
    "list of itself": [1], "a set": {1}, "bytes": b"a", "object": object(), "a type": int, "a function": len,
    "NaN": float("nan"), "infinity": float("inf"),
    "a huge integer": 10**5000, "complex": 1j, "deep": {},
}  # fmt: skip
STRANGE["list of itself"].append(STRANGE["list of itself"])
inner = STRANGE["deep"]
for _ in range(5000):
    inner["a"] = inner = {}


def _values() -> Iterator[Case]:
    """A value of the wrong kind for every field of every configuration."""
    for base, (model, values) in BASES.items():
        for field, facts in model.model_fields.items():
            for kind, value in STRANGE.items():
                if base == "recipe" and kind in ("NaN", "infinity") and facts.annotation is float:
                    continue
                if _takes(field, kind):
                    continue
                yield (
                    f"{base}.{field} is {kind}",
                    lambda m=model, v=values | {field: value}: validated(m, v, "here"),
                    InputError,
                )
        for kind, value in (("None", None), ("a list", [1]), ("text", "a"), ("a number", 3)):
            yield f"{base} is {kind}", lambda m=model, v=value: validated(m, v, "here"), InputError
        yield (
            f"{base}: an unknown key",
            lambda m=model, v=values | {"zzz": 1}: validated(m, v, "here"),
            InputError,
        )
        yield (
            f"{base}: a key of a number",
            lambda m=model, v=values | {3: 1}: validated(m, v, "here"),
            InputError,
        )
    for path, value in {
        "data.name": 3, "data.root": 3, "data.options": 3, "split.scenario": 3, "split.train": 1,
        "split.holdout": -1, "split.label": [1], "split.ids_file": 3,
        "model.name": None, "model.sparsity": 1.0, "model.width": [], "shadows.size": 0, "shadows.count": True,
        "audit.preset": "papr", "audit.measures": [3],
        "methods.0": 3, "data": 3, "split": [], "recipe.preset": "nothing", "device": 3,
    }.items():  # fmt: skip
        yield (
            f"run.{path} is {value!r}",
            lambda p=path, v=value: validated(RunConfig, _with(p, v), "here"),
            InputError,
        )


def _takes(field: str, kind: str) -> bool:
    """Is it right that the field takes such a value? What stands in free options is checked by whoever reads them."""
    return field in ("kind", "learn", "setting", "knobs", "options") and kind == "deep"


def _with(path: str, value: Any) -> dict[str, Any]:
    values: dict[str, Any] = {**RUN, "methods": ["finetune"]}
    head, _, tail = path.partition(".")
    if head == "methods":
        return values | {"methods": [value]}
    return values | {head: {**(values.get(head) or {}), tail: value} if tail else value}


def _plans(folder: Path) -> Iterator[Case]:
    """Runs that are refused before any work, though each field by itself is allowed."""
    (folder / "ids.txt").write_text("digits/0003\nnone\n")
    changes: dict[str, dict[str, Any]] = {
        "data": {"data": {"name": "nothing"}}, "option": {"data": {"name": "digits", "part": "test"}},
        "path": {"data": {"name": "./gone.csv"}},
        "label": {"split": {"scenario": "class", "label": "ten"}},
        "label of a number": {"split": {"scenario": "class", "label": 10}},
        "no label": {"split": {"scenario": "class"}},
        "label for nothing": {"split": {"label": 3}},
        "ids": {"split": {"scenario": "ids", "ids_file": str(folder / "ids.txt")}},
        "no ids": {"split": {"scenario": "ids"}},
        "ids gone": {"split": {"scenario": "ids", "ids_file": str(folder / "gone.txt")}},
        "ids for nothing": {"split": {"ids_file": str(folder / "ids.txt")}},
        "train": {"split": {"train": 10**9}}, "huge": {"split": {"train": 10**30}},
        "holdout": {"split": {"holdout": 1.5}}, "model": {"model": {"name": "mpl"}},
        "knob": {"model": {"name": "mlp", "width": 3}}, "recipe": {"recipe": {"epoch": 3}},
        "rate": {"recipe": {"lr": "fast"}}, "method": {"methods": ["fintune"]},
        "method knob": {"methods": [{"name": "finetune", "epoch": 3}]},
        "measure": {"audit": {"measures": ["imm"]}},
        "measure knob": {"audit": {"measures": [{"name": "iam", "stepz": 3}]}},
        "measure without name": {"audit": {"measures": [{"steps": 3}]}}, "device": {"device": "cuda:99"},
        "shadow size": {"shadows": {"size": 10**6}},
    }  # fmt: skip
    for name, change in changes.items():
        yield f"plan: {name}", lambda c=change, n=name: _run(c, folder / n), InputError
    for name, text in {"damaged": "{", "a list": "[]", "deep": "[" * 5000, "nothing": ""}.items():
        (folder / f"m {name}").mkdir()
        (folder / f"m {name}" / "manifest.json").write_text(text)
        yield f"a run over a manifest that is {name}", lambda n=name: _run({}, folder / f"m {n}"), InputError
    (folder / "file").write_text("a")
    yield "a run into a file", lambda: _run({}, folder / "file"), InputError


def _run(change: dict[str, Any], folder: Path) -> Any:
    return vestige.run(validated(RunConfig, RUN | change, "here"), folder, say=lambda text: None)
