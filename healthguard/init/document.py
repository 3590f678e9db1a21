"""The first configuration, as text with the comments that a first reader needs."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from healthguard.init.health import PATHS, url
from healthguard.init.plan import PlannedPool

SAMPLE = Path("/usr/share/healthguard/healthguard.yaml")  # as it was installed


def document(
    nginx: Path, pools: Iterable[PlannedPool], paths: Mapping[str, str | None], socket: Path | None
) -> str:
    """``paths``: the health path of each pool, None where none was found. ``socket``: of the
    switcher service, None: inline."""
    lines = [
        "# Written by `healthguard init` from the nginx of this host. After a change:",
        "# healthguard check, then systemctl reload healthguard. Every key: healthguard.yaml(5).",
        "nginx:",
        f"  config: {_scalar(str(nginx))}",
        f"  switcher: {socket or 'inline'}",
        "pools:",
    ]
    for pool in pools:
        lines += _pool(pool, paths.get(pool.name))
    return "\n".join(lines) + "\n"


def _pool(pool: PlannedPool, path: str | None) -> list[str]:
    lines = [
        f"  {_scalar(pool.name)}:",
        f"    link: {_scalar(str(pool.link))}",
        "    # observe only reports what it would have done. Watch it for a week, then set auto.",
        "    mode: observe",
        "    upstreams:",
    ]
    for colour, file in pool.files.items():
        lines += [f"      {_scalar(colour)}:", f"        config: {_scalar(file)}"]
        lines += ["        probes:", *_probe(pool.addresses.get(colour, ""), path)]
    if pool.marker:
        lines.append(f"    confirm: {{url: {_scalar(pool.marker)}}}")
    return lines


def _probe(address: str, path: str | None) -> list[str]:
    probe = f"          - http: {_scalar(url(address or '127.0.0.1:1', path or '/healthz'))}"
    if path is None:
        tried = ", ".join(PATHS)
        return [f"          # No path answered 2xx ({tried}): write the right one.", probe]
    if path == "/":
        return ["          # Better: a path that fails when the app cannot do its work.", probe]
    return [probe]


def is_sample(text: str, sample: Path = SAMPLE) -> bool:
    """True for the sample from the installation, which no one has edited."""
    try:
        return text == sample.read_text()
    except (OSError, ValueError):
        return False


def _scalar(text: str) -> str:
    plain = text.replace("/", "").replace("_", "").replace("-", "").replace(".", "")
    looks_plain = plain.isascii() and plain.isalnum() and not plain.isdigit()
    words = ("true", "false", "null", "yes", "no", "on", "off")
    return text if looks_plain and text not in words else json.dumps(text)
