"""A stranger installs it: the commands of docs/install.md, one after the other, on a fresh host."""

import re
from pathlib import Path

from tests.support.eventually import eventually
from tests.systemd.host import REPOSITORY, Host

SITE = """\
upstream app {
    server 127.0.0.1:9009;
    # server 127.0.0.1:9010;
}
server {
    listen 8080;
    location / { proxy_pass http://app; }
}
"""


def commands() -> list[str]:
    """Those of the page, without the first block, which builds and installs."""
    text = (REPOSITORY / "docs/install.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 7
    assert "apt-get install" in blocks[0]
    return [line for block in blocks[1:] for line in block.splitlines()]


def test_the_page_about_installing(bare: Host, package: Path) -> None:
    host = bare
    host.prepare_apps()
    host.m.write("/etc/nginx/sites-available/default", SITE)
    host.m.sh("systemctl reload nginx")
    host.put_package(package)

    for line in commands():
        done = host.m.run("bash", "-c", f'USER=root; sudo() {{ "$@"; }}; {line}')
        print(f"$ {line}\n{done.stdout}{done.stderr}")
        if line.startswith("healthguard ready"):  # the first passes may still be on their way
            eventually(lambda: host.cli("ready", "app").returncode == 0, within=20)
        else:
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"

    # And it works: blue breaks, and users get green.
    assert host.fetch("http://127.0.0.1:8080/").strip() == "ok blue"
    since = host.cursor()
    host.break_app("blue")
    eventually(lambda: host.fetch("http://127.0.0.1:9465/app").strip() == "green", within=40)
    assert host.fetch("http://127.0.0.1:8080/").strip() == "ok green"
    (told,) = eventually(lambda: host.events("switch_completed", since), within=10)
    assert "traffic now goes to green (was blue)" in told["MESSAGE"]
    assert "text/html" in host.m.out(
        *("python3", "-c"),
        "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/').headers)",
    )
