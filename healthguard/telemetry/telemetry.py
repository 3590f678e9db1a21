"""One place for everything the daemon says: event log, log lines, metrics, followers, STATUS."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from healthguard import __version__
from healthguard.core.events import Say
from healthguard.core.model import Instant, Result
from healthguard.machine.slices import in_slices
from healthguard.telemetry import event as events
from healthguard.telemetry import metrics
from healthguard.telemetry.eventlog import EventLog
from healthguard.telemetry.exposition import Exposition
from healthguard.telemetry.follow import Follower, Followers
from healthguard.telemetry.lag import LoopLag
from healthguard.telemetry.log import Log
from healthguard.telemetry.probes import ProbeResults
from healthguard.telemetry.systemd import Systemd
from healthguard.telemetry.unheard import Unheard
from healthguard.views.events import sentence
from healthguard.views.model import PoolView
from healthguard.views.status import status_line

_SUMMARY_EVERY = 10  # seconds
_STATUS_EVERY = 15  # seconds, when nothing happens


class Telemetry:
    """Built once by the daemon. Nothing here raises for what the world does."""

    def __init__(
        self,
        *,
        event_log: EventLog,
        log: Log,
        systemd: Systemd,
        pools: Callable[[], Iterable[PoolView]],
        switcher_differs: Callable[[], bool | None] = lambda: None,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ):
        """``pools``: the state of every pool as status shows it, made while it is read.

        It may be read over many turns of the loop: take the list of names first.
        ``switcher_differs``: does the switcher go by another configuration? None: not known.
        """
        self.event_log = event_log
        self.log = log
        self.systemd = systemd
        self.lag = LoopLag(time.monotonic)
        self.probes = ProbeResults(log.line)
        self.counts = metrics.Counts()
        self.unheard = Unheard()
        self.exposition = Exposition(self._rows)
        self._followers = Followers()
        self._pools = pools
        self._switcher_differs = switcher_differs
        self._wall_ms = wall_ms
        self._problem = ""  # of the event log, as last told
        self._summarised = self._told_status = self.lag.now()
        self._status_due = asyncio.Event()

    # ------------------------------------------------------------ what happens

    def configure(self, probes: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
        """The pools, their upstreams and their probes as they are now: the bounds of all labels."""
        self.counts.configure(probes)
        self.probes.configure(
            (pool, upstream, probe)
            for pool, upstreams in probes.items()
            for upstream, names in upstreams.items()
            for probe in names
        )

    def record(self, record: Say, at: Instant) -> bool:
        """Say one event everywhere. True: it is in the event log.

        ``switch_*`` events are on the disk when this returns (one fsync).
        """
        event = events.build(record, at)
        synced = record.event.startswith("switch_")
        written = self.event_log.append(event, sync=synced)
        if not written.durable:
            event["durable"] = False
        self._tell_log_problem(written.problem)
        self.log.line(record.level, sentence(event), _for_log(event))
        self.counts.event(event, at.wall_ms)
        self.exposition.changed()
        self._followers.feed(event)
        self._status_due.set()
        return written.durable

    def checked(self, pool: str, upstream: str, probe: str, result: Result) -> None:
        """Count one probe result; told in the log only when it begins to fail or recovers."""
        self.probes.add(pool, upstream, probe, result)

    def say(self, level: str, message: str, **fields: object) -> None:
        """A log line that is no event."""
        self.log.line(level, message, {key: events.scrub(each) for key, each in fields.items()})

    def troubles(self) -> list[str]:
        """What keeps this from being heard or read, one sentence each."""
        log = self.event_log.problem
        return [*([f"the event log cannot be written: {log}"] if log else []),
                *self.unheard.sentences()]  # fmt: skip

    def follow(self, pool: str | None = None) -> Follower:
        """Events from now on; ``close`` the follower when its reader has gone."""
        return self._followers.add(pool)

    def history(self, since_wall_ms: int, pool: str | None = None) -> list[dict[str, object]]:
        """Events kept since then, oldest first. Reads files: call it in a thread."""
        return self.event_log.read(since_wall_ms, pool)

    # ------------------------------------------------------------ while it runs

    async def run(self) -> None:
        """Keep the STATUS line for ever. What else falls due is done by ``pulse``."""
        await self._keep_status()

    def pulse(self, late: float) -> None:
        """The daemon's tick, ``late`` seconds after its time: what waits to be written or told."""
        self.lag.note(late)
        self.log.flush()
        now = self.lag.now()
        if now - self._summarised >= _SUMMARY_EVERY:
            self._summarised = now
            self.probes.summarise()
        if now - self._told_status >= _STATUS_EVERY:
            self._told_status = now
            if self.event_log.problem and self.event_log.retry():
                self._tell_log_problem("")
            self._status_due.set()

    async def _keep_status(self) -> None:
        while True:
            await self._status_due.wait()
            self._status_due.clear()
            self.systemd.status(await self.status())
            await asyncio.sleep(1)  # a burst of events is one line

    async def status(self) -> str:
        """The STATUS line as it is now."""
        views = [view async for view in in_slices(self._pools())]
        return status_line(views, self._wall_ms(), self.event_log.problem)

    async def close(self) -> None:
        """End followers and scrapes, write what can be written, close the files."""
        self._followers.close()
        await self.exposition.close()
        self.probes.summarise()
        self.log.close()
        self.event_log.close()

    # ------------------------------------------------------------ inside

    def _tell_log_problem(self, problem: str) -> None:
        """Once when the event log cannot be written, once when it can again."""
        if bool(problem) == bool(self._problem):
            return
        self._problem = problem
        if problem:
            self.log.line("error", f"the event log cannot be written: {problem}")
        else:
            self.log.line("info", f"the event log {self.event_log.path} can be written again")

    def _rows(self) -> Iterator[metrics.Row]:
        """Every sample, made while it is read."""
        # Events are counted after the state has changed, so the state is read before the counts:
        # who sees a switch in a gauge sees it counted too, but for the moment it takes to save it.
        yield from metrics.view_rows(self._pools())
        yield metrics.Row(metrics.BUILD, (__version__,), 1)
        yield metrics.Row(metrics.LAG, (), self.lag.worst())
        yield metrics.Row(metrics.LOG_DROPPED, (), self.log.dropped)
        yield metrics.Row(metrics.LOG_DURABLE, (), int(not self.event_log.problem))
        if (differs := self._switcher_differs()) is not None:
            yield metrics.Row(metrics.DIFFERS, (), int(differs))
        yield from metrics.count_rows(self.counts)
        yield from metrics.probe_rows(self.probes)


def _for_log(event: events.Event) -> dict[str, object]:
    return {key: events.without_bodies(value) for key, value in event.items() if value is not None}
