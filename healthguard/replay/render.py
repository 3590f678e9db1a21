"""The answer of `replay` for people."""

from collections.abc import Iterator, Mapping
from typing import Any

View = Mapping[str, Any]


def lines(view: View) -> Iterator[str]:
    """The whole report, line by line."""
    for number, pool in enumerate(view["pools"].values()):
        if number:
            yield ""
        yield from _with(pool) if view["candidate"] else _same(pool, view["version"])
    for name in view.get("not_in_candidate", ()):
        yield f"{name}: recorded, but not in the candidate: not compared"
    for name in view.get("not_recorded", ()):
        yield f"{name}: in the candidate, but not recorded: not compared"


def _span(pool: View) -> str:
    count = pool["segments"]
    named = "1 segment" if count == 1 else f"{count} segments"
    return f"{pool['pool']}: {pool['inputs']} inputs in {named}, {pool['from']} to {pool['to']}"


def _same(pool: View, version: str) -> Iterator[str]:
    yield _span(pool)
    others = [each for each in pool["versions"] if each != version]
    if others:
        yield f"  recorded by version {', '.join(others)}; this is {version}"
    for problem in pool["damage"]:
        yield f"  damaged: {problem}"
    found = pool["difference"]
    if found is None:
        said = ", ".join(f"{count} {name}" for name, count in sorted(pool["events"].items()))
        yield f"  the same decisions, byte for byte ({pool['commands']} commands)"
        if said:
            yield f"  {said}"
        return
    yield (
        f"  first difference at {found['input']}, {found['at']}; later ones would only be "
        f"consequences"
    )
    for name, event in found["event"].items():
        yield f"  on {name} {_brief(event)}"
    yield from (f"  {line}" for line in found["diff"])


def _brief(event: View) -> str:
    """An event's own words, without its time."""
    words = [f"{name}={value}" for name, value in event.items() if name != "at"]
    text = " ".join(words)
    return text if len(text) <= 400 else text[:400] + " ..."


def _with(pool: View) -> Iterator[str]:
    yield _span(pool)
    yield from _block("tried", pool["changes"] or ["nothing that decisions depend on"])
    yield from _block("damaged", pool["damage"])
    counts, automatic = pool["counts"], pool["automatic"]
    yield (
        f"  automatic decisions: {automatic['recorded']} recorded,"
        f" {automatic['candidate']} by the candidate"
    )
    told = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in sorted(counts.items()))
    yield f"  the same: {len(pool['agreed'])} (orders included); different: {told or 'none'}"
    if pool["not_compared"]:
        yield (f"  not compared: {len(pool['not_compared'])} made while the two differed")
    for found in pool["findings"]:
        yield f"  {found['at']}  {found['sentence']}"
    yield from _block("how", pool["how"])
    yield from _block("the record cannot tell", pool["untold"])


def _block(name: str, rows: list[str]) -> Iterator[str]:
    if rows:
        yield f"  {name}:"
        yield from (f"    {row}" for row in rows)
