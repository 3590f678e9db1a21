"""The command line: a thin client of the daemon. See ``docs/cli.md``."""

from healthguard.cli.entry import main

__all__ = ["main"]
