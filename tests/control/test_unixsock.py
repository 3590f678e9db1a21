import os
import socket
import stat
from pathlib import Path

import pytest

from healthguard.machine.unixsock import SocketError, listen_on, listener_at, peer_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "control.sock"


def test_the_folder_is_made_and_the_socket_is_open_to_readers(path: Path) -> None:
    before = os.umask(0o077)
    try:
        listening = listen_on(path)
    finally:
        os.umask(before)
    with listening.sock:
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert os.umask(before) == before, "the umask is as it was"


def test_a_folder_that_is_there_keeps_its_mode(path: Path) -> None:
    path.parent.mkdir(mode=0o750)
    with listen_on(path).sock:
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


def test_a_live_socket_is_never_taken_away(path: Path) -> None:
    first = listen_on(path)
    with first.sock, pytest.raises(SocketError, match="another process is listening"):
        listen_on(path)
    assert path.exists()


def test_a_live_socket_whose_queue_is_full_counts_as_live(path: Path) -> None:
    first = listen_on(path, backlog=0)
    with first.sock, socket.socket(socket.AF_UNIX) as waiting:
        waiting.connect(str(path))
        with pytest.raises(SocketError, match="another process is listening"):
            listen_on(path)


def test_what_a_dead_daemon_left_is_replaced(path: Path) -> None:
    listen_on(path).sock.close()
    assert path.exists()
    with listen_on(path).sock, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_text("precious"), "is not a socket"),
        (lambda path: path.mkdir(), "is not a socket"),
        (lambda path: path.symlink_to("/nowhere"), "is a symbolic link"),
    ],
)
def test_anything_else_there_is_left_alone(path: Path, make, words: str) -> None:
    path.parent.mkdir()
    make(path)
    before = path.lstat()
    with pytest.raises(SocketError, match=words):
        listen_on(path)
    assert path.lstat() == before


def test_a_path_too_long_for_a_socket_is_named(tmp_path: Path) -> None:
    with pytest.raises(SocketError, match="at most 107 bytes"):
        listen_on(tmp_path / ("x" * 120))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SocketError, match="cannot listen: Not a directory"):
        listen_on(tmp_path / "file" / "control.sock")


def test_at_the_end_only_our_own_socket_is_removed(path: Path) -> None:
    ours = listen_on(path)
    with ours.sock:
        path.rename(path.with_suffix(".old"))
        with listen_on(path).sock:
            ours.remove()
            assert path.exists(), "somebody else's"
    path.unlink()
    path.with_suffix(".old").rename(path)
    ours.remove()
    assert not path.exists()


def test_who_listens_is_told_by_the_kernel(path: Path) -> None:
    assert listener_at(path) is None
    with listen_on(path).sock:
        peer = listener_at(path)
        assert peer is not None
        assert (peer.pid, peer.uid) == (os.getpid(), os.geteuid())
        assert os.getegid() in peer.groups
    assert listener_at(path) is None, "the file is still there, but nobody listens"


def test_who_calls_is_told_by_the_kernel(path: Path) -> None:
    with listen_on(path).sock as server, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        accepted, _ = server.accept()
        with accepted:
            assert peer_of(accepted).pid == os.getpid()
            assert peer_of(accepted).groups == {os.getegid(), *os.getgroups()}
