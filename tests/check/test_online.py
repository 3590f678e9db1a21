"""Each thing wrong with a host is found, by its word, on a real nginx."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from healthguard.check import CheckResult, check_online, exit_code, run
from healthguard.check.findings import WARNING
from tests.check.world import Prepares, World

AS_NOBODY = """
import os, sys
from pathlib import Path
from healthguard.check import run
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(run(Path(sys.argv[1]), False, False))
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, 9009, 9010)


async def errors(world: World, prepares: Prepares | None = None) -> dict[str, CheckResult]:
    findings = await check_online(world.load(), prepares or Prepares())
    found = {each.what: each for each in findings if each.level == "error"}
    assert exit_code(findings) == (1 if found else 0)
    return found


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def test_an_nginx_that_does_not_run(world: World) -> None:
    prepares = Prepares()
    found = await errors(world, prepares)
    assert set(found) == {"nginx"}
    assert "is not running" in found["nginx"].message
    assert prepares.asked == []


async def test_a_disable_file_is_shown(world: World, tmp_path: Path) -> None:
    disable = tmp_path / "DISABLE"
    disable.write_text("database move, ask anna\n")
    findings = await check_online(world.load(), Prepares(), disable=disable)
    (found,) = (each for each in findings if each.what == "disabled")
    assert (found.level, "ask anna" in found.message) == (WARNING, True)


async def test_the_classic_trap_of_different_upstream_names(world: World) -> None:
    edit(world.colour("blue"), "upstream threader {", "upstream app_blue {")
    edit(world.colour("green"), "upstream threader {", "upstream app_green {")
    edit(world.etc / "conf.d/threader.conf", "http://threader;", "http://app;")
    found = await errors(world)
    message = found["upstream_names"].message
    assert "blue defines app_blue; green defines app_green" in message
    assert "it uses app" in found["upstream_used"].message
    assert found["upstream_used"].remedy == "write into the site: proxy_pass http://app_blue;"


def _elsewhere(world: World) -> None:
    edit(world.etc / "conf.d/threader.conf", "threader_active.conf", "threader_blue.conf")


def _not_included(world: World) -> None:
    edit(world.etc / "conf.d/threader.conf", "include ", "# include ")


def _pattern(world: World) -> None:
    edit(world.etc / "conf.d/threader.conf", "threader_active.conf", "*.conf")


def _unused(world: World) -> None:
    edit(world.etc / "conf.d/threader.conf", "http://threader;", "http://127.0.0.1:1;")


def _twins(world: World) -> None:
    world.colour("green").write_text(world.colour("blue").read_text())


def _regular(world: World) -> None:
    world.link.unlink()
    world.link.write_text(world.colour("blue").read_text())


def _missing(world: World) -> None:
    world.colour("green").unlink()


def _folder(world: World) -> None:
    world.upstreams.chmod(0o777)


def _colour_rights(world: World) -> None:
    world.colour("green").chmod(0o666)


def _own_file(world: World) -> None:
    world.config.chmod(0o666)


def _binary(world: World) -> None:
    edit(world.config, "binary: /usr/sbin/nginx", "binary: /usr/sbin/enginex")


def _config(world: World) -> None:
    world.main.unlink()


def _switcher(world: World) -> None:
    edit(world.config, "switcher: inline", "switcher: /nowhere/switcher.sock")


def _control(world: World) -> None:
    world.load().daemon.control_socket.write_text("")


@pytest.mark.parametrize(
    ("spoil", "what", "says"),
    [
        (_elsewhere, "link_not_included", "so a switch would have no effect"),
        (_elsewhere, "colour_included", "also loads the file of blue"),
        (_not_included, "link_not_included", "nothing in"),
        (_pattern, "colour_included", "also loads the file of blue and green"),
        (_unused, "upstream_used", "nginx sends no traffic to upstream threader"),
        (_twins, "same_content", "the colour files of blue and green have the same content"),
        (_regular, "link", "not managed by healthguard"),
        (_missing, "colour_file", "cannot be read"),
        (_folder, "link", "is writable by group or others (mode 0777)"),
        (_colour_rights, "colour_rights", "is writable by group or others (mode 0666)"),
        (_own_file, "rights", "is writable by group or others (mode 0666)"),
        (_binary, "nginx_binary", "cannot be run"),
        (_config, "nginx_config", "does not exist"),
        (_switcher, "switcher", "no switch is possible"),
        (_control, "control_socket", "is not a socket"),
    ],
)
async def test_what_is_wrong_on_disk(
    world: World, spoil: Callable[[World], None], what: str, says: str
) -> None:
    assert what not in await errors(world)
    spoil(world)
    found = await errors(world)
    assert says in found[what].message
    assert found[what].remedy


@pytest.fixture
async def running(world: World) -> AsyncIterator[World]:
    with world.running():
        yield world


async def test_a_candidate_that_nginx_refuses(running: World) -> None:
    found = await errors(running, Prepares(green="config_invalid"))
    assert set(found) == {"prepare"}
    message = "a switch to green would be refused (config_invalid): unknown directive"
    assert found["prepare"].message == message


async def test_a_link_that_was_moved_without_a_reload(running: World) -> None:
    running.link.unlink()
    running.link.symlink_to("threader_green.conf")
    found = await errors(running)
    assert found["marker"].message == "the link points to green, but nginx's workers use blue"


async def test_a_marker_that_is_not_there(running: World) -> None:
    edit(running.config, '/threader"}', '/other"}')
    found = await errors(running)
    assert "status 404" in found["marker"].message


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_another_user_gets_findings_and_no_traceback() -> None:
    """What that user may not look at is said to be so."""
    with tempfile.TemporaryDirectory() as name:  # not tmp_path: that is in a folder for us alone
        folder = Path(name)
        folder.chmod(0o755)
        world = World(folder, 9009, 9010)
        (folder / "run").chmod(0o700)
        command = [sys.executable, "-c", AS_NOBODY, str(world.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.stderr == ""
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert f"{name}/run/control.sock was not checked: this user may not read it" in said


# ------------------------------------------------------------ the verb, with the real switcher


def test_the_verb_on_a_host_that_is_ready(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    with world.running():
        before = world.link.readlink()
        code = run(world.config, offline=False, want_json=False)
        assert world.link.readlink() == before
    said = capsys.readouterr().out
    assert code == 0, said
    assert "a switch to green is possible" in said
    assert said.endswith("0 errors, 3 warnings\n")


def test_the_verb_on_a_candidate_that_nginx_refuses(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with world.running():
        edit(world.colour("green"), "max_fails=0;", "max_fils=0;")
        code = run(world.config, offline=False, want_json=True)
    said = json.loads(capsys.readouterr().out)
    assert (code, said["ok"]) == (1, False)
    (refused,) = [each for each in said["findings"] if each["level"] == "error"]
    assert "a switch to green would be refused (config_invalid)" in refused["message"]
    assert "max_fils=0" in refused["message"]


def test_the_verb_offline_asks_no_nginx(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world.config, offline=True, want_json=False) == 0
    assert "nginx runs" not in capsys.readouterr().out


def test_the_verb_on_a_file_that_cannot_be_used(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(world.config, "fall: 3", "fall: 0")
    assert run(world.config, offline=False, want_json=True) == 2
    said = capsys.readouterr()
    (problem,) = json.loads(said.out)["problems"]
    assert problem["path"] == "defaults.health.fall"
    assert (
        said.err == f"{world.config}:{problem['line']}: defaults.health.fall: must be at least 1\n"
    )


async def test_a_secret_that_is_not_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HG_TEST_TOKEN", raising=False)
    probe = "- http: http://127.0.0.1:9009/healthz\n"
    edit(world.config, probe, probe + "            headers: {Authorization: '${HG_TEST_TOKEN}'}\n")
    findings = await check_online(world.load(), Prepares())
    (missing,) = [each for each in findings if each.what == "secret_missing"]
    assert "the environment variable HG_TEST_TOKEN is not set" in missing.message
