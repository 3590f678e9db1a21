"""Words on the command line: what is understood, and how errors read."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from healthguard.cli import main
from healthguard.cli.context import control_socket
from healthguard.cli.entry import VERBS
from healthguard.core.model import Outcome
from tests.cli.conftest import Cli
from tests.control.fakes import FakeGuard


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "usage: healthguard"),
        (["swich"], "unknown verb 'swich'. Did you mean 'switch'?"),
        (["proposal"], "unknown verb 'proposal'. Did you mean 'proposals'?"),
        (["proposals", "threader"], "unrecognized arguments: threader"),
        (["releases"], "required: POOL"),
        (["approve"], "required: POOL"),
        (["reject", "threader", "--id", "x"], "unrecognized arguments: --id x"),
        (["--nonsense", "status"], "unrecognized arguments: --nonsense"),
        (["--config"], "--config: expected one argument"),
        (["switch", "threader"], "required: UPSTREAM"),
        (["switch", "threader", "green", "--forc"], "unrecognized arguments: --forc"),
        (["switch", "a", "b", "--timeout", "1y"], "must be a duration such as 500ms"),
        (["pause", "a", "--reason", "x"], "required: --for"),
        (["pause", "a", "--for", "1h"], "required: --reason"),
        (["pause", "--for", "1h", "--reason", "x"], "name POOL..., or --all"),
        (["pause", "a", "--all", "--for", "1h", "--reason", "x"], "name POOL..., or --all"),
        (["resume"], "name POOL..., or --all"),
        (["clear", "threader"], "name POOL UPSTREAM, or [POOL] --all"),
        (["clear"], "name POOL UPSTREAM, or [POOL] --all"),
        (["clear", "a", "b", "--all"], "name POOL UPSTREAM, or [POOL] --all"),
    ],
)
def test_usage_errors_end_with_2(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert said in err


def test_help_is_not_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert all(f"\n  {verb} " in out for verb in VERBS)
    assert "6  timed out" in out


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_an_example(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    code, out, _ = run(capsys, verb, "--help")
    assert code == 0
    assert f"example:\n  healthguard {verb}" in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--version")
    assert (code, out.startswith("healthguard 0.")) == (0, True)


async def test_general_options_stand_before_or_after_the_verb(cli: Cli) -> None:
    path = str(cli.path)
    for words in (
        ("--socket", path, "--json", "ready", "threader"),
        (f"--socket={path}", "ready", "threader", "--json"),
        ("ready", "--json", "threader", "--socket", path),
        ("--socket", "/nowhere", "ready", "threader", "--socket", path, "--json"),
    ):
        ended = await cli(*words, socket=False)
        assert (ended.code, '"ready": true' in ended.out) == (0, True), ended.err


CONFIG = """
daemon: {{control_socket: {path}}}
pools:
  threader:
    link: /etc/nginx/upstreams/threader_active.conf
    upstreams:
      blue: {{config: blue.conf, probes: [{{http: "http://127.0.0.1:1/"}}]}}
      green: {{config: green.conf, probes: [{{http: "http://127.0.0.1:2/"}}]}}
"""


async def test_the_socket_comes_from_the_configuration(cli: Cli, folder: Path) -> None:
    config = folder / "healthguard.yaml"
    config.write_text(CONFIG.format(path=cli.path))
    asked = ("ready", "threader")
    assert (await cli("--config", str(config), *asked, socket=False)).code == 0
    assert (await cli(*asked, "--config", str(config), socket=False)).code == 0
    ended = await cli(*asked, socket=False, HEALTHGUARD_CONFIG=str(config))
    assert ended.code == 0, ended.err


async def test_a_configuration_that_cannot_be_read_is_no_obstacle(cli: Cli, folder: Path) -> None:
    config = folder / "healthguard.yaml"
    config.write_text("daemon: [")
    ended = await cli("ready", "threader", HEALTHGUARD_CONFIG=str(config))
    assert ended.code == 0, "--socket was given"
    for broken in (str(folder / "none.yaml"), str(folder)):
        ended = await cli("ready", "threader", socket=False, HEALTHGUARD_CONFIG=broken)
        assert ended.code == 3
        assert "no daemon at /run/healthguard/control.sock" in ended.err
        assert f"note: {broken}" in ended.err


async def test_a_bad_edit_does_not_cut_the_way_to_the_daemon(cli: Cli, folder: Path) -> None:
    config = folder / "healthguard.yaml"
    for bad in ("bad: 1", "  - [", "\tx: y", "pools: {a: b}"):
        config.write_text(CONFIG.format(path=cli.path) + bad + "\n")
        ended = await cli("reload", "--config", str(config), socket=False)
        assert ended.code == 0, ended.err


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ("daemon: {control_socket: /a}", "/a"),
        ("daemon:\n  control_socket: '/a b'  # x", "/a b"),
        ("# control_socket: /a", None),
        ("control_socket: /a", None),
        ("daemon: {control_socket: 5}", None),
        ("daemon: [control_socket]", None),
        ("x: [\n# control_socket: /b\ndaemon: {control_socket: '/a'}", "/a"),
        ("x: [\ncontrol_socket: nonsense", None),
    ],
)
def test_the_socket_is_found_in_any_text(config: str, path: str | None) -> None:
    assert control_socket(config) == (Path(path) if path else None)


async def test_clear_all_clears_every_mark(cli: Cli, guard: FakeGuard) -> None:
    assert (await cli("clear", "--all")).code == 0
    assert (await cli("clear", "billing", "--all")).code == 0
    assert [(order["pool"], order["upstream"]) for order in guard.orders] == [
        ("threader", "green"),
        ("billing", "green"),
        ("billing", "green"),
    ]


async def test_reload_can_wait_for_switches_to_end(cli: Cli, guard: FakeGuard) -> None:
    guard.phases = ["switching", "steady", "steady", "switching"]
    assert (await cli("reload", "--wait")).code == 0
    assert not guard.phases
    guard.phases = ["switching"] * 1_000
    ended = await cli("reload", "--wait", "--timeout", "300ms")
    assert ended.code == 6
    assert "the switch of threader, billing to end" in ended.err


def test_the_command_line_imports_nothing_heavy() -> None:
    program = (
        "import sys; from healthguard.cli import main; main(['--socket', '/x', 'why', 'a']);"
        "print([m for m in ('aiohttp', 'asyncio', 'yaml', 'structlog') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    assert out == "[]\n"


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["run"], ("run", Path("/x.yaml"))),
        (["switcher"], ("switcher", Path("/x.yaml"), None)),
        (["switcher", "--listen", "/l"], ("switcher", Path("/x.yaml"), Path("/l"))),
        (["check", "--offline", "--json"], ("check", Path("/x.yaml"), True, True)),
        (["check"], ("check", Path("/x.yaml"), False, False)),
        (["demo", "--stay"], ("demo", True)),
    ],
)
def test_what_needs_no_daemon_is_handed_on(
    monkeypatch: pytest.MonkeyPatch, words: list[str], call: tuple[object, ...]
) -> None:
    name = str(call[0])
    place = {"run": "daemon.main", "switcher": "switcher.service"}.get(name, name)
    calls: list[tuple[object, ...]] = []
    module = ModuleType(name)
    module.run = lambda *given: calls.append((name, *given)) or 7  # type: ignore[attr-defined]
    _put(monkeypatch, f"healthguard.{place}", module)
    assert main(["--config", "/x.yaml", *words]) == 7
    assert calls == [call]


def _put(monkeypatch: pytest.MonkeyPatch, place: str, module: ModuleType) -> None:
    """``module`` in ``place`` of the real one, for imports of either form."""
    room, _, name = place.rpartition(".")
    monkeypatch.setitem(sys.modules, place, module)
    monkeypatch.setattr(importlib.import_module(room), name, module, raising=False)


def test_standalone_is_handed_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[object, ...]] = []
    outcome = Outcome(1, "config_invalid", "nginx -t fails")
    module = ModuleType("standalone")
    module.switch = lambda *given: calls.append(given) or outcome  # type: ignore[attr-defined]
    _put(monkeypatch, "healthguard.standalone.switch", module)
    words = ("switch", "threader", "green", "--standalone", "--reason", "fire", "--force")
    code, _, err = run(capsys, *words, "--config", "/x.yaml")
    assert (code, "refused: config_invalid: nginx -t fails" in err) == (1, True)
    assert calls == [(Path("/x.yaml"), "threader", "green", "fire", True, False)]
