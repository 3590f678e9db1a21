"""The table of routes, and what each does with the guard."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from aiohttp.web_exceptions import HTTPRequestEntityTooLarge
from aiohttp.web_request import BaseRequest

from healthguard.control import answers, bodies
from healthguard.control.access import Access
from healthguard.control.door import Door
from healthguard.control.errors import ApiError, unknown
from healthguard.control.ports import GuardPort
from healthguard.control.stream import EventStreams
from healthguard.core import durations
from healthguard.core.codes import Code
from healthguard.core.model import Actor, Outcome
from healthguard.core.moments import since_wall_ms
from healthguard.doors.answers import json_answer
from healthguard.doors.clients import MAX_BODY

log = logging.getLogger("healthguard.control")

DEFAULT_WAIT_MS = 60_000
LONGEST_WAIT_MS = 600_000

_READ_POOL = ("why", "ready", "releases")


@dataclass(frozen=True, slots=True)
class Route:
    """What a path means. ``verb`` is "" for a pool's own page."""

    method: str
    kind: str  # status | proposals | events | reload | pool | order
    pool: str = ""
    verb: str = ""
    query: frozenset[str] = frozenset()


def find_route(raw_path: str) -> Route:
    """The route of a path. ApiError 404 when there is none."""
    parts = [unquote(part) for part in raw_path.strip("/").split("/")]
    match parts:
        case ["v1", "status"]:
            return Route("GET", "status")
        case ["v1", "proposals"]:
            return Route("GET", "proposals")
        case ["v1", "events"]:
            return Route("GET", "events", query=frozenset({"since", "follow", "pool"}))
        case ["v1", "reload"]:
            return Route("POST", "reload", query=frozenset({"wait"}))
        case ["v1", "pools", pool]:
            return Route("GET", "pool", pool)
        case ["v1", "pools", pool, verb] if verb in _READ_POOL:
            return Route("GET", "pool", pool, verb)
        case ["v1", "pools", pool, verb] if verb in bodies.VERBS:
            return Route("POST", "order", pool, verb, frozenset({"wait"}))
    orders = "|".join(bodies.VERBS)
    raise ApiError(
        404,
        "not_found",
        "no such path; there are GET /v1/status, /v1/proposals, /v1/events, "
        f"/v1/pools/POOL[/{'|/'.join(_READ_POOL)}] and POST /v1/reload, /v1/pools/POOL/({orders})",
    )


class Api:
    """Answers requests. Whatever goes wrong becomes an answer; nothing reaches the daemon."""

    def __init__(self, guard: GuardPort, access: Access) -> None:
        self._guard = guard
        self._access = access
        self.streams = EventStreams(guard)
        self._orders: set[asyncio.Task[Outcome]] = set()

    async def handle(self, request: BaseRequest, door: Door) -> web.StreamResponse:
        """One request, one answer."""
        try:
            response = await self._answer(request, door)
        except ApiError as error:
            response = json_answer(error.body(), error.status, error.headers)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception:
            log.exception("control API: %s %s", request.method, request.path)
            reading = request.method == "GET"
            mistake = ApiError(
                500,
                "internal",
                "internal error in the daemon; see its log: `journalctl -u healthguard`"
                + ("" if reading else "; the result of the order is unknown"),
                exit_code=Code.NO_ACCESS if reading else Code.LOST,
            )
            response = json_answer(mistake.body(), mistake.status)
        door.answering()
        return response

    async def _answer(self, request: BaseRequest, door: Door) -> web.StreamResponse:
        route = find_route(request.rel_url.raw_path)
        if request.method != route.method:
            raise ApiError(
                405,
                "wrong_method",
                f"this path accepts {route.method}, not {request.method[:20]}",
                headers={"Allow": route.method},
            )
        trusted = door.peer is not None and self._access.may_change(door.peer)
        if route.method == "POST" and not trusted:
            raise ApiError(403, "forbidden", self._access.refusal(), exit_code=Code.NO_ACCESS)
        body = await _read(request)
        door.heard()
        self._check(route, request.query)
        if route.method == "POST":
            return await self._order(route, request.query, body, door)
        if route.kind == "events":
            return await self._events(request, door, trusted)
        view = self._view(route)
        return json_answer(view if trusted else answers.without_excerpts(view))

    def _check(self, route: Route, query: Mapping[str, str]) -> None:
        for name in query:
            if name not in route.query:
                known = ", ".join(sorted(route.query)) or "none"
                raise ApiError(
                    400, "bad_request", f"{name[:80]!r}: unknown query parameter (known: {known})"
                )
        pool = query.get("pool") if route.kind == "events" else route.pool or None
        known_pools = list(self._guard.pools())
        if (pool is not None or route.kind in ("pool", "order")) and pool not in known_pools:
            raise unknown("pool", pool or "", known_pools, 404)

    def _view(self, route: Route) -> object:
        if route.kind == "status":
            return self._guard.status()
        if route.kind == "proposals":
            return self._guard.proposals()
        readers: dict[str, Callable[[str], object]] = {
            "": self._guard.pool,
            "why": self._guard.why,
            "ready": self._guard.ready,
            "releases": self._guard.releases,
        }
        return readers[route.verb](route.pool)

    async def _order(
        self, route: Route, query: Mapping[str, str], body: bytes, door: Door
    ) -> web.StreamResponse:
        peer = door.peer
        assert peer is not None  # or it would not have been trusted
        wait_ms = _wait(query)
        order: Callable[[Actor], Awaitable[Outcome]]
        if route.kind == "reload":
            bodies.nothing(body)
            order = self._guard.reload
        else:
            arguments: dict[str, Any] = bodies.arguments(route.verb, body)
            self._check_upstream(route.pool, arguments.get("upstream"))

            def order(actor: Actor) -> Awaitable[Outcome]:
                return self._guard.order(route.pool, route.verb, actor, **arguments)

        started_ms = int(time.time() * 1_000)
        actor = await asyncio.to_thread(peer.actor)  # may ask a directory service
        outcome = await self._wait_for(order, actor, wait_ms)
        if outcome is None:
            outcome = await self._still_going(route, actor, started_ms, wait_ms)
        return json_answer(answers.body(outcome), answers.status(outcome))

    def _check_upstream(self, pool: str, upstream: str | None) -> None:
        known = self._guard.pool(pool).upstreams
        if upstream is not None and upstream not in known:
            raise unknown("upstream", upstream, known, 400)

    async def _wait_for(
        self, order: Callable[[Actor], Awaitable[Outcome]], actor: Actor, wait_ms: int
    ) -> Outcome | None:
        """The end of the order, or None when it takes longer; then it goes on by itself.

        It goes on as well when the client leaves: what was begun is finished.
        """

        async def run() -> Outcome:
            return await order(actor)

        task = asyncio.create_task(run(), name="control order")
        self._orders.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait({task}, timeout=wait_ms / 1_000)
        return task.result() if task.done() else None

    def _ended(self, task: asyncio.Task[Outcome]) -> None:
        self._orders.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("control API: an order failed: %r", error)

    async def _still_going(
        self, route: Route, actor: Actor, started_ms: int, wait_ms: int
    ) -> Outcome:
        """Name what goes on: the switch, else the order, that the event log has of this actor."""
        found = ""
        try:
            events = await asyncio.to_thread(
                self._guard.events, started_ms - 1_000, route.pool or None
            )
            names = ("switch_started", "order_received")
            ours = [event for event in events if answers.is_of(event, actor, names)]
            ours.sort(key=lambda event: event["event"] == "switch_started")
            found = str(ours[-1].get("id", "")) if ours else ""
        except Exception:
            log.exception("control API: the event log cannot be read")
        return Outcome(
            code=Code.WAITING,
            error="still_waiting",
            message=f"timed out after {wait_ms / 1_000:g} s; it is still running",
            data={"id": found},
        )

    async def _events(self, request: BaseRequest, door: Door, trusted: bool) -> web.StreamResponse:
        follow = {"": False, "0": False, "1": True}.get(request.query.get("follow", ""))
        if follow is None:
            raise ApiError(400, "bad_request", "'follow': must be 1 or 0")
        since: int | None = None if follow else 0
        if "since" in request.query:
            try:
                since = since_wall_ms(request.query["since"], int(time.time() * 1_000))
            except ValueError as error:
                raise ApiError(400, "bad_request", f"'since': {error}") from None
        return await self.streams.send(
            request, door, trusted, since, request.query.get("pool"), follow
        )


async def _read(request: BaseRequest) -> bytes:
    too_big = ApiError(413, "too_big", f"the body is over {MAX_BODY // 1024} KiB")
    if (request.content_length or 0) > MAX_BODY:
        raise too_big
    try:
        return await request.read()
    except HTTPRequestEntityTooLarge:
        raise too_big from None
    except web.RequestPayloadError as error:
        raise ApiError(400, "bad_http", f"the body is broken: {error}"[:200]) from None


def _wait(query: Mapping[str, str]) -> int:
    if "wait" not in query:
        return DEFAULT_WAIT_MS
    try:
        return durations.parse(query["wait"], most_ms=LONGEST_WAIT_MS)
    except ValueError as error:
        raise ApiError(400, "bad_request", f"'wait': {error}") from None
