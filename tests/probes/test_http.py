"""Every way in which an HTTP server can go wrong, against a real socket."""

import asyncio
import contextlib
import resource
import threading
import time
from typing import Any

import pytest

from healthguard.core.model import Expect
from healthguard.machine.secrets import Secrets
from healthguard.probes import DOUBTS, REASONS, build
from healthguard.probes.excerpt import excerpt
from tests.probes import servers
from tests.probes.conftest import Run, check, http
from tests.probes.servers import answer, endless, ok, serving

HEAD = b"HTTP/1.1 200 OK\r\n"
MEGA = b"x" * 65536

# name -> behaviour, failure
FAILS: dict[str, tuple[servers.Behaviour, str]] = {
    "reset on connect": (servers.reset_at_once, "reset"),
    "reset in the body": (servers.reset_in_body, "reset"),
    "closed before the status": (servers.close_at_once, "eof"),
    "closed within the head": (answer(HEAD + b"Content-Le"), "eof"),
    "silence": (servers.silent, "timeout"),
    "short body": (answer(HEAD + b"Content-Length: 10\r\n\r\nshort"), "eof"),
    "short chunk": (answer(HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nshort"), "eof"),
    "no last chunk": (answer(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"), "eof"),
    "bad chunk": (answer(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nok"), "protocol"),
    "garbage": (answer(b"\x00\x01\x02 what is this\r\n\r\n"), "protocol"),
    "another protocol": (answer(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol"),
    "RTSP": (answer(b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), "protocol"),
    "HTTP/0.9": (answer(b"<html>hello</html>"), "protocol"),
    "HTTP/0.9 by name": (answer(b"HTTP/0.9 200 OK\r\n\r\nhello"), "protocol"),
    "HTTP/2.0 in text": (answer(b"HTTP/2.0 200 OK\r\n\r\nhello"), "protocol"),
    "status of letters": (answer(b"HTTP/1.1 abc OK\r\n\r\n"), "protocol"),
    "conflicting lengths": (
        answer(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
        "protocol",
    ),
    "length and chunked": (
        answer(HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "protocol",
    ),
    "huge header line": (endless(HEAD + b"X-Huge: ", MEGA), "protocol"),
    "many headers": (endless(HEAD, b"X-Many: more\r\n" * 1000), "protocol"),
    "huge reason": (endless(b"HTTP/1.1 200 ", MEGA), "protocol"),
    "dripping header": (endless(HEAD + b"X-Slow: ", b"x", 0.02), "timeout"),
    "dripping body": (endless(HEAD + b"Content-Length: 9999\r\n\r\n", b"x", 0.02), "timeout"),
    "endless interim answers": (endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n", 0.02), "timeout"),
    "flood of interim answers": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 99), "protocol"),
    "endless chunk extension": (
        endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;", MEGA),
        "protocol",
    ),
}


@pytest.mark.parametrize("name", FAILS)
def test_a_misbehaving_server_is_a_fail_with_its_reason(name: str, probe: Run) -> None:
    behave, failure = FAILS[name]
    with serving(behave) as port:
        begun = time.monotonic()
        found = probe(http(port))
        assert (found.failure, found.inconclusive) == (failure, None), found
        assert failure in REASONS
        assert found.detail
        assert time.monotonic() - begun < 5  # far above the timeout of 0.3 s, far below for ever


@pytest.mark.parametrize(
    "name", ["huge header line", "many headers", "huge reason", "flood of interim answers"]
)
def test_a_head_without_end_is_given_up_after_64_kib(name: str, probe: Run) -> None:
    with serving(FAILS[name][0]) as port:
        assert "within 64 KiB" in probe(http(port)).detail


def test_refused(probe: Run) -> None:
    found = probe(http(servers.closed_port()))
    assert (found.failure, found.status) == ("refused", None)
    assert "127.0.0.1" in found.detail


# name -> behaviour, status
ANSWERS: dict[str, tuple[servers.Behaviour, int]] = {
    "plain": (ok(), 200),
    "no body": (answer(b"HTTP/1.1 204 No Content\r\n\r\n"), 204),
    "not modified": (answer(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), 304),
    "until the end": (answer(HEAD + b"\r\nall of it"), 200),
    "old": (answer(b"HTTP/1.0 200 OK\r\n\r\nhello"), 200),
    "chunked": (answer(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), 200),
    "in pieces": (answer(*[bytes([b]) for b in HEAD + b"Content-Length: 2\r\n\r\nok"]), 200),
    "interim first": (
        answer(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", HEAD, b"\r\n"),
        200,
    ),
    "upgrade": (
        answer(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        101,
    ),
    "more than was announced": (answer(HEAD + b"Content-Length: 2\r\n\r\nokjunk\x00\x00"), 200),
    "infinite body": (endless(HEAD + b"\r\n", MEGA), 200),
    "infinite chunks": (
        endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n"),
        200,
    ),
    "a body of a gigabyte": (endless(HEAD + b"Content-Length: 1000000000\r\n\r\n", MEGA), 200),
    "redirect": (ok(b"", b"Location: http://127.0.0.1:1/", status=b"302 Found"), 302),
    "redirect loop": (ok(b"", b"Location: /health", status=b"301 Moved"), 301),
    "error": (ok(b"sorry", status=b"503 Service Unavailable"), 503),
    "cookies": (ok(b"ok", *[b"Set-Cookie: a%d=%s" % (i, b"v" * 50) for i in range(300)]), 200),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_complete_answer_has_its_status(name: str, probe: Run) -> None:
    behave, status = ANSWERS[name]
    with serving(behave) as port:
        found = probe(http(port, timeout_ms=2000))
    assert (found.status, found.failure, found.inconclusive) == (status, None, None), found
    assert 0 < found.latency_us < 2_000_000


def test_head_does_not_wait_for_a_body(probe: Run) -> None:
    with serving(endless(HEAD + b"Content-Length: 10\r\n\r\n", b"", 1)) as port:
        assert probe(http(port, method="HEAD")).status == 200


def test_the_request_is_what_was_configured(probe: Run) -> None:
    seen: list[bytes] = []

    def behave(conn: Any, stop: threading.Event) -> None:
        seen.append(servers.request(conn))
        conn.sendall(HEAD + b"Content-Length: 0\r\n\r\n")

    with serving(behave) as port:
        assert probe(http(port, "/a?b=c")).status == 200
        spec = http(port, method="POST", host_header="app.example", headers=(("User-Agent", "me"),))
        assert probe(spec).status == 200
    default, posted = seen
    assert default.startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert b"Host: 127.0.0.1:%d\r\n" % port in default
    assert b"User-Agent: healthguard/" in default
    assert b"Accept-Encoding: identity\r\n" in default
    assert b"Connection: close\r\n" in default
    assert b"POST /health HTTP/1.1\r\nHost: app.example\r\nUser-Agent: me\r\n" in posted
    assert b"Content-Length: 0\r\n" in posted


def test_a_header_cannot_break_out_of_its_line() -> None:
    with pytest.raises(ValueError, match="control characters"):
        build(http(1, headers=(("X-A", "b\r\nX-C: d"),)))


JSON = b'{"status": "UP", "checks": [{"name": "db", "ok": true}], "n": 1, "null": null}'


@pytest.mark.parametrize(
    ("fields", "verdicts"),
    [
        ({"body_text": "UP"}, (("body", True),)),
        ({"body_text": "DOWN"}, (("body", False),)),
        ({"body_regex": r'"n":\s+\d'}, (("body", True),)),
        ({"body_regex": r"^nothing$"}, (("body", False),)),
        ({"body_text": "UP", "body_regex": "nope"}, (("body", False),)),
        ({"json_fields": (("status", "UP"), ("checks.0.name", "db"))}, (("json", True),)),
        ({"json_fields": (("checks.0.ok", True),)}, (("json", True),)),
        ({"json_fields": (("checks.1.ok", True),)}, (("json", False),)),
        ({"json_fields": (("n", 1),)}, (("json", True),)),
        ({"json_fields": (("n", True),)}, (("json", False),)),
        ({"json_fields": (("null", None),)}, (("json", True),)),
        ({"json_fields": (("missing", None),)}, (("json", False),)),
        ({"json_fields": (("status.deeper", "UP"),)}, (("json", False),)),
        ({"header_fields": (("x-color", "green"),)}, (("header", True),)),
        ({"header_fields": (("X-COLOR", "Green"),)}, (("header", False),)),
        ({"header_fields": (("X-Other", "green"),)}, (("header", False),)),
        (
            {"header_fields": (("X-Color", "green"),), "body_text": "no", "json_fields": ()},
            (("header", True), ("body", False)),
        ),
    ],
)
def test_predicates(fields: Any, verdicts: Any, probe: Run) -> None:
    with serving(ok(JSON, b"X-Color: green")) as port:
        found = probe(http(port, **fields))
    assert (found.status, found.verdicts) == (200, verdicts)
    assert bool(found.excerpt) is not all(good for _, good in verdicts)


@pytest.mark.parametrize("body", [b"", b"not json", b"[" * 60000, b"9" * 60000, b'{"a":', b"\xff"])
def test_a_body_that_is_not_json_is_a_failed_predicate(body: bytes, probe: Run) -> None:
    with serving(ok(body)) as port:
        found = probe(http(port, json_fields=(("status", "UP"),)))
    assert (found.status, found.verdicts) == (200, (("json", False),))


def test_only_64_kib_of_the_body_count(probe: Run) -> None:
    with serving(answer(HEAD + b"\r\n" + b"x" * 65534 + b"abc")) as port:
        assert probe(http(port, body_text="ab")).verdicts == (("body", True),)
        assert probe(http(port, body_text="abc")).verdicts == (("body", False),)


def test_a_compressed_body_is_not_opened(probe: Run) -> None:
    import gzip

    bomb = gzip.compress(b"ok" * 5_000_000)
    with serving(ok(bomb, b"Content-Encoding: gzip")) as port:
        found = probe(http(port, body_text="okok"))
    assert (found.status, found.verdicts) == (200, (("body", False),))


def test_memory_stays_flat_under_floods(runner: Any) -> None:
    async def job() -> None:
        probers = [build(http(port, timeout_ms=2000)) for _ in range(20)]
        await asyncio.gather(*map(check, probers))

    with contextlib.ExitStack() as stack:
        port = stack.enter_context(serving(endless(HEAD + b"X-Huge: ", MEGA)))
        runner(job)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(5):
            runner(job)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 20_000


def test_a_failing_answer_is_kept_without_its_secrets(probe: Run) -> None:
    body = (
        b"\x1b[31mboom\x00 token-123 authorization: Bearer body\r\nAuthorization: Bearer echo\r\n"
    )
    behave = ok(
        body + b"y" * 5000,
        b"Set-Cookie: session=secret-cookie",
        b"X-Fine: yes",
        status=b"500 Oops",
    )
    with serving(behave) as port:
        found = probe(http(port, headers=(("Authorization", "token-123"),)))
    assert found.status == 500
    text = found.excerpt
    assert text.startswith("HTTP/1.1 500 Oops\n")
    assert "X-Fine: yes" in text
    assert "\\x1b[31mboom\\x00" in text
    assert "Set-Cookie: [cut out]" in text
    for secret in ("secret", "token-123", "Bearer echo", "\x1b", "\x00", "\r"):
        assert secret not in text
    assert len(text.encode()) <= 1024


def test_a_good_answer_is_not_kept(probe: Run) -> None:
    with serving(ok()) as port:
        assert probe(http(port)).excerpt == ""
        assert probe(http(port, expect=Expect(status=((500, 599),)))).excerpt != ""


def test_unix_socket(probe: Run, tmp_path: Any) -> None:
    path = str(tmp_path / "app.sock")
    spec = http(80, unix_socket=path)
    assert probe(spec).failure == "refused"  # no such file
    with serving(ok(), unix=path):
        assert probe(spec).status == 200
    assert probe(spec).failure == "refused"  # a file, and nobody behind it


def test_names_are_resolved_and_a_missing_one_is_our_doubt(probe: Run) -> None:
    with serving(ok()) as port:
        found = probe(http(port, host="localhost", timeout_ms=2000))
        assert found.status == 200 or "::1" in found.detail  # the first address, whichever it is
    found = probe(http(80, host="no-such-host.invalid", timeout_ms=5000))
    assert found.inconclusive == "dns"
    assert "no-such-host.invalid" in found.detail


def test_the_words_are_bounded() -> None:
    assert not set(REASONS) & set(DOUBTS)


def test_what_is_cut_out_of_an_excerpt() -> None:
    raw = b"HTTP/1.1 500 Oops\r\nset-cookie: a\r\n  folded\r\nProxy-Authorization: b\r\nX: c\r\n"
    assert excerpt(raw, Secrets()).splitlines() == [
        "HTTP/1.1 500 Oops",
        "set-cookie: [cut out]",
        "Proxy-Authorization: [cut out]",
        "X: c",
    ]
    assert excerpt("\u202eevil\x9b".encode(), Secrets()) == "\\u202eevil\\x9b"
