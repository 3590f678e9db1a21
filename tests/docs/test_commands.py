"""Every `healthguard ...` in the pages: the real command line takes it, and a real host does it."""

import re
from collections.abc import Iterator

import pytest
from makers.catalogue import entries

from healthguard.cli import entry
from tests.docs.commands import commands, filled
from tests.support.eventually import eventually
from tests.support.world import World

# These go on until they are stopped, or have a test of their own that runs them as the pages say:
# tests/demo, tests/init, tests/systemd, tests/notify.
ELSEWHERE = {"demo", "init", "notify", "run", "switcher"}
ENDLESS = {"--follow", "--watch"}
DONE, REFUSED = 0, 1
# What must follow each verb.
NEEDED = {each.name: re.sub(r"\[[^\]]*\]", "", each.usage) for each in entries()}


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_command_line_takes_it(words: tuple[str, ...]) -> None:
    verb, *rest = filled(words)
    if verb == "--version":
        return
    assert verb in entry.VERBS
    if rest:  # a verb alone may be its name
        entry.parse(verb, rest)


@pytest.mark.parametrize("verb", entry.VERBS)
def test_every_verb_is_explained_and_shows_its_help(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert any(words[0] == verb for words in commands())
    assert entry.main([verb, "--help"]) == DONE
    assert f"usage: healthguard {verb}" in capsys.readouterr().out


def test_what_is_not_so_is_not_taken() -> None:
    for words in (("pause", "POOL", "--until", "1h"), ("switch", "POOL"), ("status", "A", "B")):
        with pytest.raises(SystemExit):
            test_the_command_line_takes_it(words)


# ------------------------------------------------------------ and done


def harmless() -> list[tuple[str, ...]]:
    """What may be done to a whole host in small, and ends; not a verb's bare name."""
    return [
        words
        for words in commands()
        if words[0] not in ELSEWHERE
        and not ENDLESS & set(words)
        and (len(words) > 1 or "POOL" not in NEEDED.get(words[0], ""))
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("docs")
    with World(folder, pool={"release": {"header": "X-Release-Id"}}) as made:
        made.settled()
        eventually((folder / "state/record/app").exists, within=30)  # written after some seconds
        yield made


@pytest.mark.parametrize("words", harmless(), ids=" ".join)
def test_it_is_done_or_refused_with_a_reason(words: tuple[str, ...], world: World) -> None:
    config = str(world.daemon.config_file)
    files = {"candidate.yaml": config, "CANDIDATE.yaml": config}
    files["FILE"] = str(world.root / "state/record/app")
    done = world.daemon.cli(*(files.get(word, word) for word in filled(words)))
    said = done.stdout + done.stderr
    assert done.returncode in (DONE, REFUSED), said
    if done.returncode == REFUSED and words[0] not in ("check", "replay"):  # they report
        assert re.search(r"refused: \w+: |not ready: \w+: ", said), said
    assert "Traceback" not in said
