"""Secrets: ``${NAME}`` stands for an environment variable of the process that uses the value."""

import os
import re
from collections.abc import Iterable, Mapping

from healthguard.config.document import Scalar
from healthguard.config.kinds import ScalarKind, Schema
from healthguard.config.problems import ValueRefused
from healthguard.machine.secrets import REFERENCE


class UnresolvedVariable(Exception):
    """A ``${NAME}`` cannot be resolved; the text names the variable, never a value."""


def resolve_env(text: str, environ: Mapping[str, str] | None = None) -> str:
    """``text`` with each ``${NAME}`` replaced.

    Raises UnresolvedVariable: not set, or with control characters.
    """
    known = os.environ if environ is None else environ

    def value_of(found: re.Match[str]) -> str:
        value = known.get(found[1], "")
        if not value:
            raise UnresolvedVariable(f"the environment variable {found[1]} is not set")
        if not value.isprintable():
            raise UnresolvedVariable(
                f"the environment variable {found[1]} contains control characters"
            )
        return value

    return REFERENCE.sub(value_of, text)


def names_secret(text: str) -> bool:
    """True if ``text`` holds a ``${NAME}``."""
    return bool(REFERENCE.search(text))


def secrets_in(texts: Iterable[str], environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What the environment says for every ``${NAME}`` in ``texts``; what is not set is left out."""
    known = os.environ if environ is None else environ
    names = {name for text in texts for name in REFERENCE.findall(text)}
    return tuple(known[name] for name in sorted(names) if known.get(name))


class HeaderValue(ScalarKind):
    """The value of a request header; may hold ``${NAME}``, which is kept as it stands."""

    words = "text"

    def convert(self, raw: Scalar) -> str:
        """See ScalarKind."""
        if not isinstance(raw, str):
            raise ValueRefused("must be text (write it in quotes)")
        if not raw.isprintable() or not raw.isascii() or len(raw) > 4096 or raw != raw.strip():
            raise ValueRefused("must be one line of ASCII text without leading or trailing spaces")
        if "${" in REFERENCE.sub("", raw):
            raise ValueRefused("has a ${ without a variable: write ${NAME}")
        return raw

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "string", "maxLength": 4096}
