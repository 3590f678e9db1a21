"""One pool as a card: what is active, is it well, could we go back, what holds, what to type."""

from collections.abc import Iterator

from healthguard.core.durations import shown
from healthguard.views.documents import ReleasesView, WhyView
from healthguard.views.model import BakeView, PoolView
from healthguard.web import probes
from healthguard.web.judging import level, sentence, way_back
from healthguard.web.tree import Child, Element, el
from healthguard.web.words import badge, command, marked, moment, text


def anchor(name: str) -> str:
    """The id of a pool's card."""
    return f"pool-{name}"


def card(why: WhyView, releases: ReleasesView | None) -> Element:
    """``why``: the view of `why`; ``releases``: the ledger, None where nobody asked for one."""
    ups = [
        probes.upstream(name, state, why.results.upstreams.get(name, {}))
        for name, state in why.upstreams.items()
    ]
    return el(
        "article",
        _head(why),
        el("p", sentence(why), class_="sentence"),
        _proposal(why),
        list(_trouble(why)),
        el("div", ups, class_="upstreams"),
        probes.dependencies(why.dependencies, why.results.dependencies),
        el("dl", list(_facts(why))),
        _gates(why),
        _ledger(releases),
        _by_hand(why),
        id=anchor(why.pool),
        class_=f"pool {level(why)}",
    )


def row(pool: PoolView) -> Element:
    """A pool that is well, where there are too many for a card each."""
    ups = [
        el("span", f"{text(name)} ", badge(*probes.HEALTH.get(state.health, ("warn", "?"))))
        for name, state in pool.upstreams.items()
    ]
    return el(
        "article",
        _head(pool),
        el("p", sentence(pool), " ", ups, class_="row"),
        id=anchor(pool.pool),
        class_=f"pool compact {level(pool)}",
    )


_PHASES = {"steady": "good", "baking": "warn", "starting": "warn", "switching": "warn"}


def _head(pool: PoolView) -> Element:
    badges: list[Child] = [badge(_PHASES.get(pool.phase, "bad"), text(pool.phase))]
    if pool.mode != "auto":
        badges.append(badge("plain", f"mode {text(pool.mode)}"))
    if pool.paused:
        badges.append(badge("warn", "paused"))
    if pool.latched:
        badges.append(badge("bad", "latched"))
    return el("h2", el("span", text(pool.pool), class_="name"), badges)


def _proposal(pool: PoolView) -> Element | None:
    proposal = pool.proposal
    if proposal is None:
        return None
    where = f"{text(proposal.from_)} → {text(proposal.to)}"
    title = f"Proposal {text(proposal.id)}: switch {where}"
    return el(
        "section",
        el("h4", title, " ", el("small", moment(proposal.opened, "ago"))),
        el("p", marked(text(proposal.reason))),
        el("p", "To approve: ", command(proposal.command)),
        class_="proposal",
    )


def _trouble(why: WhyView) -> Iterator[Element]:
    """The hold with its evidence, and what to do about it."""
    if why.phase not in ("holding", "lost") and not why.latched:
        return
    if why.proposal is not None and why.hold in why.proposal.gates:
        return  # the proposal says it all
    gate = "lost" if why.phase == "lost" else why.hold or "latched"
    lines: list[Child] = []
    if why.failure:
        lines.append(el("p", text(why.failure)))
    if why.hold_evidence:
        lines.append(el("p", marked(text(why.hold_evidence)), f" ({text(why.hold)})"))
    if remedy := why.remedies.get(gate):
        lines.append(el("p", el("b", "What to do: "), marked(remedy)))
    first = next(iter(why.by_hand), None)
    others = [each for name, each in why.upstreams.items() if name != why.active]
    if first and why.phase != "lost" and any(each.health == "up" for each in others):
        lines.append(el("p", el("b", "To switch by hand: "), command(first)))
    lines.append(el("p", el("b", "Details: "), command(f"healthguard why {why.pool}")))
    yield el("section", lines, class_="trouble")


def _facts(pool: PoolView) -> Iterator[Element]:
    grade, word, told = way_back(pool)
    yield from _fact("rollback", badge(grade, word), " ", marked(told))
    if bake := pool.bake:
        yield from _fact("bake", *_bake(bake))
    if pause := pool.paused:
        who = f", by {text(pause.by)}: {text(pause.reason)}"
        yield from _fact("paused", moment(pause.until, "left"), who)
    if pool.cooldown_until:
        yield from _fact("cooldown", moment(pool.cooldown_until, "left"))
    if pool.forced:
        yield from _fact(
            "forced", f"{text(pool.forced)} was switched to with --force and has not been up since"
        )
    if pool.active_problem:
        yield from _fact("unconfirmed", text(pool.active_problem))
    budget = pool.budget
    yield from _fact(
        "budget",
        f"{budget.used} of {budget.of} automatic switches used in {shown(budget.per_ms)}, "
        f"{budget.daily_used} of {budget.daily_of} in a day",
    )
    if pool.active_since:
        how = {"marker": "confirmed by the marker", "confirmed": "confirmed by the last switch"}
        proof = how.get(pool.active_how, "inferred, not confirmed")
        yield from _fact("active", text(pool.active), " ", moment(pool.active_since, "for"),
                         f", {proof}")  # fmt: skip


def _bake(bake: BakeView) -> Iterator[Child]:
    yield f"{text(bake.upstream)} (was {text(bake.origin)}): "
    if bake.failed:
        yield badge("bad", "failed")
    else:
        yield moment(bake.until, "left")
    if bake.forced:
        yield ", forced: a rollback needs approval"


def _fact(name: str, *words: Child) -> Iterator[Element]:
    yield el("dt", name)
    yield el("dd", *words)


def _gates(pool: PoolView) -> Element:
    rows, shut = [], 0
    for gate in pool.gates:
        level, word = "good", "open"
        if gate.pending:
            level, word = "warn", "pending"
        elif gate.closed:
            level, word = "bad", "closed"
        shut += word != "open"
        rows.append(
            el(
                "tr",
                el("th", text(gate.gate), scope="row"),
                el("td", badge(level, word)),
                el("td", marked(text(gate.evidence))),
            )
        )
    told = f"{shut} of {len(rows)} closed" if shut else f"all {len(rows)} open"
    return el(
        "details",
        el("summary", f"Gates: {told}"),
        el("div", el("table", el("tbody", rows)), class_="scroll"),
    )


_STATUS = {"good": "good", "bad": "bad"}


def _ledger(releases: ReleasesView | None) -> Element | None:
    if releases is None:
        return None
    rows = []
    for name, upstream in releases.upstreams.items():
        for each in reversed(upstream.releases):
            running = ", running" if each.release == upstream.running else ""
            rows.append(
                el(
                    "tr",
                    el("th", text(each.release), scope="row"),
                    el("td", f"{text(name)}{running}"),
                    el("td", badge(_STATUS.get(each.status, "plain"), text(each.status))),
                    el("td", moment(each.since, "ago")),
                    el("td", text(each.reason)),
                )
            )
    return el(
        "details",
        el("summary", f"Releases: {len(rows)} known"),
        el("div", el("table", el("tbody", rows)), class_="scroll"),
    )


def _by_hand(why: WhyView) -> Element | None:
    """The same with the daemon, without it, and with nginx alone."""
    if not why.by_hand:
        return None
    return el(
        "details",
        el("summary", "By hand"),
        el("ul", [el("li", command(line)) for line in why.by_hand], class_="commands"),
    )
