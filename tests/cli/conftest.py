"""What the tests of the command line share."""

from __future__ import annotations

import sys

import pytest

from vestige.cli import main


@pytest.fixture
def here(monkeypatch, capsys):
    """The command line in this process: exit code, stdout, stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["vestige", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return call
