"""Completion scripts for bash, zsh and fish, written from the verbs themselves.

``PYTHONPATH=packaging python -m makers.completion bash|zsh|fish``
"""

import sys
from collections.abc import Callable, Iterable

from makers.catalogue import Argument, Entry, entries, general

# Pools are asked of the daemon: without one there is nothing to complete, and no error.
_POOLS = (
    "healthguard status --json 2>/dev/null"
    r""" | grep -o '"pool": *"[^"]*"' | sed 's/.*: *"//; s/"$//' | sort -u"""
)


def _flags(arguments: Iterable[Argument]) -> str:
    return " ".join(flag for each in arguments for flag in each.flags)


def _choosing(words: Iterable[Entry], wanted: Callable[[Entry], bool]) -> str:
    return "|".join(each.name for each in words if wanted(each))


def bash() -> str:
    """For bash-completion."""
    verbs, common = list(entries()), general()
    files = sorted(
        {flag for each in (*common, *(a for v in verbs for a in v.arguments)) if each.is_file
         for flag in each.flags}
    )  # fmt: skip
    cases = "\n".join(f"        {v.name}) flags='{_flags(v.arguments)}' ;;" for v in verbs)
    return f"""\
# bash completion for healthguard; generated from its command line
_healthguard_pools() {{
    {_POOLS}
}}

_healthguard() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} verb= flags= word at
    for ((at = 1; at < COMP_CWORD; at++)); do
        word=${{COMP_WORDS[at]}}
        case $word in
            --config|--socket) at=$((at + 1)) ;;
            -*) ;;
            *) verb=$word; break ;;
        esac
    done
    COMPREPLY=()
    case $prev in
        {"|".join(files)}) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    esac
    case $verb in
        '') mapfile -t COMPREPLY < <(compgen -W '{" ".join(v.name for v in verbs)} {
        _flags(common)
    } --help --version' -- "$cur"); return ;;
{cases}
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$flags {_flags(common)} --help" -- "$cur")
        return
    fi
    case $verb in
        {_choosing(verbs, lambda v: v.takes_pool)})
            mapfile -t COMPREPLY < <(compgen -W "$(_healthguard_pools)" -- "$cur") ;;
    esac
}}
complete -F _healthguard healthguard
"""


def zsh() -> str:
    """For zsh's compsys."""
    verbs, common = list(entries()), general()
    described = "\n".join(f"    {_quoted(f'{v.name}:{v.summary}')}" for v in verbs)
    shared = " ".join(_zsh_option(each) for each in common)
    cases = "\n".join(
        f"    {v.name}) _arguments -S {' '.join([*map(_zsh_option, v.arguments), shared])}"
        f"{_zsh_places(v)} ;;"
        for v in verbs
    )
    return f"""\
#compdef healthguard
# generated from the command line of healthguard
_healthguard_pools() {{
  local -a pools
  pools=(${{(f)"$({_POOLS})"}})
  compadd -a pools
}}

_healthguard() {{
  local -a verbs
  local curcontext=$curcontext state line
  verbs=(
{described}
  )
  _arguments -C {shared} '(- *)--version[say which version this is]' \\
    '1:verb:->verb' '*::argument:->rest'
  case $state in
    verb) _describe -t verbs verb verbs ;;
    rest) case $line[1] in
{cases}
    esac ;;
  esac
}}

_healthguard "$@"
"""


def _zsh_option(each: Argument) -> str:
    if not each.flags:
        return ""
    value = ""
    if each.value:
        value = f":{each.value}:" + ("_files" if each.is_file else "")
    text = each.help.replace("[", "(").replace("]", ")").replace(":", " -")
    return " ".join(_quoted(f"{flag}[{text}]{value}") for flag in each.flags)


def _zsh_places(verb: Entry) -> str:
    return " '*:pool:_healthguard_pools'" if verb.takes_pool else ""


def fish() -> str:
    """For fish."""
    verbs = list(entries())
    lines = [
        "# fish completion for healthguard; generated from its command line",
        f"function __healthguard_pools\n    {_POOLS}\nend",
        "complete -c healthguard -f",
    ]
    for each in general():
        lines.append(_fish_option("", each))
    for verb in verbs:
        lines.append(
            f"complete -c healthguard -n __fish_use_subcommand -a {verb.name} "
            f"-d {_quoted(verb.summary)}"
        )
        lines += [_fish_option(verb.name, each) for each in verb.arguments if each.flags]
    pools = " ".join(verb.name for verb in verbs if verb.takes_pool)
    lines.append(
        f"complete -c healthguard -n '__fish_seen_subcommand_from {pools}' "
        "-a '(__healthguard_pools)'"
    )
    return "\n".join(lines) + "\n"


def _fish_option(verb: str, each: Argument) -> str:
    words = ["complete -c healthguard"]
    if verb:
        words.append(f"-n '__fish_seen_subcommand_from {verb}'")
    for flag in each.flags:
        words.append(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}")
    if each.value:
        words.append("-r -F" if each.is_file else "-x")
    return " ".join([*words, f"-d {_quoted(each.help)}"])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


SHELLS: dict[str, Callable[[], str]] = {"bash": bash, "zsh": zsh, "fish": fish}

if __name__ == "__main__":
    sys.stdout.write(SHELLS[sys.argv[1]]())
