"""Servers that misbehave: one function per behaviour, on a real socket, in a thread."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

Behaviour = Callable[[socket.socket, threading.Event], None]


@contextlib.contextmanager
def serving(behave: Behaviour, *, unix: str | None = None) -> Iterator[int]:
    """The port on which every connection gets ``behave``; 0 for a unix socket."""
    listener = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    listener.bind(unix or ("127.0.0.1", 0))
    listener.listen(64)
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def one(conn: socket.socket) -> None:
        with conn, contextlib.suppress(OSError):
            behave(conn, stop)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                conn = listener.accept()[0]
                conn.settimeout(5)
                thread = threading.Thread(target=one, args=(conn,))
                threads.append(thread)
                thread.start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield 0 if unix else listener.getsockname()[1]
    finally:
        stop.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [acceptor, *threads]:
            thread.join(10)


def request(conn: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = conn.recv(65536)
        if not more:
            break
        data += more
    return data


def reset(conn: socket.socket) -> None:
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def answer(*pieces: bytes) -> Behaviour:
    """Read the request, send ``pieces``, close."""

    def behave(conn: socket.socket, stop: threading.Event) -> None:
        request(conn)
        for piece in pieces:
            conn.sendall(piece)
        conn.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            conn.recv(1)

    return behave


def ok(body: bytes = b"ok", *headers: bytes, status: bytes = b"200 OK") -> Behaviour:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return answer(b"\r\n".join([*lines, b"", body]))


def endless(first: bytes, piece: bytes, pause: float = 0.0) -> Behaviour:
    """``first``, then ``piece`` again and again until the peer has gone."""

    def behave(conn: socket.socket, stop: threading.Event) -> None:
        request(conn)
        conn.sendall(first)
        while not stop.is_set():
            conn.sendall(piece)
            stop.wait(pause)

    return behave


def silent(conn: socket.socket, stop: threading.Event) -> None:
    """Accepts and never says a word."""
    stop.wait(10)


def reset_at_once(conn: socket.socket, stop: threading.Event) -> None:
    reset(conn)


def reset_in_body(conn: socket.socket, stop: threading.Event) -> None:
    request(conn)
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    stop.wait(0.05)  # the half must be taken before the reset throws it away
    reset(conn)


def close_at_once(conn: socket.socket, stop: threading.Event) -> None:
    request(conn)


def over_tls(context: ssl.SSLContext, behave: Behaviour) -> Behaviour:
    def wrapped(conn: socket.socket, stop: threading.Event) -> None:
        with context.wrap_socket(conn, server_side=True) as secured:
            behave(secured, stop)

    return wrapped


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
