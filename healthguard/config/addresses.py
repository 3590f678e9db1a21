"""Kinds that say where something is: URLs, host and port, paths of this host."""

import ipaddress
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from healthguard.config.document import Scalar
from healthguard.config.kinds import ScalarKind, Schema
from healthguard.config.problems import ValueRefused

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_HOST_PORT = re.compile(r"(\[([^\[\]]*)\]|[^\[\]:]*):([0-9]{1,5})")
LONGEST_SOCKET_PATH = 107  # what the kernel takes


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect: host (no brackets) and port, or ``unix``, a socket's path."""

    host: str
    port: int
    unix: str | None = None


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https URL, taken apart. ``target`` is path and query as sent."""

    url: str
    address: Address
    target: str
    tls: bool


def host_of(text: str) -> str:
    """``text`` as a host name or IP address. Raises ValueRefused."""
    if ":" in text:
        return _ip(text, "IPv6 address")
    if re.fullmatch(r"[0-9.]+", text):
        return _ip(text, "IPv4 address")
    if len(text) > 253:
        raise ValueRefused("has a host name longer than 253 characters")
    if not _HOST_NAME.fullmatch(text):
        raise ValueRefused(f"has an invalid host name ({text[:64] or 'empty'})")
    return text.lower()


def _ip(text: str, what: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise ValueRefused(f"has an invalid {what} ({text[:64]})") from error


def _port(text: str, least: int) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not least <= int(text) <= 65535:
        raise ValueRefused(f"must have a port from {least} to 65535")
    return int(text)


def _plain(path: str) -> bool:
    return path.startswith("/") and path.isprintable() and posixpath.normpath(path) == path


class AbsolutePath(ScalarKind):
    """A path from the root: no ``..``, no ``//``, no ``/`` at the end."""

    words = "an absolute path"

    def convert(self, raw: Scalar) -> Path:
        """See ScalarKind."""
        if not isinstance(raw, str) or not raw.startswith("/") or not raw.isprintable():
            raise ValueRefused("must be an absolute path")
        if len(raw) > 4096 or not _plain(raw) or raw == "/" or raw.startswith("//"):
            raise ValueRefused("must be an absolute path without .., // or a trailing /")
        return Path(raw)

    def write(self, value: object) -> str:
        """See Kind."""
        return str(value)

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "string", "pattern": "^/[^/]"}


class SocketPath(AbsolutePath):
    """The path of a unix socket."""

    words = "the absolute path of a unix socket"

    def convert(self, raw: Scalar) -> Path:
        """See ScalarKind."""
        path = super().convert(raw)
        if len(str(path).encode()) > LONGEST_SOCKET_PATH:
            raise ValueRefused(
                f"must be at most {LONGEST_SOCKET_PATH} bytes long, the limit for unix sockets"
            )
        return path


class InlineOrSocket(SocketPath):
    """Where switches are carried out; its value is "inline" or a path."""

    words = "inline or the absolute path of a unix socket"

    def convert(self, raw: Scalar) -> Path | str:  # type: ignore[override]
        """See ScalarKind."""
        if raw == "inline":
            return raw
        if not isinstance(raw, str) or not raw.startswith("/"):
            raise ValueRefused(f"must be {self.words}")
        return super().convert(raw)

    def schema(self) -> Schema:
        """See Kind."""
        return {"anyOf": [{"const": "inline"}, super().schema()]}


class HostPort(ScalarKind):
    """host:port, [ipv6]:port or unix:/path. Its value is an Address."""

    words = "host:port or unix:/path"

    def convert(self, raw: Scalar) -> Address:
        """See ScalarKind."""
        if isinstance(raw, str) and raw.startswith("unix:"):
            return Address("localhost", 0, str(SocketPath().convert(raw[5:])))
        return Address(*self._host_port(raw, least_port=1))

    def _host_port(self, raw: Scalar, least_port: int) -> tuple[str, int]:
        found = _HOST_PORT.fullmatch(raw) if isinstance(raw, str) and raw.isprintable() else None
        if not found:
            raise ValueRefused(f"must be {self.words}; write IPv6 addresses in brackets")
        if found[2] is not None and ":" not in found[2]:
            raise ValueRefused("must have an IPv6 address inside the brackets")
        return host_of(found[1] if found[2] is None else found[2]), _port(found[3], least_port)

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "string", "pattern": ":"}


class Listen(HostPort):
    """Where a server listens. Its value is (host, port); port 0 takes a free one."""

    words = "host:port"

    def convert(self, raw: Scalar) -> tuple[str, int]:  # type: ignore[override]
        """See ScalarKind."""
        return self._host_port(raw, least_port=0)

    def write(self, value: tuple[str, int]) -> str:
        """See Kind."""
        host, port = value
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class HttpUrl(ScalarKind):
    """An http or https URL, or http://unix:/path:/target as nginx spells it."""

    words = "a URL that begins with http:// or https://"

    def __init__(self, plain_only: bool = False):
        self._plain_only = plain_only
        if plain_only:
            self.words = "a URL that begins with http://"

    def convert(self, raw: Scalar) -> Url:
        """See ScalarKind."""
        if not isinstance(raw, str) or not re.match(self._scheme, raw):
            raise ValueRefused(f"must be {self.words}")
        if len(raw) > 2048:
            raise ValueRefused("must be at most 2048 characters long")
        if "${" in raw:
            raise ValueRefused("must not contain ${...}: variables work only in headers")
        if not re.fullmatch(r"[!-~]+", raw):
            raise ValueRefused(
                "must be ASCII without spaces: percent-encode the rest (a space is %20)"
            )
        if "#" in raw:
            raise ValueRefused("must not have a fragment (#...): it is never sent")
        if raw.startswith("http://unix:"):
            if self._plain_only:
                raise ValueRefused("must have a host and a port, not a unix socket")
            return self._over_unix(raw)
        return self._over_tcp(raw)

    @staticmethod
    def _over_unix(raw: str) -> Url:
        path, _, target = raw.removeprefix("http://unix:").partition(":")
        if target and not target.startswith("/"):
            raise ValueRefused(
                "must have a path after the socket, such as http://unix:/run/app.sock:/healthz"
            )
        address = Address("localhost", 0, str(SocketPath().convert(path)))
        return Url(raw, address, target or "/", tls=False)

    @staticmethod
    def _over_tcp(raw: str) -> Url:
        try:
            parts = urlsplit(raw)
            host = parts.hostname or ""
        except ValueError as error:
            raise ValueRefused("is not a valid URL") from error
        if "@" in parts.netloc:
            raise ValueRefused(
                "must not contain a user or password: use headers: {Authorization: '${NAME}'}"
            )
        tls = parts.scheme == "https"
        found = re.fullmatch(r"(?:\[[^\[\]]*\]|[^\[\]:]*)(?::([0-9]*))?", parts.netloc)
        if not found:
            raise ValueRefused("must have a host and a port; write IPv6 addresses in brackets")
        if "[" in parts.netloc and ":" not in host:
            raise ValueRefused("must have an IPv6 address inside the brackets")
        port = (443 if tls else 80) if found[1] is None else _port(found[1], 1)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Url(raw, Address(host_of(host), port), target, tls)

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "string", "pattern": f"^{self._scheme}", "maxLength": 2048}

    @property
    def _scheme(self) -> str:
        return "http://" if self._plain_only else "https?://"


class ColourFile(ScalarKind):
    """A file in the link's folder: its name, or a path that the build compares with the folder."""

    words = "the name of a file in the link's folder"

    def convert(self, raw: Scalar) -> str:
        """See ScalarKind."""
        if not isinstance(raw, str) or not raw or not raw.isprintable() or len(raw) > 1024:
            raise ValueRefused(f"must be {self.words}")
        if raw.endswith("/") or posixpath.basename(raw) in (".", ".."):
            raise ValueRefused(f"must be {self.words}")
        if posixpath.basename(raw).startswith("."):
            raise ValueRefused(
                "must not begin with a dot: healthguard uses such names for temporary files"
            )
        return raw

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "string", "minLength": 1, "maxLength": 1024}
