"""What a person can do about a closed gate. The words are the core's own."""

# A switch with --force passes these. (It passes more, but for those it is no advice.)
_FORCIBLE = ("standby_not_up", "disabled")


def remedy(gate: str, pool: str, target: str = "") -> str:
    """One line on what to do, "" for an unknown gate; ``target``: the upstream it is about."""
    from healthguard.core.gates import GATES

    if gate == "no_proposal":
        return "see what is open: healthguard proposals"
    if gate not in GATES:
        return ""
    line = GATES[gate].remedy.format(pool=pool, target=target or "UPSTREAM")
    return f"{line}; or switch --force, at your own risk" if gate in _FORCIBLE else line
