"""A real nginx in a folder of its own: free loopback ports, two colours, one link, a marker.

Usable in and outside pytest. Nothing of the host's nginx is touched; stopping goes by pid.
"""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from healthguard.nginx.settings import NginxSettings, PoolFiles
from tests.support.ports import free_port

BINARY = Path("/usr/sbin/nginx")
MAIN = """\
{user}worker_processes {workers};
pid {root}/nginx.pid;
error_log {root}/logs/error.log notice;
{main_extra}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {root}/tmp/body;
    proxy_temp_path {root}/tmp/proxy;
    fastcgi_temp_path {root}/tmp/fastcgi;
    uwsgi_temp_path {root}/tmp/uwsgi;
    scgi_temp_path {root}/tmp/scgi;
    include upstreams/*_active.conf;
    include sites/*.conf;
    {http_extra}
}}
"""
COLOUR = """\
upstream {pool} {{ server 127.0.0.1:{app}; }}
map $host $hg_{pool} {{ default {colour}; }}
"""
SITE = """\
server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://{pool}; }}
}}
server {{
    listen 127.0.0.1:{marker};
    location = /{pool} {{ return 200 "$hg_{pool}\\n"; }}
}}
"""


class App:
    """An upstream that answers every request with its own name."""

    def __init__(self, name: str) -> None:
        body = name.encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class NginxSandbox:
    """One nginx under ``root``, with pools of two upstreams ``blue`` and ``green``.

    Without ``apps`` (pool -> colour -> port) each upstream is an ``App`` naming its colour.
    """

    def __init__(
        self,
        root: Path,
        *,
        workers: int = 2,
        pools: tuple[str, ...] = ("app",),
        apps: Mapping[str, Mapping[str, int]] | None = None,
        main_extra: str = "",
        http_extra: str = "",
    ) -> None:
        self.root = root
        self.config = root / "nginx.conf"
        self.pid_file = root / "nginx.pid"
        self.links_dir = root / "upstreams"
        self.workers = workers
        self.main_extra = main_extra
        self.http_extra = http_extra
        self.ports: dict[str, int] = {}
        self.marker_ports: dict[str, int] = {}
        self._apps: list[App] = []
        self.master: int | None = None
        for folder in ("upstreams", "sites", "logs", "tmp"):
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder).chmod(0o755)
        for pool in pools:
            self.add_pool(pool, (apps or {}).get(pool))
        self.write_main()

    # ------------------------------------------------------------- files

    def write_main(self) -> None:
        """(Re)write nginx.conf from the attributes."""
        text = MAIN.format(
            user="user root;\n" if os.geteuid() == 0 else "",
            workers=self.workers,
            root=self.root,
            main_extra=self.main_extra,
            http_extra=self.http_extra,
        )
        self.config.write_text(text)

    def add_pool(self, pool: str, apps: Mapping[str, int] | None = None) -> None:
        """Colour files, link on blue, site and marker for ``pool``."""
        for colour in ("blue", "green"):
            if apps is None:
                app = App(colour)
                self._apps.append(app)
                port = app.port
            else:
                port = apps[colour]
            text = COLOUR.format(pool=pool, app=port, colour=colour)
            self.file(colour, pool).write_text(text)
        self.link(pool).symlink_to(self.file("blue", pool).name)
        self.ports[pool], self.marker_ports[pool] = free_port(), free_port()
        site = SITE.format(pool=pool, port=self.ports[pool], marker=self.marker_ports[pool])
        (self.root / "sites" / f"{pool}.conf").write_text(site)

    def file(self, colour: str, pool: str = "app") -> Path:
        """The colour file."""
        return self.links_dir / f"{pool}_{colour}.conf"

    def link(self, pool: str = "app") -> Path:
        """The live link."""
        return self.links_dir / f"{pool}_active.conf"

    def linked(self, pool: str = "app") -> str:
        """The colour the link names."""
        return str(self.link(pool).readlink()).removeprefix(f"{pool}_").removesuffix(".conf")

    def point(self, colour: str, pool: str = "app") -> None:
        """Move the link as an admin does: ``ln -sfn`` by rename."""
        temporary = self.links_dir / f".{pool}.admin"
        temporary.symlink_to(self.file(colour, pool).name)
        temporary.rename(self.link(pool))

    def settings(self, **changes: object) -> NginxSettings:
        """Settings of this nginx for healthguard."""
        values: dict[str, object] = {"binary": BINARY, "config": self.config, "reload": "signal"}
        return NginxSettings(**{**values, **changes})  # type: ignore[arg-type]

    def pool_files(self, pool: str = "app", *, marked: bool = False) -> PoolFiles:
        """The pool for healthguard; ``marked``: with the marker's address."""
        url = f"http://127.0.0.1:{self.marker_ports[pool]}/{pool}" if marked else None
        upstreams = {colour: self.file(colour, pool) for colour in ("blue", "green")}
        return PoolFiles(pool, self.link(pool), upstreams, url)

    def url(self, pool: str = "app") -> str:
        """Where clients go."""
        return f"http://127.0.0.1:{self.ports[pool]}/"

    # ------------------------------------------------------------- process

    def start(self) -> None:
        """Start nginx and wait until its workers take connections."""
        self.nginx(check=True)
        _wait(lambda: self.read_pid() is not None, "nginx wrote no pid")
        self.master = self.read_pid()
        _wait(lambda: len(self.worker_pids()) >= 1, "nginx started no workers")

    def nginx(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Run the binary with this configuration."""
        argv = [str(BINARY), "-c", str(self.config), *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=check, timeout=30)

    def reload(self) -> None:
        """SIGHUP to the master, as somebody else's tool would."""
        assert self.master is not None
        os.kill(self.master, signal.SIGHUP)

    def read_pid(self) -> int | None:
        """The pid in the pid file."""
        with contextlib.suppress(OSError, ValueError):
            return int(self.pid_file.read_text())
        return None

    def worker_pids(self, *, exiting: bool = False) -> list[int]:
        """Workers that take connections; or those that are shutting down."""
        wanted = "nginx: worker process is shutting down" if exiting else "nginx: worker process"
        return [pid for pid in _children(self.master) if _title(pid) == wanted]

    def error_log(self) -> str:
        """What nginx logged."""
        return (self.root / "logs" / "error.log").read_text()

    def stop(self) -> None:
        """End nginx (only processes of this sandbox) and the apps."""
        for pid in self._mine():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for app in self._apps:
            app.close()
        self._apps.clear()

    def _mine(self) -> list[int]:
        """Masters started with our configuration, their workers, and orphans of ours."""
        pids = []
        for entry in os.listdir("/proc"):  # noqa: PTH208
            if not entry.isdigit():
                continue
            title = _title(int(entry))
            if title.startswith("nginx: master process") and str(self.config) in title:
                pids += [int(entry), *_children(int(entry))]
            elif title.startswith("nginx: worker process") and self._logs_here(int(entry)):
                pids.append(int(entry))
        return pids

    def _logs_here(self, pid: int) -> bool:
        """True if the process holds our error log open."""
        with contextlib.suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if descriptor.readlink().is_relative_to(self.root):
                        return True
        return False

    # ------------------------------------------------------------- clients

    def get(self, pool: str = "app", timeout: float = 2.0) -> str:
        """One request on a fresh connection; the body, or the kind of failure in brackets."""
        return fetch(self.ports[pool], timeout=timeout)

    def marker(self, pool: str = "app") -> str:
        """What the marker says."""
        return fetch(self.marker_ports[pool], f"/{pool}").strip()

    def __enter__(self) -> "NginxSandbox":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def fetch(port: int, path: str = "/", timeout: float = 2.0) -> str:
    """The body of one GET on a fresh connection; ``(refused)``, ``(status 502)`` and the like."""
    data = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
            while piece := connection.recv(65536):
                data += piece
    except OSError as error:
        return f"({type(error).__name__})"
    head, _, body = data.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1].decode() if b" " in head else "none"
    return body.decode() if status == "200" else f"(status {status})"


def _title(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().strip(b"\0 ").decode(errors="replace")
    return ""


def _children(pid: int | None) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(w) for w in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _wait(true: Callable[[], bool], otherwise: str, within: float = 10.0) -> None:
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(otherwise)
        time.sleep(0.005)


@contextlib.contextmanager
def occupied(port: int) -> Iterator[None]:
    """Somebody else listens on ``port``."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen(1)
        yield
