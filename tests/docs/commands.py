"""The commands that the pages tell people to type."""

import re
import shlex
from collections.abc import Iterator
from functools import cache

from healthguard.core.gates import GATES
from tests.docs.pages import ROOT, Block, pages

# What a capital word stands for. A value that no such word has is taken as it stands.
VALUES = {
    **{"POOL": "app", "UPSTREAM": "green", "NAME": "ops", "NOTIFIER": "ops", "TEXT": "text"},
    **{"D": "5m", "WHEN": "1h", "N": "app-1", "COLOUR=ADDRESS": "green=127.0.0.1:9010"},
    **{"threader": "app", "demo": "app", "STANDBY": "green", "FROM": "blue"},
}
_CUT = ("&&", "||", ";", "|", "&", ">", "<")


@cache
def commands() -> tuple[tuple[str, ...], ...]:
    """Every `healthguard ...` of every page, as words, each once; without `sudo`."""
    lines = [line for page in pages() for block in page.blocks for line in typed(block)]
    lines += [span for page in pages() for span in page.spans]
    lines += advice()
    found = {tuple(words) for line in lines for words in _words(line)}
    return tuple(sorted(found))


def advice() -> list[str]:
    """What alerts, and the words about a closed gate, tell people to type."""
    text = (ROOT / "etc/prometheus/healthguard.alerts.yml").read_text()
    for hole, word in (("to", "UPSTREAM"), (r"labels\.to_upstream", "UPSTREAM"), (r"\S+", "POOL")):
        text = re.sub(rf"\{{\{{ \${hole} \}}\}}", word, text)
    words = "\n".join(gate.remedy for gate in GATES.values()).format(pool="POOL", target="UPSTREAM")
    return re.findall(r"(?:[\"`]|-\}\} )(healthguard [a-z]+(?: [^\n\"`]*)?)", text + words)


def typed(block: Block) -> list[str]:
    """The lines of a block that are typed: in a transcript those behind a `$`."""
    lines = block.text.replace("\\\n", " ").splitlines()
    prompted = [line.partition("$ ")[2] for line in lines if re.search(r"(^|\s)\$ ", line)]
    return prompted or lines


def _words(line: str) -> Iterator[list[str]]:
    line = re.sub(r"^sudo ", "", re.split(r" {2,}|\s#\s", line)[0])
    if not line.startswith("healthguard ") or re.match(r"healthguard [A-Z\[]", line):
        return
    for variant in _variants(line) if re.search(r"[\[|]", line) else [line]:
        yield _shell(variant)[1:]


def _variants(synopsis: str) -> Iterator[str]:
    """A synopsis with everything that may be left out, and without it."""
    ways = synopsis.split(" | ")
    ways[1:] = [f"{' '.join(synopsis.split()[:2])} {way}" for way in ways[1:]]
    for way in ways:
        for whole in (re.sub(r"[\[\]]", "", way), re.sub(r"\[[^\]]*\](\.\.\.)?", "", way)):
            words = [word.split("|") for word in whole.replace("...", "").split()]
            most = max(map(len, words))
            for turn in range(most):
                yield " ".join(word[min(turn, len(word) - 1)] for word in words)


def _shell(line: str) -> list[str]:
    """The words of the first command in the line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
    lexer.whitespace_split = True
    words = list(lexer)
    end = next((at for at, word in enumerate(words) if word in _CUT), len(words))
    return words[:end]


def filled(words: tuple[str, ...]) -> list[str]:
    """With values in place of what stands for them."""
    verb, *rest = words
    return [verb, *(VALUES.get(word, word) for word in rest)]
