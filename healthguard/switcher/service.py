"""`healthguard switcher`: the small root service that moves traffic for the unprivileged daemon.

Started by systemd on the first connection (socket activation), or by hand with a socket of its
own.  It imports no web framework and no event loop but asyncio's.
"""

import asyncio
import fcntl
import logging
import os
import pwd
import signal
import socket
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import sdnotify  # type: ignore[import-untyped]

from healthguard.config import ConfigError, load
from healthguard.core.codes import Code
from healthguard.machine.files import make_folder
from healthguard.machine.store import Store
from healthguard.machine.unixsock import Listening, SocketError, listen_on
from healthguard.nginx.ports import Switcher
from healthguard.nginx.settings import NginxSettings, PoolFiles
from healthguard.switcher.config import ConfigInvalid, ConfigSource, NoConfig, SwitcherConfig
from healthguard.switcher.results import Results
from healthguard.switcher.server import SwitcherServer

DAEMON_USER = "healthguard"
IDLE_S = 600.0  # then systemd's socket listens alone again
_FIRST_FD = 3  # SD_LISTEN_FDS_START

Build = Callable[[NginxSettings, Mapping[str, PoolFiles], Path], Switcher]


def run(
    config_path: Path,
    listen: Path | None,
    *,
    build: Build | None = None,
    idle_s: float = IDLE_S,
) -> int:
    """Serve until SIGTERM, or when socket activated until idle. The exit code.

    0: ended as it should; 1: the socket cannot be had; 2: no socket given or configured.
    ``build`` is the seam for tests.
    """
    log = _log()
    state_dir = state_folder(os.environ)
    source = ConfigSource(config_path, state_dir, read_config)
    try:
        inherited = inherited_socket(os.environ)
        own = None if inherited else _own_socket(listen or _configured(source))
    except (NoConfig, ValueError) as err:
        log.error("%s", err)
        return Code.USAGE
    except SocketError as err:
        log.error("%s", err)
        return Code.REFUSED
    try:
        with suppress(OSError):  # what needs it says so itself
            make_folder(state_dir, 0o700)
        results = Results(Store(state_dir, _fallback(os.environ)))
        make = build or inline
        server = SwitcherServer(
            source,
            lambda nginx, pools: make(nginx, pools, state_dir),
            results,
            allowed_uids(),
            log,
        )
        if inherited:
            asyncio.run(_serve(server, inherited, idle_s))
        elif own:
            asyncio.run(_serve(server, own.sock, None))
    finally:
        if own:
            own.remove()
    return Code.OK


def reconcile(config_path: Path) -> int:
    """Finish interrupted switches, serve no requests. The exit code of ``switcher_reconcile``."""
    from healthguard.switcher import reconcile as switcher_reconcile

    state_dir = state_folder(os.environ)
    source = ConfigSource(config_path, state_dir, read_config)
    return switcher_reconcile.run(source, state_dir, _log())


def inline(nginx: NginxSettings, pools: Mapping[str, PoolFiles], state_dir: Path) -> Switcher:
    """The thing that really switches."""
    from healthguard.nginx.switch import InlineSwitcher

    return InlineSwitcher(nginx, pools, state_dir)


def read_config(path: Path) -> SwitcherConfig:
    """The part of the configuration in ``path`` that switching needs; ConfigInvalid."""
    try:
        config = load(path)
    except ConfigError as err:
        raise ConfigInvalid(str(err)) from None
    return SwitcherConfig(
        nginx=config.nginx,
        pools={name: pool.files for name, pool in config.pools.items()},
        digest=config.digest,
        socket=config.switcher if isinstance(config.switcher, Path) else None,
    )


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where intents, results and the last valid configuration are kept."""
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(given or "/var/lib/healthguard-switcher")


def allowed_uids() -> frozenset[int]:
    """Root, this process's user, and the daemon's user where this host has one."""
    daemon = _daemon_uid()
    return frozenset({0, os.geteuid()} | ({daemon} if daemon is not None else set()))


def inherited_socket(environ: Mapping[str, str]) -> socket.socket | None:
    """The listening socket that systemd hands on; None: not socket activated. ValueError."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if environ.get("LISTEN_FDS") != "1":
        raise ValueError(f"systemd must pass exactly one socket, not {environ.get('LISTEN_FDS')}")
    try:
        given = socket.socket(fileno=_FIRST_FD)
        accepts = given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as err:
        raise ValueError(f"descriptor {_FIRST_FD} is not a socket: {err.strerror}") from None
    if given.family != socket.AF_UNIX or not accepts:
        raise ValueError("the socket from systemd must be a listening unix socket (Accept=no)")
    os.set_inheritable(_FIRST_FD, False)  # nginx -t and friends must not keep it
    given.setblocking(False)
    return given


# --------------------------------------------------------------- a socket of our own


def _configured(source: ConfigSource) -> Path:
    path = source.current().socket
    if path is None:
        raise ValueError(
            "nginx.switcher is inline, so there is no socket to listen on: use --listen PATH"
        )
    return path


def _own_socket(path: Path) -> Listening:
    """Mode 0600, the daemon's user its owner. SocketError."""
    uid = _daemon_uid() if os.geteuid() == 0 else None
    _take_lock(path)
    if uid is not None and (problem := _open_folder(path.parent)):
        raise SocketError(problem)
    own = listen_on(path, mode=0o600)
    if uid is not None:
        os.chown(path, uid, -1, follow_symlinks=False)
    return own


def _take_lock(path: Path) -> None:
    """Held until this process ends: two that start at once must not take each other's socket."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        make_folder(path.parent, 0o755)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(lock, flags, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SocketError(f"{path}: another switcher already uses this socket") from None
    except OSError as err:
        raise SocketError(f"{path}: cannot be locked: {err.strerror or err}") from None


def _open_folder(folder: Path) -> str:
    """Why a chown in there could hit something else; "" when only root can write there."""
    seen = folder.stat()
    if seen.st_uid == 0 and not stat.S_IMODE(seen.st_mode) & 0o022:
        return ""
    return f"{folder}: the folder of the switcher's socket must be writable by root only"


def _daemon_uid() -> int | None:
    with suppress(KeyError):
        return pwd.getpwnam(DAEMON_USER).pw_uid
    return None


def _fallback(environ: Mapping[str, str]) -> Path | None:
    # Never the daemon's own folder in /run: root does not write where others may.
    given = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    return Path("/run/healthguard-switcher") if os.geteuid() == 0 else None


# --------------------------------------------------------------- the process


async def _serve(server: SwitcherServer, sock: socket.socket, idle_s: float | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    notifier = sdnotify.SystemdNotifier()
    notifier.notify("READY=1")
    await server.serve(sock, stop, idle_s)
    notifier.notify("STOPPING=1")


def _log() -> logging.Logger:
    """One line each on stderr, with the priority that the journal understands."""
    log = logging.getLogger("healthguard.switcher")
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_LineFormatter())
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
    return log


class _LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """``<3>text`` under systemd, ``error: text`` elsewhere."""
        text = super().format(record)
        if "JOURNAL_STREAM" not in os.environ:
            return f"{record.levelname.lower()}: {text}"
        priority = {"ERROR": 3, "WARNING": 4}.get(record.levelname, 6)
        return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))
