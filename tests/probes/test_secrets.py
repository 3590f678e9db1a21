"""What an upstream says back of its request does not leave the probe."""

import html
import json
import socket
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from healthguard.core.model import Answer
from healthguard.machine.secrets import Secrets
from healthguard.probes import build
from healthguard.probes.spec import ExecSpec, Spec
from healthguard.telemetry.event import scrub
from tests.probes.conftest import check, http
from tests.probes.servers import Behaviour, answer, request, serving

TOKEN = 'k3y/5d1f+"<0c9a>\\7e=='
BASIC = "Basic b3BzOm9wZW4tc2VzYW1l"  # ops:open-sesame

Ask = Callable[..., Answer]


@pytest.fixture
def ask(runner: Any) -> Ask:
    """The answer of a probe that knows ``secrets``."""

    def run(spec: Spec, *secrets: str) -> Answer:
        found: Answer = runner(lambda: check(build(spec, secrets=secrets)))
        return found

    return run


def echo(conn: socket.socket, _: threading.Event) -> None:
    """Says back the whole request, as it came and as JSON."""
    said = request(conn).decode("latin-1")
    body = f"{said}\n{json.dumps(said)}".encode("latin-1")
    conn.sendall(b"HTTP/1.1 500 Oops\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def say(text: str) -> Behaviour:
    return answer(b"HTTP/1.1 500 Oops\r\n\r\n" + text.encode())


@pytest.mark.parametrize("header", ["X-Token", "Api-Key", "Authorization", "Cookie"])
def test_an_echo_of_the_request(ask: Ask, header: str) -> None:
    with serving(echo) as port:
        found = ask(http(port, headers=((header, f"a {TOKEN} b"),)), TOKEN)
    assert header in found.excerpt
    for spelled in (TOKEN, json.dumps(TOKEN)[1:-1]):
        assert spelled not in str(found)
    assert "5d1f" not in str(found)


@pytest.mark.parametrize(
    "spell",
    [str, html.escape, quote, lambda text: json.dumps(text).replace("/", "\\/"), lambda t: t[:9]],
    ids=["plain", "html", "url", "json", "broken off"],
)
def test_however_it_is_written(ask: Ask, spell: Callable[[str], str]) -> None:
    with serving(say(f"got {spell(TOKEN)}")) as port:
        found = ask(http(port), TOKEN)
    assert "got" in found.excerpt
    assert "5d1f" not in found.excerpt


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Bearer abcd-efgh", "abcd-efgh"),
        ("bearer abcd-efgh", "abcd-efgh"),
        (BASIC, BASIC.split()[1]),
        (BASIC, "ops:open-sesame"),
        (BASIC, "open-sesame"),
    ],
)
def test_a_part_of_it(ask: Ask, value: str, said: str) -> None:
    """The value of a secret header that stands in the configuration as it is, too."""
    with serving(say(f"bad <{said}>")) as port:
        assert "bad <[cut out]>" in ask(http(port), value).excerpt
        known = ask(http(port, headers=(("proxy-authorization", value),)))
        assert "bad <[cut out]>" in known.excerpt


def test_detail_and_release(ask: Ask) -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Release: r1-s3cr3t\r\nTransfer-Encoding: s3cr3t, chunked\r\n\r\n"
    with serving(answer(head + b"2\r\nok\r\n")) as port:
        cut = ask(http(port, release_header="X-Release"), "s3cr3t")
    assert (cut.failure, "s3cr3t" in str(cut)) == ("eof", False)
    assert "[cut out], chunked" in cut.detail
    head = b"HTTP/1.1 200 OK\r\nX-Release: r1-s3cr3t\r\nContent-Length: 0\r\n\r\n"
    with serving(answer(head)) as port:
        assert ask(http(port, release_header="X-Release"), "s3cr3t").release == "r1-[cut out]"


def test_what_a_command_prints(ask: Ask) -> None:
    found = ask(ExecSpec(("/bin/sh", "-c", "echo sent s3cr3t; exit 1")), "s3cr3t")
    assert found.excerpt == "sent [cut out]\n"


def test_what_is_too_short_to_be_one_is_left_alone(ask: Ask) -> None:
    with serving(say("1 of 500")) as port:
        assert "1 of 500" in ask(http(port), "1", "500", "").excerpt


@pytest.mark.parametrize("value", ["Basic !", "Basic a", "Basic \u00e9", "Bearer ", ""])
def test_any_value_may_be_one(value: str) -> None:
    assert Secrets([value]).cut("fine") == "fine"


@pytest.mark.parametrize(
    "header", ["authorization", "cookie", "set-cookie2", "x-api-key", "X-Auth-Token"]
)
def test_secret_headers_are_the_same_everywhere(ask: Ask, header: str) -> None:
    assert scrub(f"{header}: abc def") == f"{header}: [cut]"
    with serving(say(f"\n{header}: abc def")) as port:
        assert f"{header}: [cut out]" in ask(http(port)).excerpt
