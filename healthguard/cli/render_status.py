"""The status table. Whatever is missing is shown as ``-``."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from healthguard.cli.output import Cell, Output, part, table, text
from healthguard.cli.times import ago, ahead, clock, length

View = Mapping[str, Any]

HEALTH = {"up": "good", "down": "bad", "unknown": "warn"}
_PHASE = {"steady": "", "lost": "bad", "holding": "warn", "switching": "warn", "baking": "warn"}
_HEADER = ("POOL", "ACTIVE", "SINCE", "PHASE", "HOLD", "ROLLBACK", "MODE", "UPSTREAMS")


def lines(
    output: Output, view: View, *, details: bool = False, now: datetime | None = None
) -> Iterator[str]:
    """The screen, line by line; with ``details`` each probe as well."""
    now = now or datetime.now(UTC)
    yield from _head(output, view)
    pools = view.get("pools") or {}
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


def _head(output: Output, view: View) -> Iterator[str]:
    if disabled := view.get("disabled"):
        yield output.paint(f"DISABLED, nothing is switched automatically: {text(disabled)}", "bad")
    elif disabled == "":
        yield output.paint("DISABLED, nothing is switched automatically", "bad")
    if "version" in view:
        yield (
            f"healthguard {text(view['version'])} on {text(view.get('host'))}, "
            f"started {clock(view.get('started'))}"
        )
    if "nginx" in view:
        yield _nginx(output, view)
    if part(view, "config", "last_reload_successful") is False:
        path = text(part(view, "config", "path"))
        yield output.paint(f"the last reload of {path} failed; the one before is in use", "bad")
    if part(view, "switcher", "config_differs") is True:
        yield output.paint(text(part(view, "switcher", "message")), "warn")


def _nginx(output: Output, view: View) -> str:
    state = text(part(view, "nginx", "state"))
    line = f"nginx {output.paint(state, '' if state == 'running' else 'bad')}"
    if part(view, "nginx", "config_valid") is False:
        line += ", " + output.paint("its configuration is INVALID as it stands", "bad")
    if old := part(view, "nginx", "shutting_down"):
        line += f", {text(old)} old workers still shutting down"
    return line


def _row(name: str, pool: View, now: datetime) -> list[Cell]:
    phase = text(pool.get("phase"))
    hold = text(pool.get("hold"))
    active = text(pool.get("active"))
    return [
        (text(name), "bold"),
        (active, "bad" if active == "-" else ""),
        (ago(pool.get("active_since"), now), ""),
        (phase, _PHASE.get(phase, "")),
        (hold, "" if hold == "-" else "warn"),
        _rollback(pool),
        (text(pool.get("mode")), ""),
        (_upstreams(pool), _worst(pool)),
    ]


def _rollback(pool: View) -> Cell:
    if pool.get("rollback_ready") is True:
        return (f"to {text(pool.get('target'))}", "good")
    if pool.get("rollback_ready") is False:
        return (f"no: {text(pool.get('ready_gate'))}", "bad")
    return ("-", "")


def _upstreams(pool: View) -> str:
    ups = pool.get("upstreams") or {}
    shown = (
        f"{text(name)} {text(each.get('health'))}{release(each)}" for name, each in ups.items()
    )
    return ", ".join(shown) or "-"


def release(upstream: View) -> str:
    """`` (1.5.0, baking)``: what it runs and what is known of that; "" if it does not say."""
    if upstream.get("release") is None:
        return ""
    return f" ({text(upstream['release'])}, {text(upstream.get('release_status'))})"


def _worst(pool: View) -> str:
    found = {each.get("health") for each in (pool.get("upstreams") or {}).values()}
    return next((HEALTH[health] for health in ("down", "unknown") if health in found), "good")


def notes(pool: View, now: datetime) -> Iterator[tuple[str, str]]:
    """What else a person should know about a pool: (colour, sentence)."""
    if lost := pool.get("lost"):
        yield "bad", f"LOST: {text(lost)}"
    if pool.get("latched"):
        yield "bad", "latched: the budget is spent; nothing automatic until `healthguard ack`"
    if pause := pool.get("paused"):
        left = ahead(pause.get("until"), now)
        yield "warn", f"paused for {left} by {text(pause.get('by'))}: {text(pause.get('reason'))}"
    if bake := pool.get("bake"):
        left = length(bake.get("remaining_ms"))
        yield "warn", f"{text(bake.get('upstream'))} is baking, {left} left"
    if forced := pool.get("forced"):
        yield "warn", f"{text(forced)} was forced into use and has not been up since"
    for name, each in (pool.get("upstreams") or {}).items():
        if bad := each.get("known_bad"):
            since = ago(bad.get("at"), now)
            yield "bad", f"{text(name)} is known bad for {since}: {text(bad.get('reason'))}"
    if pool.get("active") and (problem := pool.get("active_problem")):
        yield "warn", text(problem)
    yield from _dependencies(pool, now)
    yield from _proposal(pool, now)
    if pool.get("hold"):
        yield "warn", f"hold {text(pool['hold'])}: {text(pool.get('hold_evidence'))}"
    if pool.get("cooldown_until"):
        left = ahead(pool["cooldown_until"], now)
        if left not in ("-", "0s"):
            yield "", f"cooldown for {left}"


def _dependencies(pool: View, now: datetime) -> Iterator[tuple[str, str]]:
    """Those that are down or in the way; the others are in `why`."""
    for name, each in (pool.get("dependencies") or {}).items():
        if not each.get("vetoes") and each.get("health") != "down":
            continue
        does = "no automatic switch" if each.get("vetoes") else "it forbids nothing, see why"
        said = last(each.get("last"), now)
        yield "warn", f"dependency {text(name)} is {text(each.get('health'))} ({said}): {does}"


def _proposal(pool: View, now: datetime) -> Iterator[tuple[str, str]]:
    proposal = pool.get("proposal")
    if not proposal:
        return
    where = f"{text(proposal.get('from'))} -> {text(proposal.get('to'))}"
    since = ago(proposal.get("opened"), now)
    yield "bad", f"PROPOSAL {where} waits for a person for {since}: {text(proposal.get('reason'))}"
    yield "bad", f"approve it: {text(proposal.get('command'))}"


def _probes(pool: View, now: datetime) -> list[list[Cell]]:
    header = ("UPSTREAM", "ROLE", "HEALTH", "FOR", "PROBE", "HEALTH", "IN A ROW", "LAST")
    rows: list[list[Cell]] = [[(word, "dim") for word in header]]
    for name, up in (pool.get("upstreams") or {}).items():
        health = text(up.get("health"))
        first: list[Cell] = [
            (text(name), "bold"),
            (_role(up), ""),
            (health, HEALTH.get(health, "")),
            (ago(up.get("since"), now), ""),
        ]
        for probe, state in (up.get("probes") or {"-": {}}).items():
            mine = text(state.get("health"))
            rows.append(
                [
                    *first,
                    (text(probe), ""),
                    (mine, HEALTH.get(mine, "")),
                    (_streak(state), ""),
                    (last(state.get("last"), now), ""),
                ]
            )
            first = [("", "")] * 4
    return rows


def _role(upstream: View) -> str:
    words = [text(upstream.get("role"))]
    words += [word for word in ("stable", "good") if upstream.get(word)]
    return ", ".join(words) + release(upstream)


def _streak(probe: View) -> str:
    passes, fails = probe.get("passes") or 0, probe.get("fails") or 0
    if fails:
        return f"{text(fails)} fails"
    return f"{text(passes)} passes" if passes else "-"


def last(result: View | None, now: datetime) -> str:
    """One result of a probe in a few words."""
    if not result:
        return "-"
    words = [text(result.get("result"))]
    words += [text(result[key]) for key in ("reason", "detail") if result.get(key)]
    if result.get("status") is not None:
        words.append(f"status {text(result['status'])}")
    if result.get("latency_ms") is not None:
        words.append(f"{text(result['latency_ms'])} ms")
    if result.get("at") is not None:
        words.append(f"{ago(result['at'], now)} ago")
    return ", ".join(words)
