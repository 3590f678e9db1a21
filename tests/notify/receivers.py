"""What stands on the other end: real HTTP and TLS servers, a proxy that leads there, a mail server.

Apprise calls hooks.slack.com and the like by name, over https. The proxy (HTTPS_PROXY, as many
hosts have one) takes every CONNECT and ends the TLS itself, with a certificate for that name from
a CA of the test: so what the service would get is what the test sees.
"""

import json
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

NAMES = (
    "hooks.slack.com",
    "prod-1.westus.logic.azure.com",
    "events.pagerduty.com",
    "events.eu.pagerduty.com",
    "api.opsgenie.com",
    "api.eu.opsgenie.com",
    "hooks.example.org",
    "localhost",  # the mail server
)


@dataclass
class Got:
    """One request, or one mail (``body`` then is its text)."""

    host: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """``status``: what it answers from now on. ``hang``: it answers when this is set,
    but ``calm`` requests at once."""

    port: int
    got: list[Got] = field(default_factory=list)
    status: int = 200
    hang: threading.Event | None = None
    calm: int = 0
    lines: list[str] = field(default_factory=list)  # of the last mail, what the client said

    def titles(self) -> list[str]:
        return [each.json()["title"] for each in self.got]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    receiver: Receiver
    contexts: Callable[[str], ssl.SSLContext]

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no news."""


def _handler(host: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if receiver.hang is not None and len(receiver.got) >= receiver.calm:
                receiver.hang.wait(30)
            receiver.got.append(Got(host, self.path, dict(self.headers), body))
            self.send_response(receiver.status)
            if receiver.status == 302:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            answer = b"ok" if "slack" in host else b'{"requestId": "r-1", "echo": "ANSWER-BODY"}'
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    return Handler


class _Plain(_handler("")):  # type: ignore[misc]
    """Plain HTTP, straight."""


class _Proxy(socketserver.BaseRequestHandler):
    """CONNECT NAME:443, then TLS and HTTP as NAME."""

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(4096)
        name = head.split()[1].decode().partition(":")[0]
        self.request.sendall(b"HTTP/1.1 200 ok\r\n\r\n")
        with suppress(OSError):
            secured = self.server.contexts(name).wrap_socket(self.request, server_side=True)
            with suppress(OSError, ValueError):
                _handler(name)(secured, self.client_address, self.server)
            secured.close()


@contextmanager
def serving(server: _Server) -> Iterator[Receiver]:
    receiver = Receiver(server.server_address[1])
    server.receiver = receiver
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        if receiver.hang is not None:
            receiver.hang.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def hook() -> Iterator[Receiver]:
    """A webhook on plain HTTP."""
    with serving(_Server(("127.0.0.1", 0), _Plain)) as receiver:
        yield receiver


def _context(folder: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / "all.pem", folder / "all.key")
    return made


@contextmanager
def proxy(folder: Path) -> Iterator[Receiver]:
    """All NAMES, behind a proxy, with certificates in ``folder``."""

    server = _Server(("127.0.0.1", 0), _Proxy)
    server.contexts = lambda name: _context(folder)
    with serving(server) as receiver:
        yield receiver


def certificates(folder: Path) -> Path:
    """``ca.pem``, and one certificate for all NAMES."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    _openssl("req", "-x509", *key, "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem",
             "-days", "2", "-subj", "/CN=test ca")  # fmt: skip
    _openssl("req", *key, "-keyout", f"{folder}/all.key", "-out", f"{folder}/all.csr",
             "-subj", "/CN=all")  # fmt: skip
    names = ",".join(f"DNS:{name}" for name in NAMES)
    (folder / "ext").write_text(f"subjectAltName={names}\n")
    _openssl("x509", "-req", "-in", f"{folder}/all.csr", "-CA", f"{folder}/ca.pem", "-CAkey",
             f"{folder}/ca.key", "-CAcreateserial", "-days", "2", "-out", f"{folder}/all.pem",
             "-extfile", f"{folder}/ext")  # fmt: skip
    return folder


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class _Mail(socketserver.StreamRequestHandler):
    """Enough of SMTP for one mail, with AUTH PLAIN and LOGIN; over TLS with ``server.tls``."""

    def handle(self) -> None:
        server: Any = self.server
        server.lines = said = []
        with suppress(OSError, ssl.SSLError):
            if server.tls == "tls":
                self._secure()
            self._talk(server.receiver, server.tls == "starttls", said)
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.close()

    def _secure(self) -> None:
        server: Any = self.server
        secured = server.contexts("localhost").wrap_socket(self.connection, server_side=True)
        self.connection = secured
        self.rfile, self.wfile = secured.makefile("rb"), secured.makefile("wb", buffering=0)

    def _talk(self, receiver: Receiver, offers: bool, said: list[str]) -> None:
        seen: dict[str, str] = {}
        self._say("220 mail.test ESMTP")
        while line := self.rfile.readline().decode().strip():
            said.append(line)
            word = line.split()[0].upper()
            if word in ("EHLO", "HELO"):
                more = "250-STARTTLS\r\n" if offers else ""
                self._say(f"250-mail.test\r\n{more}250 AUTH PLAIN LOGIN")
            elif word == "STARTTLS" and offers:
                self._say("220 go on")
                self._secure()
            elif word == "STARTTLS":
                self._say("502 what?")
            elif word == "AUTH":
                seen["auth"] = line
                self._say("235 welcome" if receiver.status == 200 else "535 no")
            elif word == "DATA":
                self._say("354 go on")
                data = b""
                while not data.endswith(b"\r\n.\r\n"):
                    data += self.rfile.readline()
                seen["tls"] = getattr(self.connection, "version", lambda: "")() or ""
                receiver.got.append(Got("mail", seen.get("rcpt", ""), seen, data))
                self._say("250 taken")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                if word == "RCPT":
                    seen["rcpt"] = line
                self._say("250 ok")

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


@contextmanager
def mail(folder: Path | None = None, tls: str = "none") -> Iterator[Receiver]:
    """A mail server; ``tls`` as in the configuration, with the certificate in ``folder``."""
    server: Any = _Server(("127.0.0.1", 0), _Mail)
    server.tls = tls
    if folder is not None:
        server.contexts = lambda name: _context(folder)
    with serving(server) as receiver:
        yield receiver
        receiver.lines = server.lines
