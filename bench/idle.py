"""Two endpoints every two seconds: what the guard costs when nothing happens, and its start."""

import os
import socket
import statistics
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.keepalived import Keepalived
from bench.proc import cpu, rss_mb
from bench.programs import Guard, Haproxy, Nginx
from bench.report import Finding, Part
from bench.samples import install
from tests.support.ports import free_port

_APPS = """
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{blue};
        listen 127.0.0.1:{green};
        listen unix:{socket};
        location / {{ return 200 ok; }}
    }}
}}
"""
_HAPROXY = """
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    timeout check 2s
frontend site
    bind 127.0.0.1:{port}
    default_backend app
backend app
    option httpchk
    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host app
    http-check expect status 200-299
    default-server inter 2s fall 3 rise 2
    server blue 127.0.0.1:{blue} check
    server green 127.0.0.1:{green} check backup
"""
METHOD = """
One pool of two upstreams with the samples of `nginx/` and the defaults of the configuration
(interval 2 s, marker, metrics on). HAProxy runs the same two checks, and keepalived runs them as
scripts that call curl. It takes {span:g} s after a warm-up of {warm:g} s. CPU is that of the
process and, for keepalived, of its scripts. First probe: from the start of the process to the
connection at the upstream, {starts} starts.
"""


@dataclass(frozen=True, slots=True)
class _Idle:
    """CPU in ms over the span and memory in MB, of one program."""

    cpu: float
    memory: float

    def per_hour(self, span: float) -> str:
        return f"{self.cpu * 3.6 / span:.1f}"


def measure(root: Path, python: str, *, warm: float, span: float, starts: int) -> Part:
    """Run it; some {warm} + {span} + 2 x {starts} seconds."""
    ports = {"blue": free_port(), "green": free_port()}
    with ExitStack() as stack:
        root.mkdir(parents=True)
        app = root / "app.sock"
        stack.enter_context(Nginx(root, "apps", _APPS.format(socket=app, **ports)))
        site = install(root / "site", "plain", ports)
        stack.enter_context(site.nginx)
        guard = Guard(root / "guard", _config(site.pool(ports), site.nginx), python)
        stack.enter_context(guard)
        text = _HAPROXY.format(port=free_port(), **ports)
        haproxy = stack.enter_context(Haproxy(root, "haproxy", text))
        keepalived = Keepalived(root / "keepalived", app)
        stack.enter_context(keepalived)
        time.sleep(warm)
        began = cpu(guard.pid), cpu(haproxy.pid), keepalived.cost()
        time.sleep(span)
        theirs = keepalived.cost() - began[2]
        idle = (
            _Idle((cpu(guard.pid) - began[0]).own, rss_mb(guard.pid)),
            _Idle((cpu(haproxy.pid) - began[1]).own, rss_mb(haproxy.pid)),
            _Idle(theirs.own + theirs.children, keepalived.memory_mb()),
        )
        guard.end()
        first = sorted(_first_probe(root / f"start{n}", site, python) for n in range(starts))
    return _part(METHOD.format(warm=warm, span=span, starts=starts), span, idle, first)


def _config(pool: dict[str, Any], nginx: Nginx) -> dict[str, Any]:
    return {
        "nginx": {"config": str(nginx.config), "reload": "signal"},
        "daemon": {"http": f"127.0.0.1:{free_port()}"},
        "pools": {"threader": pool},
    }


def _first_probe(root: Path, site: Any, python: str) -> float:
    """Milliseconds from the start of the process to its first connection."""
    with socket.socket() as blue, socket.socket() as green:
        ports = {}
        for name, listener in (("blue", blue), ("green", green)):
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            ports[name] = listener.getsockname()[1]
        blue.settimeout(20)
        guard = Guard(root, _config(site.pool(ports), site.nginx), python)
        began = time.monotonic()
        pid = os.posix_spawn(guard.argv[0], guard.argv, os.environ, file_actions=_QUIET)
        try:
            connection, _ = blue.accept()
            took = time.monotonic() - began
            connection.close()
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, 15)
            os.waitpid(pid, 0)
    return took * 1000


_QUIET = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]


def _part(method: str, span: float, idle: tuple[_Idle, _Idle, _Idle], first: list[float]) -> Part:
    ours, haproxy, _ = idle
    middle, ratio = statistics.median(first), ours.cpu / haproxy.cpu
    return Part(
        "Two endpoints every 2 s",
        method,
        ("", "healthguard", "HAProxy", "keepalived", "healthguard / HAProxy"),
        [
            ("CPU s per hour", *(each.per_hour(span) for each in idle), f"{ratio:.2f}"),
            ("RSS MB", *(f"{each.memory:.1f}" for each in idle),
             f"{ours.memory / haproxy.memory:.2f}"),
            ("first probe ms, median (min-max)",
             f"{middle:.0f} ({first[0]:.0f}-{first[-1]:.0f})", "", "", ""),
        ],
        [
            Finding("CPU, two endpoints every 2 s", f"{ratio:.2f} x HAProxy", "3", ratio <= 3),
            Finding("RSS, two endpoints", f"{ours.memory:.1f} MB", "45 MB", ours.memory <= 45),
            Finding("first probe after the start", f"{middle:.0f} ms", "400 ms", middle <= 400),
        ],
    )  # fmt: skip
