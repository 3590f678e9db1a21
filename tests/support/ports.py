"""Free ports that stay free until somebody listens on them.

The kernel gives ports from its ephemeral range to every outgoing connection as well, so one found
there may be gone a moment later, above all while hundreds of probes run. These lie below it, and
each process of the test run has a range of its own.
"""

import itertools
import os
import socket

FIRST, SPAN = 12_000, 4_000  # ports of one test process; the ephemeral range begins at 32,768
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
_OWN = FIRST + _WORKER * SPAN
_BEGIN = os.getpid() * 97 % SPAN  # another test run beside this one begins somewhere else
_next = itertools.cycle((*range(_OWN + _BEGIN, _OWN + SPAN), *range(_OWN, _OWN + _BEGIN)))


def free_port() -> int:
    """A loopback port that nobody listens on, and that nobody else is given soon."""
    for port in itertools.islice(_next, SPAN):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port from {FIRST} on")
