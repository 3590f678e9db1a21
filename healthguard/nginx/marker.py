"""The marker: a small address in nginx whose answer names the upstream in use.

A new connection each time, because a kept one belongs to a worker that may already be old.
"""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools

_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: the name, or why there was none."""

    name: str | None
    problem: str = ""


class _Body:
    """What httptools calls back."""

    def __init__(self) -> None:
        self.data = b""
        self.done = False

    def on_body(self, data: bytes) -> None:
        self.data += data

    def on_message_complete(self) -> None:
        self.done = True


async def ask(url: str, within: float) -> Said:
    """Ask once, on a fresh connection, within so many seconds."""
    try:
        # Not wait_for: before Python 3.12 it can swallow a cancellation.
        async with asyncio.timeout(within):
            return await _ask(url)
    except TimeoutError:
        return Said(None, f"the marker {url} did not answer within {within:g} s")
    except OSError as error:
        return Said(None, f"the marker {url} cannot be reached: {error.strerror or error}")
    except (httptools.HttpParserError, ValueError) as error:
        return Said(None, f"the marker {url} sent a malformed answer: {error}")


async def _ask(url: str) -> Said:
    parts = urlsplit(url)
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            "User-Agent: healthguard\r\nConnection: close\r\n\r\n".encode()
        )
        return await _read(reader, url)
    finally:
        writer.transport.abort()  # no lingering: the answer is in, or nobody wants it


async def _read(reader: asyncio.StreamReader, url: str) -> Said:
    body = _Body()
    parser = httptools.HttpResponseParser(body)
    size = 0
    while not body.done and size <= _LIMIT:
        data = await reader.read(_LIMIT)
        if not data:
            break
        size += len(data)
        parser.feed_data(data)
    if size == 0:
        return Said(None, f"the marker {url} closed the connection without an answer")
    if parser.get_status_code() != 200:
        return Said(None, f"the marker {url} answered with status {parser.get_status_code()}")
    name = body.data.decode(errors="replace").strip()
    if not body.done or not name or len(name) > 128:
        return Said(None, f"the marker {url} answered without a name")
    return Said(name)
