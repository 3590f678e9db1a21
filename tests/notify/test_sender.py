"""The sender as the real process, against real servers."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from healthguard.notify import launch, wire
from healthguard.notify.spec import Message, Notifier, Secret, Sent
from tests.notify.receivers import Receiver, hook, mail, proxy
from tests.support.imports import DOORS, IMPORTS, imported
from tests.support.ports import free_port

SECRET = "s3cr3tTOKENvalue0123456789abcdef"
MESSAGE = Message(
    id="m-1",
    key="healthguard/web1/threader/hold",
    level="hold",
    severity="failure",
    title="web1: threader: blue is down and I cannot fail over (cooldown)",
    body="Reason: the last switch was 12 s ago\nApprove it: healthguard approve threader --id p-1",
    at_wall_ms=1_700_000_000_000,
    details={"host": "web1", "pool": "threader", "command": "healthguard approve threader"},
)
OVER = replace(MESSAGE, id="m-2", severity="success", level="resolved", resolves=True)


@pytest.fixture
def services(ca: Path) -> Iterator[Receiver]:
    with proxy(ca) as receiver:
        yield receiver


@pytest.fixture
def environ(ca: Path, services: Receiver) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    return {
        **clean,
        "HTTPS_PROXY": f"http://127.0.0.1:{services.port}",
        "REQUESTS_CA_BUNDLE": str(ca / "ca.pem"),
        "SSL_CERT_FILE": str(ca / "ca.pem"),
        "THE_SECRET": SECRET,
    }


def notifier(kind: str, secrets: dict[str, Secret], **settings: object) -> Notifier:
    return Notifier("ops", kind, settings, secrets, frozenset())


def send(given: Notifier, *messages: Message, **options: Any) -> list[Sent]:
    return launch.send(given, messages or (MESSAGE,), limit_s=30, **options)


def kept(tmp_path: Path, text: str) -> Secret:
    file = tmp_path / "secret"
    file.write_text(text + "\n")
    return Secret(file=str(file))


# ------------------------------------------------------------ services


def test_slack(services: Receiver, environ: dict[str, str], tmp_path: Path) -> None:
    url = f"https://hooks.slack.com/services/T0AB/B0CD/{SECRET}"
    assert send(notifier("slack", {"webhook_url": kept(tmp_path, url)}), environ=environ) == [
        Sent("m-1", True)
    ]
    [got] = services.got
    assert (got.host, got.path) == ("hooks.slack.com", f"/services/T0AB/B0CD/{SECRET}")
    [attachment] = got.json()["attachments"]
    assert "blue is down and I cannot fail over" in str(attachment)
    assert "healthguard approve threader --id p-1" in str(attachment)


def test_teams(services: Receiver, environ: dict[str, str], tmp_path: Path) -> None:
    path = "/workflows/abc123/triggers/manual/paths/invoke"
    query = f"api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={SECRET}"
    url = f"https://prod-1.westus.logic.azure.com:443{path}?{query}"
    assert send(notifier("teams", {"webhook_url": kept(tmp_path, url)}), environ=environ)[0].ok
    [got] = services.got
    assert got.host == "prod-1.westus.logic.azure.com"
    assert got.path.startswith(path)
    assert f"sig={SECRET}" in got.path
    card = got.json()["attachments"][0]["content"]
    assert card["type"] == "AdaptiveCard"
    assert "blue is down and I cannot fail over" in str(card)
    assert "healthguard approve threader --id p-1" in str(card)


HOSTILE = replace(
    MESSAGE,
    title="up <!channel> [here](http://evil.example)",
    body="<!here> <@U1> <http://evil.example|click> & [here](http://evil.example)",
)


def test_an_upstream_cannot_mention_anybody_nor_make_links(
    services: Receiver, environ: dict[str, str], tmp_path: Path
) -> None:
    for kind in ("slack", "teams"):
        assert send(of_kind(kind, tmp_path), HOSTILE, environ=environ)[0].ok
    slack, teams = services.got
    [attachment] = slack.json()["attachments"]
    assert "<" not in attachment["text"] + attachment["title"]
    assert "&lt;!here&gt; &lt;@U1&gt;" in attachment["text"]
    assert "](" not in teams.body.decode()


@pytest.mark.parametrize(
    ("region", "host"), [("us", "events.pagerduty.com"), ("eu", "events.eu.pagerduty.com")]
)
def test_pagerduty(services: Receiver, environ: dict[str, str], region: str, host: str) -> None:
    given = notifier("pagerduty", {"routing_key": Secret(text="${THE_SECRET}")}, region=region)
    assert [each.ok for each in send(given, MESSAGE, OVER, environ=environ)] == [True, True]
    opened, closed = services.got
    assert (opened.host, opened.path) == (host, "/v2/enqueue")
    told = opened.json()
    assert told["routing_key"] == SECRET
    assert (told["event_action"], told["dedup_key"]) == ("trigger", MESSAGE.key)
    assert (told["payload"]["severity"], told["payload"]["source"]) == ("critical", "web1")
    assert told["payload"]["summary"] == MESSAGE.title
    assert told["payload"]["custom_details"]["command"] == "healthguard approve threader"
    assert closed.json() == {
        "routing_key": SECRET,
        "event_action": "resolve",
        "dedup_key": MESSAGE.key,
    }


def test_opsgenie(services: Receiver, environ: dict[str, str]) -> None:
    services.status = 202
    given = notifier("opsgenie", {"api_key": Secret(text="${THE_SECRET}")}, region="eu", team="web")
    assert [each.ok for each in send(given, MESSAGE, OVER, environ=environ)] == [True, True]
    opened, closed = services.got
    assert (opened.host, opened.path) == ("api.eu.opsgenie.com", "/v2/alerts")
    told = opened.json()
    assert opened.headers["Authorization"] == f"GenieKey {SECRET}"
    assert (told["priority"], told["alias"]) == ("P1", MESSAGE.key)
    assert told["responders"] == [{"type": "team", "name": "web"}]
    assert closed.path == (
        "/v2/alerts/healthguard%2Fweb1%2Fthreader%2Fhold/close?identifierType=alias"
    )
    assert closed.headers["Authorization"] == f"GenieKey {SECRET}"


def email(port: int, **more: object) -> Notifier:
    settings = {
        "host": "127.0.0.1",
        "port": port,
        "tls": "none",
        "from": "guard@example.org",
        "to": ["ops@example.org"],
        **more,
    }
    secrets = {"password": Secret(text="${THE_SECRET}")} if "user" in more else {}
    return notifier("email", secrets, **settings)


@pytest.mark.parametrize("user", [None, "guard"])
def test_email(environ: dict[str, str], user: str | None) -> None:
    with mail() as server:
        given = email(server.port, **({"user": user} if user else {}))
        assert send(given, environ=environ) == [Sent("m-1", True)]
        [got] = server.got
    assert ("auth" in got.headers) == bool(user)
    assert "<ops@example.org>" in got.headers["rcpt"]
    parsed = message_from_bytes(got.body, policy=policy.default)
    assert parsed["Subject"] == MESSAGE.title
    assert "guard@example.org" in parsed["From"]
    text = parsed.get_body(("plain",))
    assert text is not None
    assert "healthguard approve threader --id p-1" in text.get_content()


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_email_over_tls(environ: dict[str, str], ca: Path, tls: str) -> None:
    with mail(ca, tls) as server:
        given = email(server.port, host="localhost", tls=tls, user="guard")
        assert send(given, environ=environ) == [Sent("m-1", True)]
        [got] = server.got
    assert got.headers["tls"].startswith("TLSv1.")
    assert "auth" in got.headers
    if tls == "starttls":  # the password came after it
        words = [line.split()[0].upper() for line in server.lines]
        assert words.index("STARTTLS") < words.index("AUTH")


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("trouble", ["unknown", "other name"])
def test_a_mail_server_that_is_not_who_it_should_be(
    environ: dict[str, str], ca: Path, tls: str, trouble: str
) -> None:
    if trouble == "unknown":
        del environ["SSL_CERT_FILE"]
    host = "localhost" if trouble == "unknown" else "127.0.0.1"
    with mail(ca, tls) as server:
        given = email(server.port, host=host, tls=tls, user="guard")
        assert send(given, environ=environ) == [
            Sent("m-1", False, "its certificate is not trusted")
        ]
    assert server.got == []
    assert not any("AUTH" in line for line in server.lines)


def test_no_password_goes_to_a_mail_server_that_offers_no_tls(
    environ: dict[str, str], ca: Path
) -> None:
    with mail(ca, "none") as server:
        [result] = send(email(server.port, tls="starttls", user="guard"), environ=environ)
    assert not result.ok
    assert server.got == []
    assert not any("AUTH" in line for line in server.lines)


def test_a_webhook_is_signed_and_dated(environ: dict[str, str]) -> None:
    with hook() as server:
        given = notifier(
            "webhook",
            {"secret": Secret(text="${THE_SECRET}")},
            url=f"http://127.0.0.1:{server.port}/in?x=1",
        )
        assert send(given, environ=environ) == [Sent("m-1", True)]
        [got] = server.got
    verify = _documented()
    assert verify(SECRET, got.headers, got.body)
    assert not verify(SECRET, got.headers, got.body + b" ")
    assert not verify("other", got.headers, got.body)
    earlier = int(got.headers["X-Healthguard-Timestamp"]) - 1
    replayed = {**got.headers, "X-Healthguard-Timestamp": str(earlier)}
    assert not verify(SECRET, replayed, got.body)
    assert got.headers["X-Healthguard-Id"] == "m-1"
    told = got.json()
    assert (told["level"], told["severity"], told["resolves"]) == ("hold", "failure", False)
    assert told["command"] == "healthguard approve threader"


def _documented() -> Callable[[str, dict[str, str], bytes], bool]:
    """The check that docs/notifications.md gives to receivers."""
    document = (Path(__file__).parents[2] / "docs/notifications.md").read_text()
    code = document.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)
    verify: Callable[[str, dict[str, str], bytes], bool] = names["genuine"]
    return verify


def test_a_webhook_over_https_with_a_ca_of_its_own(
    services: Receiver, environ: dict[str, str], ca: Path, tmp_path: Path
) -> None:
    del environ["SSL_CERT_FILE"]
    secrets = {
        "secret": Secret(text="${THE_SECRET}"),
        "url": kept(tmp_path, f"https://hooks.example.org/{SECRET}"),
    }
    trusting = notifier("webhook", secrets, ca_file=str(ca / "ca.pem"))
    assert send(trusting, environ=environ)[0].ok
    assert services.got[0].path == f"/{SECRET}"
    [refused] = send(notifier("webhook", secrets), environ=environ)
    assert refused.problem == "its certificate is not trusted"


# ------------------------------------------------------------ trouble

KINDS = {
    "slack": {"webhook_url": f"https://hooks.slack.com/services/T0AB/B0CD/{SECRET}"},
    "teams": {
        "webhook_url": "https://prod-1.westus.logic.azure.com/workflows/w/triggers/manual/paths/"
        f"invoke?api-version=2016-06-01&sig={SECRET}"
    },
    "pagerduty": {"routing_key": SECRET},
    "opsgenie": {"api_key": SECRET},
    "webhook": {"secret": SECRET, "url": f"https://hooks.example.org/{SECRET}"},
}


def of_kind(kind: str, tmp_path: Path, **instead: str) -> Notifier:
    secrets = {}
    for name, value in {**KINDS[kind], **instead}.items():
        (tmp_path / name).write_text(value)
        secrets[name] = Secret(file=str(tmp_path / name))
    return notifier(kind, secrets, region="us")


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_names_the_status_and_nothing_else(
    kind: str, services: Receiver, environ: dict[str, str], tmp_path: Path
) -> None:
    services.status = 403
    assert send(of_kind(kind, tmp_path), environ=environ) == [Sent("m-1", False, "HTTP 403")]


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_there(kind: str, environ: dict[str, str], tmp_path: Path) -> None:
    environ["HTTPS_PROXY"] = f"http://127.0.0.1:{free_port()}"
    [result] = send(of_kind(kind, tmp_path), environ=environ)
    assert not result.ok
    assert "refused" in result.problem
    assert SECRET not in result.problem


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_a_url_of_something_else_is_not_shown(
    kind: str, environ: dict[str, str], tmp_path: Path
) -> None:
    wrong = f"https://example.org/{SECRET}"
    [result] = send(of_kind(kind, tmp_path, webhook_url=wrong), environ=environ)
    assert result.problem == f"its URL is not a {kind} webhook URL"


def test_a_webhook_does_not_follow_redirects(
    services: Receiver, environ: dict[str, str], tmp_path: Path
) -> None:
    services.status = 302
    assert send(of_kind("webhook", tmp_path), environ=environ)[0].problem == "HTTP 302"
    assert len(services.got) == 1


def test_a_login_that_is_refused(environ: dict[str, str]) -> None:
    with mail() as server:
        server.status = 535
        [result] = send(email(server.port, user="guard"), environ=environ)
    assert not result.ok
    assert SECRET not in result.problem


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        (Secret(file="/nonexistent/key"), "/nonexistent/key cannot be read: No such file"),
        (Secret(file="/dev"), "/dev cannot be read: Is a directory"),
        (Secret(file="/dev/null"), "/dev/null is not a regular file"),
        (Secret(text="${NOT_SET}"), "the environment variable NOT_SET is not set"),
    ],
)
def test_a_secret_that_cannot_be_had(secret: Secret, problem: str) -> None:
    [result] = send(notifier("pagerduty", {"routing_key": secret}, region="us"))
    assert result.problem.startswith(problem)


def test_one_that_hangs_is_ended_and_what_was_sent_before_counts(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with hook() as server:
        server.hang, server.calm = threading.Event(), 1
        given = notifier(
            "webhook",
            {"secret": Secret(text="${THE_SECRET}")},
            url=f"http://127.0.0.1:{server.port}/",
        )
        results = launch.send(given, (MESSAGE, OVER), limit_s=6, environ=environ)
    assert results == [Sent("m-1", True), Sent("m-2", False, "the sender was killed after 6 s")]


def test_no_job_is_a_usage_error() -> None:
    command = [sys.executable, "-m", "healthguard.notify.sender"]
    ended = subprocess.run(command, input=b'{"notifier": 1}', capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, b"")


@pytest.mark.parametrize(("kind", "needed"), [("webhook", set()), ("slack", {"apprise"})])
def test_apprise_is_loaded_only_where_it_sends(kind: str, needed: set[str]) -> None:
    secrets = {"secret": Secret(text=SECRET), "webhook_url": Secret(text=f"https://{SECRET}")}
    given = notifier(kind, secrets, url="http://127.0.0.1:9/")
    ended = subprocess.run(
        [sys.executable, "-m", "healthguard.notify.sender"],
        input=wire.job(given, [MESSAGE]),
        env={**os.environ, **IMPORTS},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 1  # there is nobody to send to
    loaded = imported(ended.stderr.decode())
    assert "healthguard.notify.sender.post" in loaded
    assert loaded & ({"apprise", "healthguard.core.state", "httptools", "uvloop"} | DOORS) == needed
