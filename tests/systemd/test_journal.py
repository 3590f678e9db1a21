"""What the journal tells during an incident, and what it does when journald is not there."""

import re

from healthguard.telemetry.journal_fields import message_id
from tests.support.eventually import eventually
from tests.systemd.host import POOL, Host

# More events than the queue of journald's socket holds, over the guard's own socket.
_FLOOD = """
import http.client, json, socket
class Guard(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect("/run/healthguard/control.sock")
for turn in range(300):
    for verb, body in (("pause", {"for": "1h", "reason": "flood"}), ("resume", {})):
        guard = Guard("localhost")
        headers = {"Content-Type": "application/json"}
        guard.request("POST", "/v1/pools/threader/" + verb, json.dumps(body), headers)
        answer = guard.getresponse()
        assert answer.status == 200, answer.read()
"""


def incident(host: Host) -> str:
    """Blue breaks, green takes over, green breaks too. A cursor from before."""
    since = host.cursor()
    host.break_app("blue")
    eventually(lambda: host.marker() == "green", within=20)
    eventually(lambda: host.events("switch_completed", since), within=10)
    host.break_app("green")
    eventually(lambda: host.events("hold_entered", since), within=20)
    return since


def test_fields_and_priorities(host: Host) -> None:
    since = incident(host)
    (done,) = host.events("switch_completed", since)
    assert done["HEALTHGUARD_POOL"] == POOL
    assert (done["HEALTHGUARD_FROM"], done["HEALTHGUARD_TO"]) == ("blue", "green")
    assert done["HEALTHGUARD_TRIGGER"] == "automatic"
    assert done["MESSAGE_ID"] == message_id("switch_completed")
    assert done["PRIORITY"] in ("4", "5")
    assert done["SYSLOG_IDENTIFIER"] == "healthguard"
    assert done["_TRANSPORT"] == "journal"
    assert int(done["HEALTHGUARD_TIMINGS_MS_TOTAL"]) > 0
    down = [e for e in host.events("health_changed", since) if e["HEALTHGUARD_TO"] == "down"]
    assert {entry["PRIORITY"] for entry in down} == {"4"}
    (hold,) = [e for e in host.events("hold_entered", since) if "HEALTHGUARD_WANTED" in e][:1]
    assert int(hold["PRIORITY"]) <= 4
    # What an upstream answered stays in the event log.
    whole = "".join(str(entry) for entry in host.journal(since))
    assert "the database is away" not in whole
    assert "the database is away" in host.read("/var/log/healthguard/events.jsonl")


def test_the_incident_reads_as_a_story(host: Host) -> None:
    since = incident(host)
    said = [
        str(entry["MESSAGE"])
        for entry in host.journal(since, SYSLOG_IDENTIFIER="healthguard")
        if entry["_SYSTEMD_UNIT"] == "healthguard.service"
    ]
    story = (
        r"threader: blue is down \(was up\): probe http: HTTP 503",
        r"threader: switching traffic to green \(was blue\)",
        r"threader: traffic now goes to green \(was blue\)",
        r"threader: blue is known bad",
        r"threader: green is down",
        r"threader: green is down and I cannot fail over",
    )
    at = 0
    for expected in story:
        hits = [i for i, line in enumerate(said[at:], at) if re.search(expected, line)]
        assert hits, f"{expected!r} is missing after line {at} of {said}"
        at = hits[0]
    # Lines for people: no field soup, not one line for each of some hundred probes.
    assert not any("evidence" in line or "{" in line for line in said)
    assert len(said) < 25, said


def test_journalctl_explains(host: Host) -> None:
    since = incident(host)
    said = host.m.out(
        *("journalctl", "-x", "--no-pager", f"--after-cursor={since}"),
        "SYSLOG_IDENTIFIER=healthguard",
    )
    assert "Subject: Pool threader: traffic now goes to green" in said
    assert "To go back by hand: healthguard switch threader blue" in said
    assert "@HEALTHGUARD" not in said


def test_a_frozen_journald_does_not_stop_the_guard(host: Host) -> None:
    pid = host.main_pid("systemd-journald")
    since = host.cursor()
    host.m.sh(f"kill -STOP {pid}")
    try:
        host.m.out("python3", "-c", _FLOOD, timeout=100)
        host.break_app("blue")
        eventually(lambda: host.marker() == "green", within=20)
        metrics = host.fetch("http://127.0.0.1:9464/metrics")
        dropped = re.search(r"^healthguard_log_lines_dropped_total (\d+)", metrics, re.MULTILINE)
        assert dropped, [line for line in metrics.splitlines() if "log" in line]
        assert int(dropped[1]) > 0
    finally:
        host.m.sh(f"kill -CONT {pid}")
    told = eventually(
        lambda: [e for e in host.journal(since) if "HEALTHGUARD_DROPPED" in e], within=20
    )
    assert "were dropped here" in told[0]["MESSAGE"]
