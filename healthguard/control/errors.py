"""A refusal as the client gets it."""

from collections.abc import Iterable, Mapping

from healthguard.core.codes import Code
from healthguard.machine.names import no_such


class ApiError(Exception):
    """Raised while a request is read or judged; becomes the JSON error answer.

    ``status`` is HTTP's, ``code`` one word for programs, ``message`` one sentence for people,
    ``exit_code`` what the command line ends with, ``more`` further keys of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        exit_code: int = Code.USAGE,
        more: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.exit_code = exit_code
        self.more = dict(more or {})
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """The answer, JSON-ready."""
        return {
            **self.more,
            "error": {"code": self.code, "message": self.message},
            "exit_code": self.exit_code,
        }


def unknown(kind: str, name: str, known: Iterable[str], status: int) -> ApiError:
    """``name`` is no pool (or upstream): say which there are, and which was probably meant."""
    names = list(known)
    return ApiError(status, f"unknown_{kind}", no_such(kind, name, names), more={"known": names})
