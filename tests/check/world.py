"""A real nginx made of the shipped samples, with only paths and ports rewritten."""

import http.client
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from healthguard.config import Config, load
from healthguard.core.model import Done, Instant, PrepareFact
from healthguard.nginx.ports import Commit, Recovered
from tests.support.eventually import eventually
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
NGINX = "/usr/sbin/nginx"


def get(port: int, path: str = "/") -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


class World:
    """`folder`/nginx is /etc/nginx, and beside it lies the configuration of healthguard."""

    def __init__(self, folder: Path, blue: int, green: int, backup: bool = False) -> None:
        self.etc = folder / "nginx"
        self.upstreams = self.etc / "upstreams"
        self.link = self.upstreams / "threader_active.conf"
        self.site, self.marker = free_port(), free_port()
        self._rewrites = {
            "/etc/nginx": str(self.etc),
            "listen 80;": f"listen 127.0.0.1:{self.site};",
            "127.0.0.1:9465": f"127.0.0.1:{self.marker}",
            "127.0.0.1:9009": f"127.0.0.1:{blue}",
            "127.0.0.1:9010": f"127.0.0.1:{green}",
            "/var/lib/healthguard": str(folder / "state"),
            "/var/log/healthguard": str(folder / "log"),
            "/run/healthguard": str(folder / "run"),
            "control_groups: [healthguard]": "control_groups: [root]",
        }
        self.config = folder / "healthguard.yaml"
        self._put(ROOT / "etc/healthguard/healthguard.yaml", self.config)
        for name in ("state", "log", "run"):
            (folder / name).mkdir()
        colours = ROOT / "nginx" / ("backup" if backup else "")
        for colour in ("blue", "green"):
            self._put(colours / f"threader_{colour}.conf", self.colour(colour))
        for name in ("threader.conf", "healthguard-marker.conf"):
            self._put(ROOT / "nginx" / name, self.etc / "conf.d" / name)
        self.link.symlink_to("threader_blue.conf")
        self.main = self.etc / "nginx.conf"
        self.main.write_text(
            f"user root;\nworker_processes 1;\npid {folder}/nginx.pid;\n"
            f"error_log {folder}/error.log notice;\nevents {{}}\nhttp {{\n"
            f"  access_log off;\n  client_body_temp_path {folder}/body;\n"
            f"  proxy_temp_path {folder}/proxy;\n  fastcgi_temp_path {folder}/fastcgi;\n"
            f"  uwsgi_temp_path {folder}/uwsgi;\n  scgi_temp_path {folder}/scgi;\n"
            f"  include {self.etc}/conf.d/*.conf;\n}}\n"
        )
        self._folder = folder

    def _put(self, source: Path, target: Path) -> None:
        text = source.read_text()
        for old, new in self._rewrites.items():
            text = text.replace(old, new)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def colour(self, name: str) -> Path:
        return self.upstreams / f"threader_{name}.conf"

    def load(self) -> Config:
        return load(self.config)

    def test(self) -> subprocess.CompletedProcess[str]:
        command = [NGINX, "-t", "-q", "-c", str(self.main)]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    @contextmanager
    def running(self) -> Iterator[None]:
        command = [NGINX, "-c", str(self.main), "-g", "daemon off;"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                eventually(lambda: self._answers(process), within=20)
                yield
            finally:
                process.terminate()
                process.wait(timeout=20)

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            raise RuntimeError((self._folder / "error.log").read_text())
        try:
            return bool(get(self.marker, "/threader"))
        except OSError:
            return False

    def switch_by_hand(self, colour: str) -> None:
        fresh = self.link.with_name(".fresh")
        fresh.symlink_to(self.colour(colour).name)
        fresh.rename(self.link)
        subprocess.run([NGINX, "-s", "reload", "-c", str(self.main)], timeout=20, check=True)


class Prepares:
    """A Switcher that only prepares, with the answer it was given for an upstream."""

    def __init__(self, **refusals: str) -> None:
        self.asked: list[tuple[str, str]] = []
        self._refusals = refusals

    async def prepare(self, pool: str, upstream: str) -> PrepareFact:
        self.asked.append((pool, upstream))
        gate = self._refusals.get(upstream, "")
        ticket = None if gate else f"ticket-{upstream}"
        why = "unknown directive" if gate else ""
        return PrepareFact(Instant(0, 0), ticket, gate, why, took_ms=9)

    async def commit(self, order: Commit) -> Done:
        raise AssertionError("check must not switch")

    async def reconcile(self) -> tuple[Recovered, ...]:
        raise AssertionError("check must not reconcile")
