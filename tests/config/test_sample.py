"""The sample configuration is valid as it stands, and with all that is commented out in it."""

import re

import pytest

from healthguard.config import parse
from tests.docs.pages import ROOT

SAMPLE = ROOT / "etc/healthguard/healthguard.yaml"
# A key, or what stands below one: `# notify: [ops]`, `#   ops:`. Sentences begin otherwise.
_COMMENTED = re.compile(r"^(\s*)# ( *(?:- .*|[a-z_]+:(?: .*)?))$", re.MULTILINE)


@pytest.fixture(scope="module")
def whole() -> str:
    return _COMMENTED.sub(r"\1\2", SAMPLE.read_text())


def test_as_it_stands() -> None:
    config = parse(SAMPLE.read_text(), "sample")
    assert list(config.pools) == ["threader"]
    assert config.notifiers == {}


def test_with_everything_that_is_commented_out(whole: str) -> None:
    config = parse(whole, "sample")
    assert sorted(config.notifiers) == ["mail", "ops", "pager", "tickets"]
    assert list(config.pools["threader"].notify) == ["ops", "pager"]
    policy = config.pools["threader"].policy
    assert policy.stable == "blue"
    assert config.pools["threader"].policy.dependencies


def test_no_key_is_left_in_a_comment(whole: str) -> None:
    left = re.findall(r"^\s*# *[a-z_]+: .*$", whole, re.MULTILINE)
    assert left == []


def test_no_notifier_wants_a_secret_in_the_file() -> None:
    said = SAMPLE.read_text()
    assert not re.findall(r"(?:webhook_url|routing_key|api_key|password|secret): ", said)
