"""What the pools of one host share: clocks, store, nginx, telemetry, timers, turns."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from healthguard.core import host as core
from healthguard.core.events import Command, Event
from healthguard.core.model import PrepareFact
from healthguard.core.state import State
from healthguard.machine import clock
from healthguard.machine.disable import DISABLE, read_disable
from healthguard.machine.store import Store
from healthguard.nginx.ports import Observer, Switcher
from healthguard.probes import Shared
from healthguard.probes.schedule import Schedule
from healthguard.telemetry import Telemetry

_DISABLE_EVERY_MS = 500
_REST = 20  # a background prepare is followed by this many times its length of rest
_LONGEST_REST = 5.0  # seconds


@dataclass
class Host:
    """Built by the daemon, handed to every pool's runner."""

    store: Store
    switcher: Switcher
    observer: Observer
    telemetry: Telemetry
    schedule: Schedule
    shared: Shared
    boot_id: str
    note: Callable[[State, Event, tuple[Command, ...]], None]  # every input, for the record
    disable_path: Path = DISABLE
    turns: core.Turns = field(default_factory=core.Turns)
    on_turn: dict[str, Callable[[], None]] = field(default_factory=dict)
    _background: asyncio.Lock = field(default_factory=asyncio.Lock)
    _disabled: tuple[int, str | None] = (-(10**9), None)

    def disabled(self) -> str | None:
        """The text of the DISABLE file, read again after half a second."""
        at = clock.now().boot_ms
        if at - self._disabled[0] >= _DISABLE_EVERY_MS:
            self._disabled = (at, read_disable(self.disable_path))
        return self._disabled[1]

    # ------------------------------------------------------------ turns on nginx

    def ask_turn(self, pool: str) -> None:
        """``pool`` wants to act; its ``on_turn`` is called when it may."""
        self._move(core.ask(self.turns, pool))

    def give_back_turn(self, pool: str) -> None:
        """``pool`` is done, or does not want to act any more."""
        self._move(core.give_back(self.turns, pool))

    def close_turns(self) -> None:
        """The end begins: nobody new gets a turn."""
        self.turns = core.close(self.turns)

    def _move(self, turns: core.Turns) -> None:
        before, self.turns = self.turns.holder, turns
        if turns.holder is not None and turns.holder != before:
            asyncio.get_running_loop().call_soon(self.on_turn[turns.holder])

    # ------------------------------------------------------------ prepares

    async def prepare(self, pool: str, upstream: str, urgent: bool) -> PrepareFact:
        """Test a switch. What is not urgent waits its turn and leaves nginx and CPU some rest."""
        if urgent:
            return await self.switcher.prepare(pool, upstream)
        await self._background.acquire()
        rest = 0.0
        try:
            fact = await self.switcher.prepare(pool, upstream)
            rest = min(_LONGEST_REST, _REST * fact.took_ms / 1000)
            return fact
        finally:
            asyncio.get_running_loop().call_later(rest, self._background.release)
