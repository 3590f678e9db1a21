"""What the daemon answers to those who read: one dataclass for each document."""

from collections.abc import Mapping
from dataclasses import dataclass

from healthguard.views.model import Facts, NginxView, PoolView, ProposalView


@dataclass
class ShortResult:
    """One result of a probe. ``result``: pass, fail or inconclusive; ``reason``: "" for a pass."""

    result: str
    reason: str
    latency_ms: float
    at: str | None


@dataclass
class ResultsView:
    """The last results of every probe, oldest first."""

    upstreams: Mapping[str, Mapping[str, tuple[ShortResult, ...]]]
    dependencies: Mapping[str, tuple[ShortResult, ...]]


@dataclass
class WhyView(PoolView):
    """`why`: the pool, the last decision, and what would have to change for a switch.

    ``by_hand``: commands with which a person does it; ``remedies``: by the name of a closed gate.
    """

    last_decision: Facts | None
    would_need: tuple[str, ...]
    by_hand: tuple[str, ...]
    failure: str
    first_fail: Facts | None
    results: ResultsView
    remedies: Mapping[str, str]


@dataclass
class ReadyView:
    """`ready`: would a rollback succeed now? ``gate``: the one that says no."""

    pool: str
    ready: bool
    gate: str | None
    message: str
    target: str | None


@dataclass
class ReleaseView:
    """What is known of one release on one upstream: new, baking, good or bad."""

    release: str
    status: str
    since: str | None
    reason: str


@dataclass
class UpstreamReleasesView:
    """The releases seen on one upstream, the latest last. ``running``: what it runs now."""

    running: str | None
    releases: tuple[ReleaseView, ...]


@dataclass
class ReleasesView:
    """`releases`: the ledger of a pool. ``configured``: do probes read releases at all?"""

    pool: str
    configured: bool
    upstreams: Mapping[str, UpstreamReleasesView]


@dataclass
class ProposalsView:
    """`proposals`: those that are open, of all pools."""

    proposals: tuple[ProposalView, ...]


@dataclass
class ConfigView:
    """The configuration in use, and how the last reload of its file went."""

    path: str
    digest: str
    last_reload_successful: bool
    last_reload: str | None


@dataclass
class SwitcherView:
    """The configuration of the switcher. ``config_differs``: from the daemon's; None: not known.

    ``config_problem``: why it cannot use the file as it stands; ``message``: what to do.
    """

    config_digest: str | None
    config_problem: str | None
    config_differs: bool | None
    message: str | None


@dataclass
class AboutView:
    """The daemon itself. ``disabled``: what the DISABLE file says, None without one.

    ``switcher``: None where the daemon switches by itself.
    """

    version: str
    host: str
    started: str | None
    config: ConfigView
    switcher: SwitcherView | None
    disabled: str | None


@dataclass
class StatusView(AboutView):
    """`status`: the daemon, nginx and every pool."""

    nginx: NginxView | None
    pools: Mapping[str, PoolView]
