"""The DISABLE file: while it is there, nothing acts."""

from pathlib import Path

DISABLE = Path("/etc/healthguard/DISABLE")
_MOST = 512  # bytes of its text that are shown


def read_disable(path: Path = DISABLE) -> str | None:
    """Its text; None when it is not there. One that cannot be read is there all the same."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST).decode(errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as problem:
        return None if isinstance(problem, NotADirectoryError) else f"(unreadable: {problem})"
