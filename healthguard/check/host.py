"""Programs, folders and sockets on this host: are they there, and who may write to them?"""

import grp
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from healthguard.check.findings import ERROR, OK, WARNING, CheckResult
from healthguard.config import Config, PoolConfig, UnresolvedVariable, resolve_env
from healthguard.nginx import build
from healthguard.probes.spec import ExecSpec, HttpSpec


def check_host(config: Config) -> Iterator[CheckResult]:
    """Findings about what the configuration names outside nginx's own files."""
    yield from _programs(config)
    yield from _guarded(config.path, "the configuration")
    yield from _folders(config)
    yield from _sockets(config)
    for pool in config.pools.values():
        yield from _probe_files(pool)


def _programs(config: Config) -> Iterator[CheckResult]:
    nginx = config.nginx
    problem = build.read_build(nginx.binary).problem
    if problem:
        yield CheckResult(ERROR, None, "nginx_binary", problem, "correct nginx.binary")
    if not os.access(nginx.config, os.R_OK):
        message = f"{nginx.config} does not exist, or this user cannot read it"
        yield CheckResult(
            ERROR, None, "nginx_config", message, "correct nginx.config, or run as root"
        )
    if nginx.reload == "systemctl" and not Path("/run/systemd/system").is_dir():
        message = "nginx.reload is systemctl, but systemd is not running on this host"
        yield CheckResult(ERROR, None, "reload", message, "set nginx.reload: auto")
    if isinstance(nginx.reload, tuple) and not os.access(nginx.reload[0], os.X_OK):
        message = f"nginx.reload cannot run {nginx.reload[0]}"
        yield CheckResult(ERROR, None, "reload", message, "use an absolute path to an executable")


def _guarded(path: Path, what: str) -> Iterator[CheckResult]:
    """Only root or this user may write there: anyone who can decides where traffic goes."""
    try:
        seen = path.stat()
    except OSError:
        return
    if seen.st_mode & 0o022 and not stat.S_ISSOCK(seen.st_mode):
        mode = f"{seen.st_mode & 0o7777:04o}"
        message = f"{what} {path} is writable by group or others (mode {mode})"
        yield CheckResult(ERROR, None, "rights", message, f"chmod go-w {path}")


def _mode(path: Path) -> int | None:
    """Type and rights of what is there; 0 if nothing is, None if this user may not look."""
    try:
        return path.stat().st_mode
    except PermissionError:
        return None
    except OSError:
        return 0


def _hidden(path: Path, what: str) -> CheckResult:
    message = f"{path} was not checked: this user may not read it"
    return CheckResult(WARNING, None, what, message, "run healthguard check as root")


def _folders(config: Config) -> Iterator[CheckResult]:
    daemon = config.daemon
    yield from _guarded(daemon.state_dir, "the state folder")
    for path, key in ((daemon.state_dir, "state_dir"), (daemon.event_log.parent, "event_log")):
        mode = _mode(path)
        if mode is None:
            yield _hidden(path, "folder")
        elif not stat.S_ISDIR(mode):
            message = f"the folder {path} (daemon.{key}) does not exist"
            remedy = f"create it for the daemon's user: install -d -o healthguard {path}"
            yield CheckResult(WARNING, None, "folder", message, remedy)


def _sockets(config: Config) -> Iterator[CheckResult]:
    control = config.daemon.control_socket
    mode = _mode(control)
    if mode is None:
        yield _hidden(control, "control_socket")
    elif mode == 0:
        message = f"the daemon is not running: no control socket {control}"
        yield CheckResult(OK, None, "control_socket", message)
    elif not stat.S_ISSOCK(mode):
        message = f"{control} is not a socket, so the daemon could not listen there"
        yield CheckResult(ERROR, None, "control_socket", message, f"remove {control}")
    for group in config.daemon.control_groups:
        if not _group_exists(group):
            message = f"the group {group} (daemon.control_groups) does not exist"
            yield CheckResult(
                WARNING, None, "control_groups", message, f"groupadd --system {group}"
            )
    if isinstance(config.switcher, Path):
        yield from _switcher(config.switcher)


def _switcher(path: Path) -> Iterator[CheckResult]:
    mode = _mode(path)
    if mode is None:
        yield _hidden(path, "switcher")
    elif not stat.S_ISSOCK(mode):
        message = f"no switch is possible: the switcher's socket {path} does not exist"
        yield CheckResult(
            ERROR, None, "switcher", message, "systemctl start healthguard-switcher.socket"
        )
    elif mode & 0o006:
        message = f"any user can open {path} and switch traffic"
        yield CheckResult(ERROR, None, "switcher", message, f"chmod o= {path}")


def _group_exists(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _secrets(pool: PoolConfig, place: str, spec: HttpSpec) -> Iterator[CheckResult]:
    for header, value in spec.headers:
        try:
            resolve_env(value)
        except UnresolvedVariable as error:
            message = (
                f"header {header} of {place}: {error} here, and the daemon will not start without "
                f"it"
            )
            remedy = "set it with EnvironmentFile= in the daemon's unit"
            yield CheckResult(WARNING, pool.policy.pool, "secret_missing", message, remedy)


def _probe_files(pool: PoolConfig) -> Iterator[CheckResult]:
    for upstream, specs in pool.probes.items():
        for probe, spec in specs.items():
            place = f"probe {probe} of {upstream}"
            if isinstance(spec, ExecSpec) and not os.access(spec.argv[0], os.X_OK):
                message = f"{place} cannot run {spec.argv[0]}: missing or not executable"
                yield CheckResult(
                    ERROR,
                    pool.policy.pool,
                    "probe_file",
                    message,
                    "correct exec, or chmod +x the program",
                )
            if isinstance(spec, HttpSpec):
                yield from _secrets(pool, place, spec)
            if isinstance(spec, HttpSpec) and spec.ca_file and not os.access(spec.ca_file, os.R_OK):
                message = f"{place} cannot read its ca_file {spec.ca_file}"
                yield CheckResult(ERROR, pool.policy.pool, "probe_file", message, "correct ca_file")
