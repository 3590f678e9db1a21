"""The command line's way to the daemon: HTTP over its unix socket, standard library only.

Trouble comes back as a value: ``Trouble`` in place of a ``Reply``.
"""

import http.client
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

# Kinds of trouble: nobody listens; we may not connect; connected, but no (whole) answer in time;
# an answer that is not ours.
ABSENT, FORBIDDEN, SILENT, GARBLED = "absent", "forbidden", "silent", "garbled"

_LONGEST = 107  # bytes of a unix socket's path
_RETRY_S = 0.05
_BIGGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the daemon: HTTP status and JSON body."""

    status: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no answer. ``sent``: the request had gone out, so it may have had an effect."""

    kind: str
    message: str
    sent: bool = False


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        deadline = time.monotonic() + (self.timeout or 0.0)
        while True:
            try:
                return self.sock.connect(os.fspath(self._path))
            except BlockingIOError:  # the queue of the listening socket is full
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_S)


@dataclass(frozen=True, slots=True)
class Client:
    """The daemon at ``path``. One connection per request."""

    path: Path

    def get(self, *parts: str, timeout_s: float = 5.0) -> Reply | Trouble:
        """``GET /v1/parts``."""
        return self._once("GET", _url(parts, {}), None, timeout_s)

    def post(
        self, *parts: str, body: Mapping[str, object], wait: str, timeout_s: float
    ) -> Reply | Trouble:
        """``POST /v1/parts?wait=``; ``timeout_s`` should be somewhat longer than ``wait``."""
        return self._once("POST", _url(parts, {"wait": wait}), body, timeout_s)

    def lines(self, *parts: str, query: Mapping[str, str], follow: bool) -> "Lines | Trouble":
        """A stream of JSON lines; with ``follow`` it may be silent for as long as it likes."""
        connection = _UnixConnection(self.path, 10.0)
        answer = _open(connection, self.path, "GET", _url(parts, query), None)
        if isinstance(answer, Trouble):
            return answer
        if answer.status != 200:
            reply = _reply(answer)
            connection.close()
            return Lines(None, reply if isinstance(reply, Reply) else Reply(answer.status, {}))
        if follow and connection.sock is not None:
            connection.sock.settimeout(None)
        return Lines(answer, None, connection)

    def _once(
        self, method: str, url: str, body: Mapping[str, object] | None, timeout_s: float
    ) -> Reply | Trouble:
        connection = _UnixConnection(self.path, timeout_s)
        try:
            answer = _open(connection, self.path, method, url, body)
            return answer if isinstance(answer, Trouble) else _reply(answer)
        finally:
            connection.close()


@dataclass(slots=True)
class Lines:
    """A stream that was opened, or the ``refusal`` in its place."""

    _answer: http.client.HTTPResponse | None
    refusal: Reply | None
    _connection: http.client.HTTPConnection | None = None
    trouble: Trouble | None = field(default=None)  # set when the stream ended before its end

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        if self._answer is None:
            return
        try:
            while line := self._answer.readline():
                value = json.loads(line)
                if isinstance(value, dict):
                    yield value
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.trouble = Trouble(SILENT, f"the stream broke off: {error}", sent=True)
        finally:
            if self._connection is not None:
                self._connection.close()


def _url(parts: tuple[str, ...], query: Mapping[str, str]) -> str:
    path = "/v1/" + "/".join(quote(part, safe="") for part in parts)
    return f"{path}?{urlencode(query)}" if query else path


def _open(
    connection: _UnixConnection,
    path: Path,
    method: str,
    url: str,
    body: Mapping[str, object] | None,
) -> http.client.HTTPResponse | Trouble:
    if len(os.fsencode(path)) > _LONGEST:
        return Trouble(ABSENT, f"a socket's path has at most {_LONGEST} bytes")
    sent = False
    try:
        connection.connect()
        sent = True
        raw = None if body is None else json.dumps(body).encode()
        connection.request(method, url, raw, {"Content-Type": "application/json"} if raw else {})
        return connection.getresponse()
    except PermissionError:
        return Trouble(FORBIDDEN, "permission denied")
    except FileNotFoundError:
        return Trouble(ABSENT, "no such file")
    except ConnectionRefusedError:
        return Trouble(ABSENT, "nobody listens there")
    except TimeoutError:
        return Trouble(SILENT, "no answer in time", sent)
    except BlockingIOError:
        return Trouble(SILENT, "the daemon takes no connections", sent)
    except (OSError, http.client.HTTPException, ValueError) as error:
        kind = SILENT if sent else ABSENT
        return Trouble(kind, str(error) or type(error).__name__, sent)


def _reply(answer: http.client.HTTPResponse) -> Reply | Trouble:
    try:
        body = json.loads(answer.read(_BIGGEST))
    except TimeoutError:
        return Trouble(SILENT, "the answer broke off", sent=True)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Trouble(GARBLED, f"the answer is not JSON: {error}", sent=True)
    if not isinstance(body, dict):
        return Trouble(GARBLED, "the answer is not a JSON object", sent=True)
    return Reply(answer.status, body)
