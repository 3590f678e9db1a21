"""The world of a story: what each check would get, what link and nginx are, at any moment."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from healthguard.core.model import (
    OBSERVE,
    PROPOSE,
    Answer,
    BakePolicy,
    Expect,
    HealthPolicy,
    Policy,
    RollbackPolicy,
    UpstreamPolicy,
)
from tests.stories.transcript import Condition, Story, StoryError, duration

LATENCY_MS = 4
FAILURES = ("refused", "reset", "eof", "tls", "unreachable", "protocol")
VERDICTS = ("header", "body", "json")
# Our own fault: inconclusive for the guard, a failed check for who does not ask whose fault it is.
OURS = {
    "the guard is out of descriptors": "no_descriptors",
    "the resolver is dead": "dns",
    "the local network is down": "no_route",
    "the guard is starved": "loop_late",
}
FROZEN = ("the guard is stopped", "the host is suspended")
PLAIN = (
    *OURS,
    *FROZEN,
    "reloads are refused by nginx",
    "the undo fails",
    "nginx is down",
    "nginx is being upgraded",
    "the disk is full",
)
_BROKEN = re.compile(r"the configuration of (\w+) is broken")
_CHECKS = re.compile(r"(.+?): (?:one check|(\d+) checks) (.+)")


@dataclass(frozen=True)
class Seen:
    """What one check sees: the core's answer, and how long it took."""

    answer: Answer
    took_ms: int
    passed: bool  # for whoever judges by pass and fail alone


@dataclass(frozen=True)
class Weather:
    """How one upstream (or one of its probes, or a dependency) answers in a stretch of time."""

    start: int
    end: int
    pool: str
    name: str
    probe: str  # "" for all
    how: str


class World:
    """All that a story says about the outside. Time in milliseconds since the story began."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.dependencies = _words(story.setup.get("dependency", ""))
        self.upstreams = _words(story.setup.get("upstreams", "blue, green"))
        self.probes = _words(story.setup.get("probes", "health"))
        self.timeout_ms = duration(story.setup.get("timeout", "2s"))
        self.weather: list[Weather] = []
        self.facts: list[Condition] = []
        for each in story.conditions:
            self._condition(each)
        self.single: dict[tuple[str, str, str], list[tuple[int, int, str]]] = {}
        for happening in story.happenings:
            found = _CHECKS.fullmatch(happening.what)
            if found is not None:
                for pool, name, probe in self.subjects(found[1]):
                    key = (pool, name, probe)
                    self.single.setdefault(key, []).append(
                        (happening.at, int(found[2] or 1), found[3])
                    )

    def _condition(self, each: Condition) -> None:
        if each.what in PLAIN or _BROKEN.fullmatch(each.what):
            self.facts.append(each)
            return
        subjects, colon, how = each.what.partition(": ")
        if not colon:
            raise StoryError(f"nothing known: {each.what!r}")
        for pool, name, probe in self.subjects(subjects):
            self.weather.append(Weather(each.start, each.end, pool, name, probe, how))

    def subjects(self, text: str) -> Iterable[tuple[str, str, str]]:
        """(pool, upstream or dependency, probe or "") for each of ``shop blue, api green/docs``."""
        for each in _words(text):
            words = each.split()
            pool, last = (words[0], words[1]) if len(words) == 2 else (self.story.pools[0], each)
            name, _, probe = last.partition("/")
            known = name in self.upstreams or name in self.dependencies
            if pool not in self.story.pools or not known or len(words) > 2:
                raise StoryError(f"nobody is called {each!r}")
            yield pool, name, probe

    def is_so(self, what: str, at: int) -> bool:
        """True if ``what`` is a condition of this moment."""
        return any(each.what == what and each.start <= at < each.end for each in self.facts)

    def broken(self, upstream: str, at: int) -> bool:
        """True if nginx would refuse the configuration with ``upstream``."""
        return self.is_so(f"the configuration of {upstream} is broken", at)

    def frozen_until(self, at: int) -> int | None:
        """When the guard can go on, if it is stopped or asleep now."""
        ends = [
            each.end for each in self.facts if each.what in FROZEN and each.start <= at < each.end
        ]
        return max(ends, default=None)

    def doubt(self, at: int) -> str:
        """Which fault of our own spoils a check made now; "" if none."""
        for what, reason in OURS.items():
            if self.is_so(what, at):
                return reason
        return ""


@dataclass
class _Few:
    """So many checks, from a moment on, are answered so."""

    since: int
    left: int
    how: str


class Eyes:
    """One observer of the world: counts its own checks, so that patterns are its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.counts: dict[tuple[str, str, str, int], int] = {}
        self.left = {key: [_Few(*one) for one in each] for key, each in world.single.items()}
        self.releases: dict[tuple[str, str], str] = {}

    def check(self, pool: str, name: str, probe: str, at: int) -> Seen:
        """One check that starts ``at``."""
        how, until, key = self._how(pool, name, probe, at)
        seen = self._seen(how, at, until, key)
        release = self.releases.get((pool, name))
        if release is not None and seen.answer.status is not None:
            seen = replace(seen, answer=replace(seen.answer, release=release))
        return seen

    def _how(self, pool: str, name: str, probe: str, at: int) -> tuple[str, Weather | None, str]:
        for single in self.left.get((pool, name, ""), []) + self.left.get((pool, name, probe), []):
            if single.left and at >= single.since:
                single.left -= 1
                return single.how, None, ""
        found = None
        for each in self.world.weather:
            mine = (each.pool, each.name) == (pool, name) and each.probe in ("", probe)
            if mine and each.start <= at < each.end:
                found = each
        if found is None:
            return "ok", None, ""
        return found.how, found, f"{pool} {name} {probe}"

    def _seen(self, how: str, at: int, of: Weather | None, key: str) -> Seen:
        limit = self.world.timeout_ms
        if (pattern := re.fullmatch(r"(.+) (\d+) of (\d+)", how)) is not None:
            start = of.start if of is not None else 0
            count = self.counts.get((key, how, "", start), 0)
            self.counts[(key, how, "", start)] = count + 1
            bad, all_ = int(pattern[2]), int(pattern[3])
            return self._seen(pattern[1] if count * bad % all_ < bad else "ok", at, of, key)
        if (pattern := re.fullmatch(r"(.+) for (\S+) every (\S+)", how)) is not None:
            since = (at - (of.start if of is not None else 0)) % duration(pattern[3])
            return self._seen(pattern[1] if since < duration(pattern[2]) else "ok", at, of, key)
        if how == "frozen" and of is not None:
            return _answered(of.end - at + LATENCY_MS, limit)
        if how in ("hang", "timeout"):
            return _answered(limit, limit)
        if how == "ok":
            return _answered(LATENCY_MS, limit)
        if (pattern := re.fullmatch(r"ok in ([\d.]+m?s)", how)) is not None:
            return _answered(duration(pattern[1]), limit)
        if (pattern := re.fullmatch(r"ok in ([\d.]+m?s)\.\.([\d.]+m?s)", how)) and of is not None:
            low, high = duration(pattern[1]), duration(pattern[2])
            return _answered(low + (high - low) * (at - of.start) // (of.end - of.start), limit)
        if how in FAILURES:
            return Seen(Answer(LATENCY_MS * 1_000, failure=how), LATENCY_MS, False)
        if how in VERDICTS:
            return Seen(
                Answer(LATENCY_MS * 1_000, 200, verdicts=((how, False),)), LATENCY_MS, False
            )
        if how.isdigit():
            return Seen(Answer(LATENCY_MS * 1_000, int(how)), LATENCY_MS, how == "200")
        raise StoryError(f"nobody answers like {how!r}")


def _answered(took: int, limit: int) -> Seen:
    if took >= limit:
        return Seen(Answer(limit * 1_000, failure="timeout"), limit, False)
    return Seen(Answer(took * 1_000, 200), took, True)


def _words(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


# --------------------------------------------------------------- the policy that a setup describes

_OTHER = {"pools", "upstreams", "vouched", "releases", "dependency", "probes", "timeout"}


def policy_of(story: Story, pool: str) -> Policy:
    """The defaults of the contract, and what the setup says otherwise."""
    world, setup = World(story), dict(story.setup)
    limit = setup.pop("max_latency", None)
    expect = Expect(max_latency_us=duration(limit) * 1_000 if limit else None)
    require = int(setup.pop("require", "0"))
    mode = setup.pop("mode", "auto")
    in_bake = setup.pop("mode.bake", mode)
    if {mode, in_bake} - {"auto", PROPOSE, OBSERVE}:
        raise StoryError(f"no such mode: {mode} {in_bake}")
    health: dict[str, int] = {}
    if (window := setup.pop("window", None)) is not None:
        fails, _, of = window.partition(" of ")
        health = {"window_fails": int(fails), "window_of": int(of)}
    rollback: dict[str, int] = {}
    bake: dict[str, int] = {}
    rooms = {"health": health, "rollback": rollback, "bake": bake}
    stable, standby = setup.pop("stable", None), setup.pop("standby", "warm")
    for key in [key for key in setup if "." in key]:
        room, _, name = key.partition(".")
        value = setup.pop(key)
        if value.isdigit():
            rooms[room][name] = int(value)
        elif name == "max_latency":
            rooms[room]["max_latency_us"] = duration(value) * 1_000
        else:
            rooms[room][f"{name}_ms"] = duration(value)
    if set(setup) - _OTHER:
        raise StoryError(f"no such setting: {', '.join(set(setup) - _OTHER)}")
    return Policy(
        pool,
        {
            name: UpstreamPolicy(dict.fromkeys(world.probes, expect), require)
            for name in world.upstreams
        },
        stable=stable,
        standby=standby,
        mode_bake=in_bake,
        mode_steady=mode,
        releases="releases" in story.setup,
        dependencies={name: Expect(status=()) for name in world.dependencies},
        health=HealthPolicy(**health),
        rollback=RollbackPolicy(**rollback),
        bake=BakePolicy(**bake),
    )
