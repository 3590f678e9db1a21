"""One check at a time: its deadline, its one answer, and the doubt about our own clock."""

import asyncio
import time
from collections.abc import Iterable

from healthguard.core.model import Answer, Expect
from healthguard.machine.secrets import Secrets
from healthguard.probes.excerpt import excerpt
from healthguard.probes.prober import Done
from healthguard.probes.reasons import classify

# How late our own timer may be before we doubt ourselves: this, or a quarter of the timeout.
LATE_US = 250_000
# Of what part of the timeout we may rob the upstream, by asking late, and still believe silence.
ROBBED = 4
# Later than this after the deadline an answer is doubtful, and so is silence after a last look.
LOOK_US = 20_000
# How exactly our loop must have been awake when max_latency passed, to call a later answer slow.
WITNESS_US = 20_000
# A timer may fire this much too soon: the clock of the loop stands still during each turn.
EARLY_US = 1_000


def now_us() -> int:
    """Microseconds of CLOCK_BOOTTIME: a suspend counts, so it shows as lateness."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class Attempt:
    """Base of the probers. Subclasses give _begin(), _close() and _look()."""

    def __init__(self, timeout_ms: int, expect: Expect, secrets: Iterable[str] = ()) -> None:
        self._timeout_s = timeout_ms / 1000
        self._timeout_us = timeout_ms * 1000
        self._late_us = self._timeout_us + max(LATE_US, self._timeout_us // 4)
        self._expect = expect
        self._secrets = Secrets(secrets)
        self._max_latency_us = expect.max_latency_us
        self._loop: asyncio.AbstractEventLoop
        self._done: Done | None = None
        self._inside = False
        self._started_us = 0  # the timeout counts from here
        self._begun_us = 0  # it had been asked, or was on its way
        self._connect_us = 0  # the latency counts from here
        self._timer: asyncio.Handle | None = None
        self._witness: asyncio.Handle | None = None
        self._witness_ok = False
        self._delivery: asyncio.Handle | None = None

    # ------------------------------------------------------------ Prober

    def start(self, done: Done) -> None:
        """See Prober."""
        if self._done is not None or self._delivery is not None:
            raise RuntimeError("the previous check is still running")
        self._loop = loop = asyncio.get_running_loop()
        self._done = done
        self._started_us = self._connect_us = now_us()
        self._timer = loop.call_later(self._timeout_s, self._on_deadline)
        if self._max_latency_us is not None:
            self._witness_ok = False
            self._witness = loop.call_later(self._max_latency_us / 1e6, self._on_witness)
        self._inside = True
        try:
            self._begin()
        except Exception as error:
            self._trouble(error)
        self._begun_us = now_us()
        self._inside = False

    def cancel(self) -> None:
        """See Prober."""
        self._done = None
        if self._delivery is not None:
            self._delivery.cancel()
            self._delivery = None
        self._clear()

    # ------------------------------------------------------------ for subclasses

    def _begin(self) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        """Let go of everything; may be called at any time, also twice."""
        raise NotImplementedError

    def _look(self) -> None:
        """Take what is there already; called once when the deadline comes late."""

    def _too_late(self) -> bool:
        """True if the deadline is over and its timer has not fired: our loop is late."""
        return now_us() - self._started_us > self._timeout_us + LOOK_US

    def _on_timeout(self) -> None:
        """The deadline has come; the default is a plain fail."""
        self._finish(failure="timeout", detail=f"no complete answer within {self._timeout_s:g} s")

    def _trouble(self, error: Exception) -> None:
        """End with what an exception means."""
        if isinstance(error, OSError):
            failure, doubt = classify(error, local=self._inside)
            self._finish(failure=failure, inconclusive=doubt, detail=error.strerror or str(error))
        else:
            self._finish(inconclusive="internal", detail=f"{type(error).__name__}: {error}")

    def _finish(
        self,
        *,
        status: int | None = None,
        failure: str | None = None,
        inconclusive: str | None = None,
        verdicts: tuple[tuple[str, bool], ...] = (),
        detail: str = "",
        raw: bytes = b"",
        release: str | None = None,
    ) -> None:
        """End with an answer. ``raw``: what the upstream said, for the excerpt."""
        done = self._done
        if done is None:
            return
        self._done = None
        now = now_us()
        latency = now - self._connect_us
        if inconclusive is None and self._doubtful(now, latency, failure):
            late_ms = (now - self._started_us) // 1000
            inconclusive, failure, verdicts, raw, release = "loop_late", None, (), b"", None
            detail = (
                f"healthguard looked {late_ms} ms after the start of a check limited to "
                f"{self._timeout_s:g} s"
            )
        self._clear()
        # Here it leaves the probe: what an upstream sends back is not shown to anyone.
        shown = excerpt(raw, self._secrets) if raw else ""
        detail = self._secrets.cut(detail) if detail else ""
        release = self._secrets.cut(release) if release else release
        answer = Answer(latency, status, failure, inconclusive, verdicts, detail, shown, release)
        if self._inside:
            self._delivery = self._loop.call_soon(self._deliver, done, answer)
        else:
            done(answer)

    # ------------------------------------------------------------ inside

    def _doubtful(self, now: int, latency: int, failure: str | None) -> bool:
        """True if the time this took may be our own."""
        elapsed = now - self._started_us
        # Stopped before we had asked: too little of the timeout was left for an answer.
        if failure == "timeout" and self._begun_us - self._started_us > self._timeout_us // ROBBED:
            return True
        # Anything but silence may have been there in time, and it is we who came late.
        if elapsed > (self._late_us if failure == "timeout" else self._timeout_us + LOOK_US):
            return True
        limit = self._max_latency_us
        return limit is not None and failure is None and latency > limit and not self._witness_ok

    def _deliver(self, done: Done, answer: Answer) -> None:
        self._delivery = None
        done(answer)

    def _on_deadline(self) -> None:
        self._timer = None
        if self._too_late():
            try:
                self._look()
            except Exception as error:
                self._trouble(error)
        if self._done is not None:
            self._on_timeout()

    def _on_witness(self) -> None:
        """Our loop was awake when max_latency passed: a slower answer is really slow."""
        late = now_us() - self._connect_us - (self._max_latency_us or 0)
        if late < -EARLY_US:  # the latency began to count after a look-up
            self._witness = self._loop.call_later(-late / 1e6, self._on_witness)
        else:
            self._witness_ok = late <= WITNESS_US

    def _clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._witness is not None:
            self._witness.cancel()
            self._witness = None
        self._close()
