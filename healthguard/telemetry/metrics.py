"""The metrics: one table of families, and where each value comes from.

Nothing here needs prometheus_client; the numbers are plain, so that counting costs little and
only a scrape pays for the format (see ``exposition``).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from healthguard.telemetry.probes import BUCKETS, ProbeResults
from healthguard.views.model import PoolView, UpstreamView

PHASES = ("starting", "steady", "baking", "holding", "switching", "lost")
HEALTH = ("unknown", "up", "down")
SWITCH_BUCKETS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
DETECTION_BUCKETS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
NOTIFIED = ("sent", "retried", "failed", "dropped")
_ENDS = {"switch_completed": "completed", "switch_undone": "undone", "switch_lost": "lost"}


class Family(NamedTuple):
    """One metric: ``kind`` is gauge, counter or histogram."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


class Histogram:
    """Counts per bucket; the last is what lies above all bounds. Unit: seconds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]):
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


class Row(NamedTuple):
    """One sample, or one histogram."""

    family: Family
    labels: tuple[str, ...]
    value: float | Histogram


_POOL = ("pool",)
_UPSTREAM = ("pool", "upstream")
_PROBE = ("pool", "upstream", "probe")


def _family(name: str, kind: str, labels: tuple[str, ...], help_: str) -> Family:
    return Family(f"healthguard_{name}", kind, labels, help_)


BUILD = _family("build_info", "gauge", ("version",), "Always 1; the label names the version.")
ACTIVE = _family("pool_active", "gauge", _UPSTREAM, "1 for the upstream that nginx uses, else 0.")
STATE = _family(
    "upstream_health",
    "gauge",
    (*_UPSTREAM, "state"),
    "1 for the health the upstream has (unknown, up, down), 0 for the others.",
)
RESULTS = _family(
    "probe_results_total",
    "counter",
    (*_PROBE, "result", "reason"),
    "Probe results; the reason is empty for a pass.",
)
DURATION = _family(
    "probe_duration_seconds",
    "histogram",
    _PROBE,
    "Time from the start of a probe to its pass or fail.",
)
FAILURES = _family(
    "consecutive_failures", "gauge", _PROBE, "Failed checks since the last pass of this probe."
)
PHASE = _family(
    "pool_phase", "gauge", (*_POOL, "phase"), "1 for the phase the pool is in, 0 for the others."
)
GATE = _family(
    "gate_closed",
    "gauge",
    (*_POOL, "gate"),
    "1 while this gate forbids an automatic switch (also while its evidence is pending).",
)
HOLD = _family(
    "pool_hold",
    "gauge",
    (*_POOL, "gate"),
    "1 for the gate that holds the pool: the first closed one. No sample while none does.",
)
READY = _family(
    "rollback_ready", "gauge", _POOL, "1 if a rollback would succeed now, as far as is known."
)
STOPPED = _family(
    "pool_standby_stopped",
    "gauge",
    _POOL,
    "1 where the standby is shut down by design: a rollback is not possible and none is expected.",
)
SWITCHES = _family(
    "switches_total",
    "counter",
    (*_POOL, "from_upstream", "to_upstream", "trigger", "outcome"),
    "Switches that ended, by outcome: completed, undone, lost, or refused before anything moved.",
)
SWITCH_SECONDS = _family(
    "switch_duration_seconds",
    "histogram",
    _POOL,
    "Time from the decision to the proven end of the switch.",
)
DETECTION = _family(
    "detection_seconds",
    "histogram",
    _POOL,
    "Time from the first failed check to the decision, of automatic switches.",
)
PROPOSAL = _family(
    "proposal_open", "gauge", _POOL, "1 while a proposal is open: a switch needs approval."
)
PAUSED = _family("pool_paused", "gauge", _POOL, "1 while the pool is paused.")
LATCHED = _family(
    "pool_latched",
    "gauge",
    _POOL,
    "1 while the pool is latched: its budget is used up, and it waits for an ack.",
)
BAKE = _family(
    "bake_remaining_seconds", "gauge", _POOL, "Time until the bake can pass; 0 while none runs."
)
VALID = _family("nginx_config_valid", "gauge", (), "1 if nginx accepts its current configuration.")
RELOADS = _family(
    "nginx_reloads_total",
    "counter",
    ("outcome",),
    "Reloads by healthguard, by what the workers did: proven, refuted or unclear.",
)
SHUTTING = _family(
    "nginx_shutting_down_workers", "gauge", (), "Old workers that are still serving clients."
)
LAG = _family(
    "event_loop_lag_seconds",
    "gauge",
    (),
    "Largest delay of the event loop in the last 15 to 30 seconds.",
)
RELOAD_OK = _family(
    "config_last_reload_successful",
    "gauge",
    (),
    "1 if the configuration was accepted when it was last loaded.",
)
RELOAD_AT = _family(
    "config_last_reload_success_timestamp_seconds",
    "gauge",
    (),
    "When the configuration in use was loaded.",
)
DIFFERS = _family(
    "switcher_config_differs",
    "gauge",
    (),
    "1 while the switcher uses another configuration than the daemon. No sample if inline.",
)
LAST_PROBE = _family(
    "last_probe_timestamp_seconds", "gauge", _UPSTREAM, "When this upstream was last probed."
)
LOG_DROPPED = _family(
    "log_lines_dropped_total", "counter", (), "Log lines dropped because nobody read them in time."
)
LOG_DURABLE = _family(
    "event_log_durable",
    "gauge",
    (),
    "1 while events reach the event log, 0 while it cannot be written.",
)
NOTIFICATIONS = _family(
    "notifications_total",
    "counter",
    ("notifier", "outcome"),
    "Notifications, by outcome: sent, retried, failed (given up), dropped (the queue was full).",
)

FAMILIES = (
    BUILD, ACTIVE, STATE, RESULTS, DURATION, FAILURES, PHASE, GATE, HOLD, READY, STOPPED,
    PROPOSAL, SWITCHES, SWITCH_SECONDS, DETECTION, PAUSED, LATCHED, BAKE, VALID, RELOADS,
    SHUTTING, LAG, RELOAD_OK, RELOAD_AT, DIFFERS, LAST_PROBE, LOG_DROPPED, LOG_DURABLE,
    NOTIFICATIONS,
)  # fmt: skip


class Counts:
    """What follows from events: switches, reloads of nginx and of the configuration."""

    def __init__(self) -> None:
        self.switches: dict[tuple[str, ...], int] = {}
        self.reloads = {"proven": 0, "refuted": 0, "unclear": 0}
        self.durations: dict[str, Histogram] = {}
        self.detections: dict[str, Histogram] = {}
        self.config_ok = 1
        self.config_at_ms = 0
        self.notifications: dict[tuple[str, str], int] = {}

    def configure(self, pools: Iterable[str]) -> None:
        """The pools there are now; series of others are dropped."""
        kept = tuple(pools)
        self.switches = {k: n for k, n in self.switches.items() if k[0] in kept}
        old, older = self.durations, self.detections
        self.durations = {p: old.get(p) or Histogram(SWITCH_BUCKETS) for p in kept}
        self.detections = {p: older.get(p) or Histogram(DETECTION_BUCKETS) for p in kept}

    def notify(self, notifiers: Iterable[str]) -> None:
        """The notifiers there are now; each of their series exists from the start."""
        old = self.notifications
        self.notifications = {
            (name, outcome): old.get((name, outcome), 0)
            for name in notifiers
            for outcome in NOTIFIED
        }

    def notified(self, notifier: str, outcome: str, count: int) -> None:
        """Count what became of messages."""
        if (notifier, outcome) in self.notifications:
            self.notifications[notifier, outcome] += count

    def event(self, event: Mapping[str, Any], wall_ms: int) -> None:
        """Count what one event means."""
        name = event["event"]
        if name in _ENDS:
            self._switch_ended(event, _ENDS[name])
        elif name in ("config_reloaded", "daemon_started"):
            self.config_ok, self.config_at_ms = 1, wall_ms
        elif name == "config_rejected":
            self.config_ok = 0

    def _switch_ended(self, event: Mapping[str, Any], outcome: str) -> None:
        pool = event["pool"]
        if event.get("gate"):  # nothing was moved
            outcome = "refused"
        names = (event.get("from"), event.get("to"), event.get("trigger"))
        key = (pool, *(str(each or "") for each in names), outcome)
        self.switches[key] = self.switches.get(key, 0) + 1
        timings = event.get("timings_ms") or {}
        if "total" in timings and pool in self.durations:
            self.durations[pool].observe(timings["total"] / 1000)
        detection = event.get("detection_ms")
        if detection is not None and pool in self.detections and outcome != "refused":
            self.detections[pool].observe(detection / 1000)
        if "reload" in timings:
            self._reloaded(event.get("confirm") or _confirmed(outcome))
            if outcome == "undone":  # the way back is a reload too
                self._reloaded("proven")
            elif outcome == "lost" and event.get("confirm") != "unclear":
                self._reloaded("refuted")

    def _reloaded(self, outcome: str) -> None:
        if outcome in self.reloads:
            self.reloads[outcome] += 1


def _confirmed(outcome: str) -> str:
    return "proven" if outcome == "completed" else "refuted"


def count_rows(counts: Counts) -> Iterator[Row]:
    """Rows of what events and the configuration have told."""
    for key, number in list(counts.switches.items()):
        yield Row(SWITCHES, key, number)
    for family, spread in ((SWITCH_SECONDS, counts.durations), (DETECTION, counts.detections)):
        for pool, histogram in list(spread.items()):
            yield Row(family, (pool,), histogram)
    for outcome, number in counts.reloads.items():
        yield Row(RELOADS, (outcome,), number)
    for told, number in list(counts.notifications.items()):
        yield Row(NOTIFICATIONS, told, number)
    yield Row(RELOAD_OK, (), counts.config_ok)
    yield Row(RELOAD_AT, (), counts.config_at_ms / 1000)


def probe_rows(results: ProbeResults) -> Iterator[Row]:
    """Rows of every probe."""
    for key, series in list(results.series.items()):
        for kind, number in list(series.counts.items()):
            yield Row(RESULTS, key + kind, number)
        histogram = Histogram(BUCKETS)
        histogram.counts, histogram.total = series.durations, series.seconds
        yield Row(DURATION, key, histogram)


def view_rows(views: Iterable[PoolView]) -> Iterator[Row]:
    """Rows of the state of every pool. ``views`` is read lazily, one pool at a time."""
    valid: bool | None = None
    shutting = 0
    for view in views:
        nginx = view.nginx
        if nginx.config_valid is not None:
            valid = nginx.config_valid and valid is not False
        shutting = max(shutting, nginx.shutting_down)
        yield from _pool_rows(view)
    if valid is not None:
        yield Row(VALID, (), int(valid))
    yield Row(SHUTTING, (), shutting)


def _pool_rows(view: PoolView) -> Iterator[Row]:
    pool = view.pool
    for upstream, state in view.upstreams.items():
        yield from _upstream_rows(pool, upstream, state, view.active)
    for phase in PHASES:
        yield Row(PHASE, (pool, phase), int(view.phase == phase))
    for gate in view.gates:
        yield Row(GATE, (pool, gate.gate), int(gate.closed or gate.pending))
    if view.hold:
        yield Row(HOLD, (pool, view.hold), 1)
    yield Row(READY, (pool,), int(view.rollback_ready))
    yield Row(STOPPED, (pool,), int(view.standby == "stopped"))
    yield Row(PROPOSAL, (pool,), int(view.proposal is not None))
    yield Row(PAUSED, (pool,), int(view.paused is not None))
    yield Row(LATCHED, (pool,), int(view.latched))
    bake = view.bake
    yield Row(BAKE, (pool,), bake.remaining_ms / 1000 if bake else 0)


def _upstream_rows(
    pool: str, upstream: str, state: UpstreamView, active: str | None
) -> Iterator[Row]:
    yield Row(ACTIVE, (pool, upstream), int(upstream == active))
    for health in HEALTH:
        yield Row(STATE, (pool, upstream, health), int(state.health == health))
    for probe, seen in state.probes.items():
        yield Row(FAILURES, (pool, upstream, probe), seen.fails)
    if state.last_probe_wall_ms:
        yield Row(LAST_PROBE, (pool, upstream), state.last_probe_wall_ms / 1000)
