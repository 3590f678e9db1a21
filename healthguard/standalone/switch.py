"""`healthguard switch --standalone`: a manual switch without the daemon, under the same lock.

It goes the same safe way: the gates that can be known without the daemon, a real prepare, the
link, reload, confirm, undo; and it leaves the same events.
"""

import asyncio
import os
import signal
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from healthguard.assembly import BuildError, build_observer, build_probers, build_switcher
from healthguard.config import Config, ConfigError, load
from healthguard.core.gates import Gate, binding_for, first_closed
from healthguard.core.model import COMPLETED, REFUSED, UNDONE, Done, Outcome, TestFact
from healthguard.core.orders import gate_row
from healthguard.nginx import lock
from healthguard.nginx.ports import Commit, Sight, Switcher
from healthguard.nginx.switch import DISABLE_FILE, InlineSwitcher, read_disable
from healthguard.probes import Shared
from healthguard.standalone.probes import Health, ask_all
from healthguard.standalone.record import Story
from healthguard.switcher.client import SocketSwitcher
from healthguard.switcher.service import state_folder

OK, GATE, USAGE, NO_PERMISSION, CODE_UNDONE, CODE_LOST = range(6)


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. ``disable_file`` and ``switcher`` are seams for tests."""

    pool: str
    upstream: str
    reason: str = ""
    force: bool = False
    dry_run: bool = False
    disable_file: Path = DISABLE_FILE
    switcher: Switcher | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """Everything looked at before acting."""

    sight: Sight
    health: Mapping[str, Health]
    test: TestFact
    gates: tuple[Gate, ...]


def switch(
    config_path: Path, pool: str, upstream: str, reason: str, force: bool, dry_run: bool
) -> Outcome:
    """Make ``upstream`` of ``pool`` active.  The outcome's code is the exit code:

    0 it is true now · 1 refused by a gate · 2 usage or configuration · 3 no permission ·
    4 tried and undone · 5 tried and not undone: a person must look.
    """
    return carry_out(config_path, Order(pool, upstream, reason, force, dry_run))


def carry_out(config_path: Path, order: Order) -> Outcome:
    """The same for an ``Order``."""
    try:
        config = load(config_path)
    except ConfigError as err:
        return Outcome(USAGE, "config", str(err))
    problem = _unknown(config, order)
    if problem:
        return Outcome(USAGE, "usage", problem)
    daemon = _daemon_uid(config.daemon.control_socket)
    foreign = "" if order.switcher else _foreign(config, daemon)
    if foreign:
        return Outcome(NO_PERMISSION, "forbidden", foreign)
    outcome = asyncio.run(_run(config, order))
    return _with_warning(outcome, _daemon_warning(order)) if daemon is not None else outcome


async def _run(config: Config, order: Order) -> Outcome:
    switcher = order.switcher or _switcher(config)
    story = Story(config.daemon.event_log, order.pool, order.upstream, order.reason)
    if not order.dry_run and not _busy(config):
        await switcher.reconcile()  # what a crash left open is ended first
    try:
        seen = await _look(config, order, switcher)
    except BuildError as err:
        return Outcome(USAGE, "config", str(err))
    binding = binding_for("manual", "switch", order.force)
    closed = first_closed(seen.gates, binding)
    passed = [gate for gate in seen.gates if gate.closed and gate.name not in (binding or ())]
    data: dict[str, object] = {
        "from": _in_use(seen.sight),
        "to": order.upstream,
        "standalone": True,
        "warnings": [f"{gate.name}: {gate.evidence} (passed by --force)" for gate in passed],
    }
    code = NO_PERMISSION if closed is not None and _may_not(switcher, closed) else GATE
    if order.dry_run:
        return _dry(order, seen, closed, code, data)
    if _in_use(seen.sight) == order.upstream:
        text = f"{order.upstream} is active already"
        return Outcome(OK, message=text, data={**data, "changed": False})
    if closed is not None:
        story.refused(closed.name, closed.evidence)
        return _told(Outcome(code, closed.name, closed.evidence, data), story)
    return _told(await _act(order, seen, switcher, story, data), story)


async def _look(config: Config, order: Order, switcher: Switcher) -> _Seen:
    """Look, probe and prepare; then every gate that is known without the daemon."""
    pool = config.pools[order.pool]
    probers = build_probers(pool, Shared())
    sight, health = await asyncio.gather(
        build_observer(config).look(order.pool), ask_all(pool, probers)
    )
    # Before the prepare, so that its ticket is as fresh as can be when the switch begins.
    busy = _busy(config)
    test = await switcher.prepare(order.pool, order.upstream)
    gates = _gates(order, sight, health[order.upstream], busy, test)
    return _Seen(sight, health, test, gates)


async def _act(
    order: Order, seen: _Seen, switcher: Switcher, story: Story, data: Mapping[str, object]
) -> Outcome:
    origin = seen.sight.link.upstream
    left = _in_use(seen.sight) or origin
    assert seen.test.ticket is not None
    commit = Commit(
        switch_id=story.switch_id,
        pool=order.pool,
        ticket=seen.test.ticket,
        origin=origin,
        to=order.upstream,
        undo_unclear=left is not None and seen.health[left].up,
        force=order.force,
    )
    with _uninterrupted():
        story.started(left, seen.test.took_ms, order.force)
        done = await switcher.commit(commit)
        story.ended(done)
    return _outcome(order, done, {**data, "id": story.switch_id})


def _outcome(order: Order, done: Done, data: Mapping[str, object]) -> Outcome:
    full = {**data, "confirm": done.confirm, "timings_ms": dict(done.timings_ms)}
    if done.outcome == COMPLETED:
        full["changed"] = True
        return Outcome(OK, message=f"{order.upstream} is active: {done.message}", data=full)
    if done.outcome == REFUSED:
        return Outcome(GATE, done.gate, done.message, full)
    if done.outcome == UNDONE:
        return Outcome(CODE_UNDONE, "undone", done.message, full)
    return Outcome(CODE_LOST, done.outcome or "unknown", done.message, full)


def _dry(
    order: Order, seen: _Seen, closed: Gate | None, code: int, data: Mapping[str, object]
) -> Outcome:
    full = {
        **data,
        "dry_run": True,
        "gates": [gate_row(gate) for gate in seen.gates],
        "prepare_ms": seen.test.took_ms,
    }
    if data["from"] == order.upstream:
        text = f"{order.upstream} is active already: nothing would be done"
        return Outcome(OK, message=text, data=full)
    if closed is not None:
        return Outcome(code, closed.name, closed.evidence, full)
    text = f"would switch to {order.upstream}; the prepare passed"
    return Outcome(OK, message=text, data=full)


# --------------------------------------------------------------- gates


def _gates(
    order: Order, sight: Sight, target: Health, busy: str, test: TestFact
) -> tuple[Gate, ...]:
    """In the contract's order.  ``lost`` and what else only the daemon remembers is not there."""
    disabled = read_disable(order.disable_file)
    nginx, link = sight.nginx, sight.link
    found = (
        ("disabled", disabled is not None, _said_disabled(order.disable_file, disabled)),
        ("link_unmanaged", link.upstream is None, link.problem or f"names {link.upstream}"),
        ("nginx_down", nginx.state == "down", nginx.detail or f"nginx is {nginx.state}"),
        ("nginx_upgrading", nginx.state == "upgrading", nginx.detail or "no upgrade under way"),
        ("switch_in_flight", bool(busy), busy or "nobody acts on this nginx"),
        ("standby_not_up", not target.up, target.evidence),
        ("switcher_unavailable", False, "the switcher answers"),
        ("config_invalid", False, "the prepare passed" if test.ticket else "not tested"),
    )
    gates = [Gate(name, closed, evidence) for name, closed, evidence in found]
    if test.ticket is None:
        name = test.gate or "config_invalid"
        gates = [gate for gate in gates if gate.name != name] + [Gate(name, True, test.message)]
        order_of = [each[0] for each in found]
        gates.sort(key=lambda gate: order_of.index(gate.name) if gate.name in order_of else 99)
    return tuple(gates)


def _said_disabled(path: Path, text: str | None) -> str:
    return "no DISABLE file" if text is None else f"{path} is there: {text or '(empty)'}"


def _busy(config: Config) -> str:
    """Who acts on nginx right now; "" when nobody does (or only the switcher could tell)."""
    if _by_socket(config):
        return ""
    held = lock.try_lock(config.nginx.config, lock.ACT)
    if isinstance(held, lock.Refused):
        return held.message if held.busy else ""
    held.release()
    return ""


def _in_use(sight: Sight) -> str | None:
    """What link *and* workers say; None when that cannot be told from one look."""
    link, nginx = sight.link, sight.nginx
    if link.upstream is None or nginx.state != "running":
        return None
    if sight.marker is not None:
        return link.upstream if sight.marker == link.upstream else None
    if sight.marker_problem:
        return None
    # Workers younger than the link have all read it. Start times come in steps of 10 ms.
    return link.upstream if nginx.workers_since_wall_ms + 10 > link.changed_wall_ms else None


# --------------------------------------------------------------- who switches, and may they


def _by_socket(config: Config) -> bool:
    return isinstance(config.switcher, Path) and os.geteuid() != 0


def _switcher(config: Config) -> Switcher:
    """Root does it itself, with the records of whoever does it otherwise."""
    if isinstance(config.switcher, Path) and os.geteuid() == 0:
        files = {name: pool.files for name, pool in config.pools.items()}
        return InlineSwitcher(config.nginx, files, state_folder({}))
    return build_switcher(config)


def _may_not(switcher: Switcher, closed: Gate) -> bool:
    """True if it failed because this user may not use the switcher."""
    refused = closed.name == "switcher_unavailable" and isinstance(switcher, SocketSwitcher)
    return refused and "no permission" in closed.evidence


def _foreign(config: Config, daemon: int | None) -> str:
    """Why this user must not act beside the daemon of another: locks and records are per user."""
    if isinstance(config.switcher, Path):
        return ""  # root's own lock, or root's service
    owner = daemon
    with suppress(OSError):
        owner = config.daemon.state_dir.stat().st_uid if owner is None else owner
    if owner is None or owner == os.geteuid():
        return ""
    return f"this guard belongs to uid {owner}, and only that user holds its lock; run this as them"


def _unknown(config: Config, order: Order) -> str:
    if order.pool not in config.pools:
        return _no_such("pool", order.pool, list(config.pools))
    upstreams = list(config.pools[order.pool].files.upstreams)
    return "" if order.upstream in upstreams else _no_such("upstream", order.upstream, upstreams)


def _no_such(kind: str, name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"no {kind} is called {name[:80]!r}{hint} (known: {', '.join(known)})"


def _daemon_uid(path: Path) -> int | None:
    """The user of the daemon that listens on its control socket; None: nobody does."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        client.connect(os.fspath(path))
        raw = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int(struct.unpack("3i", raw)[1])
    return None


def _daemon_warning(order: Order) -> str:
    return (
        f"a daemon is running and takes this for a change by somebody else; better: "
        f"healthguard switch {order.pool} {order.upstream}"
    )


def _told(outcome: Outcome, story: Story) -> Outcome:
    if not story.problem:
        return outcome
    return _with_warning(outcome, f"the event is not in the event log: {story.problem}")


def _with_warning(outcome: Outcome, warning: str) -> Outcome:
    known = outcome.data.get("warnings")
    warnings = [*(known if isinstance(known, list) else []), warning]
    # Warnings are shown with what succeeded; of what failed only the message is.
    message = outcome.message if outcome.code == OK else f"{outcome.message} ({warning})"
    return Outcome(outcome.code, outcome.error, message, {**outcome.data, "warnings": warnings})


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A key press or a lost terminal must not end the process between link and confirm."""

    def wait(number: signal.Signals) -> None:
        with suppress(OSError):
            sys.stderr.write(f"{number.name}: the switch under way is finished first\n")

    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, wait, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
