"""HTTP by hand over a unix socket: what is sent is exactly what the test says."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Got:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.json["error"]["message"])


async def ask(path: Path, method: str, target: str, body: object = None) -> Got:
    """One request; ``body`` is sent as it is if it is bytes, else as JSON."""
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(raw)}\r\n\r\n"
    return await exchange(path, head.encode() + raw)


async def exchange(path: Path, raw: bytes) -> Got:
    """Send bytes, read all that comes, to the end."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        writer.write(raw)
        return parse(await reader.read())
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def parse(raw: bytes) -> Got:
    head, _, rest = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}
    if headers.get("transfer-encoding") == "chunked":
        rest = _unchunk(rest)
    return Got(int(lines[0].split()[1]), headers, rest.decode())


def _unchunk(raw: bytes) -> bytes:
    found = b""
    while raw:
        size, _, raw = raw.partition(b"\r\n")
        length = int(size, 16)
        found, raw = found + raw[:length], raw[length + 2 :]
    return found
