"""The manual pages, written from the verbs and from the table of the configuration.

``PYTHONPATH=packaging python -m makers.manual healthguard.8|healthguard.yaml.5``
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator

from healthguard import __version__
from healthguard.config.generate import reference
from makers.catalogue import Argument, Entry, entries, exit_codes, general

_FILES = (
    ("/etc/healthguard/healthguard.yaml", "the configuration, see healthguard.yaml(5)"),
    ("/etc/healthguard/DISABLE", "while it exists, with any content, nothing is done"),
    ("/run/healthguard/control.sock", "where the command line and the API reach the daemon"),
    ("/run/healthguard-switcher.sock", "the daemon's door to the switcher, for nobody else"),
    ("/var/lib/healthguard/", "memory: bake, marks, budget, pause, the record for replay"),
    ("/var/lib/healthguard-switcher/", "the switcher's record and its last valid configuration"),
    ("/var/log/healthguard/events.jsonl", "one JSON object for each event"),
)
_SIGNALS = (
    ("SIGHUP", "reads the configuration again; a bad one changes nothing"),
    ("SIGUSR1", "every pool whose target is not active switches to it, as by hand"),
    ("SIGUSR2", "pauses all pools for an hour"),
    ("SIGTERM, SIGINT", "no new switch; the one in flight is ended; then exit 0"),
)


def command() -> str:
    """healthguard(8)."""
    return "\n".join(_command()) + "\n"


def _command() -> Iterator[str]:
    yield _head("HEALTHGUARD", 8)
    yield ".SH NAME\nhealthguard \\- makes nginx use the other upstream when the active one is down"
    yield ".SH SYNOPSIS\n.B healthguard\n[\\-\\-config FILE] [\\-\\-socket PATH] VERB ..."
    yield ".SH DESCRIPTION"
    yield _text(
        "Watches the upstreams (blue, green) of each nginx pool. When the active one is really "
        "down and the other one is proven up, it moves the link that nginx includes, reloads "
        "nginx, proves that the workers follow, and leaves a record that explains itself. When "
        "it is not sure it holds, and names the gate."
    )
    yield ".PP"
    yield _text(
        "`healthguard run` is the daemon, `healthguard switcher` the small root service that "
        "switches for it; both are run by systemd. Every other verb asks the daemon, waits for "
        "the outcome, and ends with it as the exit code."
    )
    yield ".SH OPTIONS"
    yield from _arguments(general())
    yield ".SH VERBS"
    for verb in entries():
        yield from _verb(verb)
    yield ".SH EXIT STATUS"
    yield from _list(exit_codes())
    yield ".SH SIGNALS"
    yield from _list(_SIGNALS)
    yield ".SH FILES"
    yield from _list(_FILES)
    yield ".SH ENVIRONMENT"
    yield from _list([("HEALTHGUARD_CONFIG", "the configuration, where --config is not given")])
    yield ".SH SEE ALSO\n.BR healthguard.yaml (5),\n.BR nginx (8),\n.BR journalctl (1)"
    yield _text("`journalctl -x -u healthguard` explains each event.")


def _verb(verb: Entry) -> Iterator[str]:
    yield f".SS {_roff(verb.name)}"
    yield _text(verb.summary[0].upper() + verb.summary[1:] + ".")
    yield f".PP\n.RS\n.B {_roff(verb.usage)}\n.RE"
    yield from _arguments(verb.arguments)
    yield f".PP\nExample:\n.PP\n.RS\n.nf\n{_roff(verb.example)}\n.fi\n.RE"


def _arguments(arguments: Iterable[Argument]) -> Iterator[str]:
    yield from _list(
        (" ".join([", ".join(each.flags), each.value]).strip(), each.help)
        for each in arguments
        if each.flags or each.help
    )


def configuration() -> str:
    """healthguard.yaml(5)."""
    return "\n".join(_configuration()) + "\n"


def _configuration() -> Iterator[str]:
    yield _head("HEALTHGUARD.YAML", 5)
    yield ".SH NAME\nhealthguard.yaml \\- configuration of healthguard"
    yield ".SH SYNOPSIS\n.I /etc/healthguard/healthguard.yaml"
    yield ".SH DESCRIPTION"
    yield _text(
        "YAML, read strictly: unknown and duplicate keys, wrong types and contradictions are "
        "refused, all of them at once, each with file and line. Durations are whole numbers "
        "with a unit: `500ms`, `90s`, `1h30m`, `1d`. `healthguard check` validates the file and "
        "what it says against this host; `healthguard reload --wait` makes the daemon use it; "
        "`healthguard init` writes a first one from the nginx of this host."
    )
    yield ".PP"
    yield _text(
        "Each section below is named by its path; NAME stands for a name of yours. `defaults` "
        "takes the keys of a pool but for `link` and `upstreams`."
    )
    yield from _reference(reference())
    yield ".SH SEE ALSO\n.BR healthguard (8)"


def _reference(markdown: str) -> Iterator[str]:
    for line in markdown.splitlines():
        if line.startswith("### "):
            yield f".SH {_roff(line[4:].strip('`'))}"
        elif line.startswith("| `"):
            key, value, default, *meaning = _cells(line)
            yield f".TP\n\\fB{_roff(key.strip('`'))}\\fR"
            yield _text(" ".join(meaning) or "-")
            yield ".br"
            yield _text(f"Value: {value}." + (f" Default: {default}." if default else ""))


def _cells(row: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", row.strip().strip("|"))
    return [cell.strip().replace("\\|", "|") for cell in cells]


def _head(name: str, section: int) -> str:
    return f'.TH {name} {section} "" "healthguard {__version__}" "healthguard"'


def _list(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in pairs:
        yield f".TP\n\\fB{_roff(name)}\\fR\n{_text(text or '-')}"


def _text(markdown: str) -> str:
    """A paragraph: code in bold, nothing that roff would take for a command."""
    parts = re.split(r"`([^`]*)`", markdown)
    words = [
        _roff(part) if at % 2 == 0 else f"\\fB{_roff(part)}\\fR" for at, part in enumerate(parts)
    ]
    text = "".join(words)
    return f"\\&{text}" if text[:1] in ".'" else text


def _roff(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")


PAGES: dict[str, Callable[[], str]] = {
    "healthguard.8": command,
    "healthguard.yaml.5": configuration,
}

if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())
