"""What a candidate configuration changes, and what of that the record cannot tell."""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any

from healthguard.config import PoolConfig
from healthguard.core.model import Expect, HealthPolicy, Policy, UpstreamPolicy
from healthguard.machine.codec import encode
from healthguard.probes.spec import KINDS, HttpSpec, Spec, kind_of
from healthguard.replay.candidate import DEPENDENCY, Lens, Place

# Parts of a probe whose verdict is in the record by name, and can therefore be left out.
_PREDICATES: Mapping[str, tuple[str, ...]] = {
    "body": ("body_text", "body_regex"),
    "json": ("json_fields",),
    "header": ("header_fields",),
}
_WITHOUT: Mapping[str, object] = {
    "body_text": None,
    "body_regex": None,
    "json_fields": (),
    "header_fields": (),
}
_INTERVALS = ("interval_ms", "fast_interval_ms", "down_interval_ms")
_FROM_RECORD: Mapping[str, str] = {
    "marker": "`confirm` changes: nginx's answers to the new one were not recorded",
    "releases": "`release` changes: releases are as they were recorded",
}


@dataclass(slots=True)
class Reading:
    """A candidate against what was recorded. ``changes``: what is tried. ``untold``: by name,
    what the record cannot tell. ``how``: how what it can tell is done."""

    changes: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    how: list[str] = field(default_factory=list)

    def note(self, into: list[str], sentence: str) -> None:
        """Say it once."""
        if sentence not in into:
            into.append(sentence)


def lens(recorded: Policy, pool: PoolConfig, reading: Reading) -> Lens:
    """``pool`` as far as the record of ``recorded`` can show it; the rest goes into ``reading``."""
    wanted, upstreams = pool.policy, dict(recorded.upstreams)
    probes = _Probes(reading)
    for name, known in recorded.upstreams.items():
        fresh = wanted.upstreams.get(name)
        if fresh is None:
            reading.note(reading.untold, f"{name}: not in the candidate; replayed as recorded")
            continue
        kept = probes.read(name, known.probes, fresh.probes, pool.probes[name])
        upstreams[name] = UpstreamPolicy(kept or known.probes, fresh.require)
    for name in wanted.upstreams:
        if name not in recorded.upstreams:
            reading.note(reading.untold, f"{name}: a new upstream; it has no recorded results")
    kept = probes.read(DEPENDENCY, recorded.dependencies, wanted.dependencies, pool.dependencies)
    as_recorded: dict[str, Any] = {}
    for name, sentence in _FROM_RECORD.items():
        as_recorded[name] = getattr(recorded, name)
        if as_recorded[name] != getattr(wanted, name):
            reading.note(reading.untold, sentence)
    policy = replace(wanted, upstreams=upstreams, dependencies=kept, **as_recorded)
    thin = _paces(recorded.health, policy.health, reading)
    for change in _changes(recorded, policy):
        reading.note(reading.changes, change)
    return Lens(policy, probes.dropped, probes.timeouts, thin)


@dataclass(slots=True)
class _Probes:
    """Expectations of the candidate for probes that were recorded."""

    reading: Reading
    dropped: dict[Place, frozenset[str]] = field(default_factory=dict)
    timeouts: dict[Place, int] = field(default_factory=dict)

    def read(
        self,
        upstream: str,
        known: Mapping[str, Expect],
        wanted: Mapping[str, Expect],
        specs: Mapping[str, Spec],
    ) -> dict[str, Expect]:
        """By what each probe is judged; those never recorded are left out and reported."""
        kept: dict[str, Expect] = {}
        for probe, expect in wanted.items():
            place = (upstream, probe)
            if probe not in known:
                sentence = f"{_where(place)}: a new probe; it has no recorded results"
                self.reading.note(self.reading.untold, sentence)
                continue
            kept[probe], names, limit = _probe(
                place, known[probe], specs[probe], expect, self.reading
            )
            if names:
                self.dropped[place] = names
            if limit is not None:
                self.timeouts[place] = limit
        return kept


def _where(place: Place) -> str:
    return ".".join(("dependencies" if place[0] == DEPENDENCY else place[0], place[1]))


def _paces(recorded: HealthPolicy, wanted: HealthPolicy, reading: Reading) -> bool:
    """True if results must be left out because the candidate probes more rarely."""
    thin = False
    for name in _INTERVALS:
        before, after = getattr(recorded, name), getattr(wanted, name)
        word = name.removesuffix("_ms")
        if after < before:
            reading.note(
                reading.untold,
                f"health.{word}: {after} ms is shorter than the {before} ms recorded; the results "
                f"in between were not recorded, so a decision may come up to one interval sooner",
            )
        elif after > before:
            thin = True
            reading.note(
                reading.how,
                f"health.{word}: {after} ms instead of {before} ms is simulated by leaving out "
                f"recorded results that follow the one before within 90 % of it",
            )
    return thin


# --------------------------------------------------------------- one probe


def _probe(
    place: Place, known: Expect, spec: Spec, wanted: Expect, reading: Reading
) -> tuple[Expect, frozenset[str], int | None]:
    """(what to judge by, predicates to leave out, shorter timeout in us)."""
    where = _where(place)
    kept = replace(wanted, definition=known.definition)
    read = _read(known.definition)
    if read is None or read[0] != kind_of(spec):
        reading.note(reading.untold, f"{where}: another kind of probe; replayed as recorded")
        return kept, frozenset(), None
    before, after = _texts({**_defaults(spec), **read[1]}), _texts(encode(spec))
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    changed.discard("expect")
    names = frozenset(_left_out(where, spec, changed, reading))
    limit = _timeout(where, before, spec, changed, reading)
    if "url" in changed:
        changed -= {"host", "port", "target", "tls", "unix_socket"}
    for name in sorted(changed):
        reading.note(
            reading.untold, f"{where}: {name} changes; no answers to the new probe were recorded, "
                            f"so it is replayed with the answers to the old one"
        )  # fmt: skip
    return kept, names, limit


def _left_out(where: str, spec: Spec, changed: set[str], reading: Reading) -> Iterator[str]:
    """Predicates that the candidate no longer checks: that can be replayed."""
    if not isinstance(spec, HttpSpec):
        return
    for verdict, parts in _PREDICATES.items():
        touched = changed.intersection(parts)
        if touched and all(getattr(spec, part) == _WITHOUT[part] for part in parts):
            changed -= touched
            reading.note(reading.changes, f"{where}: {verdict} is no longer checked")
            yield verdict


def _timeout(
    where: str, before: Mapping[str, str], spec: Spec, changed: set[str], reading: Reading
) -> int | None:
    if "timeout_ms" not in changed:
        return None
    changed.discard("timeout_ms")
    old = int(before["timeout_ms"])
    if spec.timeout_ms > old:
        reading.note(
            reading.untold,
            f"{where}: timeout {spec.timeout_ms} ms instead of {old} ms; answers cut off by the "
            f"old timeout are not known",
        )
        return None
    reading.note(reading.changes, f"{where}: timeout: {old} ms -> {spec.timeout_ms} ms")
    return spec.timeout_ms * 1_000


def _defaults(spec: Spec) -> dict[str, Any]:
    """What a definition of an older version that does not know a field has meant by it."""
    return {i.name: encode(i.default) for i in fields(spec) if i.default is not MISSING}


def _texts(found: Mapping[str, Any]) -> dict[str, str]:
    """Each field as JSON: there, 1 is neither true nor 1.0."""
    return {name: json.dumps(value, sort_keys=True) for name, value in found.items()}


def _read(text: str) -> tuple[str, Mapping[str, Any]] | None:
    """Kind and fields of a probe's definition; None if it cannot be read."""
    try:
        ((kind, found),) = json.loads(text).items()
    except (ValueError, AttributeError, RecursionError):
        return _read_repr(text)
    return (kind, found) if isinstance(found, dict) else None


def _read_repr(text: str) -> tuple[str, Mapping[str, Any]] | None:
    """The same of records from before definitions were JSON: ``TcpSpec(host='::1', ...)``."""
    kinds = {kind.__name__: name for name, kind in KINDS.items()}
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            return None
        told = {word.arg: word.value for word in call.keywords if word.arg != "expect"}
        found = {str(name): encode(ast.literal_eval(value)) for name, value in told.items()}
        return kinds[call.func.id], found
    except (SyntaxError, ValueError, KeyError, TypeError, RecursionError, MemoryError):
        return None


# --------------------------------------------------------------- what is tried


def _changes(recorded: Policy, wanted: Policy) -> list[str]:
    """``health.fall: 3 -> 2`` for every number and word that differs."""
    before, after = _flat(encode(recorded)), _flat(encode(wanted))
    found = []
    for name in sorted({*before, *after}):
        if name.endswith(".definition") or before.get(name) == after.get(name):
            continue
        found.append(f"{name}: {_word(before.get(name))} -> {_word(after.get(name))}")
    return found


def _word(value: object) -> str:
    return "-" if value is None else str(value)


def _flat(value: object, place: str = "") -> dict[str, object]:
    if not isinstance(value, Mapping):
        return {place: value}
    flat: dict[str, object] = {}
    for name, each in value.items():
        flat |= _flat(each, f"{place}.{name}" if place else str(name))
    return flat
