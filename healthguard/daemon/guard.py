"""The running guard: all pools of this host, and what people may see of and ask from it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import fields, replace

from healthguard import __version__
from healthguard.assembly import BuildError, Probers, build_observer, build_probers, build_switcher
from healthguard.config import Config, ConfigError, load
from healthguard.control.ports import Event
from healthguard.core.codes import Code
from healthguard.core.events import Say
from healthguard.core.happenings import HAPPENINGS
from healthguard.core.model import Actor, Order, Outcome
from healthguard.core.moments import iso
from healthguard.core.now import now_of
from healthguard.core.state import State
from healthguard.daemon.agreement import Agreement, Mine
from healthguard.machine import clock
from healthguard.notify.spec import Notifier
from healthguard.run.host import Host
from healthguard.run.runner import Runner
from healthguard.switcher.client import SocketSwitcher
from healthguard.views.documents import (
    AboutView,
    ConfigView,
    ProposalsView,
    ReadyView,
    ReleasesView,
    StatusView,
    WhyView,
)
from healthguard.views.model import PoolView
from healthguard.views.pool import pool_view, proposal_view, ready_view, releases_view, why_view

SIGNAL_PAUSE_MS = 3_600_000
_SIGNAL = Actor("signal")


class Guard:
    """Fulfils ``GuardPort``. Built by the daemon; lives in the event loop's thread."""

    def __init__(self, config: Config, host: Host) -> None:
        self.config = config
        self.host = host
        self.started = clock.now()
        self.reload_ok = True
        self.reloaded = self.started
        self.runners: dict[str, Runner] = {}
        self.agreement = Agreement(
            lambda: Mine(self.config.path, self.config.digest, not self.reload_ok),
            self._remote_switcher,
            host.telemetry.say,
            asyncio.get_running_loop().time,
        )
        self._reloading = asyncio.Lock()
        self._count = 0

    def start(self) -> None:
        """Begin to guard every pool. BuildError: a probe cannot be made."""
        probers = self._probers(self.config)
        self._name_metrics()
        for name in self.config.pools:
            self._add(name, self.config, probers[name])

    def _probers(self, config: Config) -> dict[str, Probers]:
        return {name: build_probers(pool, self.host.shared) for name, pool in config.pools.items()}

    def _add(self, name: str, config: Config, probers: Probers) -> None:
        runner = Runner(config.pools[name], probers, self.host)
        self.runners[name] = runner
        runner.start()

    def _name_metrics(self) -> None:
        self.host.telemetry.configure(
            {name: pool.probes for name, pool in self.config.pools.items()}
        )

    def _remote_switcher(self) -> SocketSwitcher | None:
        switcher = self.host.switcher
        return switcher if isinstance(switcher, SocketSwitcher) else None

    def running(self) -> Iterable[Runner]:
        """The runner of every pool."""
        return self.runners.values()

    async def reconcile(self) -> None:
        """Clear up what a crash left in the middle of a switch."""
        open_switches = {
            attempt.begun.switch_id: runner
            for runner in self.runners.values()
            if (attempt := runner.state.memory.attempt) is not None and attempt.begun is not None
        }
        for found in await self.host.switcher.reconcile():
            runner = open_switches.pop(found.switch_id, None)
            if runner is not None:
                runner.recovered(found.switch_id, found.done)
        for switch_id, runner in open_switches.items():
            runner.lost_track(switch_id)

    async def stop(self) -> None:
        """No new switch; those under way are finished or undone."""
        self.host.close_turns()
        await asyncio.gather(*(runner.stop() for runner in self.runners.values()))

    # ------------------------------------------------------------ what people see

    def pools(self) -> Iterable[str]:
        """Names, in the order of the configuration."""
        return list(self.config.pools)

    def views(self) -> Iterable[PoolView]:
        """Every pool as status shows it, made while it is read."""
        for name in list(self.runners):
            if name in self.runners:
                yield self.pool(name)

    @property
    def notifiers(self) -> Mapping[str, Notifier]:
        """The notifiers, by name."""
        return self.config.notifiers

    def routes(self) -> Mapping[str, tuple[str, ...]]:
        """The notifiers of each pool."""
        return {name: pool.notify for name, pool in self.config.pools.items()}

    def states(self) -> Mapping[str, State]:
        """Every pool's state now."""
        return {name: runner.state for name, runner in self.runners.items()}

    def status(self) -> StatusView:
        """Everything `healthguard status --json` shows."""
        pools = {name: self.pool(name) for name in self.config.pools if name in self.runners}
        nginx = next((view.nginx for view in pools.values()), None)
        about = self.about()
        of_daemon = {each.name: getattr(about, each.name) for each in fields(about)}
        return StatusView(**of_daemon, nginx=nginx, pools=pools)

    def about(self) -> AboutView:
        """The daemon's own part of status: cheap, whatever the number of pools."""
        return AboutView(
            version=__version__,
            host=socket.gethostname(),
            started=iso(self.started.wall_ms),
            config=ConfigView(
                path=str(self.config.path),
                digest=self.config.digest,
                last_reload_successful=self.reload_ok,
                last_reload=iso(self.reloaded.wall_ms),
            ),
            switcher=self.agreement.view(),
            disabled=self.host.disabled(),
        )

    def pool(self, name: str) -> PoolView:
        """One pool's part of status. KeyError: no such pool."""
        return pool_view(self.runners[name].state, clock.now())

    def why(self, name: str) -> WhyView:
        """One pool's part of `why`. KeyError: no such pool."""
        view = why_view(self.runners[name].state, clock.now())
        return replace(view, by_hand=(*view.by_hand, self._plain_nginx(name)))

    def _plain_nginx(self, name: str) -> str:
        """What to type when nothing of healthguard runs any more; to the target, or the other."""
        state, files = self.runners[name].state, self.config.pools[name].files
        others = [each for each in files.upstreams if each != state.memory.active]
        to = now_of(state).target or others[0]
        link, binary, conf = files.link, self.config.nginx.binary, self.config.nginx.config
        fresh = link.parent / f".{link.name}.new"
        return (
            f"ln -sfn {files.upstreams[to].name} {fresh} && mv -T {fresh} {link}"
            f" && {binary} -t -c {conf} && {binary} -s reload -c {conf}"
        )

    def ready(self, name: str) -> ReadyView:
        """The answer to `ready`. KeyError: no such pool."""
        return ready_view(self.runners[name].state, clock.now())

    def releases(self, name: str) -> ReleasesView:
        """The ledger of one pool. KeyError: no such pool."""
        return releases_view(self.runners[name].state, clock.now())

    def proposals(self) -> ProposalsView:
        """The open proposals of all pools."""
        found = (proposal_view(runner.state) for runner in self.runners.values())
        return ProposalsView(tuple(each for each in found if each is not None))

    def events(self, since_wall_ms: int, pool: str | None = None) -> list[Event]:
        """Events kept in the event log since then, oldest first. Reads files."""
        return list(self.host.telemetry.history(since_wall_ms, pool))

    def follow(self, pool: str | None = None) -> AsyncIterator[Event]:
        """Events from now on, as they happen."""
        return self.host.telemetry.follow(pool)

    def progress(self) -> bool:
        """True while every pool makes progress: what the watchdog asks."""
        now = clock.now().boot_ms
        return all(runner.progress(now) for runner in self.runners.values())

    def calm(self) -> bool:
        """True while nothing fails, waits or moves in any pool."""
        return all(runner.calm() for runner in self.runners.values())

    # ------------------------------------------------------------ what people ask for

    async def order(
        self,
        pool: str,
        verb: str,
        actor: Actor,
        *,
        upstream: str | None = None,
        reason: str = "",
        force: bool = False,
        dry_run: bool = False,
        for_ms: int = 0,
        proposal: str | None = None,
        trigger: str = "manual",
    ) -> Outcome:
        """Carry out one order and wait for its end. KeyError: no such pool."""
        order = Order(
            verb,
            actor,
            upstream,
            reason,
            trigger,
            force,
            dry_run,
            for_ms,
            proposal,
        )
        return await self.runners[pool].order(order)

    async def override(self) -> None:
        """SIGUSR1: every pool whose target is not active switches to it."""
        pools = [
            name
            for name, runner in self.runners.items()
            if runner.state.memory.active is None
            or now_of(runner.state).target != runner.state.memory.active
        ]
        orders = (
            self.order(name, "rollback", _SIGNAL, reason="SIGUSR1", trigger="signal")
            for name in pools
        )
        await asyncio.gather(*orders)

    async def pause_all(self) -> None:
        """SIGUSR2: every pool is paused for an hour; never shortens a pause."""
        orders = (
            self.order(
                name, "pause", _SIGNAL, reason="SIGUSR2", for_ms=SIGNAL_PAUSE_MS, trigger="signal"
            )
            for name in self.runners
        )
        await asyncio.gather(*orders)

    # ------------------------------------------------------------ reload

    async def reload(self, actor: Actor) -> Outcome:
        """Read the configuration again; a bad one changes nothing and is reported."""
        async with self._reloading:
            try:
                fresh = await asyncio.to_thread(load, self.config.path)
                problems = self._forbidden(fresh)
                probers = {} if problems else self._probers(fresh)
            except ConfigError as problem:
                problems = [str(each) for each in problem.problems]
            except BuildError as problem:
                problems = [str(problem)]
            if problems:
                return self._rejected(problems, actor)
            await self._apply(fresh, probers)
            self.reload_ok, self.reloaded = True, clock.now()
            self.record("config_reloaded", digest=fresh.digest, pools=list(fresh.pools), by=actor)
            return Outcome(
                Code.OK,
                "",
                f"configuration reloaded, pools: {', '.join(fresh.pools)}",
                {"digest": fresh.digest},
            )

    def _rejected(self, problems: list[str], actor: Actor) -> Outcome:
        self.reload_ok = False
        self.record("config_rejected", problems=problems, by=actor)
        return Outcome(Code.USAGE, "config_rejected", "\n".join(problems), {"problems": problems})

    def _forbidden(self, fresh: Config) -> list[str]:
        """What a reload may not change: each with what to do instead."""
        old, problems = self.config, []
        fixed: Mapping[str, tuple[object, object]] = {
            "daemon.state_dir": (old.daemon.state_dir, fresh.daemon.state_dir),
            "daemon.event_log": (old.daemon.event_log, fresh.daemon.event_log),
            "daemon.control_socket": (old.daemon.control_socket, fresh.daemon.control_socket),
            "daemon.control_groups": (old.daemon.control_groups, fresh.daemon.control_groups),
            "daemon.http": (old.daemon.http, fresh.daemon.http),
            "nginx.config": (old.nginx.config, fresh.nginx.config),
            "nginx.switcher": (old.switcher, fresh.switcher),
        }
        for place, (before, after) in fixed.items():
            if before != after:
                problems.append(
                    f"{fresh.path}: {place}: cannot be changed while running: systemctl restart "
                    f"healthguard"
                )
        for name, runner in self.runners.items():
            here = runner.state.memory.active
            pool = fresh.pools.get(name)
            if pool is not None and here is not None and here not in pool.policy.upstreams:
                problems.append(
                    f"{fresh.path}: pools.{name}.upstreams: {here} is active and cannot be "
                    f"removed: switch to another upstream first"
                )
            if pool is not None and pool.files.link != self.config.pools[name].files.link:
                problems.append(
                    f"{fresh.path}: pools.{name}.link: cannot be changed while running: systemctl "
                    f"restart healthguard"
                )
        return problems

    async def _apply(self, fresh: Config, probers: Mapping[str, Probers]) -> None:
        """A pool with a switch in flight changes after it."""
        await self._calm()
        gone = [name for name in self.runners if name not in fresh.pools]
        for name in gone:
            await self.runners.pop(name).stop()
        await self._calm()  # those who waited for them have had their turn meanwhile
        old, self.config = self.config, fresh
        self.host.observer = build_observer(fresh)
        if (old.nginx, _files(old)) != (fresh.nginx, _files(fresh)):
            self.host.switcher = build_switcher(fresh)
        self._name_metrics()
        for name, pool in fresh.pools.items():
            if name in self.runners:
                self.runners[name].reconfigure(pool, probers[name])
            else:
                self._add(name, fresh, probers[name])
        self.runners = {name: self.runners[name] for name in fresh.pools}

    async def _calm(self) -> None:
        """Back when no pool is in the middle of a switch."""
        while busy := [runner for runner in self.runners.values() if runner.busy()]:
            for runner in busy:
                await runner.idle()

    def record(self, event: str, by: Actor | None = None, **fields: object) -> None:
        """Say one event of the daemon itself, of no pool."""
        self._count += 1
        at = clock.now()
        event_id = f"daemon-{self.started.wall_ms:x}-{self._count}"
        if by is not None:
            fields["actor"] = {"uid": by.uid, "user": by.user, "pid": by.pid}
        self.host.telemetry.record(Say(event_id, event, "", HAPPENINGS[event].level, fields), at)


def _files(config: Config) -> Mapping[str, object]:
    return {name: pool.files for name, pool in config.pools.items()}
