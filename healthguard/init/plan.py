"""From what was found to what would be written: pure, the same input gives the same plan."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from healthguard.init.scan import Block, Found, Linked, Server

COLOURS = ("blue", "green")
MARKER_NAME = "healthguard-marker.conf"
_FIRST_MARKER_PORT = 9465


@dataclass(frozen=True, slots=True)
class PlannedPool:
    """One pool of the new configuration. ``addresses`` and ``files``: by colour, active first."""

    name: str
    link: Path
    files: Mapping[str, str]
    addresses: Mapping[str, str]
    marker: str | None = None


@dataclass(slots=True)
class Plan:
    """``files``: new texts by path; ``links``: target by path; ``notes``: what to know of it."""

    pools: list[PlannedPool] = field(default_factory=list)
    files: dict[Path, str] = field(default_factory=dict)
    links: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def plan(
    found: Found,
    *,
    wanted: Sequence[str] = (),
    given: Mapping[str, str] | None = None,
    read: Mapping[Path, str],
) -> Plan:
    """``wanted``: names of upstreams, none: all that are clear. ``given``: addresses by colour,
    for what the configuration does not show. ``read``: texts of the files with blocks."""
    made = Plan()
    for linked in found.linked:
        if not wanted or linked.name in wanted:
            made.pools.append(_already(linked))
    blocks = [each for each in found.blocks if not wanted or each.name in wanted]
    split: list[tuple[Block, tuple[Server, Server]]] = []
    for block in blocks:
        pair = _pair(block, bool(wanted), given or {}, made)
        if pair is not None:
            split.append((block, pair))
    _split(split, found, read, made)
    known = {each.name for each in found.blocks} | {each.name for each in found.linked}
    for name in wanted:
        if name not in known:
            made.skipped.append(f"{name}: nginx has no upstream of this name")
    return made


def _already(linked: Linked) -> PlannedPool:
    active = linked.link.readlink().name
    ordered = sorted(linked.colours, key=lambda each: each[1].name != active)
    return PlannedPool(
        pool_name(linked.name),
        linked.link,
        {name: file.name for name, file, _ in ordered},
        {name: address for name, _, address in ordered},
    )


def _pair(
    block: Block, by_name: bool, given: Mapping[str, str], made: Plan
) -> tuple[Server, Server] | None:
    """The servers of blue and of green; None, and why, where that cannot be seen."""
    serving = [each for each in block.servers if not each.spare]
    spare = [each for each in block.servers if each.spare]
    if by_name and given:
        return _as_told(block, given, serving, made)
    if len(serving) == 1 and len(spare) == 1:
        return serving[0], spare[0]
    if len(serving) == 2 and not spare:
        if by_name:
            made.notes.append(
                f"{block.name}: {serving[0].address} and {serving[1].address} share the traffic "
                f"today; in a pool only {serving[0].address} would get it"
            )
            return serving[0], serving[1]
        hint = f"both servers get traffic; to use them as blue and green: --pool {block.name}"
    elif len(serving) == 1:
        hint = f"only one server; name the other: --pool {block.name} --upstream green=HOST:PORT"
    else:
        hint = f"{len(block.servers)} servers; name one for each colour: --pool {block.name} "
        hint += "--upstream blue=HOST:PORT --upstream green=HOST:PORT"
    made.skipped.append(f"{block.name} ({block.file}): {hint}")
    return None


def _as_told(
    block: Block, given: Mapping[str, str], serving: Sequence[Server], made: Plan
) -> tuple[Server, Server] | None:
    known = {each.address: each for each in block.servers}
    addresses = dict(given)
    if "blue" not in addresses and len(serving) == 1:
        addresses["blue"] = serving[0].address
    if set(addresses) != set(COLOURS) or addresses["blue"] == addresses["green"]:
        made.skipped.append(
            f"{block.name}: needs two different addresses, one for blue and one for green"
        )
        return None
    blue, green = (known.get(addresses[name], Server(addresses[name])) for name in COLOURS)
    return blue, green


def _split(
    split: Iterable[tuple[Block, tuple[Server, Server]]],
    found: Found,
    read: Mapping[Path, str],
    made: Plan,
) -> None:
    folder = found.config.parent / "upstreams"
    port = _free_port(found.text)
    edits: dict[Path, list[tuple[int, int, str]]] = {}
    locations: list[tuple[str, str]] = []
    for block, pair in split:
        name = pool_name(block.name)
        link = folder / f"{name}_active.conf"
        variable = f"healthguard_{re.sub('[^a-z0-9]', '_', name)}"
        for colour, server in zip(COLOURS, pair, strict=True):
            made.files[folder / f"{name}_{colour}.conf"] = _colour_file(
                block, colour, server, variable
            )
        made.links[link] = f"{name}_{COLOURS[0]}.conf"
        instead = f"include {link};"
        if not locations:
            instead += f"\ninclude {folder / MARKER_NAME};"
        locations.append((name, variable))
        edits.setdefault(block.file, []).append((block.start, block.end, instead))
        made.pools.append(
            PlannedPool(
                name,
                link,
                {colour: f"{name}_{colour}.conf" for colour in COLOURS},
                {colour: server.address for colour, server in zip(COLOURS, pair, strict=True)},
                f"http://127.0.0.1:{port}/{name}",
            )
        )
    for file, changes in edits.items():
        text = read[file]
        for start, end, instead in sorted(changes, reverse=True):
            text = text[:start] + instead + text[end:]
        made.files[file] = text
    if locations:
        made.files[folder / MARKER_NAME] = _marker(port, locations)


def _colour_file(block: Block, colour: str, server: Server, variable: str) -> str:
    lines = [f"    {other}" for other in block.others]
    words = " ".join((server.address, *server.parameters))
    lines.append(f"    server {words};")
    body = "\n".join(lines)
    return (
        f"# Upstream {block.name} on {colour}, written by `healthguard init`. nginx uses the "
        "file\n# that the link in this folder points to; both files define the same upstream.\n"
        f"upstream {block.name} {{\n{body}\n}}\n\n"
        "# The marker's answer: the colour that an nginx worker really uses.\n"
        f"map $host ${variable} {{\n    default {colour};\n}}\n"
    )


def _marker(port: int, locations: Iterable[tuple[str, str]]) -> str:
    inner = "\n".join(f"    location = /{n} {{ return 200 ${v}; }}" for n, v in locations)
    return (
        "# The marker: tells healthguard which upstream nginx's workers use.\n"
        f"server {{\n    listen 127.0.0.1:{port};\n    access_log off;\n"
        f"    default_type text/plain;\n{inner}\n}}\n"
    )


def _free_port(text: str) -> int:
    port = _FIRST_MARKER_PORT
    while re.search(rf"\blisten\s+[^;]*\b{port}\b", text):
        port += 1
    return port


def pool_name(upstream: str) -> str:
    """An upstream's name as the name of a pool."""
    return re.sub("[^a-z0-9_-]", "-", upstream.lower()).lstrip("-_")[:63] or "pool"
