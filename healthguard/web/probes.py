"""Upstreams and their probes: health, and the last results as a strip."""

from collections.abc import Iterable, Iterator, Mapping

from healthguard.core.durations import shown
from healthguard.core.evidence import in_words
from healthguard.views.documents import ShortResult
from healthguard.views.model import DependencyView, ProbeView, UpstreamView
from healthguard.web.tree import Child, Element, el
from healthguard.web.words import badge, moment, text

_KINDS = {"pass": ("p", "pass", "✓"), "fail": ("f", "fail", "✕")}
_UNSURE = ("i", "inconclusive", "?")
HEALTH = {"up": ("good", "▲ up"), "down": ("bad", "▼ DOWN")}
_UNKNOWN = ("warn", "? unknown")
_WORDS = {"fail": "failed"}
_RELEASE = {"good": "good", "bad": "bad"}


def strip(results: Iterable[ShortResult]) -> Element:
    """The last results, oldest first: told by sign and height, not by colour alone."""
    cells: list[Child] = []
    told = []
    for each in results:
        kind, word, sign = _KINDS.get(each.result, _UNSURE)
        reason = f" {each.reason}" if each.reason else ""
        took = shown(each.latency_ms)
        title = f"{word}{reason}, {took}, {str(each.at)[11:19]} UTC"
        cells.append(el("i", sign, class_=kind, title=title))
        told.append(word + reason)
    label = f"last {len(told)} results, oldest first: {', '.join(told)}" if told else "no result"
    return el("span", cells, class_="strip", role="img", aria_label=label)


def probe(name: str, state: ProbeView, results: Iterable[ShortResult]) -> Element:
    """One probe: its name, its strip, what it said last."""
    return el(
        "li",
        el("b", text(name), class_="name"),
        strip(results),
        el("span", _last(state), class_="last"),
        class_="probe",
    )


def _last(state: ProbeView) -> Iterator[Child]:
    last = state.last
    if last is None:
        yield "not checked yet"
        return
    if last.result != "pass":
        words = text(in_words(last.reason, last.status, last.detail))
        yield el("strong", f"{_WORDS.get(last.result, last.result)}: {words}", class_="bad-text")
        yield ", "
    elif last.status is not None:
        yield f"HTTP {last.status}, "
    yield shown(last.latency_ms)
    if state.fails > 1:
        yield f", {state.fails} failed checks in a row"


def upstream(
    name: str, state: UpstreamView, results: Mapping[str, Iterable[ShortResult]]
) -> Element:
    """One colour of the pool."""
    level, word = HEALTH.get(state.health, _UNKNOWN)
    role, notes = state.role, list(_notes(state))
    rank = badge("role", "ACTIVE") if role == "active" else badge("plain", role)
    return el(
        "section",
        el(
            "h3",
            el("span", text(name), class_="colour"),
            rank,
            badge(level, word),
            el("small", moment(state.since, "for")) if state.since else None,
        ),
        el("p", notes, class_="notes") if notes else None,
        el(
            "ul",
            [probe(each, tally, results.get(each, ())) for each, tally in state.probes.items()],
        ),
        class_=f"upstream {role}",
    )


def _notes(state: UpstreamView) -> Iterator[Child]:
    if state.release:
        told = state.release_status
        yield el("span", "release ", el("b", text(state.release)))
        if told:
            yield badge(_RELEASE.get(told, "plain"), text(told))
    if bad := state.known_bad:
        yield badge("bad", "known bad")
        yield el("span", f"{text(bad.reason)} (", moment(bad.at, "ago"), ")")
    if state.stable:
        yield badge("plain", "stable")
    if state.good:
        yield badge("plain", "marked good")


def dependencies(
    states: Mapping[str, DependencyView], results: Mapping[str, Iterable[ShortResult]]
) -> Element | None:
    """What both colours need: it can only veto."""
    if not states:
        return None
    rows = [
        el(
            "li",
            el("b", text(name), class_="name"),
            strip(results.get(name, ())),
            el("span", _dependency(state), class_="last"),
            class_="probe",
        )
        for name, state in states.items()
    ]
    return el("section", el("h4", "dependencies"), el("ul", rows), class_="dependencies")


def _dependency(state: DependencyView) -> Iterator[Child]:
    if state.vetoes:
        yield badge("bad", "vetoes")
        yield " "
    elif state.health == "down":
        yield badge("warn", "▼ down, no veto")
        yield " "
    yield from _last(state)
