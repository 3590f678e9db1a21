"""TLS: each way to be untrustworthy has its own detail, all have the reason ``tls``."""

import ssl
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from healthguard.probes import Shared, build
from tests.probes import servers
from tests.probes.conftest import Run, check, http
from tests.probes.servers import ok, over_tls, serving


def openssl(*args: str) -> None:
    subprocess.run(["openssl", *args], check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, and good, expired, other (name) and self (signed), each .pem and .key."""
    home = tmp_path_factory.mktemp("tls")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    def path(name: str) -> str:
        return str(home / name)

    for name, subject in (("ca", "/CN=test ca"), ("self", "/CN=app.example")):
        openssl("req", "-x509", *new_key, "-keyout", path(f"{name}.key"), "-out",
                path(f"{name}.pem"), "-days", "2", "-subj", subject,
                "-addext", "subjectAltName=DNS:app.example")  # fmt: skip
    for name, host, days in (
        ("good", "app.example", "2"),
        ("expired", "app.example", "-1"),
        ("other", "other.example", "2"),
    ):
        openssl("req", *new_key, "-keyout", path(f"{name}.key"), "-out", path(f"{name}.csr"),
                "-subj", f"/CN={host}")  # fmt: skip
        (home / "ext").write_text(f"subjectAltName=DNS:{host}\n")
        openssl("x509", "-req", "-in", path(f"{name}.csr"), "-CA", path("ca.pem"), "-CAkey",
                path("ca.key"), "-CAcreateserial", "-days", days, "-out", path(f"{name}.pem"),
                "-extfile", path("ext"))  # fmt: skip
    return home


@pytest.fixture
def secured(certificates: Path) -> Callable[..., servers.Behaviour]:
    def wrap(name: str, behave: servers.Behaviour | None = None) -> servers.Behaviour:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
        return over_tls(context, behave or ok())

    return wrap


def https(port: int, certificates: Path, **fields: Any) -> Any:
    spec = http(port, tls=True, host_header="app.example:8443", timeout_ms=2000)
    return replace(spec, **{"ca_file": str(certificates / "ca.pem"), **fields})


def test_a_trusted_server(probe: Run, certificates: Path, secured: Any) -> None:
    with serving(secured("good")) as port:
        found = probe(https(port, certificates, body_text="ok"))
    assert (found.status, found.verdicts) == (200, (("body", True),)), found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("expired", "has expired"),
        ("other", "is not for app.example"),
        ("self", "self-signed"),
    ],
)
def test_an_untrustworthy_one(
    name: str, words: str, probe: Run, certificates: Path, secured: Any
) -> None:
    with serving(secured(name)) as port:
        found = probe(https(port, certificates))
        assert (found.failure, found.inconclusive) == ("tls", None), found
        assert words in found.detail
        assert probe(https(port, certificates, verify=False)).status == 200


def test_the_store_of_the_system_does_not_know_the_ca(
    probe: Run, certificates: Path, secured: Any
) -> None:
    with serving(secured("good")) as port:
        found = probe(https(port, certificates, ca_file=None))
    assert found.failure == "tls"
    assert "issuer" in found.detail


def test_a_handshake_that_hangs(probe: Run, certificates: Path) -> None:
    with serving(servers.silent) as port:
        found = probe(https(port, certificates, timeout_ms=300))
    assert found.failure == "timeout"
    assert "handshake" in found.detail


def test_plain_http_on_the_tls_port(probe: Run, certificates: Path) -> None:
    with serving(ok(status=b"400 Bad Request")) as port, serving(servers.reset_at_once) as resets:
        # Answers only to what looks like the end of a request, so say something at once.
        def greet(conn: Any, stop: Any) -> None:
            conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            conn.recv(1024)

        with serving(greet) as plain:
            found = probe(https(plain, certificates))
            assert found.failure == "tls"
            assert "not TLS" in found.detail
        assert probe(https(port, certificates, timeout_ms=300)).failure == "timeout"
        assert probe(https(resets, certificates)).failure == "reset"


def test_closed_in_the_handshake(probe: Run, certificates: Path) -> None:
    def leave(conn: Any, stop: Any) -> None:
        conn.recv(65536)

    with serving(leave) as port:
        assert probe(https(port, certificates)).failure in ("eof", "reset")


def test_big_infinite_and_short_bodies_over_tls(
    probe: Run, certificates: Path, secured: Any
) -> None:
    head = b"HTTP/1.1 200 OK\r\n"
    with serving(secured("good", servers.endless(head + b"\r\n", b"x" * 65536))) as port:
        assert probe(https(port, certificates)).status == 200
    with serving(secured("good", servers.answer(head + b"Content-Length: 9\r\n\r\nshort"))) as port:
        assert probe(https(port, certificates)).failure == "eof"
    with serving(secured("good", servers.endless(head, b"X", 0.02))) as port:
        assert probe(https(port, certificates, timeout_ms=300)).failure == "timeout"


def test_a_missing_ca_file_is_our_doubt_until_it_is_there(
    runner: Any, certificates: Path, secured: Any, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"

    async def story() -> None:
        prober = build(https(port, certificates, ca_file=str(ca_file)), Shared())
        found = await check(prober)
        assert (found.inconclusive, found.failure) == ("ca_file", None)
        assert str(ca_file) in found.detail
        ca_file.write_text("not a certificate")
        assert (await check(prober)).inconclusive == "ca_file"
        ca_file.write_text((certificates / "ca.pem").read_text())
        assert (await check(prober)).status == 200
        ca_file.write_text((certificates / "self.pem").read_text())
        assert (await check(prober)).failure == "tls"  # a changed file is read again

    with serving(secured("good")) as port:
        runner(story)
