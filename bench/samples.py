"""The samples of ``nginx/`` as they stand, on free ports and in a folder of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.programs import ROOT, Nginx
from tests.support.ports import free_port

_MAIN = """
worker_processes 2;
worker_rlimit_nofile 32768;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    include {root}/conf.d/*.conf;
}}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """An nginx that serves the pool ``threader``."""

    nginx: Nginx
    port: int
    marker: int
    folder: Path

    def pool(self, ports: Mapping[str, int]) -> dict[str, Any]:
        """The pool for healthguard, its probes on ``ports``."""
        upstreams = {
            colour: {
                "config": f"threader_{colour}.conf",
                "probes": [{"name": "health", "http": f"http://127.0.0.1:{port}/healthz"}],
            }
            for colour, port in ports.items()
        }
        return {
            "link": str(self.folder / "threader_active.conf"),
            "upstreams": upstreams,
            "confirm": {"url": f"http://127.0.0.1:{self.marker}/threader"},
        }


def install(root: Path, form: str, apps: Mapping[str, int], read_timeout: str = "30s") -> Site:
    """Write the samples; ``form``: plain, or backup (the colour files that name each other)."""
    colours, sites = root / "upstreams", root / "conf.d"
    for each in (root, colours, sites):
        each.mkdir(parents=True, exist_ok=True)
        each.chmod(0o755)
    port, marker = free_port(), free_port()
    changes = {
        "/etc/nginx/upstreams": str(colours),
        "listen 80;": f"listen 127.0.0.1:{port};",
        "127.0.0.1:9465": f"127.0.0.1:{marker}",
        "127.0.0.1:9009": f"127.0.0.1:{apps['blue']}",
        "127.0.0.1:9010": f"127.0.0.1:{apps['green']}",
        "proxy_read_timeout 30s": f"proxy_read_timeout {read_timeout}",
    }
    source = ROOT / "nginx"
    for name in ("threader_blue.conf", "threader_green.conf"):
        _copy(source / ("backup" if form == "backup" else ".") / name, colours / name, changes)
    for name in ("threader.conf", "healthguard-marker.conf"):
        _copy(source / name, sites / name, changes)
    (colours / "threader_active.conf").symlink_to("threader_blue.conf")
    return Site(Nginx(root, "nginx", _MAIN.format(root=root)), port, marker, colours)


def _copy(source: Path, target: Path, changes: Mapping[str, str]) -> None:
    text = source.read_text()
    for old, new in changes.items():
        text = text.replace(old, new)
    target.write_text(text)
    target.chmod(0o644)
