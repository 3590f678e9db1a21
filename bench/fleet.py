"""1,000 endpoints once a second: CPU, memory, and how exactly each check starts."""

import itertools
import statistics
import threading
import time
import urllib.request
from collections import defaultdict
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.proc import Cost, cpu, rss_mb
from bench.programs import Guard, Haproxy, Nginx, Program
from bench.report import Finding, Part
from tests.support.ports import free_port

_TARGET = """
worker_processes 1;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
    log_format arrivals '$msec $server_addr';
    keepalive_timeout 0;
    allow 127.0.0.0/8;
    deny all;
    server {{
        listen 0.0.0.0:{ours} backlog=4096;
        access_log {{root}}/ours.log arrivals buffer=64k flush=1s;
        location / {{ return 200 "ok\\n"; }}
    }}
    server {{
        listen 0.0.0.0:{theirs} backlog=4096;
        access_log {{root}}/theirs.log arrivals buffer=64k flush=1s;
        location / {{ return 200 "ok\\n"; }}
    }}
}}
"""
_GUARDED = """
events {{ worker_connections 256; }}
http {{
    access_log off;
    include {folder}/*_active.conf;
    server {{ listen 127.0.0.1:{port}; location / {{ return 200; }} }}
}}
"""
_HAPROXY = """
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    timeout check 1s
frontend unused
    bind 127.0.0.1:{unused}
    default_backend fleet
backend fleet
    option httpchk
    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host target hdr User-Agent bench
    http-check expect status 200-299
    default-server inter 1s fall 3 rise 2
"""
EVERY_S = 15.0  # between two scrapes: what Prometheus does
METHOD = """
{pools} pools of two upstreams, so {probes} probes, each once a second with a new connection, to
`return 200` of one nginx, every probe to its own address. healthguard is the whole daemon as
shipped: metrics on, log on, looking at link and nginx of every pool, jitter off. HAProxy makes
the same checks at the same time. After {warm:g} s of warm-up each phase takes {span:g} s; in the
second /metrics is read every {every:g} s, as Prometheus does. CPU is that of the process; its
children (`nginx -t` of the prepares in the background, which test each pool every ten minutes)
are listed separately. Start jitter is how far each request's arrival in nginx's log (to the
millisecond) is from its probe's regular beat; the worst 1 % begins at p99.
"""


@dataclass(frozen=True, slots=True)
class _Phase:
    """What was measured between two moments."""

    cost: Cost
    theirs: Cost
    span: tuple[float, float]  # Unix time


class _Scraper(threading.Thread):
    """Reads /metrics at once and then every ``EVERY_S``."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.url = f"http://127.0.0.1:{port}/metrics"
        self.stopped = threading.Event()
        self.took: list[float] = []
        self.size = 0

    def run(self) -> None:
        while not self.stopped.is_set():
            self.read()
            self.stopped.wait(EVERY_S)

    def read(self) -> None:
        """Once."""
        began = time.monotonic()
        with suppress(OSError), urllib.request.urlopen(self.url, timeout=5) as answer:
            self.size = len(answer.read())
            self.took.append(time.monotonic() - began)


def address(number: int) -> str:
    """A loopback address for each endpoint."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


def measure(root: Path, python: str, *, pools: int, warm: float, span: float) -> Part:
    """Run it; some {warm} + 2 x {span} seconds."""
    root.mkdir(parents=True)
    ours, theirs, http = free_port(), free_port(), free_port()
    with ExitStack() as stack:
        stack.enter_context(Nginx(root, "target", _TARGET.format(ours=ours, theirs=theirs)))
        guarded = stack.enter_context(_guarded(root, pools))
        guard = Guard(root / "guard", _config(guarded, root, pools, ours, http), python)
        stack.enter_context(guard)
        haproxy = stack.enter_context(Haproxy(root, "haproxy", _checks(pools, theirs)))
        time.sleep(warm)
        scraper = _Scraper(http)
        scraper.read()  # the first one of a life has something to import
        quiet = _phase(guard, haproxy, span)
        scraper.start()
        scraped = _phase(guard, haproxy, span)
        scraper.stopped.set()
        memory = rss_mb(guard.pid), rss_mb(haproxy.pid)
    part = Part(
        "1,000 endpoints at 1 s" if pools == 500 else f"{2 * pools} endpoints at 1 s",
        METHOD.format(pools=pools, probes=2 * pools, warm=warm, span=span, every=EVERY_S),
        ("", "healthguard", "HAProxy", "ratio"),
    )
    _judge(part, root, quiet, scraped, memory, scraper)
    return part


def _phase(guard: Program, haproxy: Program, span: float) -> _Phase:
    began, ours, theirs = time.time(), cpu(guard.pid), cpu(haproxy.pid)
    time.sleep(span)
    phase = _Phase(cpu(guard.pid) - ours, cpu(haproxy.pid) - theirs, (began, time.time()))
    time.sleep(1.5)  # the log's buffer
    return phase


def _guarded(root: Path, pools: int) -> Nginx:
    folder = root / "upstreams"
    folder.mkdir()
    for number in range(pools):
        for index, colour in enumerate(("blue", "green")):
            text = f"upstream p{number} {{ server {address(2 * number + index)}:80; }}\n"
            (folder / f"p{number}_{colour}.conf").write_text(text)
        (folder / f"p{number}_active.conf").symlink_to(f"p{number}_blue.conf")
    return Nginx(root, "guarded", _GUARDED.format(folder=folder, port=free_port()))


def _config(nginx: Nginx, root: Path, pools: int, port: int, http: int) -> dict[str, Any]:
    def pool(number: int) -> dict[str, Any]:
        upstreams = {}
        for index, colour in enumerate(("blue", "green")):
            url = f"http://{address(2 * number + index)}:{port}/healthz"
            upstreams[colour] = {"config": f"p{number}_{colour}.conf", "probes": [{"http": url}]}
        return {"link": f"{root}/upstreams/p{number}_active.conf", "upstreams": upstreams}

    health = {"interval": "1s", "timeout": "1s", "jitter": "0%"}
    return {
        "nginx": {"config": str(nginx.config), "reload": "signal"},
        "daemon": {"http": f"127.0.0.1:{http}"},
        "defaults": {"health": health},
        "pools": {f"p{number}": pool(number) for number in range(pools)},
    }


def _checks(pools: int, port: int) -> str:
    servers = (f"    server s{n} {address(n)}:{port} check\n" for n in range(2 * pools))
    return _HAPROXY.format(unused=free_port()) + "".join(servers)


# ------------------------------------------------------------ judging


def _arrivals(log: Path, span: tuple[float, float]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for line in log.read_text().splitlines():
        at, where = line.split()
        if span[0] <= float(at) < span[1]:
            found[where].append(float(at))
    return found


def jitter_ms(arrivals: dict[str, list[float]]) -> list[float]:
    """How far each start is from its probe's beat, sorted."""
    found = []
    for times in arrivals.values():
        if len(times) < 3:
            continue
        beat = statistics.median(later - earlier for earlier, later in itertools.pairwise(times))
        beat = 1.0 if abs(beat - 1.0) < 0.005 else beat
        phases = [at - beat * number for number, at in enumerate(times)]
        middle = statistics.median(phases)
        found += [abs(phase - middle) * 1000 for phase in phases]
    return sorted(found)


def _p99(values: list[float]) -> float:
    return values[int(len(values) * 0.99)] if values else float("nan")


def _lateness(what: str, ms: float, target: float) -> Finding:
    return Finding(what, f"{ms:.1f} ms", f"{target:g} ms", ms <= target)


def _judge(
    part: Part,
    root: Path,
    quiet: _Phase,
    scraped: _Phase,
    memory: tuple[float, float],
    scraper: _Scraper,
) -> None:
    jitters, costs = [], []
    for name, phase in (("alone", quiet), (f"scraped every {EVERY_S:g} s", scraped)):
        ours = _arrivals(root / "ours.log", phase.span)
        theirs = _arrivals(root / "theirs.log", phase.span)
        probes, checks = sum(map(len, ours.values())), sum(map(len, theirs.values()))
        mine, others = phase.cost.own / probes * 1000, phase.theirs.own / checks * 1000
        jitter = jitter_ms(ours)
        jitters.append(_p99(jitter))
        costs.append(mine)
        children = phase.cost.children / probes * 1000
        part.rows += [
            (f"probes, {name}", str(probes), str(checks), f"{probes / checks:.3f}"),
            (f"CPU ms per 1,000 probes, {name}", f"{mine:.0f}", f"{others:.0f}",
             f"{mine / others:.2f}"),
            (f"and of children, {name}", f"{children:.0f}", "", ""),
            (f"start jitter ms p50 / p99 / max, {name}",
             f"{jitter[len(jitter) // 2]:.1f} / {jitters[-1]:.1f} / {jitter[-1]:.1f}", "", ""),
        ]  # fmt: skip
        ratio = mine / others
        found = f"{ratio:.2f} x HAProxy"
        part.findings.append(Finding(f"CPU per 1,000 probes, {name}", found, "3.5", ratio <= 3.5))
    took = statistics.median(scraper.took) * 1000 if scraper.took else float("nan")
    part.rows += [
        ("RSS MB", f"{memory[0]:.1f}", f"{memory[1]:.1f}", f"{memory[0] / memory[1]:.2f}"),
        ("a scrape: ms, KiB", f"{took:.0f}, {scraper.size // 1024}", "", ""),
    ]
    added = (costs[1] / costs[0] - 1) * 100
    part.findings += [
        Finding("CPU that the scrapes add", f"{added:.1f} %", "5 %", added <= 5),
        _lateness("start jitter p99", jitters[0], 5),
        _lateness("start jitter p99 while scraped", jitters[1], 10),
    ]
