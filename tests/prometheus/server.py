"""A real Prometheus that scrapes a real daemon, with the shipped rules made quick."""

import json
import re
import shutil
import subprocess
import urllib.parse
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.prometheus.rules import FILES, FOLDER
from tests.support.eventually import eventually
from tests.support.nginx import fetch
from tests.support.ports import free_port

# The shipped durations and what a test can wait for.
_QUICK = {"5s": "1s", "30s": "2s", "1m": "2s", "2m": "6s", "5m": "6s", "10m": "6s", "15m": "6s"}
_DURATION = re.compile(r"((?:for|interval): |\[|offset )(\d+[smh])\b")


def quick(text: str) -> str:
    """The same rules with every duration shortened; KeyError for one that is not known here."""
    return _DURATION.sub(lambda found: found[1] + _QUICK[found[2]], text)


class Prometheus:
    """``with Prometheus(folder, port):`` scrapes ``127.0.0.1:port`` every second."""

    def __init__(self, folder: Path, target: int):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.port = free_port()
        for file in FILES:
            (folder / file.name).write_text(quick(file.read_text()))
        config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        job = config["scrape_configs"][0]
        job.update(scrape_interval="1s", scrape_timeout="1s")
        job["static_configs"] = [{"targets": [f"127.0.0.1:{target}"]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def __enter__(self) -> Self:
        program = shutil.which("prometheus")
        assert program, "no prometheus here: scripts/setup dev installs it"
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    f"--config.file={self.folder}/prometheus.yml",
                    f"--storage.tsdb.path={self.folder}/data",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--web.enable-lifecycle",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            eventually(self._ready, within=30, what="prometheus is ready", step=0.1)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _ready(self) -> bool:
        assert self._process.poll() is None, (self.folder / "log").read_text()
        try:
            return "Ready" in fetch(self.port, "/-/ready")
        except OSError:
            return False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query; AssertionError when it is not valid."""
        query = urllib.parse.urlencode({"query": expression})
        answer = json.loads(fetch(self.port, f"/api/v1/query?{query}"))
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that fire now."""
        answer = json.loads(fetch(self.port, "/api/v1/alerts"))
        return [each for each in answer["data"]["alerts"] if each["state"] == "firing"]

    def wait_alert(self, name: str, *, within: float = 40.0, **labels: str) -> dict[str, Any]:
        """Until this alert fires; its annotations."""

        def fires() -> dict[str, Any] | None:
            for alert in self.alerts():
                if alert["labels"]["alertname"] == name:
                    seen = {each: alert["labels"].get(each) for each in labels}
                    if seen == labels:
                        return dict(alert["annotations"])
            return None

        found = eventually(fires, within=within, what=f"{name} {labels} fires", step=0.2)
        assert found is not None
        return found
