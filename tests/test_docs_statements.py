"""What pages say of commands, names, files and figures is what there is."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

from test_docs import PAGES, ROOT
from vestige import config, files
from vestige.cli.app import app
from vestige.data import near_copies
from vestige.evaluation import audits, retained
from vestige.evaluation.verdict import decision
from vestige.evaluation.verdict.evidence import FEWEST_NULL
from vestige.experiments import plan, versions
from vestige.leaks import FEATURES, SETTINGS
from vestige.listing import listing

PROGRAM = typer.main.get_command(app)
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
PROSE = {page: BLOCK.sub("", text) for page, text in PAGES.items()}
GROUPS = {
    "vestige.methods",
    "vestige.measures",
    "vestige.llm.unlearning",
    "vestige.models",
    "vestige.datasets",
}
"""Of entry points, in the metadata of a package; two of them are no modules."""
COUNTS = [
    "none",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
FIGURES = {
    "docs/guide/parts.md": [
        ("An audit runs {} measures", COUNTS[len(audits.DEFAULT_MEASURES)]),
        ("a verdict takes {} holdout samples at least", FEWEST_NULL),
        ("two sources of {} records or more", FEWEST_NULL),
        ("(1 %, and one at least; none in a request below {})", {20: "twenty"}[decision.FEW]),
        ("at most {} times its size", files.EXPANSION),
        ("where that is more than {} MB", files.FREE_BYTES // 2**20),
        ("A configuration has at most {} KB", config.YAML_BYTES // 2**10),
        ("{} levels", config.YAML_DEPTH),
        ("{:,} values with every alias", config.YAML_VALUES),
        ("an image at most {} of whose 64 bits", near_copies.BITS),
        ("further away than {} standard deviations", near_copies.APART),
    ],
    "docs/guide/retained.md": [
        ("of {0} retained and {0} never-seen records", retained.FEWEST),
        ("at most {:,} records of each part", plan.MOST_REPRESENTED),
    ],
    "docs/guide/monitoring.md": [("at least {} records that *no* version saw", versions.UNSEEN)],
    "docs/start/model.md": [
        ("{} are the least", {40: "Forty"}[2 * FEWEST_NULL]),
        ("at least {} are left to compare with", {20: "twenty"}[FEWEST_NULL]),
    ],
}


def commands(page):
    """Yield every command of a page as words, and whether it stands in a block, where it is whole."""
    blocks = [
        text.replace("\\\n", " ")
        for kind, text in BLOCK.findall(PAGES[page])
        if kind in ("sh", "bash", "yaml")
    ]
    lines = [part for text in blocks for line in text.splitlines() for part in re.split(r"&&|\|\||;", line)]
    for line in lines:
        line = re.sub(r"^\s*(- run:|entrypoint:)?\s*", "", line)
        if line.startswith("vestige "):
            yield shlex.split(line, comments=True), True
    for quoted in re.findall(r"`(vestige [^`]+)`", PROSE[page]):
        yield quoted.split(), False


def resolved(words):
    """Return the command that words call, and the words that are left for it."""
    command, words = PROGRAM, words[1:]
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        command, words = command.commands[words[0]], words[1:]
    return command, words[: words.index(">")] if ">" in words else words


def options_of(command):
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"-h", "--help"}


def every_option(command):
    return options_of(command).union(*map(every_option, getattr(command, "commands", {}).values()))


@pytest.mark.parametrize("page", [page for page in PAGES if any(commands(page))])
def test_commands_are_taken(page):
    for words, whole in commands(page):
        command, rest = resolved(words)
        own = options_of(command)
        strange = [word for word in rest if word.startswith("--") and word.split("=")[0] not in own]
        assert not strange, f"{page}: {' '.join(words)} has no {strange}"
        if whole and not hasattr(command, "commands"):
            command.make_context(" ".join(words), list(rest))


def test_options_that_are_named_alone_exist():
    known = every_option(PROGRAM)
    strange = [
        (page, name)
        for page in PROSE
        if "labbook" not in page
        for name in re.findall(r"`(--[a-z][a-z-]*)", PROSE[page])
        if name not in known
    ]
    assert not strange


def exists(name):
    """Is this a module of the package, or a name that one of them holds?"""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        place = ROOT / "src" / Path(*parts[:count])
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                text = path.read_text(encoding="utf-8") + "".join(
                    stub.read_text(encoding="utf-8") for stub in [path.with_suffix(".pyi")] if stub.is_file()
                )
                return count == len(parts) or bool(re.search(rf"\b{parts[count]}\b", text))
    return False


def test_dotted_names_exist():
    names = {
        (page, name) for page in PROSE for name in re.findall(r"`(vestige(?:\.[A-Za-z_]\w*)+)", PROSE[page])
    }
    assert len(names) > 50
    missing = [
        (page, name)
        for page, name in sorted(names)
        if name not in GROUPS and not name.endswith((".yaml", ".json")) and not exists(name)
    ]
    assert not missing


def test_files_of_the_repository_exist():
    missing = []
    for page, text in PAGES.items():
        paths = re.findall(r"\b(?:examples|benchmarks|tests|src|docs)/[\w./-]*\w", text)
        paths += [name.replace(".", "/") for name in re.findall(r"-m (benchmarks\.\w+)", text)]
        named = [
            ROOT / path
            for path in paths
            if "NAME" not in path and "FILE" not in path and "_build" not in path
        ]
        missing += [(page, path) for path in named if not (path.exists() or path.with_suffix(".py").exists())]
    examples = ("noisy_finetune.py", "shadow_margin.py")
    assert [(page, path) for page, path in missing if path.name not in examples] == []


FILES = re.compile(
    r"`(?!(?:benchmarks|tests|docs|examples)/)[\w./*-]*?"
    r"([\w.-]+\.(?:json|jsonl|html|parquet|csv|npz|safetensors|head|pub|yaml|txt|py))`"
)
OF_THE_READER = {"first.py"}
"""Files that a page asks its reader to write. For those in folders of the repository there is a test of its own."""


def test_files_that_a_guide_names_are_written():
    """By the package, or by a program or a command of the page."""
    package = [
        path for path in (ROOT / "src" / "vestige").rglob("*") if path.suffix in (".py", ".sh", ".yaml")
    ]
    source = "\n".join(path.read_text(encoding="utf-8") for path in package)
    strange = []
    for page in PAGES:
        if re.match(r"docs/(start|guide|people|concepts|reference)/", page):
            known = source + "\n".join(block for _, block in BLOCK.findall(PAGES[page]))
            names = set(FILES.findall(PROSE[page])) - OF_THE_READER
            strange += [(page, name) for name in sorted(names) if name.removesuffix(".pub") not in known]
    assert strange == []


def test_extras_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = set(project["optional-dependencies"])
    for page, text in PAGES.items():
        named = {
            one.strip() for group in re.findall(r"vestige\[([a-z,]+)\]", text) for one in group.split(",")
        }
        assert named <= known, page


@pytest.mark.parametrize(
    ("page", "sentence", "value"),
    [(page, *figure) for page, figures in FIGURES.items() for figure in figures],
)
def test_figures_are_those_of_the_code(page, sentence, value):
    assert sentence.format(value) in " ".join(PAGES[page].split())


def test_the_table_of_methods_says_what_each_reads():
    text = PAGES["docs/guide/unlearning.md"]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", text[: text.index("## Sparse")], re.MULTILINE)
    reads = {row["name"]: row["reads"] for row in listing("methods")}
    pairs = [
        (name, told) for _, names, told in rows for name in re.findall(r"`(\w+)`", names) if name in reads
    ]
    assert {name for name, _ in pairs} == set(reads)
    for name, told in pairs:
        assert ("both" if {"forget", "retain"} <= set(reads[name]) else reads[name][0]) in told, name
        assert ("shadow" in reads[name]) == ("shadow pool" in told), name


def test_the_guide_names_what_leaks_can_do():
    text = PAGES["docs/guide/leaks.md"]
    assert [name for name in (*SETTINGS, *FEATURES) if f"`{name}`" not in text] == []
