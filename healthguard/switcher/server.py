"""The switcher's conversation: connections in, one act at a time on nginx, results remembered.

What was begun is finished: it belongs to the service, not to the connection it came by.
"""

import asyncio
import logging
import select
import socket
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

from healthguard.core.events import Commit
from healthguard.core.model import REFUSED, Done
from healthguard.machine.codec import encode
from healthguard.machine.unixsock import peer_of
from healthguard.nginx.ports import Recovered, Switcher
from healthguard.nginx.settings import NginxSettings, PoolFiles
from healthguard.switcher import wire as wire
from healthguard.switcher.config import ConfigSource, NoConfig, SwitcherConfig
from healthguard.switcher.results import Results, as_recovered

MAX_CONNECTIONS = 8
REQUEST_S = 2.0  # from the connection, or the last answer, to a whole request
WRITE_S = 2.0
GATE = "switcher_unavailable"

Build = Callable[[NginxSettings, Mapping[str, PoolFiles]], Switcher]
Gone = Callable[[], bool]


class Refused(Exception):
    """Answered as ``{"error": {"code", "message"}}``; nothing was begun."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SwitcherServer:
    """Serves the protocol of ``switcher.wire`` on one listening unix socket.

    ``allowed``: uids that may connect.  ``build`` makes the thing that really switches, again
    whenever the part of the configuration that it needs has changed.
    """

    def __init__(
        self,
        source: ConfigSource,
        build: Build,
        results: Results,
        allowed: frozenset[int],
        log: logging.Logger,
    ) -> None:
        self._source = source
        self._build = build
        self._results = results
        self._allowed = allowed
        self._log = log
        self._built: tuple[SwitcherConfig, Switcher] | None = None
        self._told_problem = ""
        self._act = asyncio.Lock()
        self._test = asyncio.Lock()
        self._running: dict[str, asyncio.Task[Recovered]] = {}
        self._given_up: deque[str] = deque(maxlen=256)
        self._handlers: set[asyncio.Task[None]] = set()
        self._work: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._last_active = 0.0

    async def serve(
        self, sock: socket.socket, stop: asyncio.Event, idle_s: float | None = None
    ) -> None:
        """Until ``stop``, or until nobody wanted anything for ``idle_s``; ends what it began."""
        loop = asyncio.get_running_loop()
        self._last_active = loop.time()
        server = await asyncio.start_unix_server(self._connected, sock=sock, limit=wire.MAX_LINE)
        self._start(self._reconcile_at_start())
        try:
            await self._wait(stop, idle_s)
        finally:
            self._stopping = True
            server.close()
            await asyncio.sleep(0.05)  # accepted in the same moment: they get their answer
            while busy := self._handlers | self._work:
                await asyncio.wait(busy)

    async def _wait(self, stop: asyncio.Event, idle_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            left_s = None if idle_s is None else self._last_active + idle_s - loop.time()
            if left_s is not None and left_s <= 0:
                if not self._handlers and not self._work:
                    return
                left_s = idle_s
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), left_s)
                return

    # ----------------------------------------------------------- connections

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connection(reader, writer), name="switcher client")
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            refusal = self._refusal(writer)
            if refusal:
                # Heard out first: who is hung up on while speaking does not hear the reason.
                with suppress(Refused):
                    await _request_line(reader)
                raise refusal
            while True:
                line = await _request_line(reader)
                if line is None:
                    return
                await self._send(writer, await self._answer(line, lambda: _gone(writer)))
                if self._stopping:
                    return
        except Refused as err:
            with suppress(OSError, TimeoutError):
                await self._send(writer, _error(err.code, str(err)))
        except (OSError, TimeoutError):
            return  # the client went away or does not read
        finally:
            self._last_active = asyncio.get_running_loop().time()
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    def _refusal(self, writer: asyncio.StreamWriter) -> Refused | None:
        peer = peer_of(writer.get_extra_info("socket"))
        if len(self._handlers) > 4 * MAX_CONNECTIONS:
            raise ConnectionAbortedError  # not even an answer
        if peer.uid not in self._allowed:
            self._log.warning("refused a request from uid %d (pid %d)", peer.uid, peer.pid)
            return Refused("forbidden", f"uid {peer.uid} may not use the switcher")
        if len(self._handlers) > MAX_CONNECTIONS:
            return Refused(
                "busy", f"too many connections to the switcher (limit {MAX_CONNECTIONS})"
            )
        return None

    async def _send(self, writer: asyncio.StreamWriter, message: Mapping[str, Any]) -> None:
        writer.write(wire.encode(message))
        async with asyncio.timeout(WRITE_S):
            await writer.drain()

    async def _answer(self, line: bytes, gone: Gone) -> dict[str, Any]:
        try:
            request = wire.decode_request(line)
        except wire.WireError as err:
            raise Refused("bad_request", str(err)) from None
        try:
            answer = await self._do(request, gone)
        except Refused as err:
            answer = _error(err.code, str(err))
        except Exception:
            self._log.exception("%s failed", type(request).__name__)
            answer = _error(
                "internal", "the switcher failed; see journalctl -u healthguard-switcher"
            )
        digest = self._built[0].digest if self._built else ""
        return {**answer, "config": {"digest": digest, "problem": self._source.problem}}

    async def _do(self, request: wire.Request, gone: Gone) -> dict[str, Any]:
        match request:
            case wire.Ping():
                self._switcher()
                return {"pong": True}
            case wire.PrepareRequest(pool=pool, upstream=upstream):
                return await self._prepare(pool, upstream)
            case wire.ResultRequest(switch_id=switch_id):
                return {"recovered": encode(await self._result(switch_id))}
            case wire.Reconcile():
                items = await asyncio.shield(self._start(self._reconcile()))
                return {"recovered": [encode(each) for each in items]}
            case Commit():
                return {"done": encode((await self._commit(request, gone)).done)}

    # ----------------------------------------------------------- the verbs

    async def _prepare(self, pool: str, upstream: str) -> dict[str, Any]:
        switcher = self._switcher()
        self._must_know(pool, upstream)
        async with self._test:
            return {"test": encode(await switcher.prepare(pool, upstream))}

    async def _commit(self, order: Commit, gone: Gone) -> Recovered:
        """The same id again joins the one under way, or gets the remembered end."""
        known = self._results.get(order.switch_id)
        if known is not None:
            return as_recovered(known)
        task = self._running.get(order.switch_id)
        if task is None:
            switcher = self._switcher()
            self._must_know(order.pool, order.to, order.origin)
            task = self._start(self._carry_out(switcher, order, gone))
            self._running[order.switch_id] = task
            task.add_done_callback(lambda _: self._running.pop(order.switch_id, None))
        return await asyncio.shield(task)

    async def _carry_out(self, switcher: Switcher, order: Commit, gone: Gone) -> Recovered:
        async with self._act:
            # A client that has left, or got "unknown", relies on nothing happening.
            if gone() or order.switch_id in self._given_up:
                message = "not started: the requester had disconnected"
                done = Done(REFUSED, gate=GATE, message=message)
            else:
                self._log.info("%s: %s to %s", order.switch_id, order.pool, order.to)
                try:
                    done = await switcher.commit(order)
                except Exception:
                    self._log.exception("%s failed", order.switch_id)
                    message = (
                        "the outcome of this switch is unknown: the switcher failed; see "
                        "journalctl -u healthguard-switcher"
                    )
                    done = Done(outcome="", message=message)
            self._log.info("%s: %s %s", order.switch_id, done.outcome or "unknown", done.message)
            end = Recovered(order.switch_id, order.pool, order.to, done)
            if done.outcome:
                await self._results.remember(end)
            return end

    async def _result(self, switch_id: str) -> Recovered:
        task = self._running.get(switch_id)
        end = await asyncio.shield(task) if task else self._results.get(switch_id)
        if end is None:
            # From now on this id is never begun: the asker goes on without it.
            self._given_up.append(switch_id)
            raise Refused("unknown_switch", "the switcher does not know this switch")
        return as_recovered(end)

    async def _reconcile(self) -> tuple[Recovered, ...]:
        async with self._act:
            found = await self._switcher().reconcile()
            for end in found:
                # The records of ends that were already reported come along each time.
                if end.done.outcome and self._results.get(end.switch_id) is None:
                    self._log.warning("%s: recovered, %s", end.switch_id, end.done.outcome)
                    await self._results.remember(end)
        ids = {end.switch_id for end in found}
        return (*found, *(end for end in self._results.latest() if end.switch_id not in ids))

    async def _reconcile_at_start(self) -> None:
        try:
            await self._reconcile()
        except Refused as err:
            self._log.error("%s", err)
        except Exception:
            self._log.exception("the reconcile at startup failed")

    # ----------------------------------------------------------- what they need

    def _switcher(self) -> Switcher:
        """The switcher for the configuration as it stands."""
        try:
            config = self._source.current()
        except NoConfig as err:
            raise Refused("no_config", f"no valid configuration: {err}") from None
        if self._source.problem != self._told_problem:
            self._told_problem = self._source.problem
            if self._told_problem:
                self._log.error("the last valid configuration is in use: %s", self._told_problem)
        old = self._built
        if old and (old[0].nginx, dict(old[0].pools)) == (config.nginx, dict(config.pools)):
            self._built = (config, old[1])  # tickets stay good
        else:
            self._built = (config, self._build(config.nginx, config.pools))
        return self._built[1]

    def _must_know(self, pool: str, upstream: str, origin: str | None = None) -> None:
        assert self._built is not None
        pools = self._built[0].pools
        if pool not in pools:
            raise Refused("unknown_pool", f"the switcher's configuration has no pool {pool[:80]!r}")
        for name in (upstream, origin):
            if name is not None and name not in pools[pool].upstreams:
                raise Refused("unknown_upstream", f"pool {pool} has no upstream {name[:80]!r}")

    def _start(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work, name="switcher work")
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task


async def _request_line(reader: asyncio.StreamReader) -> bytes | None:
    """One line; None when the client has nothing more to say. Refused: too long or too slow."""
    try:
        async with asyncio.timeout(REQUEST_S):
            return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise Refused("too_large", f"the request is longer than {wire.MAX_LINE} bytes") from None
    except TimeoutError:
        raise Refused("timeout", f"no complete request within {REQUEST_S:g} s") from None


def _gone(writer: asyncio.StreamWriter) -> bool:
    """The client has closed its end, as the kernel knows it now (not: as the loop has heard)."""
    handle = writer.get_extra_info("socket").fileno()
    if handle < 0:
        return True
    poll = select.poll()
    poll.register(handle, select.POLLRDHUP)
    return bool(poll.poll(0))


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
