"""A whole host in small: real nginx, two apps per pool, the real daemon and its command line."""

import copy
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from healthguard.control.client import ApiReply, Client
from tests.support.apps import App
from tests.support.daemon import DaemonProcess
from tests.support.eventually import eventually
from tests.support.nginx import NginxSandbox, fetch
from tests.support.ports import free_port

FAST: Mapping[str, Any] = {
    "health": {
        "interval": "200ms",
        "fast_interval": "100ms",
        "down_interval": "200ms",
        "timeout": "500ms",
        "fall": 2,
        "rise": 2,
    },
    "rollback": {"min_down": "300ms", "cooldown": "2s", "start_grace": "1s"},
    "bake": {"for": "1m", "fall": 2, "min_down": "300ms"},
}


# `nginx.reload`: waits while the file `hold` is there, so that a test can look into a switch.
# It ends with the process that started it, so that nothing is left running by a killed daemon.
SLOW_RELOAD = """\
#!/bin/sh
hangup() {{ kill -HUP $(cat {root}/nginx/nginx.pid); }}
[ -e {root}/early ] && hangup
touch {root}/reloading
while [ -e {root}/hold ]; do
    kill -0 $PPID || exit 1
    sleep 0.02
done
kill -0 $PPID || exit 1
rm -f {root}/reloading
[ -e {root}/early ] || hangup
"""


class World:
    """``with World(tmp_path) as world:`` everything runs, blue is active and up.

    ``pool`` changes keys of every pool (deep), ``marker`` False leaves the marker out,
    ``slow_reload`` makes reloads wait while `hold` is in force.
    """

    def __init__(
        self,
        root: Path,
        *,
        pools: tuple[str, ...] = ("app",),
        workers: int = 2,
        marker: bool = True,
        pool: Mapping[str, Any] | None = None,
        daemon: Mapping[str, Any] | None = None,
        nginx: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        slow_reload: bool = False,
    ) -> None:
        self.root = root
        self.pools = pools
        self.apps = _apps(pools)
        ports = {name: {c: app.port for c, app in apps.items()} for name, apps in self.apps.items()}
        (root / "nginx").mkdir(parents=True, exist_ok=True)
        self.nginx = NginxSandbox(root / "nginx", workers=workers, pools=pools, apps=ports)
        self.http = free_port()
        given = dict(nginx or {})
        if slow_reload:
            given["reload"] = [str(self._slow_reload())]
        self.config = self._config(marker, pool or {}, daemon or {}, given)
        # A runtime folder of its own: nothing of this world is written to the host's /run.
        (root / "run").mkdir(mode=0o700, exist_ok=True)
        environment = {"RUNTIME_DIRECTORY": str(root / "run"), **(env or {})}
        self.daemon = DaemonProcess(root, self.config, env=environment, prefix=prefix)

    def _slow_reload(self) -> Path:
        script = self.root / "reload.sh"
        script.write_text(SLOW_RELOAD.format(root=self.root))
        script.chmod(0o755)
        return script

    def _config(
        self,
        marker: bool,
        pool: Mapping[str, Any],
        daemon: Mapping[str, Any],
        nginx: Mapping[str, Any],
    ) -> dict[str, Any]:
        return {
            "nginx": {
                "binary": "/usr/sbin/nginx",
                "config": str(self.nginx.config),
                "reload": "signal",
                **nginx,
            },
            "daemon": {"http": f"127.0.0.1:{self.http}", **daemon},
            "pools": {name: merged(self._pool(name, marker), pool) for name in self.pools},
        }

    def _pool(self, name: str, marker: bool) -> dict[str, Any]:
        probes = {c: [{"name": "health", "http": app.url()}] for c, app in self.apps[name].items()}
        upstreams = {
            c: {"config": self.nginx.file(c, name).name, "probes": probes[c]} for c in probes
        }
        whole: dict[str, Any] = {
            "link": str(self.nginx.link(name)),
            "upstreams": upstreams,
            **copy.deepcopy(dict(FAST)),
        }
        if marker:
            url = f"http://127.0.0.1:{self.nginx.marker_ports[name]}/{name}"
            whole["confirm"] = {"url": url}
        return whole

    def app(self, color: str, pool: str = "app") -> App:
        """The app behind one upstream."""
        return self.apps[pool][color]

    # ------------------------------------------------------------- looking

    def api(self, *parts: str) -> dict[str, Any]:
        """``GET /v1/PARTS`` of the control API; AssertionError when it is not answered."""
        reply = Client(self.daemon.socket).get(*parts)
        assert isinstance(reply, ApiReply), reply
        assert reply.status == 200, reply.body
        return dict(reply.body)

    def pool(self, name: str = "app") -> dict[str, Any]:
        """One pool as the control API shows it."""
        return self.api("pools", name)

    def gate(self, name: str, pool: str = "app") -> dict[str, Any]:
        """One gate as it stands."""
        return next(gate for gate in self.pool(pool)["gates"] if gate["gate"] == name)

    def health(self, color: str, pool: str = "app") -> str:
        """``up``, ``down`` or ``unknown``."""
        health: str = self.pool(pool)["upstreams"][color]["health"]
        return health

    def served_by(self, pool: str = "app") -> str:
        """The colour that a client is served by now, or what it got instead."""
        body = self.nginx.get(pool)
        return body.split()[1] if body.startswith("ok ") else body

    def metrics(self) -> str:
        """What Prometheus would scrape."""
        return fetch(self.http, "/metrics")

    def metric(self, sample: str) -> float | None:
        """The value of one sample, written as in the exposition; None if it is not there."""
        for line in self.metrics().splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        return None

    # ------------------------------------------------------------- waiting

    def wait_metric(self, sample: str, value: float) -> None:
        """Until a scrape says so; an exposition may be a second old."""

        def true() -> bool:
            seen = self.metric(sample)
            assert seen == value, seen
            return True

        eventually(true, what=f"{sample} is {value:g}", step=0.1)

    def wait_pool(self, pool: str = "app", *, within: float = 10.0, **fields: object) -> None:
        """Until these fields of the pool have these values."""

        def true() -> bool:
            view = self.pool(pool)
            seen = {name: view[name] for name in fields}
            assert seen == fields, f"{seen}, hold evidence: {view['hold_evidence']}"
            return True

        eventually(true, within=within, what=f"{pool}: {fields}", step=0.05)

    def wait_health(self, pool: str = "app", *, within: float = 10.0, **healths: str) -> None:
        """Until these upstreams have this health: ``wait_health(blue="up")``."""

        def true() -> bool:
            seen = {color: self.health(color, pool) for color in healths}
            assert seen == healths, seen
            return True

        eventually(true, within=within, what=f"{pool}: {healths}", step=0.05)

    def wait_served(self, color: str, pool: str = "app", *, within: float = 10.0) -> None:
        """Until link and clients agree on this colour."""

        def true() -> bool:
            seen = (self.nginx.linked(pool), self.served_by(pool))
            assert seen == (color, color), f"link {seen[0]}, served {seen[1]}"
            return True

        eventually(true, within=within, what=f"{pool} is served by {color}", step=0.05)

    def wait_hold(self, gate: str, pool: str = "app", *, within: float = 10.0) -> dict[str, Any]:
        """Until the pool is held by this gate; the event that said so."""
        self.wait_pool(pool, within=within, phase="holding", hold=gate)
        return self.daemon.wait_event("hold_entered", pool=pool, gate=gate)

    # ------------------------------------------------------------- doing

    def cli(self, *arguments: str, code: int = 0) -> str:
        """Runs ``healthguard ARGUMENTS``; what it said, once its exit code was ``code``."""
        done = self.daemon.cli(*arguments)
        said = done.stdout + done.stderr
        assert done.returncode == code, f"{arguments} ended with {done.returncode}: {said}"
        return said

    def settled(self) -> Self:
        """Returns when every upstream is up and every pool has a phase of its own."""
        for pool in self.pools:
            self.wait_health(pool, blue="up", green="up")
            eventually(lambda pool=pool: self.pool(pool)["phase"] != "starting")  # type: ignore[misc]
        return self

    def release(self, color: str = "green", pool: str = "app") -> None:
        """A person makes ``color`` active, as after a deploy: its bake has begun."""
        self.cli("switch", pool, color, "--reason", "release")
        self.wait_served(color, pool)
        self.wait_pool(pool, active=color, phase="baking")

    def reconfigure(self, change: Mapping[str, Any]) -> None:
        """Writes the configuration with these keys changed (deep); a reload makes it true."""
        self.config = merged(self.config, change)
        self.daemon.configure(self.config)

    def hold_reload(self, *, early: bool = False) -> None:
        """From now on a reload of nginx does not end (needs ``slow_reload``).

        ``early``: nginx is told at once, only the command does not come back.
        """
        if early:
            (self.root / "early").touch()
        (self.root / "hold").touch()

    def wait_reloading(self) -> None:
        """Until the link has moved and the reload is held."""
        eventually((self.root / "reloading").exists, what="a switch is in the middle of its reload")

    def let_reload(self) -> None:
        """Reloads go on."""
        for name in ("hold", "early", "reloading"):
            (self.root / name).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        try:
            self.nginx.start()
            self.daemon.start()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.let_reload()
        try:
            self.daemon.__exit__(kind, error, trace)
        finally:
            self.nginx.stop()
            for apps in self.apps.values():
                for app in apps.values():
                    app.stop()


def _apps(pools: tuple[str, ...]) -> dict[str, dict[str, App]]:
    """Two apps per pool, all starting at once."""
    apps = {name: {color: App(color) for color in ("blue", "green")} for name in pools}
    with ThreadPoolExecutor(max_workers=4) as threads:
        list(threads.map(App.start, [app for two in apps.values() for app in two.values()]))
    return apps


def never(predicate: Callable[[], object], *, during: float) -> None:
    """AssertionError as soon as ``predicate()`` is true; a look at what must not come."""
    deadline = time.monotonic() + during
    while time.monotonic() < deadline:
        seen = predicate()
        assert not seen, f"this must not be: {seen!r}"
        time.sleep(0.05)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the keys of ``over``, deeply."""
    whole = dict(base)
    for key, value in over.items():
        old = whole.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        whole[key] = merged(old, value) if both else value  # type: ignore[arg-type]
    return whole
