"""`healthguard init` on configurations as people have them; nginx -t is the real one."""

import subprocess
from pathlib import Path

import pytest
import yaml

from healthguard.config import load
from healthguard.init.document import is_sample
from healthguard.init.scan import blocks_of
from tests.init.conftest import Etc


def nginx_reads(etc: Etc) -> str:
    """All that nginx reads; it must be content."""
    done = subprocess.run(
        ["/usr/sbin/nginx", "-T", "-q", "-c", etc.root / "nginx.conf"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def commented(etc: Etc) -> str:
    return (
        "upstream app {\n    keepalive 8;\n"
        f"    server {etc.blue.address} max_fails=0;\n    # server {etc.green.address};\n}}"
    )


def test_without_write_nothing_is_changed(etc: Etc) -> None:
    etc.sites(commented(etc))
    before = etc.everything()
    done = etc.init()
    assert done.returncode == 0, done.stderr
    assert etc.everything() == before
    assert "Nothing was changed" in done.stderr
    for line in (
        f"-    server {etc.blue.address} max_fails=0;",
        f"+include {etc.root}/upstreams/app_active.conf;",
        f"+    server {etc.green.address};",
        f"+++ {etc.root}/upstreams/app_active.conf -> app_blue.conf",
        "+    mode: observe",
    ):
        assert line in done.stdout.splitlines(), done.stdout


def test_a_commented_server_becomes_green(etc: Etc) -> None:
    etc.sites(commented(etc))
    done = etc.init("--write")
    assert done.returncode == 0, done.stderr
    told = nginx_reads(etc)
    assert f"server {etc.blue.address} max_fails=0;" in told
    assert f"server {etc.green.address};" not in told
    assert "keepalive 8;" in told
    config = load(etc.config)
    pool = config.pools["app"]
    assert pool.files.link.readlink() == Path("app_blue.conf")
    said = yaml.safe_load(etc.config.read_text())["pools"]["app"]
    assert said["mode"] == "observe"
    # The address that both apps answer was found by trying.
    probe = said["upstreams"]["green"]["probes"][0]["http"]
    assert probe == f"http://{etc.green.address}/healthz"
    assert said["confirm"]["url"].endswith("/app")
    # The site is still the link in sites-enabled, with its other lines.
    assert (etc.root / "sites-enabled/site").is_symlink()
    assert "proxy_pass http://app;" in etc.site.read_text()
    # The other colour fits too.
    link = etc.root / "upstreams/app_active.conf"
    link.unlink()
    link.symlink_to("app_green.conf")
    assert f"server {etc.green.address};" in nginx_reads(etc)


@pytest.mark.parametrize("word", ["backup", "down"])
def test_a_spare_server_becomes_green(etc: Etc, word: str) -> None:
    etc.sites(f"upstream app {{ server {etc.blue.address}; server {etc.green.address} {word}; }}")
    assert etc.init("--write").returncode == 0
    green = (etc.root / "upstreams/app_green.conf").read_text()
    assert f"server {etc.green.address};" in green
    nginx_reads(etc)


def test_two_servers_that_share_the_traffic_are_split_only_on_demand(etc: Etc) -> None:
    etc.sites(f"upstream app {{ server {etc.blue.address}; server {etc.green.address}; }}")
    done = etc.init("--write")
    assert done.returncode == 2
    assert "both servers get traffic; to use them as blue and green: --pool app" in done.stderr
    done = etc.init("--write", "--pool", "app")
    assert done.returncode == 0, done.stderr
    assert f"in a pool only {etc.blue.address} would get it" in done.stderr
    nginx_reads(etc)


def test_what_cannot_be_seen_is_given(etc: Etc) -> None:
    etc.sites(f"upstream app {{ server {etc.blue.address}; }}")
    assert "name the other: --pool app --upstream green=HOST:PORT" in etc.init().stderr
    done = etc.init("--write", "--pool", "app", "--upstream", f"green={etc.green.address}")
    assert done.returncode == 0, done.stderr
    assert etc.green.address in (etc.root / "upstreams/app_green.conf").read_text()


def test_links_that_are_there_only_get_a_configuration(etc: Etc) -> None:
    etc.sites(commented(etc))
    assert etc.init("--write").returncode == 0
    before = etc.everything()
    etc.config.unlink()
    done = etc.init("--write")
    assert done.returncode == 0, done.stderr
    after = etc.everything()
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert changed <= {"healthguard/healthguard.yaml"}
    assert set(load(etc.config).pools["app"].files.upstreams) == {"blue", "green"}


def test_nothing_is_left_of_an_attempt_that_nginx_refuses(etc: Etc) -> None:
    etc.sites(commented(etc))
    before = etc.everything()
    picky = etc.root / "picky.pid"
    picky.write_text(
        f"#!/bin/sh\n! test -e {etc.root}/upstreams || {{ echo '[emerg] no'; exit 1; }}"
    )
    picky.chmod(0o755)
    done = etc.init("--write", "--binary", str(picky))
    assert done.returncode == 1
    assert "failed, and everything was restored:\n[emerg] no" in done.stderr
    assert etc.everything() == before
    assert not (etc.root / "upstreams").exists()


def test_nothing_is_left_of_an_attempt_that_cannot_write(etc: Etc) -> None:
    etc.sites(commented(etc))
    (etc.root / "upstreams/healthguard-marker.conf").mkdir(parents=True)
    before = etc.everything()
    done = etc.init("--write")
    assert done.returncode == 1
    assert "Is a directory" in done.stderr
    assert etc.everything() == before


def test_an_nginx_that_is_not_well_is_left_alone(etc: Etc) -> None:
    etc.sites(commented(etc) + "\nnonsense;")
    before = etc.everything()
    done = etc.init("--write")
    assert done.returncode == 1
    assert "nginx -t fails on the current configuration" in done.stderr
    assert etc.everything() == before


def test_somebodys_own_configuration_is_not_replaced(etc: Etc) -> None:
    etc.sites(commented(etc))
    etc.config.parent.mkdir()
    etc.config.write_text("pools: {}\n")
    done = etc.init("--write")
    assert done.returncode == 1
    assert "is not the sample" in done.stderr


def test_only_the_untouched_sample_is_nobodys_work(tmp_path: Path) -> None:
    sample = tmp_path / "sample"
    sample.write_text("pools: {a: 1}\n")
    assert is_sample("pools: {a: 1}\n", sample)
    assert not is_sample("pools: {a: 2}\n", sample)
    assert not is_sample("pools: {a: 1}\n", tmp_path / "none")


def test_nothing_to_see(etc: Etc) -> None:
    done = etc.init()
    assert done.returncode == 2
    assert "with two servers to use as blue and green" in done.stderr


def test_blocks_are_read_as_nginx_reads_them() -> None:
    text = """
upstream one { server 10.0.0.1:80 weight=2; }  upstream two {
    # server old.example.org:80;
    server unix:/run/a.sock backup; # server here;
    least_conn;
}
server { listen 80; }
"""
    one, two = blocks_of(Path("x"), text)
    assert [s.address for s in one.servers] == ["10.0.0.1:80"]
    assert one.servers[0].parameters == ("weight=2",)
    assert text[one.start : one.end] == "upstream one { server 10.0.0.1:80 weight=2; }"
    assert [(s.address, s.spare) for s in two.servers] == [
        ("unix:/run/a.sock", True),
        ("old.example.org:80", True),
    ]
    assert two.others == ("least_conn;",)
    assert text[two.start : two.end].endswith("least_conn;\n}")
