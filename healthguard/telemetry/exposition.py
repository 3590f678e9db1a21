"""The metrics as text for Prometheus, made in small pieces.

The text of 1,000 endpoints takes a good 100 ms to make; in one piece every scrape would delay the
probes by that. So it is made of slices of about a millisecond, each by prometheus_client's own
formatter, with the event loop turning between them. prometheus_client is imported at the first
scrape only (50 ms, 5 MB).
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from healthguard.telemetry.metrics import FAMILIES, Family, Histogram, Row

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FRESH = 1.0  # seconds for which one text answers every scrape
_SLICE_SAMPLES = 80
_SLICE_SECONDS = 0.001


def families(rows: Iterable[Row]) -> "dict[Family, Metric]":
    """``rows`` as prometheus_client's metric families: what its formatter takes."""
    made: dict[Family, Metric] = {}
    for row in rows:
        metric = made.get(row.family)
        if metric is None:
            metric = made[row.family] = _empty(row.family)
        _add(metric, row)
    return made


def _empty(family: Family) -> "Metric":
    from prometheus_client import core

    kinds = {
        "gauge": core.GaugeMetricFamily,
        "counter": core.CounterMetricFamily,
        "histogram": core.HistogramMetricFamily,
    }
    metric: Metric = kinds[family.kind](family.name, family.help, labels=family.labels)
    return metric


def _add(metric: "Metric", row: Row) -> None:
    if not isinstance(row.value, Histogram):
        metric.add_metric(row.labels, row.value)  # type: ignore[attr-defined]
        return
    buckets, seen = [], 0
    bounds = (*map(str, row.value.bounds), "+Inf")
    for bound, count in zip(bounds, row.value.counts, strict=True):
        seen += count
        buckets.append((bound, seen))
    metric.add_metric(row.labels, buckets, row.value.total)  # type: ignore[attr-defined]


class Exposition:
    """Makes the text; scrapes at the same time share one making."""

    def __init__(
        self,
        rows: Callable[[], Iterable[Row]],
        clock: Callable[[], float] = time.monotonic,
    ):
        """``rows`` is called for each making and read lazily, the loop turning in between."""
        self._rows = rows
        self._clock = clock
        self._registry: CollectorRegistry | None = None
        self._text = b""
        self._made_at = float("-inf")
        self._changes = self._made_of = 0
        self._making: asyncio.Task[None] | None = None

    def changed(self) -> None:
        """Something happened that a scrape from now on has to show."""
        self._changes += 1

    async def text(self) -> bytes:
        """The exposition, at most a second old, and never older than the last ``changed``."""
        changes = self._changes
        if self._made_of == changes and self._clock() - self._made_at < FRESH:
            return self._text
        while True:
            if self._making is None or self._making.done():
                self._making = asyncio.create_task(self._make(), name="metrics exposition")
            await asyncio.shield(self._making)
            if self._made_of >= changes:  # else it was begun before the last change
                return self._text

    async def close(self) -> None:
        """Stop a making under way."""
        if self._making is not None and not self._making.done():
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)

    async def _make(self) -> None:
        from prometheus_client import generate_latest

        began, changes = self._clock(), self._changes
        parts: dict[Family, list[bytes]] = {family: [] for family in FAMILIES}
        rows = iter(self._rows())
        while some := _slice(rows):
            for family, metric in families(some).items():
                parts[family].append(_body(generate_latest(_One(metric))))
            await asyncio.sleep(0)
        text = [piece for family in FAMILIES for piece in (_head(family), *parts[family])]
        await asyncio.sleep(0)
        self._text = b"".join([*text, generate_latest(self._process())])
        self._made_at, self._made_of = began, changes

    def _process(self) -> "CollectorRegistry":
        """process_* and python_info, in a registry of our own."""
        if self._registry is None:
            from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

            self._registry = CollectorRegistry()
            ProcessCollector(registry=self._registry)
            PlatformCollector(registry=self._registry)
        return self._registry


class _One:
    """One family as a collector."""

    def __init__(self, metric: "Metric"):
        self._metric = metric

    def collect(self) -> "Iterator[Metric]":
        yield self._metric


def _slice(rows: Iterator[Row]) -> list[Row]:
    """The next rows: about a millisecond of work to get and to format."""
    taken: list[Row] = []
    weight, deadline = 0, time.perf_counter() + _SLICE_SECONDS
    for row in rows:
        taken.append(row)
        weight += len(row.value.counts) + 2 if isinstance(row.value, Histogram) else 1
        if weight >= _SLICE_SAMPLES or time.perf_counter() > deadline:
            break
    return taken


def _head(family: Family) -> bytes:
    """The HELP and TYPE lines, as prometheus_client writes them."""
    from prometheus_client import generate_latest

    return generate_latest(_One(_empty(family)))


def _body(text: bytes) -> bytes:
    """``text`` without its HELP and TYPE lines."""
    return text.split(b"\n", 2)[2]
