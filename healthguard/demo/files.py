"""The files of the sandbox: what an operator would have written by hand on a real host."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

POOL = "demo"

NGINX = """\
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log notice;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/temp/body;
    proxy_temp_path {folder}/temp/proxy;
    fastcgi_temp_path {folder}/temp/fastcgi;
    uwsgi_temp_path {folder}/temp/uwsgi;
    scgi_temp_path {folder}/temp/scgi;

    include upstreams/demo_active.conf;

    server {{
        listen 127.0.0.1:{site};
        location / {{
            proxy_pass http://demo;
            proxy_connect_timeout 1s;
            proxy_read_timeout 2s;
        }}
    }}
    # Says which colour file nginx's workers really use.
    server {{
        listen 127.0.0.1:{marker};
        location = /demo {{ default_type text/plain; return 200 $demo_color; }}
    }}
}}
"""

COLOR = """\
upstream demo {{ server 127.0.0.1:{port}; }}
map $host $demo_color {{ default {color}; }}
"""

# Faster than on a real host, so that the whole story fits into twenty seconds.
CONFIG = """\
nginx:
  binary: {binary}
  config: {folder}/nginx.conf
  reload: signal
  switcher: inline
daemon:
  state_dir: {folder}/state
  event_log: {folder}/events.jsonl
  control_socket: {folder}/control.sock
  control_groups: []
  http: 127.0.0.1:{http}
pools:
  demo:
    link: {folder}/upstreams/demo_active.conf
    upstreams:
      blue:
        config: demo_blue.conf
        probes:
          - {{name: health, http: "http://127.0.0.1:{blue}/healthz", expect: {{header: {{X-Color: blue}}}}}}
      green:
        config: demo_green.conf
        probes:
          - {{name: health, http: "http://127.0.0.1:{green}/healthz", expect: {{header: {{X-Color: green}}}}}}
    health: {{interval: 500ms, fast_interval: 200ms, down_interval: 1s, timeout: 400ms, fall: 3, rise: 2}}
    rollback: {{min_down: 500ms}}
    bake: {{for: 2m, fall: 2, min_down: 500ms}}
    confirm: {{url: "http://127.0.0.1:{marker}/demo"}}
"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Ports:
    """Free loopback ports: the site, the marker, healthguard's own page."""

    site: int
    marker: int
    http: int


def write(folder: Path, binary: str, ports: Ports, apps: Mapping[str, int]) -> None:
    """Fills ``folder``; ``apps`` are the ports of blue and green. The link names blue."""
    names = {"folder": folder, "binary": binary, **apps}
    names |= {"site": ports.site, "marker": ports.marker, "http": ports.http}
    for part in ("temp", "state", "run", "upstreams"):
        (folder / part).mkdir()
    (folder / "nginx.conf").write_text(NGINX.format_map(names))
    (folder / "healthguard.yaml").write_text(CONFIG.format_map(names))
    for color, port in apps.items():
        text = COLOR.format(port=port, color=color)
        (folder / "upstreams" / f"demo_{color}.conf").write_text(text)
    (folder / "upstreams" / "demo_active.conf").symlink_to("demo_blue.conf")
