"""What do nginx's workers really use after a reload? Proven, refuted or unclear.

nginx reports nothing: it may refuse the new configuration silently and go on with the old one,
or start workers that die at once while the old ones were already ordered to quit. So we watch.

Two kinds of evidence. The *marker* names the upstream in use; a run of answers on fresh
connections counts, since old and new workers answer side by side for 100 ms. *Generations*: a
reload starts the new workers before it retires the old, so for a moment there are more workers
than before; a crashed worker that was started again (from the old configuration!) never makes
them more.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from healthguard.nginx import marker
from healthguard.nginx.master import Master, Worker

PROVEN, REFUTED, UNSURE = "proven", "refuted", "unclear"
POLL = 0.005
RUN = 5  # marker answers in a row
SETTLE = 0.3  # s a new worker must live: one that fails to start dies within milliseconds
GONE = 0.15  # s without any worker that takes connections
NOTHING_NEW = 3.5  # s: nginx tries five times in 2.5 s to get a port that is taken
_ASK_TIMEOUT = 1.0


@dataclass(frozen=True, slots=True)
class Confirmation:
    """``verdict`` and the evidence in one sentence."""

    verdict: str
    evidence: str
    took_ms: int = 0


@dataclass(slots=True)
class Watch:
    """What was seen so far, and what it means. Pure: fed with looks and answers.

    ``before``: the workers when the reload was asked for. ``standing``: workers known to use
    ``to`` already (those from before the switch, when it is being undone). ``known``: names that
    the marker may give; another one tells nothing of the workers. Empty: any.
    """

    to: str
    before: tuple[Worker, ...]
    timeout: float
    marked: bool
    standing: frozenset[tuple[int, int]] = frozenset()
    known: frozenset[str] = frozenset()
    grown: bool = False  # seen more workers than there were: a reload has happened
    first_new: dict[tuple[int, int], float] = field(default_factory=dict)
    current: tuple[Worker, ...] = ()
    empty_since: float | None = None
    retired_at: float | None = None
    run: int = 0
    run_after: int = 0  # of the run, answers asked for after the old workers had retired
    right: int = 0
    wrong: int = 0
    silent: str = ""

    def look(self, now: float, workers: Iterable[Worker]) -> None:
        """One look at the workers, ``now`` seconds after the reload was asked for."""
        self.current = tuple(workers)
        old = self._keys(self.before)
        was_active = self._keys(each for each in self.before if not each.exiting)
        active = self._keys(each for each in self.current if not each.exiting)
        for key in active - old:
            self.first_new.setdefault(key, now)
        there = self._keys(self.current) & was_active
        fresh = active - old
        self.grown = self.grown or (bool(fresh) and len(fresh) + len(there) > len(was_active))
        if active:
            self.empty_since = None
        elif self.empty_since is None:
            self.empty_since = now
        if active & old:
            self.retired_at = None
        elif self.retired_at is None and fresh:
            self.retired_at = now

    def answer(self, asked: float, said: marker.Said) -> None:
        """One answer of the marker, asked for ``asked`` seconds after the reload was."""
        if said.name is None:
            self.run, self.run_after, self.silent = 0, 0, said.problem
        elif self.known and said.name not in self.known:
            self.run, self.run_after = 0, 0
            self.silent = f"the marker names {said.name!r}, which is not an upstream of this pool"
        elif said.name != self.to:
            self.run, self.run_after, self.wrong = 0, 0, self.wrong + 1
        else:
            self.run, self.right = self.run + 1, self.right + 1
            if self.retired_at is not None and asked >= self.retired_at:
                self.run_after += 1

    def verdict(self, now: float) -> tuple[str, str] | None:
        """Verdict and evidence, or None while it is too early to tell."""
        if self._deserted(now):
            return REFUTED, "no nginx worker accepts connections any more"
        proof = self._marker_proof() if self.marked else self._generation_proof(now)
        if proof:
            return PROVEN, proof
        if not self.first_new and now >= min(NOTHING_NEW, self.timeout):
            return self._nothing_new()
        if now >= self.timeout:
            return self._too_late(now)
        return None

    def _deserted(self, now: float) -> bool:
        if self.empty_since is None:
            return False
        # With none at the start there is nothing to lose: give the reload its time.
        had_some = any(not each.exiting for each in self.before) or bool(self.first_new)
        return now - self.empty_since >= (GONE if had_some else min(NOTHING_NEW, self.timeout))

    def _marker_proof(self) -> str:
        if self.retired_at is not None and self.run >= RUN and self.run_after:
            return f"nginx uses {self.to}: {self.run} marker answers in a row, old workers retired"
        return ""

    def _generation_proof(self, now: float) -> str:
        alive = self._keys(each for each in self.current if not each.exiting)
        settled = [key for key in alive if now - self.first_new.get(key, now) >= SETTLE]
        if self.retired_at is not None and settled and self.grown:
            return f"nginx replaced all its workers ({len(settled)} new)"
        return ""

    def _nothing_new(self) -> tuple[str, str]:
        alive = self._keys(each for each in self.current if not each.exiting)
        if self.marked:
            if self.right and not self.wrong and not self.silent:
                return (
                    PROVEN,
                    f"nginx started no new workers, but all {self.right} marker answers name "
                    f"{self.to}",
                )
            if self.right:
                return UNSURE, "nginx started no new workers, and the marker's answers disagree"
        elif alive and alive <= self.standing:
            return PROVEN, f"nginx started no new workers; the old ones still use {self.to}"
        return REFUTED, "nginx refused the configuration: no new workers started"

    def _too_late(self, now: float) -> tuple[str, str]:
        if self.marked:
            # An undo goes back to what was proven before: there a silent marker is not held
            # against the workers.
            back = self._generation_proof(now) if self.standing else ""
            if back and not self.right and not self.wrong:
                return PROVEN, f"{back}; the marker could not confirm it: {self.silent}"
            if self.wrong >= RUN and not self.right:
                return REFUTED, f"none of {self.wrong} marker answers names {self.to}"
            said = self.silent or "the marker's answers disagree"
            return UNSURE, f"{said} ({self.right} answers for {self.to}, {self.wrong} against)"
        if self.grown:
            return UNSURE, "nginx has reloaded, but old workers still accept connections"
        if self.retired_at is None:
            return REFUTED, "nginx still runs the old workers; it only replaced crashed ones"
        return UNSURE, "all nginx workers are new, but perhaps not because of the reload"

    @staticmethod
    def _keys(workers: Iterable[Worker]) -> frozenset[tuple[int, int]]:
        return frozenset(each.key for each in workers)


async def confirm(
    master: Master,
    before: tuple[Worker, ...],
    to: str,
    *,
    timeout_ms: int,
    url: str | None = None,
    standing: frozenset[tuple[int, int]] = frozenset(),
    known: frozenset[str] = frozenset(),
) -> Confirmation:
    """Watch until it is known whether the workers use ``to``; at most ``timeout_ms``."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    watch = Watch(to, before, timeout_ms / 1000, url is not None, standing, known)
    asking = loop.create_task(_keep_asking(url, watch, began)) if url else None
    try:
        while True:
            watch.look(loop.time() - began, master.workers())
            now = loop.time() - began
            found = watch.verdict(now)
            if found is None and not master.alive():
                found = REFUTED, "nginx's master process has exited"
            if found is not None:
                return Confirmation(*found, round(now * 1000))
            await asyncio.sleep(POLL)
    finally:
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)


async def _keep_asking(url: str, watch: Watch, began: float) -> None:
    loop = asyncio.get_running_loop()
    while True:
        asked = loop.time() - began
        watch.answer(asked, await marker.ask(url, min(_ASK_TIMEOUT, watch.timeout)))
        await asyncio.sleep(POLL)
