"""What is not of one pool: the banner that says where to look, and the foot."""

from collections.abc import Iterable, Iterator, Sequence

from healthguard.views.documents import AboutView
from healthguard.views.model import NginxView, PoolView
from healthguard.web.judging import BAD, GOOD, WARN, level, sentence, way_back
from healthguard.web.pool import anchor
from healthguard.web.tree import Child, Element, el
from healthguard.web.words import badge, marked, text

_SIGNS = {GOOD: "✓", WARN: "!", BAD: "✕"}


def notes(
    about: AboutView, nginx: NginxView | None, troubles: Iterable[str]
) -> list[tuple[str, str]]:
    """(level, sentence) of what concerns every pool."""
    found = []
    if about.disabled is not None:
        reason = text(about.disabled) if about.disabled else "no reason given"
        words = f"Switching is off for all pools: /etc/healthguard/DISABLE exists ({reason})"
        found.append((BAD, words))
    if nginx is not None and nginx.state not in ("running", "unknown"):
        found.append((BAD, f"nginx is {text(nginx.state)}: {text(nginx.detail)}"))
    if nginx is not None and nginx.config_valid is False:
        found.append(
            (
                BAD,
                "nginx rejects its current configuration, so no switch is possible. See `nginx -t`",
            )
        )
    if not about.config.last_reload_successful:
        path = text(about.config.path)
        sentence = f"{path} was rejected at the last reload. To see why: `healthguard check`"
        found.append((WARN, sentence))
    if (switcher := about.switcher) is not None and switcher.config_differs:
        found.append((WARN, text(switcher.message)))
    return found + [(WARN, text(each)) for each in troubles]


def overall(pools: Sequence[PoolView], told: Sequence[tuple[str, str]]) -> str:
    """The worst of all."""
    found = {level(pool) for pool in pools} | {each for each, _ in told}
    return next((each for each in (BAD, WARN) if each in found), GOOD)


def title(about: AboutView, worst: str, pools: Sequence[PoolView]) -> str:
    """For the tab: readable when only the first letters are."""
    bad = [pool.pool for pool in pools if level(pool) == worst] if worst != GOOD else []
    names = f" {', '.join(bad[:3])}" if bad else " all healthy"
    return f"{_SIGNS[worst]}{names} · healthguard on {text(about.host)}"


def banner(pools: Sequence[PoolView], told: Sequence[tuple[str, str]]) -> Element:
    """One look: does anything need me?"""
    worst = overall(pools, told)
    lines = [el("li", badge(each, _SIGNS[each]), " ", marked(line)) for each, line in told]
    for grade in (BAD, WARN):
        lines += [el("li", list(_line(pool, grade))) for pool in pools if level(pool) == grade]
    return el(
        "section",
        el("h2", f"{_SIGNS[worst]} {_headline(pools, worst)}"),
        el("ul", lines) if lines else None,
        id="now",
        class_=f"banner {worst}",
    )


def _line(pool: PoolView, grade: str) -> Iterator[Child]:
    yield badge(grade, _SIGNS[grade])
    yield " "
    yield el("a", text(pool.pool), href=f"#{anchor(pool.pool)}")
    yield f": {sentence(pool)}"
    ready, word, _ = way_back(pool)
    if ready == BAD and pool.phase in ("steady", "baking"):
        yield f" Rollback {word} ({text(pool.ready_gate)})."


def _headline(pools: Sequence[PoolView], worst: str) -> str:
    count = len(pools)
    bad = sum(level(pool) == BAD for pool in pools)
    if worst == BAD:
        if not bad:
            return "This host needs attention now"
        if count == 1:
            return f"{text(pools[0].pool)} needs attention now"
        return f"{bad} of {count} pools need{'s' if bad == 1 else ''} attention now"
    if worst == WARN:
        return "Not urgent, but worth a look"
    if count == 1:
        return "All healthy"
    return f"All {count} pools are healthy"


def head(about: AboutView) -> Element:
    """Whose page this is."""
    return el("h1", "healthguard ", el("small", f"on {text(about.host)}"), id="whose")


def foot(about: AboutView, nginx: NginxView | None) -> Element:
    """Version, configuration, nginx, and where the machines look."""
    config = about.config
    state = f"nginx {text(nginx.state)}" if nginx else "nginx unknown"
    old = (
        f", {nginx.shutting_down} old workers still serving"
        if nginx and nginx.shutting_down
        else ""
    )
    return el(
        "p",
        f"healthguard {text(about.version)} · {state}{old} · {text(config.path)} "
        f"({text(config.digest)[:12]}) · ",
        [el("a", each, href=each) if each != " " else " "
         for each in ("/metrics", " ", "/-/healthy", " ", "/-/ready")],
        " · read only: use the command line to act",
        id="foot",
    )  # fmt: skip
