"""Which path of an app answers like a health address: found by trying."""

import http.client
from collections.abc import Iterable
from pathlib import Path

from healthguard.control.client import UnixConnection

PATHS = ("/healthz", "/health", "/health/ready", "/healthcheck", "/status", "/ping", "/")
_TIMEOUT_S = 1.0


def health_path(addresses: Iterable[str]) -> str | None:
    """The first path that every address that answers at all answers with 2xx; None: none does."""
    there = [each for each in addresses if each and status(each, "/") is not None]
    for path in PATHS if there else ():
        if all(200 <= (status(each, path) or 0) <= 299 for each in there):
            return path
    return None


def status(address: str, path: str) -> int | None:
    """The status of one GET at an nginx ``server`` address; None when nothing answers HTTP."""
    connection = _connection(address)
    try:
        connection.request("GET", path, headers={"User-Agent": "healthguard init"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def url(address: str, path: str) -> str:
    """The URL of a probe for an nginx ``server`` address."""
    if address.startswith("unix:"):
        return f"http://{address}:{path}"
    return f"http://{_with_port(address)}{path}"


def _with_port(address: str) -> str:
    bare = address.rsplit("]", 1)[-1]
    return address if ":" in bare else f"{address}:80"


def _connection(address: str) -> http.client.HTTPConnection:
    if address.startswith("unix:"):
        return UnixConnection(Path(address.removeprefix("unix:")), _TIMEOUT_S)
    host, _, port = _with_port(address).rpartition(":")
    number = int(port) if port.isdigit() else 80
    return http.client.HTTPConnection(host.strip("[]"), number, timeout=_TIMEOUT_S)
