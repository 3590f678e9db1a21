"""Causes that are shared: a dependency of both colours, and this host itself."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.eventually import eventually
from tests.support.world import World, never


class Database:
    """A listening socket that can be closed and opened again on the same port."""

    def __init__(self) -> None:
        self.socket = self._bound(0)
        self.port: int = self.socket.getsockname()[1]
        self.socket.listen(100)

    def _bound(self, port: int) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        return bound

    def refuse(self) -> None:
        """Connections are refused; the port stays ours."""
        self.socket.close()
        self.socket = self._bound(self.port)

    def accept(self) -> None:
        """Connections are taken again."""
        self.socket.listen(100)


@contextmanager
def depending(root: Path) -> Iterator[tuple[World, Database]]:
    """Blue is active, green is stable; both need a database that is up."""
    database = Database()
    needs = [{"name": "database", "tcp": f"127.0.0.1:{database.port}"}]
    try:
        with World(root, pool={"stable": "green", "dependencies": needs}) as world:
            world.settled().wait_pool(rollback_ready=True)
            eventually(lambda: world.pool()["dependencies"]["database"]["health"] == "up")
            yield world, database
    finally:
        database.socket.close()


def test_a_dependency_that_is_down_vetoes_and_triggers_nothing(tmp_path: Path) -> None:
    with depending(tmp_path) as (world, database):
        database.refuse()
        down = world.daemon.wait_event("health_changed", dependency="database", to="down")
        assert down["never_up"] is False
        world.wait_pool(phase="steady", rollback_ready=False, ready_gate="dependency_down")
        assert "dependency database is down" in world.cli("status")

        world.app("blue").answer(status=503)
        held = world.wait_hold("dependency_down")
        assert held["reason"] == "dependency database is down"
        assert "VETOES" in world.cli("why", "app")
        never(lambda: world.daemon.events("switch_started"), during=1.5)
        assert world.nginx.linked() == "blue"

        database.accept()
        world.wait_served("green")


def test_a_person_may_switch_all_the_same(tmp_path: Path) -> None:
    with depending(tmp_path) as (world, database):
        database.refuse()
        world.daemon.wait_event("health_changed", dependency="database", to="down")
        assert "dependency_down" in world.cli("switch", "app", "green")
        world.wait_served("green")


def test_one_that_the_new_release_may_be_killing_does_not_protect_it(tmp_path: Path) -> None:
    with depending(tmp_path) as (world, database):
        world.release("green")
        database.refuse()
        world.daemon.wait_event("health_changed", dependency="database", to="down")
        assert "the release may be the cause" in world.gate("dependency_down")["evidence"]
        world.app("green").answer(status=503)
        world.wait_served("blue")
        assert world.daemon.wait_event("switch_completed", trigger="automatic")["to"] == "blue"


def test_one_that_was_never_up_is_an_alert_and_no_veto(tmp_path: Path) -> None:
    database = Database()
    database.refuse()
    needs = [{"name": "database", "tcp": f"127.0.0.1:{database.port}"}]
    with World(tmp_path, pool={"stable": "green", "dependencies": needs}) as world:
        world.settled()
        down = world.daemon.wait_event("health_changed", dependency="database", to="down")
        assert down["never_up"] is True
        world.wait_pool(rollback_ready=True)
        world.app("blue").kill()
        world.wait_served("green")
    database.socket.close()


# ------------------------------------------------------------ all pools of a host

TWO = ("app", "shop")


def test_all_pools_failing_at_once_without_a_passing_standby_is_the_hosts_fault(
    tmp_path: Path,
) -> None:
    slow = {"rollback": {"min_down": "1s"}, "health": {"interval": "1s"}, "stable": "green"}
    with World(tmp_path, pools=TWO, pool=slow) as world:
        world.settled()
        for pool in TWO:
            for color in ("green", "blue"):
                world.app(color, pool).refuse()
        for pool in TWO:
            held = world.wait_hold("self_unhealthy", pool)
            assert "both pools failed" in held["reason"]
        never(lambda: world.daemon.events("switch_started"), during=1.5)
        for pool in TWO:
            assert world.nginx.linked(pool) == "blue"
            for color in ("green", "blue"):
                world.app(color, pool).accept()
        for pool in TWO:
            world.wait_health(pool, blue="up", green="up")
            world.wait_pool(pool, phase="steady")


def test_a_bad_release_in_every_pool_at_once_is_rolled_back_everywhere(tmp_path: Path) -> None:
    with World(tmp_path, pools=TWO) as world:
        world.settled()
        for pool in TWO:
            world.release("green", pool)
        for pool in TWO:
            world.app("green", pool).answer(status=503)
        for pool in TWO:
            world.wait_served("blue", pool)
        assert "self_unhealthy" not in {e["gate"] for e in world.daemon.events("hold_entered")}
