"""A link that the units may not write beside is found before the first rollback finds it."""

from pathlib import Path

import pytest

from healthguard.check.sandbox import UNITS, Show, check_sandbox
from healthguard.config import Config, parse

TEXT = """
nginx: {switcher: SWITCHER}
pools:
  app:
    link: LINK/app_active.conf
    upstreams:
      blue: {config: blue.conf, probes: [{tcp: "127.0.0.1:9009"}]}
      green: {config: green.conf, probes: [{tcp: "127.0.0.1:9010"}]}
"""


def config(link: Path | str, switcher: str = "/run/healthguard-switcher.sock") -> Config:
    return parse(TEXT.replace("LINK", str(link)).replace("SWITCHER", switcher), "t.yaml")


def unit(paths: str, protect: str = "strict", load: str = "loaded") -> Show:
    seen = {"LoadState": load, "ProtectSystem": protect, "ReadWritePaths": paths}
    return lambda name: seen


def levels(where: Config, show: Show) -> list[str]:
    return [each.level for each in check_sandbox(where, show)]


def test_a_link_outside_is_warned_about_with_the_lines_to_write() -> None:
    first, second = check_sandbox(config("/srv/nginx"), unit("/etc/nginx"))
    assert (first.level, first.what, first.pool) == ("warning", "sandbox", None)
    assert first.message.endswith(f"in /srv/nginx: {UNITS[0]} may not write there")
    assert "[Service] and ReadWritePaths=/srv/nginx into" in first.remedy
    assert "/etc/systemd/system/healthguard-switcher.service.d/links.conf" in first.remedy
    assert "healthguard-reconcile.service.d/links.conf" in second.remedy


@pytest.mark.parametrize(
    "paths",
    ["/srv", "/etc/nginx /srv/nginx", "-/srv/nginx", "+/srv", '"/with space" /srv/nginx/'],
)
def test_a_drop_in_that_covers_it_is_seen(paths: str) -> None:
    assert levels(config("/srv/nginx"), unit(paths)) == ["ok", "ok"]


def test_a_folder_is_not_covered_by_one_whose_name_begins_alike() -> None:
    assert levels(config("/etc/nginx-extra"), unit("/etc/nginx")) == ["warning", "warning"]


def test_what_counts_is_where_the_folder_really_is(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "name").symlink_to(real)
    assert levels(config(tmp_path / "name"), unit(str(real))) == ["ok", "ok"]


def test_nothing_is_said_where_no_unit_is_in_the_way() -> None:
    assert levels(config("/srv", "inline"), unit("/etc/nginx")) == []
    assert levels(config("/srv"), unit("", load="not-found")) == []
    assert levels(config("/srv"), lambda name: {}) == []
    assert levels(config("/srv"), unit("", protect="full")) == ["ok", "ok"]
