"""Who may change things: decided by the peer that the kernel names, never by what it says."""

import contextlib
import grp
import os
from collections.abc import Sequence
from dataclasses import dataclass

from healthguard.machine.unixsock import Peer


@dataclass(frozen=True, slots=True)
class Access:
    """Who may change things: root, the daemon's own user, members of ``groups``."""

    groups: tuple[str, ...]
    gids: frozenset[int]
    own_uid: int

    def may_change(self, peer: Peer) -> bool:
        """True if the peer's orders are taken."""
        return peer.uid in (0, self.own_uid) or not self.gids.isdisjoint(peer.groups)

    def refusal(self) -> str:
        """What somebody who may not is answered."""
        if not self.groups:
            return "only root and the daemon's own user may give orders"
        named = ", ".join(
            name if _gid(name) is not None else f"{name} (does not exist on this host)"
            for name in self.groups
        )
        return (
            "only root, the daemon's own user and members of these groups may give orders: "
            f"{named}. After joining a group, log in again"
        )


def access_for(groups: Sequence[str]) -> Access:
    """Access for the configured ``groups``; a group this host does not have lets nobody in."""
    gids = frozenset(gid for name in groups if (gid := _gid(name)) is not None)
    return Access(groups=tuple(groups), gids=gids, own_uid=os.geteuid())


def _gid(name: str) -> int | None:
    with contextlib.suppress(KeyError, OSError):
        return grp.getgrnam(name).gr_gid
    return None
