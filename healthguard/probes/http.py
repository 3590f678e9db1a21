"""One HTTP/1.1 request on a new connection; plain, TLS or over a unix socket."""

import ssl
from collections.abc import Iterable
from functools import partial

from healthguard import __version__
from healthguard.machine.secrets import HEADERS
from healthguard.probes.connection import Connection
from healthguard.probes.predicates import predicates, release
from healthguard.probes.readiness import READ, WRITE
from healthguard.probes.reasons import classify
from healthguard.probes.reply import HttpReply, ReplyWithHeaders
from healthguard.probes.shared import Lookup, Shared, make_context
from healthguard.probes.spec import HttpSpec
from healthguard.probes.tls import explain

_READ = 16 * 1024


def request_of(spec: HttpSpec) -> bytes:
    """The request as sent. ValueError if a part of it would break out of its line."""
    host = spec.host_header or _authority(spec)
    headers = {
        "host": ("Host", host),
        "user-agent": ("User-Agent", f"healthguard/{__version__}"),
        "accept": ("Accept", "*/*"),
        "accept-encoding": ("Accept-Encoding", "identity"),
        "connection": ("Connection", "close"),
    }
    if spec.method not in ("GET", "HEAD", "OPTIONS"):
        headers["content-length"] = ("Content-Length", "0")
    extra = []
    for name, value in spec.headers:
        if name.lower() in headers:
            headers[name.lower()] = (name, value)
        else:
            extra.append((name, value))
    lines = [f"{spec.method} {spec.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in [*headers.values(), *extra]]
    if any(ord(char) < 32 and char != "\t" for line in lines for char in line):
        raise ValueError(f"control characters in the request for {spec.url}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def _authority(spec: HttpSpec) -> str:
    name = f"[{spec.host}]" if ":" in spec.host and not spec.host.startswith("[") else spec.host
    return name if spec.port in (0, 443 if spec.tls else 80) else f"{name}:{spec.port}"


def server_name(spec: HttpSpec) -> str:
    """The name the certificate must have: that of the Host header, without port."""
    host = next((value for name, value in spec.headers if name.lower() == "host"), None)
    host = host or spec.host_header or spec.host
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]


class HttpProber(Connection):
    """See Prober."""

    def __init__(self, spec: HttpSpec, shared: Shared, secrets: Iterable[str] = ()) -> None:
        """``secrets``: parts of the request that must not be shown if the upstream repeats them."""
        known = [value for name, value in spec.headers if name.lower() in HEADERS]
        super().__init__(
            spec.host,
            spec.port,
            spec.unix_socket,
            spec.timeout_ms,
            spec.expect,
            shared,
            [*known, *secrets],
        )
        self._spec = spec
        self._request = request_of(spec)
        self._server_name = server_name(spec)
        self._head_only = spec.method == "HEAD"
        self._predicates = predicates(spec)
        self._release = release(spec)
        wants_headers = bool(spec.header_fields) or spec.release_header is not None
        self._reply_type = ReplyWithHeaders if wants_headers else HttpReply
        self._statuses = spec.expect.status
        self._reply: HttpReply | None = None
        self._unsent = b""
        self._context: ssl.SSLContext | None = None
        self._loading = False  # a TLS context is being made, maybe for an earlier check
        self._phase = "accept"

    # ------------------------------------------------------------ before the connection

    def _begin(self) -> None:
        self._phase = "accept"
        if self._spec.tls:
            self._context = self._shared.context(self._spec.ca_file, self._spec.verify)
            if self._context is None:
                self._load()
                return
        super()._begin()

    def _load(self) -> None:
        """Make the TLS context in a thread: reading certificates must not delay other probes."""
        self._phase = "certificates"
        if self._loading:
            return
        ca_file, verify = self._spec.ca_file, self._spec.verify
        self._loading = self._shared.in_thread(partial(make_context, ca_file, verify), self._loaded)
        if not self._loading:
            self._finish(inconclusive="ca_file", detail="too many DNS lookups are waiting")

    def _loaded(self, made: Lookup[tuple[object, ssl.SSLContext]]) -> None:
        self._loading = False
        if made.value is not None:
            self._shared.keep(self._spec.ca_file, self._spec.verify, made.value)
        if self._done is None or self._phase != "certificates":
            return
        if made.value is None:
            detail = f"{self._spec.ca_file or 'the CA store of this host'}: {made.error}"
            self._finish(inconclusive="ca_file", detail=detail)
            return
        self._phase = "accept"
        self._context = made.value[1]
        try:
            super()._begin()
        except Exception as error:
            self._trouble(error)

    # ------------------------------------------------------------ on the connection

    def _opening(self) -> None:
        # On loopback and on good days the connection stands already: try, save a wake-up.
        if self._spec.tls:
            super()._opening()
        else:
            self._connected()

    def _connected(self) -> None:
        if self._spec.tls:
            self._wrap()
            return
        self._unsent = self._request
        self._send()

    def _wrap(self) -> None:
        self._phase = "handshake"
        assert self._context is not None
        self._unwatch()
        self._sock = self._context.wrap_socket(
            self._socket(), server_hostname=self._server_name, do_handshake_on_connect=False
        )
        self._next = self._handshake
        self._handshake()

    def _handshake(self) -> None:
        sock = self._socket()
        assert isinstance(sock, ssl.SSLSocket)
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(READ)
        except ssl.SSLWantWriteError:
            self._watch(WRITE)
        else:
            self._unsent = self._request
            self._send()

    def _send(self) -> None:
        try:
            sent = self._socket().send(self._unsent)
        except (BlockingIOError, ssl.SSLWantWriteError):
            self._next = self._send
            self._watch(WRITE)
            return
        except OSError as error:
            if self._phase == "accept":
                self._refused(error, at_once=self._inside)
                return
            raise
        if not self._inside and self._too_late():
            self._finish(
                inconclusive="loop_late", detail="connected, but too late to send the request"
            )
            return
        self._phase = "answer"
        self._unsent = self._unsent[sent:]
        if self._unsent:
            self._next = self._send
            self._watch(WRITE)
            return
        self._reply = self._reply_type(self._head_only)
        self._next = self._receive
        self._watch(READ)

    def _receive(self) -> None:
        """Take what is there. TLS may hold more than the kernel says, so it is emptied."""
        sock, reply = self._socket(), self._reply
        assert reply is not None
        while True:
            try:
                data = sock.recv(_READ)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            if not data:
                missing = reply.ended()
                if missing:
                    self._fail("eof", missing)
                else:
                    self._judge(reply)
                return
            reply.feed(data)
            if reply.problem:
                self._fail("protocol", reply.problem)
                return
            if reply.complete:
                self._judge(reply)
                return
            if not self._spec.tls:
                return

    # ------------------------------------------------------------ the end

    def _judge(self, reply: HttpReply) -> None:
        verdicts = tuple([predicate(reply) for predicate in self._predicates])
        status = reply.status
        assert status is not None
        named = self._release(reply) if self._release is not None else None
        for low, high in self._statuses:
            if low <= status <= high:
                if all(good for _, good in verdicts):
                    self._finish(status=status, verdicts=verdicts, release=named)
                    return
                break
        self._finish(
            status=status,
            verdicts=verdicts,
            detail=f"{self.where()} answered {status}",
            raw=reply.raw,
            release=named,
        )

    def _fail(self, failure: str, detail: str) -> None:
        reply = self._reply
        self._finish(
            status=reply.status if reply else None,
            failure=failure,
            detail=f"{self.where()}: {detail}",
            raw=reply.raw if reply else b"",
        )

    def _trouble(self, error: Exception) -> None:
        if isinstance(error, ssl.SSLEOFError):
            self._fail("eof", "connection closed during the TLS handshake")
        elif isinstance(error, ssl.SSLError):
            self._fail("tls", explain(error, self._server_name))
        elif isinstance(error, OSError) and self._phase == "answer":
            failure, doubt = classify(error, local=self._loopback())
            if failure is not None:
                self._fail(failure, error.strerror or str(error))
            else:
                self._finish(inconclusive=doubt, detail=f"{self.where()}: {error}")
        else:
            super()._trouble(error)

    def _on_timeout(self) -> None:
        if self._phase == "certificates":
            self._finish(
                inconclusive="ca_file", detail="the certificates could not be read in time"
            )
        elif self._reply is not None:
            what = "no complete answer" if self._reply.started else "no answer"
            self._fail("timeout", f"{what} within {self._timeout_s:g} s")
        else:
            super()._on_timeout()

    def _timeout_detail(self) -> str:
        if self._phase == "handshake":
            return f"{self.where()}: TLS handshake not finished within {self._timeout_s:g} s"
        return super()._timeout_detail()

    def _close(self) -> None:
        super()._close()
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.release()
        self._unsent = b""
        self._phase = ""
