"""A Debian host with nginx, two apps, and healthguard from the package: the words of the tests."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support.eventually import eventually
from tests.systemd.machine import Machine

REPOSITORY = Path(__file__).parents[2]
POOL = "threader"
PORTS = {"blue": 9009, "green": 9010}

_APP = """
import http.server, os, sys
color, port = sys.argv[1], int(sys.argv[2])
class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        broken = os.path.exists(f"/run/app-{color}-broken")
        body = f"{color} says the database is away\\nand more\\n" if broken else f"ok {color}\\n"
        self.send_response(503 if broken else 200)
        self.send_header("X-Color", color)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", port), App).serve_forever()
"""
_APP_UNIT = """
[Service]
ExecStart=/usr/bin/python3 /srv/app.py {color} {port}
Restart=always
[Install]
WantedBy=multi-user.target
"""
CONFIG = """
nginx: {switcher: /run/healthguard-switcher.sock}
pools:
  threader:
    link: /etc/nginx/upstreams/threader_active.conf
    mode: auto
    upstreams:
      blue:
        config: threader_blue.conf
        probes: [{http: "http://127.0.0.1:9009/healthz", expect: {header: {X-Color: blue}}}]
      green:
        config: threader_green.conf
        probes: [{http: "http://127.0.0.1:9010/healthz", expect: {header: {X-Color: green}}}]
    health: {interval: 200ms, fast_interval: 100ms, down_interval: 200ms, timeout: 1s, fall: 2}
    rollback: {min_down: 200ms, cooldown: 1s, budget: {switches: 50, per: 10m}, daily_budget: 50}
    bake: {for: 1m, fall: 2, min_down: 200ms}
    confirm: {url: "http://127.0.0.1:9465/threader"}
"""
# nginx takes its time over a reload: long enough to kill something in the middle of a switch.
SLOW_RELOAD = """
[Service]
ExecReload=
ExecReload=/bin/sleep 3
ExecReload=/bin/kill -HUP $MAINPID
"""


class Host:
    """``machine`` with everything on it."""

    def __init__(self, machine: Machine) -> None:
        self.m = machine

    def prepare_apps(self) -> None:
        """Two apps of one service, on two ports."""
        self.m.write("/srv/app.py", _APP)
        for color, port in PORTS.items():
            unit = _APP_UNIT.format(color=color, port=port)
            self.m.write(f"/etc/systemd/system/app-{color}.service", unit)
        self.m.sh("systemctl daemon-reload; systemctl enable -q --now app-blue app-green")

    def prepare_nginx(self) -> None:
        """nginx, two apps and the link, as the samples have them; before healthguard is there."""
        self.prepare_apps()
        m = self.m
        samples = REPOSITORY / "nginx"
        for name in ("threader_blue.conf", "threader_green.conf"):
            m.write(f"/etc/nginx/upstreams/{name}", (samples / name).read_text())
        for name in ("threader.conf", "healthguard-marker.conf"):
            m.write(f"/etc/nginx/conf.d/{name}", (samples / name).read_text())
        m.sh(
            "ln -s threader_blue.conf /etc/nginx/upstreams/threader_active.conf;"
            "systemctl enable -q --now nginx;"
            "nginx -tq && systemctl reload nginx"
        )

    def install(self, package: Path) -> None:
        """The package, a configuration that is in a hurry, and the guard running on blue."""
        self.put_package(package)
        self.m.write("/etc/healthguard/healthguard.yaml", CONFIG)
        done = self.m.run("systemctl", "enable", "-q", "--now", "healthguard")
        assert done.returncode == 0, self.m.sh("journalctl -u healthguard --no-pager | tail -30")

    def put_package(self, package: Path, name: str = "healthguard.deb") -> str:
        """Install it; what dpkg said."""
        self.m.write(f"/root/{name}", package.read_bytes())
        return self.m.sh(
            f"DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i /root/{name} 2>&1"
        )

    # ------------------------------------------------------------ the calm before each test

    def calm(self) -> None:
        """Apps well, guard running, blue active, nothing marked, paused, latched or open."""
        m = self.m
        m.write("/etc/healthguard/healthguard.yaml", CONFIG)
        m.sh(
            "rm -rf /run/app-*-broken /etc/systemd/system/nginx.service.d /etc/healthguard/DISABLE;"
            "systemctl daemon-reload; systemctl reset-failed;"
            "systemctl start app-blue app-green nginx healthguard-switcher.socket healthguard"
        )
        self.cli("reload", "--wait")
        self.cli("resume", "--all")
        self.cli("ack", POOL)
        self.cli("clear", "--all")
        eventually(lambda: self.health("blue") == self.health("green") == "up", within=20)
        eventually(lambda: self.cli("switch", POOL, "blue").returncode == 0, within=20)
        for color in PORTS:
            self.cli("good", POOL, color)
        eventually(lambda: self.cli("ready", POOL).returncode == 0, within=20)
        assert self.marker() == "blue"

    def break_app(self, color: str) -> None:
        """From now on it answers 503."""
        self.m.sh(f"touch /run/app-{color}-broken")

    def slow_reload(self) -> None:
        """Until the next calm nginx takes three seconds before it reloads."""
        self.m.write("/etc/systemd/system/nginx.service.d/slow.conf", SLOW_RELOAD)
        self.m.sh("systemctl daemon-reload")

    def prepare_green(self) -> None:
        """The colour file of green as it should be."""
        text = (REPOSITORY / "nginx/threader_green.conf").read_text()
        self.m.write("/etc/nginx/upstreams/threader_green.conf", text)

    # ------------------------------------------------------------ looking

    def read(self, path: str) -> str:
        """The text of a file."""
        return self.m.read(path)

    def cli(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """`healthguard` as root."""
        return self.m.run("healthguard", *words)

    def status(self) -> dict[str, Any]:
        """The pool as `status --json` shows it."""
        done = self.cli("status", POOL, "--json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        return dict(found["pools"][0] if "pools" in found else found)

    def health(self, color: str) -> str:
        """up, down or unknown."""
        return str(self.status()["upstreams"][color]["health"])

    def marker(self) -> str:
        """What nginx's workers use."""
        return self.fetch("http://127.0.0.1:9465/threader").strip()

    def fetch(self, url: str) -> str:
        """The body of an answer."""
        code = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=5).read().decode())"
        return self.m.out("python3", "-c", code)

    def link(self) -> str:
        """The text of the link."""
        return self.m.out("readlink", "/etc/nginx/upstreams/threader_active.conf").strip()

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit."""
        said = self.m.out("systemctl", "show", unit, *(f"-p{name}" for name in properties))
        return dict(line.split("=", 1) for line in said.splitlines())

    def main_pid(self, unit: str = "healthguard") -> int:
        """Of the running service; 0: none."""
        return int(self.show(unit, "MainPID")["MainPID"])

    def journal(self, since: str = "", **fields: str) -> list[dict[str, str]]:
        """Entries with these fields after a cursor, oldest first."""
        self.m.run("journalctl", "--sync")
        # Matches are made here: with them `--after-cursor` of systemd 252 leaves out one entry.
        after = [f"--after-cursor={since}"] if since else ["--lines=400"]
        said = self.m.out("journalctl", "-o", "json", "--no-pager", *after)
        found = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        return [each for each in found if fields.items() <= each.items()]

    def cursor(self) -> str:
        """A mark in the journal: what has been said until now."""
        return self.journal()[-1]["__CURSOR"]

    def events(self, name: str, since: str) -> list[dict[str, str]]:
        """Entries of one event after a cursor."""
        return self.journal(since, HEALTHGUARD_EVENT=name)
