"""What must not be shown: values by where they come from, headers by their names."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from urllib.parse import quote

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")  # to an environment variable

# Their values are secret wherever they come from. Lower case.
HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "set-cookie2", "x-api-key",
     "x-auth-token"}
)  # fmt: skip

_CUT = "[cut out]"
_LEAST = 4  # characters; what is shorter stands everywhere by chance, and hides nothing
_SCHEME = re.compile(r"(?:bearer|basic|token)[ ]+(.+)", re.IGNORECASE)


class Secrets:
    """Values that are cut out of every text before it leaves the probe that got it."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        found = {text for value in values for part in _parts(value) for text in _spellings(part)}
        # The longest first: a part of it would leave the rest.
        self._texts = sorted((each for each in found if len(each) >= _LEAST), key=len, reverse=True)

    def cut(self, text: str) -> str:
        """``text`` without them; nor the beginning of one at its end, where it was broken off."""
        for secret in self._texts:
            text = text.replace(secret, _CUT)
        broken = min((_broken_off(text, secret) for secret in self._texts), default=len(text))
        return text if broken == len(text) else text[:broken] + _CUT


def _broken_off(text: str, secret: str) -> int:
    """Where the end of ``text`` is a beginning of ``secret``; its length: nowhere."""
    at = max(0, len(text) - len(secret))
    while (at := text.find(secret[:_LEAST], at)) >= 0:
        if secret.startswith(text[at:]):
            return at
        at += 1
    return len(text)


def _parts(value: str) -> Iterator[str]:
    """The value itself, and what of it an upstream may show alone."""
    yield value
    scheme = _SCHEME.fullmatch(value)
    if scheme is None:
        return
    yield scheme[1]
    with suppress(ValueError):  # not what Basic means
        known = base64.b64decode(scheme[1], validate=True).decode()
        yield known
        yield known.partition(":")[2]  # the password


def _spellings(text: str) -> set[str]:
    """As it is, and as JSON, HTML and URLs write it."""
    in_json = json.dumps(text)[1:-1]
    in_urls = {quote(text), quote(text, safe="")}
    return {text, in_json, in_json.replace("/", r"\/"), html.escape(text), *in_urls}
