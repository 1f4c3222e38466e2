"""A signal that was swallowed where it arrived still ends the work."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest
import torch

import processes
from vestige import interrupts
from vestige.training.batches import Resident, batches

PROGRAM = """
import signal
from contextlib import suppress
from vestige.cli import main
from vestige.training import loop

make = loop.make_optimizer

def swallow(*arguments):
    with suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    return make(*arguments)

loop.make_optimizer = swallow
main()
"""
"""The command line, with code in it that catches everything where a signal arrives."""


@pytest.fixture(autouse=True)
def handlers():
    """Start from Python's handlers, also where the tests run in the background and ignore Ctrl-C; give theirs back."""
    default = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    kept = {number: signal.signal(number, handler) for number, handler in default.items()}
    yield
    interrupts.listen()
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_was_swallowed_is_remembered(number):
    interrupts.listen(signal.SIGINT, signal.SIGTERM)
    interrupts.expect_none()
    with suppress(KeyboardInterrupt):
        signal.raise_signal(number)
    with pytest.raises(KeyboardInterrupt):
        interrupts.expect_none()
    interrupts.listen(number)
    interrupts.expect_none()


def test_one_that_is_ignored_stays_so():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupts.listen(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    interrupts.expect_none()


def test_batches_end_for_it():
    interrupts.listen(signal.SIGINT)
    rest = batches(Resident(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64)), 2, shuffle=False)
    next(rest)
    with suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        next(rest)


def test_a_run_ends_for_it(tmp_path):
    (tmp_path / "run.yaml").write_text(processes.LONG_RUN)
    code, _, err = processes.ended(PROGRAM, "run", "run.yaml", folder=tmp_path)
    assert code == 130 and err.endswith(
        "vestige: interrupted; the same command continues where it stopped.\n"
    )
