"""What the pages show to be copied is valid: configurations, nginx's files, requests."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from healthguard.config import ConfigError, parse
from tests.docs.pages import ROOT, Block, page, pages
from tests.support.ports import free_port
from tests.support.world import World, merged

SAMPLE = yaml.safe_load((ROOT / "etc/healthguard/healthguard.yaml").read_text())
POOL = "threader"
WHOLE = {"nginx", "daemon", "defaults", "pools", "notifiers"}
NGINX = re.compile(r"^(upstream|include|server|map|location|proxy_\w+) [^:]*[;{]", re.MULTILINE)
# A notifier's and a probe's own keys, that prose shows without what is around them.
_NOTIFIER, _PROBES = {"levels", "reminders"}, {"probes"}


# ------------------------------------------------------------ healthguard.yaml


def configurations() -> list[tuple[str, dict[str, Any]]]:
    """(page, snippet) of each block, and of each span such as `mode: {bake: auto}`."""
    found = []
    for each in pages():
        texts = [b.text for b in each.blocks if b.language == "yaml" or _looks_like_yaml(b)]
        texts += [span for span in each.spans if re.match(r"[a-z_]+: [\[{]", span)]
        found += [(each.name, yaml.safe_load(text)) for text in texts]
    return found


def _looks_like_yaml(block: Block) -> bool:
    return not block.language and bool(re.match(r"[a-z_]+:( [\[{]| *\n  )", block.text))


def around(snippet: Mapping[str, Any]) -> dict[str, Any]:
    """The sample with the snippet where its keys belong."""
    keys = set(snippet)
    if keys <= WHOLE:
        return merged(SAMPLE, snippet)
    if keys <= _NOTIFIER:
        ops = {"slack": {"webhook_url_file": "/etc/healthguard/slack.url"}, **snippet}
        return merged(SAMPLE, {"notifiers": {"ops": ops}})
    if keys <= _PROBES:
        return merged(SAMPLE, {"pools": {POOL: {"upstreams": {"blue": snippet}}}})
    return merged(SAMPLE, {"pools": {POOL: snippet}})


@pytest.mark.parametrize(("where", "snippet"), configurations())
def test_a_configuration_is_valid(where: str, snippet: dict[str, Any]) -> None:
    config = parse(yaml.safe_dump(around(snippet)), where)
    assert POOL in config.pools


def test_an_invalid_one_would_be_noticed() -> None:
    assert len(configurations()) > 6
    with pytest.raises(ConfigError, match="is not a known key"):
        parse(yaml.safe_dump(around({"health": {"falls": 3}})), "here")


# ------------------------------------------------------------ nginx


def nginx_test(folder: Path, http: str, main: str = "") -> None:
    """A real ``nginx -t`` of these lines in their contexts."""
    config = folder / "nginx.conf"
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n{main}\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{http}\n}}\n"
    )
    command = ["/usr/sbin/nginx", "-t", "-q", "-c", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("active", ["blue", "green"])
def test_nginx_takes_the_files_of_the_front_door(tmp_path: Path, active: str) -> None:
    """Colour files, link, marker, and a site that sends traffic to the upstream."""
    folder = tmp_path / "upstreams"
    folder.mkdir()
    blocks = list(page("docs/install.md").blocks)
    for each in blocks:
        if each.file:
            (folder / Path(each.file).name).write_text(each.text)
    assert len(list(folder.iterdir())) == 2
    (folder / "threader_active.conf").symlink_to(f"threader_{active}.conf")
    (rest,) = (each.text for each in blocks if NGINX.search(each.text) and not each.file)
    rest = rest.replace("/etc/nginx/upstreams", str(folder)).replace("9465", str(free_port()))
    site = (
        f"server {{ listen 127.0.0.1:{free_port()}; location / {{ proxy_pass http://threader; }} }}"
    )
    nginx_test(tmp_path, f"{rest}\n{site}")


def directives() -> list[tuple[str, str]]:
    """Of nginx, in prose or in blocks of other pages, as (page, text)."""
    spans = [(p.name, s) for p in pages() for s in p.spans if re.fullmatch(r"[a-z_]+ [^;]+;", s)]
    blocks = [(p.name, b.text) for p in pages() for b in p.blocks if NGINX.search(b.text)]
    return spans + [each for each in blocks if each[0] != "install.md"]


@pytest.mark.parametrize(("where", "text"), directives())
def test_nginx_takes_the_directives(tmp_path: Path, where: str, text: str) -> None:
    name = text.split()[0]
    if name == "include":  # the link, whatever it is called there
        (tmp_path / "link.conf").touch()
        text = f"include {tmp_path}/link.conf;"
    if name == "proxy_pass":
        text = f"server {{ location / {{ {text} }} }} upstream threader {{ server 127.0.0.1:1; }}"
    of_main = name.startswith("worker_")
    nginx_test(tmp_path, "" if of_main else text, text if of_main else "")


# ------------------------------------------------------------ requests and answers


def test_requests_are_answered(tmp_path: Path) -> None:
    """Every `curl` to the daemon."""
    lines = [line for each in pages() for block in each.blocks for line in block.text.splitlines()]
    lines += [span for each in pages() for span in each.spans]
    asked = {line for line in lines if re.match(r"curl .*(control\.sock|:9464)", line)}
    assert len(asked) > 1
    with World(tmp_path) as world:
        for line in asked:
            line = line.replace("/run/healthguard/control.sock", str(world.daemon.socket))
            words = line.replace(":9464", f":{world.http}").split()
            done = subprocess.run(
                [*words, "--silent", "--fail"],
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
            assert done.returncode == 0, (line, done.stderr)


def test_json_is_json() -> None:
    blocks = [block for each in pages() for block in each.blocks if block.language == "json"]
    assert blocks
    for block in blocks:
        for line in block.text.splitlines():
            assert json.loads(line)
