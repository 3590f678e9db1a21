"""What the talking parts (control API, page, telemetry) need of the daemon."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Protocol

from healthguard.core.model import Actor, Outcome
from healthguard.views.documents import ProposalsView, ReadyView, ReleasesView, StatusView, WhyView
from healthguard.views.model import PoolView

Event = Mapping[str, object]  # as in the event log


class GuardPort(Protocol):
    """The running daemon as the control API and the metrics see it."""

    def pools(self) -> Iterable[str]:
        """Names, in the order of the configuration."""

    def status(self) -> StatusView:
        """Everything `healthguard status --json` shows."""

    def pool(self, name: str) -> PoolView:
        """One pool's part of status. KeyError: no such pool."""

    def why(self, name: str) -> WhyView:
        """One pool's part of status plus last decision, gates with evidence, what would help."""

    def releases(self, name: str) -> ReleasesView:
        """The ledger of releases of one pool. KeyError: no such pool."""

    def proposals(self) -> ProposalsView:
        """The open proposals of all pools."""

    def ready(self, name: str) -> ReadyView:
        """Would a rollback succeed now? KeyError: no such pool."""

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
    ) -> Outcome:
        """Carry out one order and wait for its end."""

    async def reload(self, actor: Actor) -> Outcome:
        """Read the configuration again; a bad one changes nothing (code 2, all errors in data)."""

    def events(self, since_wall_ms: int, pool: str | None = None) -> list[Event]:
        """Events kept in the event log since then, oldest first."""

    def follow(self, pool: str | None = None) -> AsyncIterator[Event]:
        """Events from now on, as they happen."""
