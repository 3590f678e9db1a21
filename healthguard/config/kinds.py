"""The kinds of single values: each reads one scalar, describes itself, and gives its schema."""

import re
from collections.abc import Sequence
from typing import Any

from healthguard.config.document import Node, Scalar
from healthguard.config.problems import Report, ValueRefused
from healthguard.core import durations

Schema = dict[str, Any]


class _Bad:
    """Stands where a value was refused, so that rules about it are not judged as well."""

    def __repr__(self) -> str:
        return "BAD"


BAD = _Bad()


class Kind:
    """What may stand at one place of the file."""

    words = ""  # for the reference and for messages: "must be <words>"

    def read(self, node: Node, path: str, report: Report) -> Any:
        """The value, or BAD after reporting why not."""
        raise NotImplementedError

    def write(self, value: Any) -> Any:
        """What the file would say for ``value``: the reverse of reading."""
        return value

    def schema(self) -> Schema:
        """JSON Schema of what may stand here."""
        raise NotImplementedError


class ScalarKind(Kind):
    """A kind that is one scalar."""

    def convert(self, raw: Scalar) -> Any:
        """The value. Raises ValueRefused with what it must be."""
        raise NotImplementedError

    def read(self, node: Node, path: str, report: Report) -> Any:
        """See Kind."""
        try:
            if isinstance(node.value, (list, dict)):
                raise ValueRefused(f"must be {self.words}")
            return self.convert(node.value)
        except ValueRefused as refused:
            report.add(path, str(refused))
            return BAD


class Text(ScalarKind):
    """Text of at least one character, in one line unless ``lines``."""

    def __init__(self, words: str = "text", pattern: str = "", longest: int = 1024):
        self.words, self._pattern, self._longest = words, pattern, longest

    def convert(self, raw: Scalar) -> str:
        """See ScalarKind."""
        if not isinstance(raw, str):
            hint = "" if raw is None or self._pattern else f" (write it in quotes: '{raw}')"
            raise ValueRefused(f"must be {self.words}{hint}")
        if not raw or not raw.isprintable():
            raise ValueRefused(f"must be {self.words}: not empty, no control characters")
        if len(raw) > self._longest:
            raise ValueRefused(f"must be at most {self._longest} characters long")
        if self._pattern and not re.fullmatch(self._pattern, raw):
            raise ValueRefused(f"must be {self.words}")
        return raw

    def schema(self) -> Schema:
        """See Kind."""
        schema: Schema = {"type": "string", "minLength": 1, "maxLength": self._longest}
        return schema | ({"pattern": f"^(?:{self._pattern})$"} if self._pattern else {})


class Integer(ScalarKind):
    """A whole number within bounds."""

    words = "a whole number"

    def __init__(self, least: int, most: int):
        self._least, self._most = least, most

    def convert(self, raw: Scalar) -> int:
        """See ScalarKind."""
        if not isinstance(raw, int) or isinstance(raw, bool):
            raise ValueRefused("must be a whole number")
        if raw < self._least:
            raise ValueRefused(f"must be at least {self._least}")
        if raw > self._most:
            raise ValueRefused(f"must be at most {self._most}")
        return raw

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "integer", "minimum": self._least, "maximum": self._most}


class AllOrCount(Integer):
    """A whole number, or "all", whose value is 0."""

    words = "all or a whole number"

    def convert(self, raw: Scalar) -> int:
        """See ScalarKind."""
        if isinstance(raw, str):
            if raw != "all":
                raise ValueRefused("must be all or a whole number")
            return 0
        return super().convert(raw)

    def write(self, value: int) -> int | str:
        """See Kind."""
        return value or "all"

    def schema(self) -> Schema:
        """See Kind."""
        return {"anyOf": [{"const": "all"}, super().schema()]}


class Boolean(ScalarKind):
    """true or false, and no other spelling."""

    words = "true or false"

    def convert(self, raw: Scalar) -> bool:
        """See ScalarKind."""
        if not isinstance(raw, bool):
            raise ValueRefused("must be true or false")
        return raw

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "boolean"}


class Choice(ScalarKind):
    """One of a few words. ``later``: words of the contract that this version has no use for yet."""

    def __init__(self, *choices: str, later: Sequence[str] = ()):
        self._choices, self._later = choices, later
        *others, last = choices
        self.words = f"{', '.join(others)} or {last}" if others else last

    def convert(self, raw: Scalar) -> str:
        """See ScalarKind."""
        if raw in self._later:
            raise ValueRefused(f"{raw} is not supported by this version: must be {self.words}")
        if raw not in self._choices or not isinstance(raw, str):
            raise ValueRefused(f"must be {self.words}")
        return raw

    def schema(self) -> Schema:
        """See Kind."""
        return {"enum": list(self._choices)}


class Duration(ScalarKind):
    """A length of time; its value is integer milliseconds."""

    words = durations.WORDS

    def __init__(self, least: str, most: str):
        self._least, self._most = (durations.parse(bound, least_ms=0) for bound in (least, most))

    def convert(self, raw: Scalar) -> int:
        """See ScalarKind."""
        try:
            return durations.parse(raw, self._least, self._most)
        except ValueError as error:
            raise ValueRefused(str(error)) from None

    def write(self, value: int) -> str:
        """See Kind."""
        return durations.written(value)

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "string", "pattern": f"^{durations.SYNTAX}$"}


class Percent(ScalarKind):
    """A share; its value is a fraction of one."""

    def __init__(self, most: int):
        self._most = most
        self.words = f"a percentage from 0% to {most}%"

    def convert(self, raw: Scalar) -> float:
        """See ScalarKind."""
        found = (
            re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%", raw) if isinstance(raw, str) else None
        )
        if not found or float(found[1]) > self._most:
            raise ValueRefused(f"must be {self.words}")
        return float(found[1]) / 100

    def write(self, value: float) -> str:
        """See Kind."""
        return f"{value * 100:g}%"

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3})?%$"}


class StatusRange(ScalarKind):
    """One HTTP status or a range of them; its value is (low, high), both included."""

    words = "a status such as 200 or a range such as 200-299"

    def convert(self, raw: Scalar) -> tuple[int, int]:
        """See ScalarKind."""
        if isinstance(raw, int) and not isinstance(raw, bool):
            low = high = raw
        elif isinstance(raw, str) and (found := re.fullmatch(r"([0-9]{3})-([0-9]{3})", raw)):
            low, high = int(found[1]), int(found[2])
        else:
            raise ValueRefused(f"must be {self.words}")
        if not 200 <= low <= 599 or not 200 <= high <= 599:
            raise ValueRefused("must be from 200 to 599")
        if low > high:
            raise ValueRefused("must have the lower status first")
        return low, high

    def write(self, value: tuple[int, int]) -> str:
        """See Kind."""
        return f"{value[0]}-{value[1]}"

    def schema(self) -> Schema:
        """See Kind."""
        return {
            "anyOf": [
                {"type": "integer", "minimum": 200, "maximum": 599},
                {"type": "string", "pattern": "^[2-5][0-9]{2}-[2-5][0-9]{2}$"},
            ]
        }


class Anything(ScalarKind):
    """Any scalar: what a JSON field must equal."""

    words = "text, a number, true, false or null"

    def convert(self, raw: Scalar) -> Scalar:
        """See ScalarKind."""
        return raw

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": ["string", "number", "boolean", "null"]}


class Regex(ScalarKind):
    """A regular expression of Python's ``re``."""

    words = "a regular expression"

    def convert(self, raw: Scalar) -> str:
        """See ScalarKind."""
        if not isinstance(raw, str) or not raw:
            raise ValueRefused("must be a regular expression")
        if len(raw) > 512:
            raise ValueRefused("must be at most 512 characters long")
        try:
            re.compile(raw)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueRefused(f"is not a valid regular expression: {error}") from error
        return raw

    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "string", "minLength": 1, "maxLength": 512}
