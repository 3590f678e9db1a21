"""A guard under systemd: it starts, acts, reloads, is killed, and comes back."""

import time

from tests.support.eventually import eventually
from tests.systemd.host import CONFIG, POOL, Host


def test_start_returns_when_the_guard_is_ready(host: Host) -> None:
    host.m.out("systemctl", "restart", "healthguard")
    # At once, without waiting: the socket answers and systemd knows what is active.
    assert host.cli("status").returncode == 0
    seen = host.show("healthguard", "ActiveState", "Type", "StatusText", "User")
    assert (seen["ActiveState"], seen["Type"], seen["User"]) == ("active", "notify", "healthguard")
    assert seen["StatusText"].startswith("threader: blue active")


def test_a_dying_upstream_is_left_through_the_switcher(host: Host) -> None:
    since = host.cursor()
    host.break_app("blue")
    eventually(lambda: host.marker() == "green", within=20)
    assert host.link() == "threader_green.conf"
    eventually(lambda: host.events("switch_completed", since), within=10)
    # It was the root service that moved it, not the guard.
    acted = host.journal(since, _SYSTEMD_UNIT="healthguard-switcher.service")
    assert any("threader to green" in entry["MESSAGE"] for entry in acted), acted
    assert all(entry["_UID"] == "0" for entry in acted)


def test_a_switch_reloads_nginx_by_systemctl(host: Host) -> None:
    since = host.cursor()
    assert host.cli("switch", POOL, "green", "--reason", "deploy").returncode == 0
    entries = host.journal(since, UNIT="nginx.service")
    assert any("Reloaded" in entry["MESSAGE"] for entry in entries), entries


def test_the_candidate_is_tested_in_a_namespace_of_its_own(host: Host) -> None:
    look = "ls -ldi --time-style=full-iso /etc/nginx /etc/nginx/upstreams/*_active.conf"
    before = host.m.sh(look)
    host.m.sh("echo 'upstream threader { nonsense; }' >/etc/nginx/upstreams/threader_green.conf")
    try:
        done = host.cli("switch", POOL, "green")
        assert done.returncode == 1, done.stderr
        assert "config_invalid" in done.stderr
        assert "nonsense" in done.stderr
    finally:
        host.prepare_green()
    # The live link was never touched, not even for a moment, and no copy was made beside it.
    assert host.m.sh(look) == before
    assert "hg-" not in host.m.sh("ls -A /etc/nginx /etc/nginx/upstreams")


def test_a_reload_is_over_when_systemctl_returns(host: Host) -> None:
    host.m.write("/etc/healthguard/healthguard.yaml", CONFIG.replace("mode: auto", "mode: observe"))
    host.m.out("systemctl", "reload", "healthguard")
    assert host.status()["mode"] in ("observe", {"bake": "observe", "steady": "observe"})


def test_a_reload_of_a_bad_configuration_fails_and_changes_nothing(host: Host) -> None:
    before = host.main_pid()
    host.m.write("/etc/healthguard/healthguard.yaml", CONFIG.replace("fall: 2", "fall: 0"))
    done = host.m.run("systemctl", "reload", "healthguard")
    assert done.returncode != 0
    assert host.show("healthguard", "ActiveState")["ActiveState"] == "active"
    assert host.main_pid() == before
    said = host.journal(_SYSTEMD_UNIT="healthguard.service")
    assert any("health.fall: must be at least 1" in str(entry["MESSAGE"]) for entry in said)
    # The switcher keeps the last valid one: the rollback still works.
    host.break_app("blue")
    eventually(lambda: host.marker() == "green", within=20)


def test_a_stuck_guard_is_killed_by_the_watchdog_and_comes_back_with_its_memory(host: Host) -> None:
    host.m.write(
        "/etc/systemd/system/healthguard.service.d/hurry.conf",
        "[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\n",
    )
    try:
        host.m.sh("systemctl daemon-reload; systemctl restart healthguard")
        host.cli("pause", POOL, "--for", "1h", "--reason", "the watchdog test")
        before = host.main_pid()
        host.m.sh(f"kill -STOP {before}")
        eventually(lambda: host.main_pid() not in (0, before), within=20)
        eventually(lambda: host.cli("status").returncode == 0, within=20)
        assert host.status()["paused"]
        said = host.journal(UNIT="healthguard.service")
        assert any("Watchdog timeout" in entry["MESSAGE"] for entry in said)
    finally:
        host.m.sh("rm -r /etc/systemd/system/healthguard.service.d; systemctl daemon-reload")
        host.m.sh("systemctl restart healthguard")


def test_a_switch_ends_well_though_the_guard_is_killed_meanwhile(host: Host) -> None:
    since = host.cursor()
    host.slow_reload()
    order = host.m.spawn("healthguard", "switch", POOL, "green", "--reason", "deploy")
    host.m.wait_until("readlink /etc/nginx/upstreams/threader_active.conf | grep -q green")
    host.m.sh("systemctl kill -s KILL healthguard")
    eventually(lambda: host.marker() == "green", within=20)
    order.communicate(timeout=20)
    eventually(lambda: host.cli("status").returncode == 0, within=20)
    done = eventually(lambda: host.events("switch_completed", since), within=20)
    assert [entry.get("HEALTHGUARD_RECOVERED") for entry in done] == ["true"]
    assert host.link() == "threader_green.conf"


def test_a_switch_whose_switcher_is_killed_is_brought_to_an_end(host: Host) -> None:
    host.slow_reload()
    order = host.m.spawn("healthguard", "switch", POOL, "green", "--reason", "deploy")
    host.m.wait_until("readlink /etc/nginx/upstreams/threader_active.conf | grep -q green")
    host.m.sh("systemctl kill -s KILL healthguard-switcher")
    order.communicate(timeout=60)
    # Whichever end it was brought to: link, workers and the guard agree about it.
    color = host.marker()
    assert host.link() == f"threader_{color}.conf"
    eventually(lambda: host.status()["active"] == color, within=10)
    assert order.returncode == {"green": 0, "blue": 4}[color]


def test_stopping_leaves_the_traffic_alone(host: Host) -> None:
    workers = host.m.sh("pgrep -f '^nginx: worker'")
    began = time.monotonic()
    host.m.out("systemctl", "stop", "healthguard")
    assert time.monotonic() - began < 20
    assert host.show("healthguard", "Result")["Result"] == "success"
    assert (host.link(), host.marker()) == ("threader_blue.conf", "blue")
    assert host.m.sh("pgrep -f '^nginx: worker'") == workers
    host.break_app("blue")
    assert host.cli("switch", POOL, "green", "--standalone").returncode == 0
    assert host.marker() == "green"


def test_the_idle_switcher_is_not_there_and_comes_when_called(host: Host) -> None:
    host.m.out("systemctl", "stop", "healthguard-switcher.service")
    assert host.cli("switch", POOL, "green").returncode == 0
    assert host.main_pid("healthguard-switcher") > 0
