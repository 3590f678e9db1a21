"""From a file or a text to a Config, or to all that is wrong with it."""

import codecs
import contextlib
import hashlib
import os
import stat
from pathlib import Path

from healthguard.config import build, document, notifiers, rules, table
from healthguard.config.kinds import BAD
from healthguard.config.problems import ConfigError, GiveUp, Problem, Report
from healthguard.config.settings import Config

LARGEST_FILE = 1 << 20


def load(path: Path) -> Config:
    """The configuration in ``path``. Raises ConfigError with every problem found."""
    data = _read(path)
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refusal(path, "is not UTF-8 text", line) from error
    return parse(text, str(path), hashlib.sha256(data).hexdigest())


def digest_of(path: Path) -> str:
    """The digest that the file at ``path`` would have as a configuration; "": it cannot be read."""
    try:
        return hashlib.sha256(_read(path)).hexdigest()
    except ConfigError:
        return ""


def parse(text: str, file: str, digest: str | None = None) -> Config:
    """The configuration in ``text``; ``file`` is what problems name. Raises ConfigError.

    Nothing outside ``text`` is looked at. ``digest``: of the bytes it came from.
    """
    report = Report(file)
    config = None
    with contextlib.suppress(GiveUp):
        config = _parse(text, report, Path(file), digest)
    if config is None:
        raise ConfigError(report.problems())
    return config


def _parse(text: str, report: Report, path: Path, digest: str | None) -> Config | None:
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > LARGEST_FILE:
        raise report.end("is larger than 1 MiB")
    root = table.ROOT.read(document.read(text, report), "", report)
    if root is BAD:
        return None
    pools = build.pools_of(root, report)
    told = notifiers.given(root)
    notifiers.check(told, pools, report)
    nginx, daemon = table.NGINX.fill({}), table.DAEMON.fill({})
    if root.get("nginx") is not BAD and root.get("daemon") is not BAD:
        nginx = table.NGINX.fill(root.get("nginx", {}))
        daemon = table.DAEMON.fill(root.get("daemon", {}))
        rules.check_paths(nginx, daemon, report)
    if report.problems():
        return None
    return Config(
        path=path,
        digest=digest or hashlib.sha256(data).hexdigest(),
        nginx=table.NGINX.make(nginx),
        switcher=nginx["switcher"],
        daemon=table.DAEMON.make(daemon),
        pools={pool.name: build.pool_config(pool) for pool in pools},
        notifiers=notifiers.build(told),
    )


def _read(path: Path) -> bytes:
    """The bytes of a regular file. Not blocking: a pipe at this path must not hang the daemon."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise _refusal(path, "is not a regular file")
            data = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _refusal(path, f"cannot be read: {reason}") from error
    if len(data) > LARGEST_FILE:
        raise _refusal(path, "is larger than 1 MiB")
    return data


def _refusal(path: Path, message: str, line: int = 0) -> ConfigError:
    return ConfigError((Problem(str(path), line, "", message),))
