"""Has anything changed that nginx would read?

Two answers: a *stamp* out of stat() alone, cheap enough to take all the time, and a *fingerprint*
out of contents, that a ticket carries from the test to the switch. The stamp does not change when
a link is moved between its pool's upstreams; the fingerprint looks at the other pools' links too.
"""

import hashlib
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from healthguard.nginx import conf
from healthguard.nginx.settings import NginxSettings, PoolFiles


class Files:
    """The files of one nginx and its pools; the list is read again when a file changed."""

    def __init__(self, settings: NginxSettings, pools: Mapping[str, PoolFiles]) -> None:
        self._config = settings.config
        self._links = tuple(pool.link for pool in pools.values())
        self._upstreams = tuple(path for pool in pools.values() for path in pool.upstreams.values())
        self._listing: conf.Listing | None = None
        self._stamp = ""
        self._busy = threading.RLock()  # used from the loop and from threads that hash

    def listing(self) -> conf.Listing:
        """What the configuration is made of now. Reads the files if one changed."""
        with self._busy:
            self.stamp()
            assert self._listing is not None
            return self._listing

    def stamp(self) -> str:
        """A short text that is the same as long as no file of the configuration changed."""
        with self._busy:
            if self._listing is not None:
                now = _stamp(self._listing)
                if now == self._stamp:
                    return now
            self._listing = conf.walk(self._config, self._links, self._upstreams)
            self._stamp = _stamp(self._listing)
            return self._stamp

    def links(self) -> str:
        """What the links of all pools say now."""
        return repr([_link_text(link) for link in self._links])

    def fingerprint(self, pool: PoolFiles, also: Iterable[Path] = ()) -> str:
        """A hash of the contents of everything nginx reads, but of ``pool``'s own link.

        ``also``: further files nginx said it read. What cannot be read counts by name and reason.
        """
        listing = self.listing()
        digest = hashlib.sha256(repr(listing.patterns).encode())
        for link in self._links:
            if link != pool.link:
                digest.update(_link_text(link))
        links = {os.path.normpath(each) for each in self._links}
        extra = [path for path in also if os.path.normpath(path) not in links]
        for path in sorted({*listing.files, *listing.secrets, *extra}):
            digest.update(f"\0{path}\0".encode(errors="replace"))
            digest.update(_content(path))
        return digest.hexdigest()


def _stamp(listing: conf.Listing) -> str:
    digest = hashlib.sha256()
    for pattern, found in listing.patterns:
        now = tuple(conf.expand(pattern)) if found != (pattern,) else found
        digest.update(repr((pattern, now)).encode(errors="replace"))
    for path in listing.files:
        digest.update(_stat_text(path).encode(errors="replace"))
    return digest.hexdigest()[:24]


def _stat_text(path: Path) -> str:
    try:
        seen = os.stat(path)  # noqa: PTH116
    except OSError as error:
        return f"{path}:{error.errno}\n"
    return f"{path}:{seen.st_dev}:{seen.st_ino}:{seen.st_size}:{seen.st_mtime_ns}:{seen.st_mode}\n"


def _link_text(path: Path) -> bytes:
    try:
        return os.fsencode(os.readlink(path)) + b"\0"  # noqa: PTH115
    except OSError as error:
        return f"errno {error.errno}\0".encode()


def _content(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not os.path.isfile(f"/proc/self/fd/{descriptor}"):  # noqa: PTH113
                return b"no regular file"
            return hashlib.sha256(file.read()).digest()
    except OSError as error:
        return f"errno {error.errno}".encode()
