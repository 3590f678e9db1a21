"""The first KiB of a failing answer, fit for a log: no secrets, nothing that moves a cursor."""

import re

from healthguard.machine.secrets import HEADERS, Secrets

LIMIT = 1024
# How much of the raw answer is looked at: more than LIMIT, because secrets are cut out first.
RAW_LIMIT = 4096

# Whole header lines with their continuations; also in bodies, for pages that echo a request.
_SECRET = re.compile(
    rf"^([ \t]*(?:{'|'.join(sorted(HEADERS))})[ \t]*):[^\n]*(?:\n[ \t]+[^\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)


def excerpt(raw: bytes, secrets: Secrets) -> str:
    """At most 1 KiB (as UTF-8) of ``raw``, without ``secrets``."""
    text = raw[:RAW_LIMIT].decode("utf-8", "replace").replace("\r\n", "\n")
    clean = secrets.cut(_SECRET.sub(r"\1: [cut out]", text))
    text = "".join(map(_harmless, clean))
    return text.encode()[:LIMIT].decode("utf-8", "ignore")


def _harmless(char: str) -> str:
    if char.isprintable() or char in "\n\t":
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
