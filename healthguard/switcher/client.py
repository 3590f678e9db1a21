"""The switcher behind a unix socket: the unprivileged daemon's way to move traffic.

One connection per request.  A commit whose answer does not come is never guessed at: the client
asks again until it knows, and otherwise says that it does not (an empty outcome), so that
observation settles it.
"""

import asyncio
import errno
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from healthguard.core.events import Commit
from healthguard.core.model import REFUSED, Done, Instant, PrepareFact
from healthguard.machine import clock
from healthguard.nginx.ports import Recovered
from healthguard.switcher.wire import (
    MAX_ANSWER,
    Ping,
    PrepareRequest,
    Reconcile,
    Request,
    ResultRequest,
    WireError,
    decode_answer,
    encode_request,
    load,
)

GATE = "switcher_unavailable"
_CONNECT_S = 2.0
_RETRY_S = 0.25


class _Unreachable(Exception):
    """No connection: the switcher has not seen the request."""


class _Broken(Exception):
    """The request was sent, perhaps only in part, and no whole answer came."""


class _Refusal(Exception):
    """The switcher answered with an error: nothing was begun."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SocketSwitcher:
    """A ``Switcher`` (see ``nginx.ports``) over the socket at ``path``.  Never raises.

    ``problem`` is why the switcher could not be asked the last time, "" when it could.
    ``config_digest`` and ``config_problem`` are what the switcher last said about the
    configuration it goes by: another digest than the daemon's is an alert.
    """

    def __init__(
        self,
        path: Path,
        *,
        test_timeout_ms: int = 10_000,
        confirm_timeout_ms: int = 5_000,
        now: Callable[[], Instant] = clock.now,
    ) -> None:
        self._path = path
        # A prepare tests twice (baseline and candidate); a commit confirms twice (an undo).
        self._prepare_s = test_timeout_ms * 2 / 1000 + 5
        self._commit_s = (confirm_timeout_ms * 2 + test_timeout_ms) / 1000 + 15
        self._now = now
        self.problem = ""
        self.config_digest = ""
        self.config_problem = ""

    async def prepare(self, pool: str, upstream: str) -> PrepareFact:
        """Test everything a switch needs; trouble with the switcher is a closed gate."""
        try:
            answer = await self._ask(PrepareRequest(pool, upstream), self._prepare_s)
            return load(PrepareFact, answer.get("test"))
        except (_Unreachable, _Broken, _Refusal, WireError) as err:
            return PrepareFact(self._now(), ticket=None, gate=GATE, message=str(err))

    async def commit(self, order: Commit) -> Done:
        """Carry it out.  ``outcome`` "" with ``recovered``: unknown, to be settled by looking."""
        try:
            answer = await self._ask(order, self._commit_s)
            return load(Done, answer.get("done"))
        except (_Unreachable, _Refusal) as err:
            return Done(REFUSED, gate=GATE, message=str(err))
        except (_Broken, WireError) as err:
            return await self._settle(order.switch_id, str(err))

    async def reconcile(self) -> tuple[Recovered, ...]:
        """Ended leftovers, and for each pool the last result the switcher remembers.

        Empty also when the switcher cannot be asked: then ``problem`` says so.
        """
        try:
            return await self._reconcile(self._commit_s)
        except (_Unreachable, _Broken, _Refusal, WireError):
            return ()

    async def ping(self) -> bool:
        """True if the switcher answers; refreshes ``config_digest`` and ``problem``."""
        try:
            await self._ask(Ping(), _CONNECT_S)
        except (_Unreachable, _Broken, _Refusal):
            return False
        return True

    # ----------------------------------------------------------- an answer that did not come

    async def _settle(self, switch_id: str, why: str) -> Done:
        """Ask until the switcher tells how ``switch_id`` ended, or says it does not know."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._commit_s
        while (left_s := end - loop.time()) > 0:
            try:
                return await self._result(switch_id, left_s)
            except (_Unreachable, _Broken, WireError):
                await asyncio.sleep(_RETRY_S)
            except _Refusal as err:
                why = f"{why}; {err}"
                break
        message = f"the outcome of this switch is unknown: {why}"
        return Done(outcome="", message=message, recovered=True)

    async def _result(self, switch_id: str, left_s: float) -> Done:
        """The remembered result; else what reconcile makes of it.  _Refusal: neither knows."""
        try:
            answer = await self._ask(ResultRequest(switch_id), left_s)
            return load(Recovered, answer.get("recovered")).done
        except _Refusal as err:
            for item in await self._reconcile(left_s):
                if item.switch_id == switch_id:
                    return item.done
            raise err from None

    async def _reconcile(self, deadline_s: float) -> tuple[Recovered, ...]:
        answer = await self._ask(Reconcile(), deadline_s)
        items = answer.get("recovered")
        if not isinstance(items, list):
            raise WireError("the switcher's answer is not the result of a reconcile")
        return tuple(load(Recovered, item) for item in items)

    # ----------------------------------------------------------- one request, one answer

    async def _ask(self, request: Request, deadline_s: float) -> Mapping[str, Any]:
        self.problem = ""
        try:
            return self._accept(await self._exchange(encode_request(request), deadline_s))
        except (_Unreachable, _Broken, _Refusal) as err:
            self.problem = str(err)
            raise

    async def _exchange(self, line: bytes, deadline_s: float) -> bytes:
        try:
            async with asyncio.timeout(min(_CONNECT_S, deadline_s)):
                reader, writer = await asyncio.open_unix_connection(self._path, limit=MAX_ANSWER)
        except (OSError, TimeoutError) as err:
            raise _Unreachable(_no_connection(self._path, err)) from None
        try:
            async with asyncio.timeout(deadline_s):
                writer.write(line)
                await writer.drain()
                return await reader.readuntil(b"\n")
        except TimeoutError:
            raise _Broken(f"the switcher did not answer within {deadline_s:.0f} s") from None
        except (OSError, asyncio.IncompleteReadError):
            raise _Broken("the connection to the switcher was lost before it answered") from None
        except asyncio.LimitOverrunError:
            raise _Broken("the switcher's answer is incomplete") from None
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _accept(self, line: bytes) -> Mapping[str, Any]:
        try:
            answer = decode_answer(line)
        except WireError as err:
            raise _Broken(f"the switcher's answer cannot be read: {err}") from None
        config = answer.get("config")
        if isinstance(config, dict):
            self.config_digest = str(config.get("digest", ""))
            self.config_problem = str(config.get("problem", ""))
        error = answer.get("error")
        if isinstance(error, dict):
            raise _Refusal(str(error.get("code", "")), str(error.get("message", "")))
        return answer


def _no_connection(path: Path, err: Exception) -> str:
    if isinstance(err, TimeoutError) and getattr(err, "errno", None) is None:
        return f"the switcher at {path} does not accept connections"
    number = getattr(err, "errno", None)
    if number == errno.ENOENT:
        return f"the switcher's socket {path} does not exist"
    if number == errno.ECONNREFUSED:
        return f"no switcher is listening on {path}"
    if number in (errno.EACCES, errno.EPERM):
        return f"no permission to use the switcher's socket {path}"
    return f"the switcher at {path} cannot be reached: {getattr(err, 'strerror', None) or err}"
