"""What nginx's configuration has: upstream blocks with their servers, and links set up already.

Reading only. A server that is commented out counts as one that could be used: many people switch
colours by moving that ``#``.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from healthguard.nginx import conf

_COMMENTED = re.compile(r"^[ \t]*#+[ \t]*server[ \t]+([^\s;#]+)[^;\n]*;", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """One ``server`` line of an upstream. ``spare``: backup, down, or commented out."""

    address: str
    parameters: tuple[str, ...] = ()
    spare: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """One ``upstream`` block: where its text begins and ends in ``file``; ``others``: what else."""

    name: str
    file: Path
    start: int
    end: int
    servers: tuple[Server, ...]
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """A link that nginx includes, and the files next to it that define the same upstream."""

    name: str
    link: Path
    colours: tuple[tuple[str, Path, str], ...]  # name, file, address


@dataclass(frozen=True, slots=True)
class Found:
    """All of it. ``text``: of every file, for what must not be used twice."""

    config: Path
    blocks: tuple[Block, ...]
    linked: tuple[Linked, ...]
    text: str


def scan(config: Path) -> Found:
    """Read ``config`` and everything it includes. OSError: it cannot be read."""
    config.read_bytes()  # the walk passes over what it cannot read; this file must be there
    listing = conf.walk(config)
    linked = {each.link: each for path in listing.files if (each := _linked(path)) is not None}
    taken = {os.path.realpath(each.link) for each in linked.values()}
    blocks: dict[tuple[Path, int], Block] = {}
    texts = []
    for path in listing.files:
        text = conf.read_text(path) or ""
        texts.append(text)
        real = Path(os.path.realpath(path))
        if str(real) in taken:
            continue
        for block in blocks_of(real, text):
            blocks[real, block.start] = block
    return Found(config, tuple(blocks.values()), tuple(linked.values()), "\n".join(texts))


def blocks_of(file: Path, text: str) -> Iterator[Block]:
    """The upstream blocks in ``text``."""
    every = list(conf.statements(text))
    for at, each in enumerate(every):
        if each.name != "upstream" or len(each.words) < 2:
            continue
        inner = [
            one for one in every[at + 1 :] if "upstream" in one.inside and one.start >= each.end
        ]
        inner = _until_next(inner, every, at)
        last = inner[-1].end if inner else each.end
        end = text.find("}", last) + 1
        if end == 0:
            continue  # never closed: nginx will say so
        body = text[each.end : end]
        servers = [_server(one.words) for one in inner if one.name == "server"]
        known = {one.address for one in servers}
        for address in _COMMENTED.findall(body):
            if address not in known:
                servers.append(Server(address, (), True))
                known.add(address)
        others = tuple(text[one.start : one.end] for one in inner if one.name != "server")
        yield Block(each.words[1], file, each.start, end, tuple(servers), others)


def _until_next(
    inner: list[conf.Statement], every: list[conf.Statement], at: int
) -> list[conf.Statement]:
    """Only those of this block: another upstream may follow in the same file."""
    later = [one.start for one in every[at + 1 :] if "upstream" not in one.inside]
    limit = min(later, default=None)
    return [one for one in inner if limit is None or one.start < limit]


def _server(words: tuple[str, ...]) -> Server:
    parameters = tuple(word for word in words[2:] if word not in ("backup", "down"))
    return Server(words[1], parameters, bool({"backup", "down"} & set(words[2:])))


def _linked(path: Path) -> Linked | None:
    """``path`` as a link to one of several sibling files that define the same upstreams."""
    if not path.is_symlink():
        return None
    target = path.parent / path.readlink()
    names = conf.upstream_names(target)
    if target.parent != path.parent or target.is_symlink() or not names:
        return None
    siblings = [
        each
        for each in sorted(path.parent.iterdir())
        if each.is_file()
        and not each.is_symlink()
        and not each.name.startswith(".")
        and conf.upstream_names(each) == names
    ]
    if len(siblings) < 2:
        return None
    label = _common(siblings)
    colours = tuple(
        (_colour(each, label), each, next(iter(conf.server_addresses(each)), ""))
        for each in siblings
    )
    return Linked(names[0], path, colours)


def _common(files: list[Path]) -> str:
    """What all names begin with, up to a separator: ``app_`` of app_blue and app_brown."""
    first, last = min(each.stem for each in files), max(each.stem for each in files)
    same = 0
    while same < len(first) and first[same : same + 1] == last[same : same + 1]:
        same += 1
    return re.sub(r"[^-_.]*$", "", first[:same])


def _colour(file: Path, common: str) -> str:
    return file.stem.removeprefix(common) or file.stem
