"""Ctrl-C, and SIGTERM as a batch system sends it: what is under way is written, then the program ends.

Python raises a KeyboardInterrupt wherever the program happens to be, and code that catches everything swallows it.
So a signal is remembered, and what goes on for long asks for it.
"""

from __future__ import annotations

import signal
from types import FrameType

_came = False


def listen(*numbers: signal.Signals) -> None:
    """Take these signals as Ctrl-C from now on; forget one that came before. One that is ignored stays so."""
    global _came
    _came = False
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def expect_none() -> None:
    """Raise the KeyboardInterrupt of a signal that came, where nobody has ended the work for it."""
    if _came:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _came
    _came = True
    raise KeyboardInterrupt
