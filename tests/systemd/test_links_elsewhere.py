"""Links outside of /etc/nginx: `check` warns, and what it says to write is enough."""

import re
from collections.abc import Iterator

import pytest

from tests.support.eventually import eventually
from tests.systemd.host import CONFIG, POOL, Host

SITE = "/etc/nginx/conf.d/threader.conf"


@pytest.fixture
def elsewhere(host: Host) -> Iterator[Host]:
    """The link and its files lie in /srv/nginx, and nginx and the guard have been told."""
    site = host.read(SITE)
    host.m.sh("cp -a /etc/nginx/upstreams /srv/nginx")
    host.m.write(SITE, site.replace("/etc/nginx/upstreams", "/srv/nginx"))
    config = CONFIG.replace("/etc/nginx/upstreams", "/srv/nginx")
    host.m.write("/etc/healthguard/healthguard.yaml", config)
    host.m.sh("systemctl reload nginx && systemctl restart healthguard")
    eventually(lambda: host.health("green") == "up", within=20)
    yield host
    host.m.write(SITE, site)
    host.m.write("/etc/healthguard/healthguard.yaml", CONFIG)
    host.m.sh(
        "rm -rf /srv/nginx /etc/systemd/system/healthguard-*.service.d; systemctl daemon-reload;"
        "systemctl reload nginx; systemctl stop healthguard-switcher; systemctl restart healthguard"
    )


def test_check_names_the_drop_in_and_it_is_enough(elsewhere: Host) -> None:
    host = elsewhere
    warned = " ".join(host.cli("check").stdout.split())
    lines = re.findall(r"write the lines \[Service\] and (\S+) into (/etc/\S+),", warned)
    assert len(lines) == 2, warned
    # Without it: refused or undone, with the reason, and traffic stays.
    refused = host.cli("switch", POOL, "green")
    assert refused.returncode in (1, 4)
    assert "Read-only file system" in refused.stderr
    assert host.marker() == "blue"
    for setting, file in lines:
        host.m.write(file, f"[Service]\n{setting}\n")
    host.m.sh("systemctl daemon-reload && systemctl restart healthguard-switcher.service")
    assert "can write to the folders of the links" in host.cli("check").stdout
    done = eventually(lambda: _switched(host), within=30, what="a switch")
    assert done
    assert host.m.out("readlink", "/srv/nginx/threader_active.conf").strip().endswith("green.conf")
    assert host.marker() == "green"


def _switched(host: Host) -> bool:
    """Once the refusal before is forgotten."""
    return host.cli("switch", POOL, "green").returncode == 0
