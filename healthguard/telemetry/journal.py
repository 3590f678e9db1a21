"""journald's native protocol: one datagram per entry, with fields. Never waits for journald."""

import array
import errno
import os
import re
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

SOCKET = Path("/run/systemd/journal/socket")
SENT, DROPPED, ABSENT = "sent", "dropped", "absent"
_NAME = re.compile(r"[^A-Z0-9_]")
_NAME_LIMIT = 64  # journald ignores fields with longer names


class Journal:
    """Entries for the journal. ``dropped``: those that journald did not take, ever.

    A journald that is frozen or busy fills its queue (some hundred entries); what does not fit is
    dropped, counted, and told with the first entry that fits again.
    """

    def __init__(self, path: Path = SOCKET, identifier: str = "healthguard") -> None:
        self.dropped = 0
        self._untold = 0
        self._path = str(path)
        self._identifier = identifier
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def send(self, message: str, priority: int, fields: Mapping[str, str]) -> str:
        """One entry: SENT, DROPPED, or ABSENT when there is no journald at all (not counted).

        ``priority``: as in syslog, 0 to 7. Names in ``fields`` are made valid.
        """
        if self._untold and not self.flush():
            return self._lost(DROPPED)
        return self._lost(self._put(self._entry(message, priority, fields)))

    def flush(self) -> bool:
        """Tell of dropped entries, if there are any and journald listens. True: nothing untold."""
        if not self._untold:
            return True
        text = f"{self._untold} log lines were dropped here: journald did not accept them"
        if self._put(self._entry(text, 4, {"HEALTHGUARD_DROPPED": str(self._untold)})) != SENT:
            return False
        self._untold = 0
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    # ------------------------------------------------------------ inside

    def _entry(self, message: str, priority: int, fields: Mapping[str, str]) -> bytes:
        head = {"MESSAGE": message, "PRIORITY": str(priority)}
        head["SYSLOG_IDENTIFIER"] = self._identifier
        return b"".join(
            encode(name, value)
            for name, value in {**head, **fields}.items()
            if name in head or value
        )

    def _put(self, entry: bytes) -> str:
        try:
            self._socket.sendto(entry, self._path)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                return self._put_large(entry)
            absent = (errno.ENOENT, errno.ECONNREFUSED, errno.EACCES)
            return ABSENT if error.errno in absent else DROPPED
        return SENT

    def _put_large(self, entry: bytes) -> str:
        """More than a datagram holds goes as a sealed file in memory."""
        try:
            file = os.memfd_create("journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            try:
                _write_and_seal(file, entry)
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))
                self._socket.sendmsg([], [rights], 0, self._path)
            finally:
                os.close(file)
        except OSError:
            return DROPPED
        return SENT

    def _lost(self, outcome: str) -> str:
        if outcome == DROPPED:
            self.dropped += 1
            self._untold += 1
        return outcome


def encode(name: str, value: str) -> bytes:
    """One field; values of several lines go with their length."""
    key = _NAME.sub("_", name.upper()).lstrip("_")[:_NAME_LIMIT].encode()
    data = value.encode("utf-8", "backslashreplace")
    if b"\n" not in data:
        return key + b"=" + data + b"\n"
    return key + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"


def _write_and_seal(file: int, data: bytes) -> None:
    import fcntl

    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
