"""What all commands share: help texts, examples, exit codes, names that the tab key completes, a quick start."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
import typer.main

from vestige.cli.app import app
from vestige.listing import NAMES, listing, names_in, registered

ROOT = typer.main.get_command(app)


def commands(group=ROOT, words=("vestige",)):
    """Every command and group by its words."""
    yield " ".join(words), group
    for name, one in getattr(group, "commands", {}).items():
        yield from commands(one, (*words, name))


COMMANDS = dict(commands())


@pytest.mark.parametrize("words", COMMANDS)
def test_every_help_has_examples_and_shows_flags_as_they_are_typed(words, here, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = here(*words.split()[1:], "-h")
    assert code == 0 and "<bool>" not in out
    assert re.search(r"--help\s+-h", out) and f" {words}" in out.split("Example")[1]
    assert "Exit code 0" in out or getattr(COMMANDS[words], "commands", None)


@pytest.mark.parametrize("words", [w for w, one in COMMANDS.items() if not hasattr(one, "commands")])
def test_every_example_can_be_parsed(words):
    command = COMMANDS[words]
    examples = [line for line in command.epilog.split("\n\n") if line.startswith("vestige ")]
    assert examples
    for example in examples:
        assert example.startswith(words), example
        arguments = shlex.split(example.removeprefix(words))
        command.make_context(words, arguments)  # raises where an option or an argument is not there


@pytest.mark.parametrize("words", ["vestige run", "vestige audit", "vestige llm audit", "vestige bench run"])
def test_commands_that_fail_on_purpose_say_by_which_code(words, here):
    _, out, _ = here(*words.split()[1:], "--help")
    assert "; 1: " in " ".join(out.split())
    if "bench" not in words:
        said = " ".join(out.split())
        assert (
            "4: an audit cannot decide" in said
            and "--require" in said
            and "0 whatever the verdict is" in said
        )


CODE = (
    "import sys; from vestige.cli import main; sys.argv = ['vestige']\n"
    "try: main()\nfinally: print('HEAVY', *{'torch', 'pandas', 'scipy'} & set(sys.modules))"
)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("vestige list me", ["methods", "measures"]),
        ("vestige leaks --method scr", ["scrub"]),
        ("vestige audit a.npz --measure rmia_r", ["rmia_ratio"]),
        ("vestige leaks --dataset pur", ["purchase100"]),
        ("vestige llm unlearn np", ["npo"]),
        ("vestige bench run iam-figure4", ["iam-figure4"]),
        ("vestige run a.yaml --engine r", ["ray"]),
        ("vestige aud", ["audit"]),
    ],
)
def test_names_are_completed_without_torch(line, wanted):
    words = line.split()
    known = {"_VESTIGE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    ended = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, env=os.environ | known
    )
    names, _, heavy = ended.stdout.partition("HEAVY")
    assert names.split() == wanted and not heavy.strip(), ended.stderr


@pytest.mark.parametrize("what", NAMES)
def test_lists_that_are_written_down_are_the_registries(what):
    """A name that is not written down yet is no fault; one that is described otherwise is."""
    known = {row["name"]: row for row in registered(what)}
    stale = [row["name"] for row in listing(what) if row != known.get(row["name"])]
    assert not stale, f"listing.json says otherwise than the registry; write it anew by make stubs: {stale}"


def test_a_name_that_is_not_written_down_is_asked_of_the_registry(monkeypatch, tmp_path):
    from vestige import listing as module

    (tmp_path / "stale.json").write_text('{"names": {"measures": ["iam"]}, "lists": {"measures": []}}')
    monkeypatch.setattr(module, "WRITTEN", tmp_path / "stale.json")
    assert {"iam", "rmia_ratio"} <= {row["name"] for row in listing("measures")}
    monkeypatch.setattr(module, "WRITTEN", tmp_path / "missing.json")
    assert listing("measures")


def test_names_are_read_as_they_are_registered():
    from vestige.measures import MEASURES

    assert names_in("measures") == sorted(MEASURES)


@pytest.mark.parametrize("arguments", [["list", "methods"], ["list", "measures", "--json"], ["-h"]])
def test_lists_and_help_load_nothing_heavy(arguments):
    code = CODE.replace("['vestige']", repr(["vestige", *arguments]))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not ended.stdout.partition("HEAVY")[2].strip()
