"""What the tests of the command line share."""

from __future__ import annotations

import json
import sys
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator

from vestige.cli import main, show
from vestige.machine import SCHEMA
from vestige.store import plain

CHECK = Draft202012Validator(json.loads(files("vestige").joinpath("schemas", SCHEMA).read_text("utf-8")))
"""Of everything that a command prints with --json."""


@pytest.fixture(autouse=True)
def every_json_follows_the_schema(monkeypatch):
    """Whatever a test of the command line makes it print for machines is checked on the way."""
    printed = show.print_json

    def checked(record, indent=None):
        CHECK.validate(json.loads(json.dumps(plain(record))))
        printed(record, indent)

    monkeypatch.setattr(show, "print_json", checked)


@pytest.fixture
def here(monkeypatch, capsys):
    """The command line in this process: exit code, stdout, stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["vestige", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return call
