"""One HTTP/1 answer, collected from bytes with bounded memory. The parser is llhttp."""

import httptools

# The limits of what is taken from an upstream, in bytes.
HEAD_LIMIT = 64 * 1024  # interim answers (1xx) and head together
BODY_LIMIT = 64 * 1024
FRAMING_LIMIT = 1024 * 1024  # everything, so that chunk extensions without end find one

_RAW_KEPT = 4096


class HttpReply:
    """Feed it until ``complete`` or ``problem``.

    ``complete`` also becomes true when BODY_LIMIT bytes of the body are there: the rest is not
    needed.
    """

    __slots__ = ("_chunks", "_head_only", "_headed", "_parser", "_total", "body", "complete",
                 "headers", "problem", "size", "status")  # fmt: skip

    def __init__(self, head_only: bool) -> None:
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._head_only = head_only
        self._headed = False
        self._total = 0
        self._chunks: list[bytes] = []  # the head as it came, and the beginning of the body
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: list[bytes] = []
        self.size = 0  # of the body so far
        self.complete = False
        self.problem = ""

    def feed(self, data: bytes) -> None:
        """The next bytes; never raises."""
        parser, total = self._parser, self._total
        if parser is None:
            return
        if not total and data[:1] not in b"H\r\n":  # the parser would take RTSP as well
            self._total, self.problem = len(data), "the answer is not HTTP"
            self._chunks.append(data)
            return
        if not self._headed or total < _RAW_KEPT:
            self._chunks.append(data)
        self._total = total = total + len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            # What follows a complete answer is ignored.
            if not self.complete:
                self.problem = str(error) or type(error).__name__
            return
        if self.complete:
            return
        if not self._headed and total > HEAD_LIMIT:
            self.problem = "the headers do not end within 64 KiB"
        elif total > FRAMING_LIMIT:
            self.problem = "more chunk framing than body"

    def ended(self) -> str:
        """The peer has closed: "" if that completes the answer, else what is missing."""
        if not self._total:
            return "connection closed before an answer"
        if not self._headed:
            return "connection closed within the headers"
        framing = self._framing()
        if framing:
            return f"connection closed after {self.size} bytes of the body ({framing})"
        self.complete = True
        return ""

    def release(self) -> None:
        """Break the cycle with the parser, so that no garbage collection is needed."""
        self._parser = None

    @property
    def started(self) -> bool:
        """True if at least one byte has come."""
        return self._total > 0

    @property
    def raw(self) -> bytes:
        """The answer's first bytes as they came."""
        return b"".join(self._chunks)[:_RAW_KEPT]

    def _framing(self) -> str:
        """The header that tells the length of the body; "" if the end of the connection does."""
        head = ReplyWithHeaders(self._head_only)
        for chunk in self._chunks:
            head.feed(chunk)
        head.release()
        for name, value in head.headers:
            if name.lower() in (b"content-length", b"transfer-encoding"):
                return f"{name.decode('latin-1')}: {value.decode('latin-1')}"[:80]
        return ""

    # ------------------------------------------------------------ called by the parser

    def on_headers_complete(self) -> None:
        """Head of an interim or of the final answer."""
        parser = self._parser
        if parser is None:
            return
        status = parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self.headers.clear()
            return
        if parser.get_http_version() not in ("1.1", "1.0"):
            self.problem = f"HTTP version {parser.get_http_version()}"
            return
        self._headed = True
        self.status = status
        if self._head_only or status == 101:
            self.complete = True

    def on_body(self, data: bytes) -> None:
        """A piece of the body, its chunked framing removed."""
        if not self.complete:
            self.body.append(data)
            self.size += len(data)
            if self.size >= BODY_LIMIT:
                self.complete = True

    def on_message_complete(self) -> None:
        """End of an interim or of the final answer."""
        if self._headed:
            self.complete = True


class ReplyWithHeaders(HttpReply):
    """Collects the headers too; apart, because a callback per header costs."""

    __slots__ = ()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header or trailer; trailers are ignored."""
        if not self._headed:
            self.headers.append((name, value))
