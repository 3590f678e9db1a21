"""The page over HTTP: the document, its files, its stream."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from importlib import resources

from aiohttp import web

from healthguard.core.moments import iso
from healthguard.doors.answers import answer
from healthguard.doors.clients import ClientConnection, PathHandler
from healthguard.machine.slices import in_slices
from healthguard.web.snapshot import PageSource, Snapshot, Snapshots
from healthguard.web.stream import PageStreams
from healthguard.web.tree import Element, el, html
from healthguard.web.words import moment

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_FILES = {
    "/page/page.css": "text/css",
    "/page/page.js": "text/javascript",
    "/page/good.svg": "image/svg+xml",
    "/page/warn.svg": "image/svg+xml",
    "/page/bad.svg": "image/svg+xml",
}


# Where the cards go. No text of others has control characters, so it is found once.
_CARDS = "\0"


class Site:
    """Everything that people look at. Close it when the server ends."""

    def __init__(self, seen: PageSource, troubles: Callable[[], Iterable[str]]):
        self._snapshots = Snapshots(seen, troubles)
        self.streams = PageStreams(self._snapshots)
        self._files: dict[str, bytes] = {}
        self._made: tuple[Snapshot | None, bytes] = (None, b"")

    async def close(self) -> None:
        """End all streams and what runs for them."""
        self.streams.close()
        await self._snapshots.close()

    def routes(self) -> Mapping[str, PathHandler]:
        """What answers a GET or HEAD of each path of ours."""
        return {"/": self._page, "/events": self._events, **dict.fromkeys(_FILES, self._send_file)}

    async def _page(
        self, _request: web.BaseRequest, _client: ClientConnection
    ) -> web.StreamResponse:
        body = await self._document(await self._snapshots.now())
        return answer(body, "text/html", headers=HEADERS)

    async def _events(
        self, request: web.BaseRequest, client: ClientConnection
    ) -> web.StreamResponse:
        return await self.streams.answer(request, HEADERS, client)

    async def _send_file(
        self, request: web.BaseRequest, _client: ClientConnection
    ) -> web.StreamResponse:
        # For long: its address names its content.
        headers = {**HEADERS, "Cache-Control": "max-age=86400"}
        return answer(self._file(request.path), _FILES[request.path], headers=headers)

    def _file(self, path: str) -> bytes:
        if path not in self._files:
            name = path.rpartition("/")[2]
            self._files[path] = resources.files(__package__).joinpath(name).read_bytes()
        return self._files[path]

    def _address(self, path: str) -> str:
        return f"{path}?{hashlib.sha256(self._file(path)).hexdigest()[:12]}"

    async def _document(self, now: Snapshot) -> bytes:
        """The whole page, made once for each snapshot and in small pieces: probes go on."""
        if self._made[0] is not now:
            cards = [html(now.parts[name]) async for name in in_slices(now.pools)]
            before, after = html(self._frame(now)).split(_CARDS)
            text = "".join(("<!doctype html>", before, *cards, after))
            self._made = (now, text.encode(errors="replace"))
        return self._made[1]

    def _frame(self, now: Snapshot) -> Element:
        """The page around the cards."""
        parts = now.parts
        icon = self._address(f"/page/{now.level}.svg")
        head = el(
            "head",
            el("meta", charset="utf-8"),
            el("meta", name="viewport", content="width=device-width, initial-scale=1"),
            el("meta", name="color-scheme", content="light dark"),
            el("title", now.title),
            el("link", rel="icon", type="image/svg+xml", href=icon, id="icon"),
            el("link", rel="stylesheet", href=self._address("/page/page.css")),
            el("script", src=self._address("/page/page.js"), defer=""),
        )
        body = el(
            "body",
            el("header", parts["whose"], _freshness(now)),
            el("main", parts["now"], el("div", _CARDS, id="pools"), parts["events"]),
            el("footer", parts["foot"]),
        )
        return el("html", head, body, lang="en")


def _freshness(now: Snapshot) -> Element:
    """How old this page is; JavaScript takes it over."""
    made = moment(iso(now.at_ms), "clock")
    return el("p", "as of ", made, "; reload the page to update it", id="live", role="status")
