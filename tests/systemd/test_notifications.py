"""The sender inside of the daemon's sandbox: a message about a rollback really arrives."""

import json
from collections.abc import Iterator

import pytest

from tests.support.eventually import eventually
from tests.systemd.host import CONFIG, POOL, Host

RECEIVER = """
import http.server
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open("/run/told", "ab") as told:
            told.write(body + b"\\n")
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 9099), Hook).serve_forever()
"""
UNIT = "[Service]\nExecStart=/usr/bin/python3 /srv/hook.py\n"
KEY = "/etc/healthguard/hook.key"
NOTIFIERS = f"""
notifiers:
  ops: {{webhook: {{url: "http://127.0.0.1:9099/", secret_file: {KEY}}}}}
  mail: {{email: {{host: 127.0.0.1, port: 9098, tls: none, from: a@b.example, to: [c@d.example]}}}}
defaults: {{notify: [ops, mail]}}
"""


@pytest.fixture
def told(host: Host) -> Iterator[Host]:
    """The guard tells a webhook in the machine, with a secret that only it may read; and mail."""
    host.m.write("/srv/hook.py", RECEIVER)
    host.m.write("/etc/systemd/system/hook.service", UNIT)
    host.m.write(KEY, "0123456789abcdef\n", mode=0o640)
    host.m.sh(f"chgrp healthguard {KEY}; systemctl daemon-reload; systemctl start hook")
    host.m.write("/etc/healthguard/healthguard.yaml", CONFIG + NOTIFIERS)
    host.m.sh("systemctl reload healthguard")
    yield host
    host.m.sh("systemctl stop hook; rm -f /etc/systemd/system/hook.service /srv/hook.py /run/told")
    host.m.sh(f"rm -f {KEY}; systemctl daemon-reload")
    host.m.write("/etc/healthguard/healthguard.yaml", CONFIG)
    host.m.sh("systemctl reload healthguard")


def messages(host: Host) -> list[dict[str, str]]:
    """What the webhook has got."""
    return [
        json.loads(line) for line in host.m.sh("cat /run/told 2>/dev/null || true").splitlines()
    ]


def test_a_rollback_is_told_from_inside_of_the_sandbox(told: Host) -> None:
    host, since = told, told.cursor()
    host.break_app("blue")
    eventually(lambda: host.marker() == "green", within=20)

    def arrived() -> dict[str, str] | None:
        return next((each for each in messages(host) if each["level"] == "switch"), None)

    message = eventually(arrived, within=30, what="the message", step=0.5)
    assert message is not None
    assert message["pool"] == POOL
    assert message["command"] == f"healthguard switch {POOL} blue"
    assert "traffic now goes to green" in message["title"]

    # Apprise, too, is loaded and runs in there: its failure is the mail server's absence alone.
    def said() -> list[str]:
        entries = host.journal(since, _SYSTEMD_UNIT="healthguard.service")
        return [each["MESSAGE"] for each in entries if "notifier mail" in each["MESSAGE"]]

    (first, *_) = eventually(said, within=30, what="mail was tried", step=0.5)
    assert "connection refused" in first, first
    # Queue and secret stay with the daemon.
    assert "0640 root healthguard" in host.m.sh(f"stat -c '0%a %U %G' {KEY}")
    assert (
        host.m.sh("stat -c '%a %U' /var/lib/healthguard/notify/queue.json") == "600 healthguard\n"
    )


def test_notify_test_sends_as_the_daemons_user(told: Host) -> None:
    done = told.cli("notify", "test", "ops")
    assert done.returncode == 0, done.stderr
    assert "sent to ops (webhook) as healthguard" in done.stdout
    told.m.sh(f"chmod 600 {KEY}")
    refused = told.cli("notify", "test", "ops")
    assert refused.returncode == 1
    assert f"{KEY} cannot be read: Permission denied" in refused.stderr
