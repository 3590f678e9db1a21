"""The daemon loads aiohttp's server, and neither its client nor this host's certificates."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(code: str, *, path: Path = ROOT) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_doors_need_no_client() -> None:
    said = run(
        "import sys; from healthguard.doors import server_only; server_only.load()\n"
        "import healthguard.control.server, healthguard.web.server, aiohttp\n"
        "print([name for name in sys.modules if name.startswith('aiohttp.connector')])\n"
        "from importlib.metadata import version\n"
        "print(aiohttp.__version__ == version('aiohttp'))"
    )
    assert said == "[]\nTrue\n"


def test_a_whole_aiohttp_stays_whole() -> None:
    run(
        "import aiohttp; from healthguard.doors import server_only; server_only.load()\n"
        "import aiohttp; aiohttp.ClientSession"
    )


def test_a_version_whose_server_needs_the_client_is_loaded_whole(tmp_path: Path) -> None:
    package = tmp_path / "aiohttp"
    package.mkdir()
    (package / "__init__.py").write_text("from .client import Session\n")
    (package / "client.py").write_text("class Session: pass\n")
    (package / "web.py").write_text("from aiohttp import Session\n")
    run(
        "from healthguard.doors import server_only; server_only.load()\n"
        "from aiohttp import web; web.Session",
        path=tmp_path,
    )
