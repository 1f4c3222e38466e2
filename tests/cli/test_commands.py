"""What all commands share: help texts, examples, exit codes, names that the tab key completes, a quick start."""

from __future__ import annotations

import functools
import json
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


CODE = """
import json, os, sys
from vestige.cli import main
for known, arguments in json.loads(sys.argv[1]):
    print("COMMAND", flush=True)
    if os.fork() == 0:
        os.environ |= known
        sys.argv = ["vestige", *arguments]
        try: main()
        finally: print("HEAVY", *{"torch", "pandas", "scipy"} & set(sys.modules), flush=True)
    os.wait()
"""
COMPLETED = {
    "vestige list me": ["methods", "measures"],
    "vestige leaks --method scr": ["scrub"],
    "vestige audit a.npz --measure rmia_r": ["rmia_ratio"],
    "vestige leaks --dataset pur": ["purchase100"],
    "vestige llm unlearn np": ["npo"],
    "vestige bench run iam-figure4": ["iam-figure4"],
    "vestige run a.yaml --engine r": ["ray"],
    "vestige aud": ["audit"],
}
LIGHT = [["list", "methods"], ["list", "measures", "--json"], ["-h"]]


@functools.cache
def in_light_processes():
    """What each command prints, and what of the heavy libraries it loads: each in a fork of one that loaded none."""
    asked = []
    for line in COMPLETED:
        place = str(len(line.split()) - 1)
        asked.append(({"_VESTIGE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": place}, []))
    asked += [({}, arguments) for arguments in LIGHT]
    ended = subprocess.run([sys.executable, "-c", CODE, json.dumps(asked)], capture_output=True, text=True)
    printed = [text.rpartition("HEAVY") for text in ended.stdout.split("COMMAND\n")[1:]]
    assert len(printed) == len(asked), ended.stderr
    answers = ((text, mark == "HEAVY" and not heavy.strip()) for text, mark, heavy in printed)
    return dict(zip([*COMPLETED, *map(tuple, LIGHT)], answers, strict=True))


@pytest.mark.parametrize("line", COMPLETED)
def test_names_are_completed_without_torch(line):
    text, light = in_light_processes()[line]
    assert text.split() == COMPLETED[line] and light


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


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_lists_and_help_load_nothing_heavy(arguments):
    text, light = in_light_processes()[tuple(arguments)]
    assert text.strip() and light
