"""The status table. Whatever is missing is shown as ``-``."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from healthguard.cli.output import Cell, Output, table, text
from healthguard.cli.times import ago, ahead, clock, length
from healthguard.views.documents import StatusView
from healthguard.views.model import LastResult, NginxView, PoolView, ProbeView, UpstreamView

HEALTH = {"up": "good", "down": "bad", "unknown": "warn"}
_PHASE = {"steady": "", "lost": "bad", "holding": "warn", "switching": "warn", "baking": "warn"}
_HEADER = ("POOL", "ACTIVE", "SINCE", "PHASE", "HOLD", "ROLLBACK", "MODE", "UPSTREAMS")


def lines(output: Output, view: StatusView) -> Iterator[str]:
    """The screen, line by line."""
    if view.version:
        yield from _head(output, view)
    yield from pool_lines(output, view.pools)


def pool_lines(
    output: Output, pools: Mapping[str, PoolView], *, details: bool = False
) -> Iterator[str]:
    """Pools as a table, with what else to know of them; with ``details`` each probe as well."""
    now = datetime.now(UTC)
    rows: list[list[Cell]] = [[(word, "dim") for word in _HEADER]]
    rows += [_row(name, pool, now) for name, pool in pools.items()]
    yield from table(output, rows)
    if not pools:
        yield "no pools are configured"
    for name, pool in pools.items():
        for kind, note in notes(pool, now):
            yield output.paint(f"{text(name)}: {note}", kind)
        if details:
            yield ""
            yield from table(output, _probes(pool, now), indent="  ")


def _head(output: Output, view: StatusView) -> Iterator[str]:
    if view.disabled is not None:
        reason = f": {text(view.disabled)}" if view.disabled else ""
        yield output.paint(f"DISABLED, automatic switching is off{reason}", "bad")
    yield f"healthguard {text(view.version)} on {text(view.host)}, started {clock(view.started)}"
    if view.nginx is not None:
        yield _nginx(output, view.nginx)
    if not view.config.last_reload_successful:
        path = text(view.config.path)
        yield output.paint(
            f"the last reload of {path} failed; the previous configuration is in use", "bad"
        )
    if view.switcher is not None and view.switcher.config_differs:
        yield output.paint(text(view.switcher.message), "warn")


def _nginx(output: Output, nginx: NginxView) -> str:
    line = f"nginx {output.paint(text(nginx.state), '' if nginx.state == 'running' else 'bad')}"
    if nginx.config_valid is False:
        line += ", " + output.paint("its configuration is INVALID (nginx -t fails)", "bad")
    if nginx.shutting_down:
        line += f", {nginx.shutting_down} old workers still shutting down"
    return line


def _row(name: str, pool: PoolView, now: datetime) -> list[Cell]:
    return [
        (text(name), "bold"),
        (text(pool.active), "" if pool.active else "bad"),
        (ago(pool.active_since, now), ""),
        (text(pool.phase), _PHASE.get(pool.phase, "")),
        (text(pool.hold), "warn" if pool.hold else ""),
        _rollback(pool),
        (text(pool.mode), ""),
        (_upstreams(pool), _worst(pool)),
    ]


def _rollback(pool: PoolView) -> Cell:
    if pool.rollback_ready:
        return (f"to {text(pool.target)}", "good")
    return (f"no: {text(pool.ready_gate)}", "bad") if pool.ready_gate else ("-", "")


def _upstreams(pool: PoolView) -> str:
    shown = (
        f"{text(name)} {text(each.health)}{release(each)}" for name, each in pool.upstreams.items()
    )
    return ", ".join(shown) or "-"


def release(upstream: UpstreamView) -> str:
    """`` (1.5.0, baking)``: what it runs and what is known of that; "" if it does not say."""
    if upstream.release is None:
        return ""
    return f" ({text(upstream.release)}, {text(upstream.release_status)})"


def _worst(pool: PoolView) -> str:
    found = {each.health for each in pool.upstreams.values()}
    return next((HEALTH[health] for health in ("down", "unknown") if health in found), "good")


def notes(pool: PoolView, now: datetime) -> Iterator[tuple[str, str]]:
    """What else a person should know about a pool: (colour, sentence)."""
    if pool.lost:
        yield "bad", f"LOST: {text(pool.lost)}"
    if pool.latched:
        yield "bad", "latched: budget spent, no automatic switch until `healthguard ack`"
    if pause := pool.paused:
        left = ahead(pause.until, now)
        yield "warn", f"paused for another {left} by {text(pause.by)}: {text(pause.reason)}"
    if bake := pool.bake:
        yield "warn", f"{text(bake.upstream)} is baking, {length(bake.remaining_ms)} left"
    if pool.forced:
        yield "warn", f"{text(pool.forced)} was made active by --force and has not been up since"
    for name, each in pool.upstreams.items():
        if bad := each.known_bad:
            yield (
                "bad",
                f"{text(name)} has been known bad for {ago(bad.at, now)}: {text(bad.reason)}",
            )
    if pool.active and pool.active_problem:
        yield "warn", text(pool.active_problem)
    yield from _dependencies(pool, now)
    yield from _proposal(pool, now)
    if pool.hold:
        yield "warn", f"hold {text(pool.hold)}: {text(pool.hold_evidence)}"
    if pool.cooldown_until:
        left = ahead(pool.cooldown_until, now)
        if left not in ("-", "0s"):
            yield "", f"cooldown: {left} left"


def _dependencies(pool: PoolView, now: datetime) -> Iterator[tuple[str, str]]:
    """Those that are down or in the way; the others are in `why`."""
    for name, each in pool.dependencies.items():
        if not each.vetoes and each.health != "down":
            continue
        does = "no automatic switch" if each.vetoes else "no veto, see `why`"
        said = last(each.last, now)
        yield "warn", f"dependency {text(name)} is {text(each.health)} ({said}): {does}"


def _proposal(pool: PoolView, now: datetime) -> Iterator[tuple[str, str]]:
    proposal = pool.proposal
    if proposal is None:
        return
    where = f"{text(proposal.from_)} -> {text(proposal.to)}"
    since = ago(proposal.opened, now)
    yield "bad", f"PROPOSAL {where} has waited for approval for {since}: {text(proposal.reason)}"
    yield "bad", f"approve it: {text(proposal.command)}"


def _probes(pool: PoolView, now: datetime) -> list[list[Cell]]:
    header = ("UPSTREAM", "ROLE", "HEALTH", "FOR", "PROBE", "HEALTH", "IN A ROW", "LAST")
    rows: list[list[Cell]] = [[(word, "dim") for word in header]]
    for name, up in pool.upstreams.items():
        first: list[Cell] = [
            (text(name), "bold"),
            (_role(up), ""),
            (text(up.health), HEALTH.get(up.health, "")),
            (ago(up.since, now), ""),
        ]
        for probe, state in up.probes.items():
            rows.append(
                [
                    *first,
                    (text(probe), ""),
                    (text(state.health), HEALTH.get(state.health, "")),
                    (_streak(state), ""),
                    (last(state.last, now), ""),
                ]
            )
            first = [("", "")] * 4
    return rows


def _role(upstream: UpstreamView) -> str:
    marks = {"stable": upstream.stable, "good": upstream.good}
    words = [text(upstream.role), *(word for word, so in marks.items() if so)]
    return ", ".join(words) + release(upstream)


def _streak(probe: ProbeView) -> str:
    if probe.fails:
        return f"{probe.fails} fails"
    return f"{probe.passes} passes" if probe.passes else "-"


def last(result: LastResult | None, now: datetime) -> str:
    """One result of a probe in a few words."""
    if result is None:
        return "-"
    words = [text(result.result), *(text(each) for each in (result.reason, result.detail) if each)]
    if result.status is not None:
        words.append(f"status {result.status}")
    words.append(f"{result.latency_ms} ms")
    if result.at is not None:
        words.append(f"{ago(result.at, now)} ago")
    return ", ".join(words)
