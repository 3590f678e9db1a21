"""Power loss in the middle of a switch: after the boot link, nginx and guard agree."""

from tests.support.eventually import eventually
from tests.systemd.host import POOL, Host


def lose_power_in_a_switch(host: Host) -> None:
    """Everything dies while the link names green and nginx still serves blue."""
    host.slow_reload()
    # A person's order waits for the end, which never comes.
    order = host.m.spawn("healthguard", "switch", POOL, "green", "--reason", "deploy")
    host.m.wait_until("readlink /etc/nginx/upstreams/threader_active.conf | grep -q green")
    assert host.marker() == "blue"
    host.m.sh("sync")
    host.m.power_loss()
    order.communicate(timeout=20)


def test_the_link_is_put_back_before_nginx_starts(host: Host) -> None:
    lose_power_in_a_switch(host)
    host.m.boot()
    # nginx never ran on the upstream that was never proven.
    assert (host.link(), host.marker()) == ("threader_blue.conf", "blue")
    order = host.show("healthguard-reconcile", "ExecMainExitTimestampMonotonic", "Result")
    nginx = host.show("nginx", "ExecMainStartTimestampMonotonic")
    assert order["Result"] == "success"
    assert int(order["ExecMainExitTimestampMonotonic"]) > 0
    assert int(order["ExecMainExitTimestampMonotonic"]) <= int(
        nginx["ExecMainStartTimestampMonotonic"]
    )
    # The guard hears of it and writes the event that is missing, once.
    eventually(lambda: host.status()["active"] == "blue", within=20)
    ends = host.m.sh("grep -h switch_undone /var/log/healthguard/events.jsonl | grep -c recovered")
    assert int(ends) == 1
    assert host.m.sh("ls -A /etc/nginx/upstreams | grep -c hg- || true").strip() == "0"


def test_a_calm_host_boots_into_the_same_state(host: Host) -> None:
    assert host.cli("switch", POOL, "green", "--reason", "deploy").returncode == 0
    host.m.sh("sync")
    host.m.power_loss()
    state = host.m.boot()
    assert state == "running", host.m.sh("systemctl --failed")
    assert (host.link(), host.marker()) == ("threader_green.conf", "green")
    eventually(lambda: host.cli("status").returncode == 0, within=20)
    assert host.status()["active"] == "green"


def test_a_switch_is_ended_also_by_a_copy_of_a_config_that_was_broken_since(host: Host) -> None:
    host.m.write("/etc/healthguard/healthguard.yaml", "pools: {broken")
    lose_power_in_a_switch(host)
    host.m.boot()
    assert (host.link(), host.marker()) == ("threader_blue.conf", "blue")
