"""The first KiB of a failing answer, fit for a log: no secrets, nothing that moves a cursor."""

import re
from collections.abc import Iterable

LIMIT = 1024
# How much of the raw answer is looked at: more than LIMIT, because secrets are cut out first.
RAW_LIMIT = 4096

# Whole header lines with their continuations; also in bodies, for pages that echo a request.
_SECRET = re.compile(
    rb"^([ \t]*(?:authorization|proxy-authorization|set-cookie2?|cookie)[ \t]*):"
    rb"[^\n]*(?:\n[ \t]+[^\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)


def excerpt(raw: bytes, secrets: Iterable[bytes] = ()) -> str:
    """At most 1 KiB (as UTF-8) of ``raw``; ``secrets``: values that must not show anywhere."""
    raw = raw[:RAW_LIMIT].replace(b"\r\n", b"\n")
    clean = _SECRET.sub(rb"\1: [cut out]", raw)
    for secret in secrets:
        clean = clean.replace(secret, b"[cut out]")
    text = "".join(map(_harmless, clean.decode("utf-8", "replace")))
    return text.encode()[:LIMIT].decode("utf-8", "ignore")


def _harmless(char: str) -> str:
    if char.isprintable() or char in "\n\t":
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
