"""The story that the demo tells. Every step is real; it fails if the rollback did not happen."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import aiohttp

from healthguard.core.codes import Code
from healthguard.demo.load import RATE, Load
from healthguard.demo.sandbox import RELEASES, CliCall, DemoError, Sandbox
from healthguard.demo.screen import Screen

T = TypeVar("T")
CALM_S = 2.0  # between two acts, so that a reader can follow
WITHIN_S = 15.0  # for anything that must happen


def run(stay: bool) -> int:
    """Plays the demo; 0 only if the bad release was really rolled back.

    ``stay``: keep everything running afterwards, until Ctrl-C.
    """
    return asyncio.run(_run(stay))


async def _run(stay: bool) -> int:
    _cancel_once_by_signal()
    try:
        return await _play(Screen(), stay)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return Code.REFUSED
    except asyncio.CancelledError:
        print("\ndemo: stopped, nothing is left behind", file=sys.stderr)
        return Code.INTERRUPTED


def _cancel_once_by_signal() -> None:
    """The first signal ends the demo; later ones must not disturb the cleaning up."""
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    assert me is not None
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop() -> None:
        for number in signals:
            loop.add_signal_handler(number, lambda: None)
        me.cancel()

    for number in signals:
        loop.add_signal_handler(number, stop)


async def _play(screen: Screen, stay: bool) -> int:
    screen.title("healthguard demo: a bad release, rolled back")
    async with Sandbox() as sandbox:
        _introduce(screen, sandbox)
        try:
            await DemoStory(screen, sandbox).tell()
        except DemoError:
            print(sandbox.logs(), file=sys.stderr)
            raise
        if stay:
            await _stay(screen, sandbox)
    screen.line()
    screen.line(screen.paint("Done.", "bold") + " Everything was stopped and removed.")
    return Code.OK


def _introduce(screen: Screen, sandbox: Sandbox) -> None:
    screen.fact("sandbox", str(sandbox.folder))
    screen.fact("nginx", f"{sandbox.site}  ({sandbox.binary})")
    for color, release in RELEASES.items():
        screen.fact(color, f"{sandbox.app(color)}  release {release}")
    screen.fact("client", f"{RATE} requests a second, each on a new connection")
    screen.line()


async def _stay(screen: Screen, sandbox: Sandbox) -> None:
    guard = f"HEALTHGUARD_CONFIG={sandbox.config} {sys.executable} -m healthguard"
    screen.title("Running until Ctrl-C. To try:")
    for command in (
        f"{guard} status --watch",
        f"{guard} why demo",
        f"curl -i {sandbox.site}",
        f"curl -X POST {sandbox.app('green')}/mend      # and /break; the same for blue",
        f"{guard} switch demo green --reason 'fixed'",
        f"tail -f {sandbox.event_log}",
        f"curl http://127.0.0.1:{sandbox.ports.http}/metrics",
    ):
        screen.line(f"  {command}")
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


class DemoStory:
    """One telling: the acts in order, and what was measured on the way."""

    def __init__(self, screen: Screen, sandbox: Sandbox, within: float = WITHIN_S) -> None:
        self.screen = screen
        self.sandbox = sandbox
        self.within = within
        self.broke_at = 0.0

    async def tell(self) -> None:
        """All acts. DemoError: the story did not end as it must."""
        self.screen.restart()
        async with Load(self.sandbox.site) as load:
            await self.blue_serves(load)
            await self.green_is_deployed(load)
            await self.green_breaks()
            line, event = await self.guard_rolls_back(load)
            await asyncio.sleep(CALM_S)
        self.check(load, event)
        self.report(load, line, event)

    async def blue_serves(self, load: Load) -> None:
        """The day begins well."""
        blue = self.named("blue")
        await self.wait(lambda: load.release() == RELEASES["blue"], "blue answers through nginx")
        self.screen.at(f"{blue} serves, {self.named('green')} is on standby")
        ran = await self.order("good", "demo", "blue")
        self.said("healthguard good demo blue", ran)
        await asyncio.sleep(CALM_S)

    async def green_is_deployed(self, load: Load) -> None:
        """A person makes the new release active."""
        ran = await self.order("switch", "demo", "green", "--reason", "deploy 1.5.0")
        self.said('healthguard switch demo green --reason "deploy 1.5.0"', ran)
        await self.wait(lambda: load.release() == RELEASES["green"], "green answers through nginx")
        await self.wait(lambda: self.sandbox.events("bake_started"), "the bake begins")
        self.screen.at(f"{self.named('green')} serves and is baking: it is on probation")
        await asyncio.sleep(CALM_S)

    async def green_breaks(self) -> None:
        """The new release fails under load."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.sandbox.app('green')}/break") as answer,
        ):
            await answer.read()
        self.broke_at = time.monotonic()
        what = self.screen.paint("breaks", "red")
        self.screen.at(f"{self.named('green')} {what}: every request is answered with 500")

    async def guard_rolls_back(self, load: Load) -> tuple[str, dict[str, Any]]:
        """The event of the automatic switch: its line as written, and what it says."""

        def completed() -> tuple[str, dict[str, Any]] | None:
            events = self.sandbox.events("switch_completed")
            return next((e for e in events if e[1].get("trigger") == "automatic"), None)

        line, event = await self.wait(completed, "the guard rolls back")
        await self.wait(lambda: load.release() == RELEASES["blue"], "blue serves again")
        self.screen.at(
            f"healthguard has rolled back: {self.named('blue')} serves again"
            f" {self.screen.paint('(no one typed anything)', 'dim')}"
        )
        return line, event

    def check(self, load: Load, event: dict[str, Any]) -> None:
        """What the demo claims must be so."""
        last = load.last_failure()
        recovered = last is None or last.at < load.samples[-1].at - CALM_S / 2
        truths = {
            "the event names green and blue": (event["from"], event["to"]) == ("green", "blue"),
            "the link names blue": self.sandbox.active() == "demo_blue.conf",
            "clients get blue": load.release() == RELEASES["blue"],
            "clients get no more errors": recovered,
        }
        for truth, holds in truths.items():
            if not holds:
                raise DemoError(f"the demo failed, this is not true at the end: {truth}")

    def report(self, load: Load, line: str, event: dict[str, Any]) -> None:
        """What it cost, and the event as written."""
        screen = self.screen
        screen.title("Timeline and cost")
        timings = dict(event.get("timings_ms") or {})
        total, prepare = timings.pop("total", None), timings.pop("prepare", None)
        steps = ", ".join(f"{name} {ms}" for name, ms in timings.items())
        detection = event.get("detection_ms")
        screen.fact("detection", f"{detection} ms from the first failing result to the decision")
        screen.fact("switch", f"{total} ms until nginx was confirmed to use blue ({steps})")
        screen.fact("", f"its configuration had been tested in advance, in {prepare} ms")
        failed, good = load.count(ok=False), load.count(ok=True)
        kinds = ", ".join(f"{kind}: {count}" for kind, count in load.failures().items())
        screen.fact("clients", f"{good + failed} requests: {good} ok, {failed} failed ({kinds})")
        last = load.last_failure()
        if last is not None:
            after = (last.at - self.broke_at) * 1000
            screen.fact("", f"the last failed request was sent {after:.0f} ms after the break")
        screen.title(f"The event, as written to {self.sandbox.event_log.name}")
        screen.line(line)

    # ------------------------------------------------------------- small things

    def named(self, color: str) -> str:
        """A colour and its release, in that colour."""
        return self.screen.paint(f"{color} {RELEASES[color]}", color)

    def said(self, command: str, ran: CliCall) -> None:
        """A command and its answer."""
        self.screen.at(self.screen.paint(f"$ {command}", "bold"))
        for line in ran.out.splitlines():
            self.screen.line(f"             {line}")

    async def order(self, *arguments: str) -> CliCall:
        """One order; asked again while a gate refuses it because the guard only just started."""
        deadline = time.monotonic() + self.within
        while True:
            ran = await self.sandbox.cli(*arguments)
            if ran.code == 0:
                return ran
            if ran.code != 1 or time.monotonic() > deadline:
                raise DemoError(f"healthguard {' '.join(arguments)}: exit {ran.code}\n{ran.err}")
            await asyncio.sleep(0.2)

    async def wait(self, check: Callable[[], T | None], what: str) -> T:
        """The first true value of ``check``."""
        deadline = time.monotonic() + self.within
        while True:
            value = check()
            if value:
                return value
            if time.monotonic() > deadline:
                raise DemoError(f"this did not happen within {self.within:g} s: {what}")
            await asyncio.sleep(0.05)
