"""`healthguard init`: shows what it would write; with ``--write`` writes it and tests it."""

import difflib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from healthguard.config import ConfigError, parse
from healthguard.core.codes import Code
from healthguard.init.document import document, is_sample
from healthguard.init.health import health_path
from healthguard.init.plan import Plan, plan
from healthguard.init.scan import scan
from healthguard.init.write import test_nginx, write_all
from healthguard.nginx import conf

SOCKET = Path("/run/healthguard-switcher.sock")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line said. ``given``: addresses by colour."""

    config: Path
    nginx: Path = Path("/etc/nginx/nginx.conf")
    binary: Path = Path("/usr/sbin/nginx")
    pools: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    write: bool = False


def run(wishes: Wishes) -> int:
    """The exit code. 0: shown, or written; 1: refused, nothing was changed; 2: nothing to do."""
    try:
        found = scan(wishes.nginx)
    except OSError as error:
        return _say(Code.USAGE, f"{wishes.nginx} cannot be read: {error.strerror}")
    read = {each.file: conf.read_text(each.file) or "" for each in found.blocks}
    made = plan(found, wanted=wishes.pools, given=wishes.given, read=read)
    for line in made.skipped:
        print(f"left out: {line}", file=sys.stderr)
    if not made.pools:
        return _say(
            Code.USAGE,
            f"found no upstream in {wishes.nginx} with two servers to use as blue and green",
        )
    problem = _own_work(wishes.config)
    if problem:
        return _say(Code.REFUSED, problem)
    text = _configuration(wishes, made)
    try:
        parse(text, str(wishes.config))
    except ConfigError as error:
        return _say(Code.REFUSED, f"the generated configuration is not valid:\n{error}")
    made.files[wishes.config] = text
    print("\n".join(_diff(made)))
    for note in made.notes:
        print(f"note: {note}", file=sys.stderr)
    if not wishes.write:
        print("\nNothing was changed. To write this, add --write.", file=sys.stderr)
        return Code.OK
    return _write(wishes, made)


def _configuration(wishes: Wishes, made: Plan) -> str:
    paths = {pool.name: health_path(pool.addresses.values()) for pool in made.pools}
    under_systemd = Path("/run/systemd/system").is_dir()
    return document(wishes.nginx, made.pools, paths, SOCKET if under_systemd else None)


def _own_work(config: Path) -> str:
    """Why the configuration that is there must not be replaced; "" when it may."""
    try:
        text = config.read_text()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        return f"{config} cannot be read: {error}"
    if is_sample(text):
        return ""
    return f"{config} already exists and is not the sample: use another --config to see a draft"


def _write(wishes: Wishes, made: Plan) -> int:
    before = test_nginx(wishes.binary, wishes.nginx)
    if before:
        return _say(
            Code.REFUSED,
            f"nginx -t fails on the current configuration; nothing was changed:\n{before}",
        )
    problem = write_all(made.files, made.links, lambda: test_nginx(wishes.binary, wishes.nginx))
    if problem:
        return _say(Code.REFUSED, f"failed, and everything was restored:\n{problem}")
    names = " ".join(pool.name for pool in made.pools)
    print(
        f"\nDone; `nginx -t` passed: {names}. nginx has not been reloaded yet. Next:\n"
        "  systemctl reload nginx\n"
        "  healthguard check\n"
        "  systemctl enable --now healthguard\n"
        + "".join(
            f"  healthguard good {pool.name} {next(iter(pool.files))}\n" for pool in made.pools
        ),
        file=sys.stderr,
        end="",
    )
    return Code.OK


def _diff(made: Plan) -> Iterator[str]:
    for path, text in made.files.items():
        old = (conf.read_text(path) or "") if path.exists() else ""
        name = str(path) if path.exists() else os.devnull
        yield from (
            line.rstrip("\n")
            for line in difflib.unified_diff(
                old.splitlines(), text.splitlines(), name, str(path), lineterm=""
            )
        )
    for path, target in made.links.items():
        if not path.is_symlink():
            yield f"+++ {path} -> {target}"


def _say(code: int, text: str) -> int:
    print(f"healthguard: {text}", file=sys.stderr)
    return code
