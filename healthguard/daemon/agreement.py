"""Do daemon and switcher go by the same configuration?  Each reads the file for itself.

The switcher takes a changed file at once and keeps the last valid one; the daemon changes by a
reload.  Nothing is decided by this: it is only reported.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from healthguard.config import digest_of
from healthguard.views.documents import SwitcherView

SETTLE_S = 10  # an edit and its reload are no difference
AGAIN_S = 30  # how often the switcher is asked while something is not as it should be
_LONGEST = 300  # characters of the switcher's own words


class Mine(NamedTuple):
    """What the daemon goes by. ``rejected``: its last reload was, so an older one is in use."""

    path: Path
    digest: str
    rejected: bool


class Remote(Protocol):
    """The switcher service as its client knows it."""

    config_digest: str
    config_problem: str

    async def ping(self) -> bool:
        """True if it answers; then the two above are fresh."""


class Agreement:
    """``differs``: True, False, or None while it is not known (also ``inline``: nobody else).

    The switcher is asked when something has changed on either side, not otherwise: it ends when
    nobody needs it.  ``message`` is what differs, why and what to do; "" while nothing does.
    """

    def __init__(
        self,
        mine: Callable[[], Mine],
        remote: Callable[[], Remote | None],
        say: Callable[[str, str], None],
        time: Callable[[], float],
    ) -> None:
        """``remote``: None is inline. ``say`` takes a level and a sentence; ``time`` seconds."""
        self._mine = mine
        self._remote = remote
        self._say = say
        self._time = time
        self._seen: object = None
        self._heard: object = None
        self._due = float("inf")
        self._judging: asyncio.Task[None] | None = None
        self.differs: bool | None = None
        self.message = ""

    def view(self) -> SwitcherView | None:
        """The switcher's part of status; None: inline."""
        remote = self._remote()
        if remote is None:
            return None
        return SwitcherView(
            config_digest=remote.config_digest or None,
            config_problem=remote.config_problem or None,
            config_differs=self.differs,
            message=self.message or None,
        )

    def tick(self) -> None:
        """Once a second or so: some microseconds, never waits."""
        remote = self._remote()
        if remote is None or (self._judging is not None and not self._judging.done()):
            return
        now, mine = self._time(), self._mine()
        seen, heard = (mine, _signature(mine.path), id(remote)), _words(remote)
        if (seen, heard) != (self._seen, self._heard):
            self._seen, self._heard = seen, heard
            self._due = now + (SETTLE_S if self.differs is False else 0)
        if now >= self._due:
            self._due = float("inf")
            self._judging = asyncio.create_task(self._judge(remote), name="switcher agreement")

    async def judged(self) -> None:
        """Back when nothing is being judged."""
        if self._judging is not None:
            await self._judging

    async def _judge(self, remote: Remote) -> None:
        answered = await remote.ping()
        self._heard = _words(remote)
        mine = self._mine()
        if answered and remote.config_digest:
            differs = remote.config_digest != mine.digest
            file = await asyncio.to_thread(digest_of, mine.path) if differs else ""
            words = (remote.config_digest, remote.config_problem, file)
            self._tell(explain(mine, *words) if differs else "")
        if not answered or self.differs:
            self._due = self._time() + AGAIN_S

    def _tell(self, message: str) -> None:
        began, ended = message and not self.differs, self.differs and not message
        self.differs, self.message = bool(message), message
        if began:
            self._say("warning", message)
        elif ended:
            self._say("info", "switcher and daemon use the same configuration again")


def explain(mine: Mine, theirs: str, problem: str, file: str) -> str:
    """Which configuration the switcher goes by, why, and what to do: one line.

    ``theirs``: its digest. ``problem``: why it cannot use the file as it stands, "" if it does.
    ``file``: digest of the file as it stands, "" if the daemon cannot read it.
    """
    return (
        f"the switcher uses another configuration ({theirs[:12]}) than this daemon "
        f"({mine.digest[:12]}): {_which(mine, theirs, problem, file)}"
    )


def _which(mine: Mine, theirs: str, problem: str, file: str) -> str:
    load = "`systemctl reload healthguard`"
    if problem:
        which = "an older one" if file == mine.digest else "the last valid one"
        return (
            f"{which}, because it cannot use the current {mine.path}: {_short(problem)}; correct "
            f"that, then {load}"
        )
    if not file:
        return f"{mine.path}, which this daemon cannot read; make it readable, then {load}"
    if file != theirs:
        return (
            f"one that is not the current {mine.path}; `systemctl restart healthguard-switcher`, "
            f"and check which file its unit names"
        )
    newer = f"the current {mine.path}, which this daemon"
    if mine.rejected:
        return f"{newer} rejected or has not loaded; `healthguard reload --wait` says why"
    return f"{newer} has not loaded; {load}"


def _short(problem: str) -> str:
    first, *more = problem.splitlines()
    return first[:_LONGEST] + (f" (and {len(more)} more)" if more else "")


def _words(remote: Remote) -> tuple[str, str]:
    return remote.config_digest, remote.config_problem


def _signature(path: Path) -> tuple[int, ...] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
