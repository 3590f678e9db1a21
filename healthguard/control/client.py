"""The command line's way to the daemon: HTTP over its unix socket, standard library only.

Trouble comes back as a value: ``NoAnswer`` in place of an ``ApiReply``.
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
class ApiReply:
    """An answer of the daemon: HTTP status and JSON body."""

    status: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why there is no answer. ``sent``: the request had gone out, so it may have had an effect."""

    kind: str
    message: str
    sent: bool = False


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the socket file at ``path``."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """See HTTPConnection."""
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

    def get(self, *parts: str, timeout_s: float = 5.0) -> ApiReply | NoAnswer:
        """``GET /v1/parts``."""
        return self._once("GET", _url(parts, {}), None, timeout_s)

    def post(
        self, *parts: str, body: Mapping[str, object], wait: str, timeout_s: float
    ) -> ApiReply | NoAnswer:
        """``POST /v1/parts?wait=``; ``timeout_s`` should be somewhat longer than ``wait``."""
        return self._once("POST", _url(parts, {"wait": wait}), body, timeout_s)

    def lines(self, *parts: str, query: Mapping[str, str], follow: bool) -> "Lines | NoAnswer":
        """A stream of JSON lines; with ``follow`` it may be silent for as long as it likes."""
        connection = UnixConnection(self.path, 10.0)
        answer = _open(connection, self.path, "GET", _url(parts, query), None)
        if isinstance(answer, NoAnswer):
            return answer
        if answer.status != 200:
            reply = _reply(answer)
            connection.close()
            return Lines(
                None, reply if isinstance(reply, ApiReply) else ApiReply(answer.status, {})
            )
        if follow and connection.sock is not None:
            connection.sock.settimeout(None)
        return Lines(answer, None, connection)

    def _once(
        self, method: str, url: str, body: Mapping[str, object] | None, timeout_s: float
    ) -> ApiReply | NoAnswer:
        connection = UnixConnection(self.path, timeout_s)
        try:
            answer = _open(connection, self.path, method, url, body)
            return answer if isinstance(answer, NoAnswer) else _reply(answer)
        finally:
            connection.close()


@dataclass(slots=True)
class Lines:
    """A stream that was opened, or the ``refusal`` in its place."""

    _answer: http.client.HTTPResponse | None
    refusal: ApiReply | None
    _connection: http.client.HTTPConnection | None = None
    trouble: NoAnswer | None = field(default=None)  # set when the stream ended before its end

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        if self._answer is None:
            return
        try:
            while line := self._answer.readline():
                value = json.loads(line)
                if isinstance(value, dict):
                    yield value
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.trouble = NoAnswer(SILENT, f"the stream was interrupted: {error}", sent=True)
        finally:
            if self._connection is not None:
                self._connection.close()


def _url(parts: tuple[str, ...], query: Mapping[str, str]) -> str:
    path = "/v1/" + "/".join(quote(part, safe="") for part in parts)
    return f"{path}?{urlencode(query)}" if query else path


def _open(
    connection: UnixConnection,
    path: Path,
    method: str,
    url: str,
    body: Mapping[str, object] | None,
) -> http.client.HTTPResponse | NoAnswer:
    if len(os.fsencode(path)) > _LONGEST:
        return NoAnswer(ABSENT, f"a socket's path has at most {_LONGEST} bytes")
    sent = False
    try:
        connection.connect()
        sent = True
        raw = None if body is None else json.dumps(body).encode()
        connection.request(method, url, raw, {"Content-Type": "application/json"} if raw else {})
        return connection.getresponse()
    except PermissionError:
        return NoAnswer(FORBIDDEN, "permission denied")
    except FileNotFoundError:
        return NoAnswer(ABSENT, "no such file")
    except ConnectionRefusedError:
        return NoAnswer(ABSENT, "nothing is listening there")
    except TimeoutError:
        return NoAnswer(SILENT, "no answer in time", sent)
    except BlockingIOError:
        return NoAnswer(SILENT, "the daemon does not accept connections", sent)
    except (OSError, http.client.HTTPException, ValueError) as error:
        kind = SILENT if sent else ABSENT
        return NoAnswer(kind, str(error) or type(error).__name__, sent)


def _reply(answer: http.client.HTTPResponse) -> ApiReply | NoAnswer:
    try:
        body = json.loads(answer.read(_BIGGEST))
    except TimeoutError:
        return NoAnswer(SILENT, "the connection closed in the middle of the answer", sent=True)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return NoAnswer(GARBLED, f"the answer is not JSON: {error}", sent=True)
    if not isinstance(body, dict):
        return NoAnswer(GARBLED, "the answer is not a JSON object", sent=True)
    return ApiReply(answer.status, body)
