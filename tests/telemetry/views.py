"""Pools as status shows them: some hundred of them, and one that switched in 2023."""

from collections.abc import Iterator
from typing import Any

from healthguard.views.documents import WhyView
from healthguard.views.model import UpstreamView
from tests.support import views as made

GATES = made.GATE_NAMES


def upstream(health: str = "up", fails: int = 0) -> UpstreamView:
    return made.upstream(health, probes={"health": made.probe(health, fails)})


def view(name: str = "threader", **changes: Any) -> WhyView:
    return made.pool(name, **{"active_since": "2023-11-14T22:13:20.000Z", **changes})


def views(number: int) -> Iterator[WhyView]:
    return (view(f"pool{i}") for i in range(number))
