"""Names that do not exist: what was probably meant."""

from collections.abc import Iterable


def closest(name: str, known: Iterable[str]) -> str:
    """The one of ``known`` that ``name`` is most like; "" if none is."""
    from difflib import get_close_matches  # 0.7 MB, only where somebody made a mistake

    return next(iter(get_close_matches(name[:64], list(known), 1)), "")


def no_such(kind: str, name: str, known: Iterable[str]) -> str:
    """``name`` is no ``kind`` (pool, upstream): a sentence that says which there are."""
    names = list(known)
    close = closest(name, names)
    hint = f"; did you mean {close!r}?" if close else ""
    return f"no {kind} is called {name[:80]!r}{hint} (known: {', '.join(names) or 'none'})"
