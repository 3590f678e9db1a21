"""The daemon: builds everything, hands it on, and ends honestly."""

import asyncio
import importlib
import os
import random
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from healthguard import __version__
from healthguard.assembly import BuildError, build_observer, build_switcher
from healthguard.config import Config, ConfigError, load
from healthguard.core.codes import Code
from healthguard.core.model import Actor
from healthguard.core.state import State
from healthguard.daemon.doubt import SelfDoubt
from healthguard.daemon.garbage import Garbage, tame
from healthguard.daemon.guard import Guard
from healthguard.daemon.pulse import Pulse
from healthguard.doors import server_only
from healthguard.machine import clock
from healthguard.machine.store import Store, default_fallback
from healthguard.nginx import lock
from healthguard.notify.watch import Notifications
from healthguard.probes import Shared
from healthguard.probes.schedule import Schedule
from healthguard.replay.recorder import Recorder
from healthguard.run.host import Host
from healthguard.telemetry import Log, Sink, Systemd, Telemetry, choose_format
from healthguard.telemetry.eventlog import EventLog, spare_folder
from healthguard.telemetry.journal import Journal

if TYPE_CHECKING:
    from healthguard.control.server import ControlServer
    from healthguard.web.server import WebServer

# Seconds after which a thread at work (the recorder's) must let the loop on: five times as often
# as Python's default, so that probes start within a millisecond or two of their time.
_SWITCH_INTERVAL = 0.001
_SIGHUP = Actor("signal")


def run(config_path: Path) -> int:
    """Guard until a signal to stop. The exit code; problems are on stderr."""
    tame()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        config = load(config_path)
    except ConfigError as problem:
        print("\n".join(str(each) for each in problem.problems), file=sys.stderr)
        return Code.USAGE
    held = lock.try_lock(config.nginx.config, lock.DAEMON)
    if isinstance(held, lock.LockRefused):
        print(f"healthguard: {held.message}", file=sys.stderr)
        return Code.SECOND
    with held, _runner() as runner:
        return runner.run(_Daemon(config).main())


def _runner() -> asyncio.Runner:
    """uvloop where it can be imported: half the CPU of the stock loop per probe."""
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


class _Daemon:
    """One life of the daemon."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stop = asyncio.Event()
        self._failed = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: set[str] = set()
        self._control: ControlServer | None = None
        self._web: WebServer | None = None

    async def main(self) -> int:
        loop = asyncio.get_running_loop()
        telemetry = self._telemetry()
        doubt = SelfDoubt(self._doubt, loop.time, self._states)
        schedule = Schedule(
            loop,
            lambda: loop.time() * 1000,
            rng=random.Random(),
            lateness=lambda ms: telemetry.lag.note(ms / 1000),
        )
        recorder = self._recorder(loop, telemetry)
        host = Host(
            store=Store(self._config.daemon.state_dir, default_fallback()),
            switcher=build_switcher(self._config),
            observer=build_observer(self._config),
            telemetry=telemetry,
            schedule=schedule,
            shared=Shared(),
            boot_id=clock.boot_id(),
            note=recorder.note,
        )
        self._guard = guard = Guard(self._config, host)
        notifications = Notifications(guard, telemetry, self._config.daemon.state_dir / "notify")
        self._signals(loop)
        try:
            guard.start()
        except BuildError as problem:
            print(problem, file=sys.stderr)
            return Code.USAGE

        garbage = Garbage(loop.time, guard.calm)

        def late(seconds: float) -> None:
            telemetry.pulse(seconds)
            doubt.note(seconds)
            guard.agreement.tick()
            garbage.tick()

        self._forever("pulse", Pulse(loop.time, guard.running, late).beat())
        await asyncio.sleep(0.02)  # the first probes are on their way before anything heavy
        recorder.start()
        self._forever("notifications", notifications.run())
        guard.record("daemon_started", version=__version__, config=str(self._config.path),
                     digest=self._config.digest, pools=list(self._config.pools))  # fmt: skip
        try:
            await self._open_doors(telemetry)
            self._forever("telemetry", telemetry.run())
            await guard.reconcile()
            telemetry.systemd.ready(await telemetry.status())
            self._forever("watchdog", telemetry.systemd.watchdog(guard.progress))
            await self._stop.wait()
        except _CannotListen as problem:
            self._failed = str(problem)
        await self._end(telemetry, schedule, notifications)
        recorder.close()
        return Code.REFUSED if self._failed else Code.OK

    def _telemetry(self) -> Telemetry:
        settings = self._config.daemon
        wanted = "console" if settings.log_format == "text" else settings.log_format
        style = choose_format(wanted, sys.stderr.fileno(), os.environ)
        log = Log(
            Sink(sys.stderr.fileno()),
            level=settings.log_level,
            style=style,
            journal=Journal() if style == "journal" else None,
        )
        return Telemetry(
            event_log=EventLog(settings.event_log, spare_folder(os.environ)),
            log=log,
            systemd=Systemd(os.environ),
            pools=lambda: self._guard.views(),
            switcher_differs=lambda: self._guard.agreement.differs,
        )

    def _states(self) -> list[State]:
        return [runner.state for runner in self._guard.runners.values()]

    def _recorder(self, loop: asyncio.AbstractEventLoop, telemetry: Telemetry) -> Recorder:
        def say(level: str, message: str) -> None:
            with suppress(RuntimeError):  # the loop has ended before the recorder's thread
                loop.call_soon_threadsafe(telemetry.say, level, message)

        return Recorder(self._config.daemon.state_dir / "record", say)

    def _doubt(self, reason: str) -> None:
        for runner in self._guard.runners.values():
            runner.doubt(reason)

    # ------------------------------------------------------------ doors

    async def _open_doors(self, telemetry: Telemetry) -> None:
        """aiohttp takes 100 ms to import: in a thread, after the first probes have begun."""
        await asyncio.to_thread(server_only.load)
        control = await asyncio.to_thread(importlib.import_module, "healthguard.control.server")
        web = await asyncio.to_thread(importlib.import_module, "healthguard.web.server")
        telemetry.log.start()
        settings = self._config.daemon
        try:
            self._control = await control.start_control(
                settings.control_socket, settings.control_groups, self._guard
            )
        except (OSError, control.SocketError) as problem:
            raise _CannotListen(f"control socket: {problem}") from problem
        if settings.http is not None:
            try:
                self._web = await web.start_web(*settings.http, self._guard, telemetry)
            except OSError as problem:
                where = f"{settings.http[0]}:{settings.http[1]}"
                raise _CannotListen(
                    f"daemon.http: {where}: {problem.strerror or problem}"
                ) from problem

    # ------------------------------------------------------------ signals

    def _signals(self, loop: asyncio.AbstractEventLoop) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._once, "reload", self._reload)
        loop.add_signal_handler(signal.SIGUSR1, self._once, "override", self._guard.override)
        loop.add_signal_handler(signal.SIGUSR2, self._once, "pause", self._guard.pause_all)
        with suppress(ValueError, AttributeError):  # a flood of signals must not flood stderr
            signal.set_wakeup_fd(signal.set_wakeup_fd(-1), warn_on_full_buffer=False)

    async def _reload(self) -> None:
        systemd = self._guard.host.telemetry.systemd
        systemd.reloading()
        await self._guard.reload(_SIGHUP)
        systemd.ready()

    def _once(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """A flood of one signal is one order at a time."""
        if name in self._busy or self._stop.is_set():
            return
        self._busy.add(name)
        task = asyncio.get_running_loop().create_task(work(), name=name)
        self._tasks.add(task)

        def done(ended: asyncio.Task[None]) -> None:
            self._busy.discard(name)
            self._tasks.discard(ended)
            if not ended.cancelled() and ended.exception() is not None:
                self._guard.host.telemetry.say("error", f"{name} failed: {ended.exception()!r}")

        task.add_done_callback(done)

    # ------------------------------------------------------------ the end

    def _forever(self, name: str, work: Coroutine[None, None, None]) -> None:
        """A task that should not end; if it fails, the daemon ends and says why."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)

        def done(ended: asyncio.Task[None]) -> None:
            self._tasks.discard(ended)
            if not ended.cancelled() and ended.exception() is not None:
                self._failed = f"the task {name} failed: {ended.exception()!r}"
                self._stop.set()

        task.add_done_callback(done)

    async def _end(
        self, telemetry: Telemetry, schedule: Schedule, notifications: Notifications
    ) -> None:
        telemetry.systemd.stopping()
        if self._failed:
            telemetry.say("error", self._failed)
        self._guard.record("daemon_stopping", reason=self._failed or "SIGTERM or SIGINT")
        await self._guard.stop()
        schedule.close()
        if self._control is not None:
            await self._control.close()
        if self._web is not None:
            await self._web.close()
        await asyncio.sleep(0)  # the last events reach the notifications
        await asyncio.to_thread(notifications.close)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        telemetry.log.start()
        await telemetry.close()
        telemetry.systemd.close()


class _CannotListen(Exception):
    """A door cannot be opened."""
