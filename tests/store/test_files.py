"""The one way in which a file is replaced: what it keeps, and what it leaves behind."""

import ast
import os
from pathlib import Path

import pytest

import healthguard
from healthguard.init.write import write_all
from healthguard.machine.files import write_atomic
from healthguard.nginx.intent import Intent, Intents

INTENT = Intent("s1", "app", "blue", "green", "/link", 7, 1, "boot", "1:2", ((3, 4),))
# Who may rename or replace a file: the writer, and who moves a broken document aside.
RENAMERS = {"machine/files.py", "machine/store.py"}


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.fixture
def narrow_umask() -> object:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("narrow_umask")
def test_the_mode_is_the_one_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    write_atomic(tmp_path / "new" / "file", b"x", mode=0o664, folder_mode=0o755)
    assert (mode_of(tmp_path / "new"), mode_of(tmp_path / "new" / "file")) == (0o755, 0o664)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_owner_is_the_one_asked_for(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", b"x", mode=0o4750, owner=(12, 34))
    seen = (tmp_path / "file").stat()
    assert (seen.st_uid, seen.st_gid, seen.st_mode & 0o7777) == (12, 34, 0o4750)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_init_keeps_owner_and_mode_of_a_file_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "site.conf"
    path.write_text("old")
    path.chmod(0o604)
    os.chown(path, 12, 34)
    assert write_all({path: "new", tmp_path / "fresh": "text"}, {}, lambda: "") == ""
    seen = path.stat()
    assert (path.read_text(), seen.st_uid, seen.st_gid, mode_of(path)) == ("new", 12, 34, 0o604)
    assert mode_of(tmp_path / "fresh") == 0o644
    assert sorted(each.name for each in tmp_path.iterdir()) == ["fresh", "site.conf"]


def test_a_link_that_lies_in_wait_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / ".file.tmp").symlink_to("victim")
    write_atomic(tmp_path / "file", b"x")
    assert (tmp_path / "victim").read_text() == "untouched"


def test_an_intent_that_no_disk_takes_goes_to_the_spare_folder(tmp_path: Path) -> None:
    (tmp_path / "main").write_text("no folder")
    intents = Intents(tmp_path / "main", tmp_path / "spare")
    assert not intents.write(INTENT), "it does not survive a power loss"
    assert intents.read("app") == INTENT
    assert mode_of(tmp_path / "spare" / "intent-app.json") == 0o600
    (tmp_path / "main").unlink()
    assert intents.write(INTENT)
    assert mode_of(tmp_path / "main") == 0o700
    assert not (tmp_path / "spare" / "intent-app.json").exists()


def test_nobody_else_replaces_files() -> None:
    root = Path(healthguard.__file__).parent
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("rename", "replace")
        if node.attr == "rename" or (isinstance(node.value, ast.Name) and node.value.id == "os")
    }
    assert found == RENAMERS
