"""What check says without nginx: timers in numbers, and what an operator should know."""

from pathlib import Path

import pytest

from healthguard.check import CheckResult, as_json, check_offline, exit_code, render
from healthguard.check.colours import names_a_host
from healthguard.check.detection import Worst, sentence, worst
from healthguard.config import PoolConfig, parse

TEXT = """
pools:
  app:
    link: LINK/app_active.conf
    stable: blue
    confirm: {url: "http://127.0.0.1:9465/app"}
    upstreams:
      blue:
        config: blue.conf
        probes: [{http: "http://127.0.0.1:9009/", expect: {header: {X-Color: blue}}}]
      green:
        config: green.conf
        probes: [{http: "http://127.0.0.1:9010/", expect: {header: {X-Color: green}}}]
"""


def pool_of(extra: str = "") -> PoolConfig:
    return parse(TEXT.replace("LINK", "/nowhere") + extra, "t.yaml").pools["app"]


def warned(text: str) -> dict[str, str]:
    findings = check_offline(parse(text.replace("LINK", "/nowhere"), "t.yaml"))
    return {each.what: each.message for each in findings if each.level == "warning"}


def test_a_pool_with_everything_gets_no_warning() -> None:
    assert warned(TEXT) == {}


@pytest.mark.parametrize(
    ("health", "steady", "bake"),
    [
        # defaults: 2.2 + 0.01 + max(2 x 0.5, 3), the same + 2 + max(2 x 2.01, 3)
        ("{}", Worst(5_210, 8_230), Worst(2_560, 4_570)),
        ("{jitter: 0%, interval: 1s, timeout: 1s}", Worst(4_010, 5_010), Worst(2_510, 3_510)),
        # fall decides when it takes longer than min_down
        ("{jitter: 0%, fall: 11}", Worst(7_010, 24_110), Worst(2_510, 4_520)),
        # a probe's repetition cannot come before the probe has ended
        ("{jitter: 0%, fall: 3, timeout: 10s}", Worst(5_010, 32_030), Worst(2_510, 20_520)),
        # a timeout below fast_interval changes nothing about the rhythm
        ("{jitter: 0%, fall: 9, timeout: 400ms}", Worst(6_010, 6_410), Worst(2_510, 2_910)),
        # one just above it: a turn is missed, and the phase kept
        ("{jitter: 0%, fall: 9, timeout: 600ms}", Worst(6_010, 8_610), Worst(2_510, 3_110)),
    ],
)
def test_the_worst_case_is_arithmetic(health: str, steady: Worst, bake: Worst) -> None:
    pool = pool_of(f"    health: {health}\n")
    assert worst(pool) == steady
    assert worst(pool, bake=True) == bake


def test_the_longest_timeout_of_a_probe_counts() -> None:
    text = TEXT.replace("X-Color: green}}", "X-Color: green}}, timeout: 4s").replace(
        "LINK", "/nowhere"
    )
    assert worst(parse(text, "t.yaml").pools["app"]).hangs == 2_210 + 4_000 + 2 * 4_010


def test_the_sentence_has_the_numbers() -> None:
    said = sentence(pool_of())
    assert "5.2s if the upstream is killed" in said
    assert "8.2s if it hangs" in said
    assert "the longer of 2 x fast_interval 500ms and min_down 3s" in said


def test_each_thing_an_operator_should_know() -> None:
    assert (
        "no rollback is possible" in warned(TEXT.replace("stable: blue", "mode: observe"))["target"]
    )
    assert "never proven" in warned(TEXT.replace("    confirm: ", "    # "))["marker"]
    blind = warned(TEXT.replace(", expect: {header: {X-Color: green}}", ""))
    assert "the probes of green check only" in blind["probe_blind"]
    assert "a probe may take 2s" in warned(TEXT + "    health: {interval: 1s}\n")["timeout"]
    secret = TEXT.replace("9009/", '9009/", headers: {Authorization: "Bearer SECRET"}, host: "a')
    assert "Authorization" in warned(secret.replace("SECRET", "abc"))["secret"]
    assert "abc" not in warned(secret.replace("SECRET", "abc"))["secret"]
    assert "secret" not in warned(secret.replace("SECRET", "${TOKEN}"))


def test_an_upstream_given_by_name_is_found(tmp_path: Path) -> None:
    (tmp_path / "blue.conf").write_text("upstream a { server app.internal:80; server 10.0.0.1; }")
    (tmp_path / "green.conf").write_text("upstream a { server unix:/run/a.sock; server [::1]:1; }")
    findings = check_offline(parse(TEXT.replace("LINK", str(tmp_path)), "t.yaml"))
    (found,) = [each for each in findings if each.what == "upstream_by_name"]
    assert "the file of blue has a host name as server (app.internal:80)" in found.message


def test_names_and_addresses() -> None:
    assert [name for name in ("a", "a.b:1", "db-1") if not names_a_host(name)] == []
    addresses = ("127.0.0.1", "10.0.0.1:80", "[::1]:80", "[::1]", "unix:/a", "localhost:80")
    assert [name for name in addresses if names_a_host(name)] == []


# ------------------------------------------------------------ showing it


def test_rendering() -> None:
    findings = [
        CheckResult("ok", None, "nginx", "nginx runs"),
        CheckResult("warning", "app", "marker", "no confirm.url", "set it up"),
        CheckResult("error", "app", "link", "not a link", "make one"),
    ]
    assert render(findings).splitlines() == [
        "ok       nginx runs",
        "warning  app: no confirm.url",
        "         -> set it up",
        "error    app: not a link",
        "         -> make one",
        "1 error, 1 warning",
    ]
    assert render(findings[:1]).endswith("no problems found")
    assert exit_code(findings) == 1
    assert exit_code(findings[:2]) == 0
    assert as_json(findings)["ok"] is False


@pytest.mark.parametrize(("given", "warns"), [("2900ms", True), ("3s", False)])
def test_a_short_confirm_timeout(given: str, warns: bool) -> None:
    said = warned(f"nginx: {{confirm_timeout: {given}}}\n{TEXT}")
    assert ("confirm_timeout" in said) == warns
    if warns:
        assert "nginx.confirm_timeout is 2900ms" in said["confirm_timeout"]
