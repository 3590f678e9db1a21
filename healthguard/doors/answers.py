"""Answers as both doors give them: each ends its connection.

Import this late, see ``server_only``.
"""

import json
from collections.abc import Mapping
from dataclasses import is_dataclass

from aiohttp import web

from healthguard.machine.codec import shallow


def json_line(body: object) -> bytes:
    """``body`` as one line of JSON, whatever is in it."""
    text = json.dumps(body, ensure_ascii=False, default=_data, check_circular=False) + "\n"
    return text.encode(errors="replace")


def _data(value: object) -> object:
    """What json.dumps does not know: views, mappings and sets are data, the rest is named."""
    if is_dataclass(value):
        return shallow(value)
    if hasattr(value, "keys") and hasattr(value, "__getitem__"):
        return {key: value[key] for key in value.keys()}  # noqa: SIM118
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def answer(
    body: bytes, kind: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """``body`` of the content type ``kind``, in UTF-8."""
    response = web.Response(
        body=body, status=status, content_type=kind, charset="utf-8", headers=headers
    )
    response.force_close()
    return response


def json_answer(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Data for programs."""
    return answer(json_line(body), "application/json", status, headers)


def text_answer(
    text: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A line or two for people."""
    return answer(text.encode(errors="replace"), "text/plain", status, headers)
