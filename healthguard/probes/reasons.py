"""The bounded words of a probe's result, and which trouble of the system gets which."""

import errno

# What the upstream did wrong: counts as a fail.
REASONS = {
    "refused": "nothing is listening there, or the listen queue is full",
    "reset": "the connection was reset",
    "timeout": "no complete answer within the timeout",
    "eof": "the connection was closed before the answer was complete",
    "protocol": "the answer is not HTTP/1, contradicts itself or has no end to its head",
    "tls": "TLS failed, or the certificate is not trusted",
    "unreachable": "the network reports that the host cannot be reached",
    "exit": "the command exited with a status other than 0",
    # The judge of the core makes these from an answer:
    "status": "a status other than expected",
    "slow": "the answer took longer than max_latency",
    "header": "a header is missing or has the wrong value",
    "body": "the body lacks the text or the pattern",
    "json": "a JSON field is missing or has the wrong value",
}

# Our own fault, or not known whose: inconclusive, counts for nothing.
DOUBTS = {
    "loop_late": "healthguard was stopped or starved of CPU, so its timing proves nothing",
    "no_descriptors": "out of file descriptors",
    "no_memory": "out of memory, buffers or processes",
    "no_route": "this host has no route, or its network is down",
    "no_local_port": "no local port or address is left",
    "no_permission": "this host forbids it (permissions, local firewall)",
    "dns": "the resolver returned no address",
    "no_command": "the probe's command does not exist or cannot be run",
    "ca_file": "the CA certificates cannot be read",
    "os_error": "another error of this host",
    "internal": "a bug in the prober",
}

_FAILS = {
    errno.ECONNREFUSED: "refused",
    errno.ENOENT: "refused",  # a unix socket that is not there
    errno.ENOTDIR: "refused",
    errno.EPROTOTYPE: "refused",  # a unix socket, but not of streams
    errno.EAGAIN: "refused",  # connect() to a unix socket whose listen queue is full
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
    errno.EPIPE: "reset",
    errno.ENOTCONN: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
}

_DOUBTS = {
    errno.EMFILE: "no_descriptors",
    errno.ENFILE: "no_descriptors",
    errno.ENOMEM: "no_memory",
    errno.ENOBUFS: "no_memory",
    errno.ENETUNREACH: "no_route",
    errno.ENETDOWN: "no_route",
    errno.EAFNOSUPPORT: "no_route",
    errno.EADDRNOTAVAIL: "no_local_port",
    errno.EADDRINUSE: "no_local_port",
    errno.EPERM: "no_permission",
    errno.EACCES: "no_permission",
}

_UNREACHABLE = (errno.EHOSTUNREACH, errno.EHOSTDOWN)


def classify(error: OSError, *, local: bool) -> tuple[str | None, str | None]:
    """(failure, None) or (None, doubt) for an error of the system.

    ``local``: it came from this host's own tables (at once, or for a loopback address), so that
    an unreachable host says nothing about the upstream.
    """
    code = error.errno or 0
    if local and code in _UNREACHABLE:
        return None, "no_route"
    failure = _FAILS.get(code)
    if failure is not None:
        return failure, None
    return None, _DOUBTS.get(code, "os_error")
