"""How a verb ends: its exit code, and the ``exit_code`` of every answer to an order."""

from enum import IntEnum


class Code(IntEnum):
    """docs/cli.md says what to do about each."""

    OK = 0  # the thing asked for is true now
    REFUSED = 1  # by a gate or a wrong state; of a program: it failed
    USAGE = 2  # or the configuration
    NO_ACCESS = 3  # no daemon reachable, or no permission
    UNDONE = 4
    LOST = 5  # could not be undone: a person must look
    WAITING = 6  # not ended in time; it goes on
    SECOND = 75  # EX_TEMPFAIL: another daemon guards this nginx
    INTERRUPTED = 130  # by Ctrl-C
