"""A folder like /etc/nginx, two apps, and a way to say `healthguard init` about them."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.apps import App
from tests.support.ports import free_port

_MAIN = """\
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi; uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
    include sites-enabled/*;
}}
"""


@dataclass
class Etc:
    """The folder; ``blue`` and ``green`` are running apps."""

    root: Path
    blue: App
    green: App

    @property
    def site(self) -> Path:
        """The one site."""
        return self.root / "sites-available/site"

    def sites(self, upstream: str) -> None:
        """A site with this upstream block, enabled as Debian does it."""
        self.site.parent.mkdir(exist_ok=True)
        self.site.write_text(
            f"# the site\n{upstream}\nserver {{\n    listen 127.0.0.1:{free_port()};\n"
            "    location / { proxy_pass http://app; }\n}\n"
        )
        enabled = self.root / "sites-enabled"
        enabled.mkdir(exist_ok=True)
        (enabled / "site").symlink_to("../sites-available/site")

    def init(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run it."""
        base = ["--nginx", str(self.root / "nginx.conf"), "--config", str(self.config)]
        return subprocess.run(
            [sys.executable, "-m", "healthguard", "init", *base, *words],
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    @property
    def config(self) -> Path:
        """Where healthguard's configuration goes."""
        return self.root / "healthguard/healthguard.yaml"

    def everything(self) -> dict[str, str]:
        """All files and links by name, to see what has changed."""
        return {
            str(each.relative_to(self.root)): (
                f"-> {each.readlink()}" if each.is_symlink() else each.read_text()
            )
            for each in sorted(self.root.rglob("*"))
            if (each.is_symlink() or each.is_file()) and each.suffix not in (".pid", ".log")
        }


@pytest.fixture
def etc(tmp_path: Path) -> Iterator[Etc]:
    """With nginx.conf and no site yet."""
    (tmp_path / "nginx.conf").write_text(_MAIN.format(root=tmp_path))
    with App("blue") as blue, App("green") as green:
        yield Etc(tmp_path, blue, green)
