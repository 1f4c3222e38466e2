"""The command line: parse, call the library, print."""

from vestige.cli.app import main

__all__ = ["main"]
