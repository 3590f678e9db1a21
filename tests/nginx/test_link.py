"""The link is moved only from what is expected, and anything strange is named, not touched."""

import os
import pwd
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from healthguard.nginx import link
from healthguard.nginx.settings import PoolFiles
from tests.nginx.conftest import needs_root


@pytest.fixture
def pool(tmp_path: Path) -> PoolFiles:
    folder = tmp_path / "upstreams"
    folder.mkdir()
    folder.chmod(0o755)
    files = {name: folder / f"app_{name}.conf" for name in ("blue", "green")}
    for file in files.values():
        file.write_text("# upstream\n")
        file.chmod(0o644)
    (folder / "app_active.conf").symlink_to("app_blue.conf")
    return PoolFiles("app", folder / "app_active.conf", files)


def repoint(pool: PoolFiles, target: str | Path) -> None:
    pool.link.unlink()
    pool.link.symlink_to(target)


def test_managed_link_names_its_upstream(pool: PoolFiles) -> None:
    fact = link.read_link(pool)
    assert (fact.upstream, fact.problem) == ("blue", "")
    assert fact.hand == pwd.getpwuid(os.geteuid()).pw_name
    assert fact.identity.endswith(":app_blue.conf")
    assert fact.changed_wall_ms > 0


@pytest.mark.parametrize(
    "form", ["app_green.conf", "./app_green.conf", "../upstreams/app_green.conf"]
)
def test_targets_are_compared_by_where_they_lead(pool: PoolFiles, form: str) -> None:
    repoint(pool, form)
    assert link.read_link(pool).upstream == "green"
    repoint(pool, pool.upstreams["green"])
    assert link.read_link(pool).upstream == "green"


def make_file(pool: PoolFiles) -> None:
    pool.link.unlink()
    pool.link.write_text("x")


def through_another_link(pool: PoolFiles) -> None:
    (pool.link.parent / "alias.conf").symlink_to("app_blue.conf")
    repoint(pool, "alias.conf")


def target_is_a_link(pool: PoolFiles) -> None:
    (pool.link.parent / "real").write_text("")
    pool.upstreams["blue"].unlink()
    pool.upstreams["blue"].symlink_to("real")


STRANGE = [
    (make_file, "is a regular file"),
    (lambda pool: pool.link.unlink(), "No such file"),
    (lambda pool: pool.upstreams["blue"].unlink(), "No such file"),
    (lambda pool: repoint(pool, "/etc/passwd"), "not a file of its upstreams"),
    (lambda pool: repoint(pool, "app_red.conf"), "not a file of its upstreams"),
    (through_another_link, "not a file of its upstreams"),
    (target_is_a_link, "not a regular file"),
    (lambda pool: pool.link.parent.chmod(0o775), "writable by group or others"),
    (lambda pool: pool.link.parent.chmod(0o757), "writable by group or others"),
    pytest.param(
        lambda pool: os.chown(pool.link.parent, 33, 0), "belongs to www-data", marks=needs_root
    ),
    (lambda pool: pool.upstreams["blue"].chmod(0o666), "writable by group or others"),
    pytest.param(
        lambda pool: os.chown(pool.upstreams["blue"], 33, 0),
        "belongs to www-data",
        marks=needs_root,
    ),
]


@pytest.mark.parametrize(("spoil", "says"), STRANGE)
def test_what_is_not_ours_to_move_is_named(
    pool: PoolFiles, spoil: Callable[[PoolFiles], object], says: str
) -> None:
    spoil(pool)
    fact = link.read_link(pool)
    assert fact.upstream is None
    assert says in fact.problem


def test_swap_moves_and_leaves_nothing(pool: PoolFiles) -> None:
    before = link.read_link(pool)
    assert link.swap(pool, "blue", "green") is None
    after = link.read_link(pool)
    assert after.upstream == "green"
    assert after.identity != before.identity
    assert len(list(pool.link.parent.iterdir())) == 3


def test_temporary_name_begins_with_a_dot_so_that_no_glob_loads_it(pool: PoolFiles) -> None:
    fresh = link.make_fresh(pool, "green")
    assert isinstance(fresh, link.Fresh)
    assert fresh.path.name.startswith(".")
    assert fresh.path not in set(pool.link.parent.glob("[!.]*"))
    assert fresh.path.parent == pool.link.parent


@pytest.mark.parametrize("spoil", [make_file, lambda pool: repoint(pool, "app_green.conf")])
def test_third_hand_is_put_back_as_it_was(
    pool: PoolFiles, spoil: Callable[[PoolFiles], object]
) -> None:
    spoil(pool)
    inode = pool.link.lstat().st_ino
    trouble = link.swap(pool, "blue", "green")
    assert trouble is not None
    assert trouble.moved
    assert pool.link.lstat().st_ino == inode
    assert len(list(pool.link.parent.iterdir())) == 3


def test_only_the_very_link_is_moved_when_the_inode_is_given(pool: PoolFiles) -> None:
    trouble = link.swap(pool, "blue", "green", inode=1)
    assert trouble is not None
    assert trouble.moved
    assert link.read_link(pool).upstream == "blue"


def test_missing_link_is_trouble_and_not_made(pool: PoolFiles) -> None:
    pool.link.unlink()
    trouble = link.swap(pool, "blue", "green")
    assert trouble is not None
    assert "No such file" in trouble.message
    assert sorted(path.name for path in pool.link.parent.iterdir()) == [
        "app_blue.conf",
        "app_green.conf",
    ]


def test_no_reader_ever_misses_the_link(pool: PoolFiles) -> None:
    stop, missed, seen = threading.Event(), [], set()

    def read() -> None:
        while not stop.is_set():
            try:
                seen.add(str(pool.link.readlink()))
            except OSError as error:
                missed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(200):
        assert link.swap(pool, "blue", "green") is None
        assert link.swap(pool, "green", "blue") is None
    stop.set()
    reader.join()
    assert missed == []
    assert seen == {"app_blue.conf", "app_green.conf"}


def test_only_own_leftovers_are_removed(pool: PoolFiles) -> None:
    folder = pool.link.parent
    mine = folder / ".app_active.conf.hg-0123456789ab"
    mine.symlink_to("app_green.conf")
    others = [folder / ".app_active.conf.hg-x", folder / ".other_active.conf.hg-0123456789ab"]
    for path in others:
        path.symlink_to("app_green.conf")
    a_file = folder / ".app_active.conf.hg-0123456789ac"
    a_file.write_text("kept by another hand")
    assert link.clean_leftovers(pool) == (mine,)
    assert all(path.is_symlink() for path in others)
    assert a_file.exists()
