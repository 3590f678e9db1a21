"""The dashboard: every query is one that Prometheus understands and the daemon can answer."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.notify.receivers import hook
from tests.notify.worlds import telling
from tests.prometheus.rules import ROOT, exported, faults, promtool
from tests.prometheus.server import Prometheus
from tests.support.eventually import eventually

BOARD: dict[str, Any] = json.loads((ROOT / "etc" / "grafana" / "healthguard.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
VARIABLES = {each["name"]: each for each in BOARD["templating"]["list"]}
_GIVEN = {"$host": ".*", "$pool": ".*", "$__range": "1h", "$__rate_interval": "20s"}
# Nothing to show while all is well, and nothing is wrong then.
QUIET = {"On hold because of", "Needs attention", "Firing alerts", "Inconclusive share"}


def plain(expression: str) -> str:
    """As Grafana sends it: variables filled in."""
    for name, value in _GIVEN.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def queries() -> Iterator[tuple[str, str]]:
    """(title, expression) of every panel and annotation."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], plain(target["expr"])
    for each in BOARD["annotations"]["list"]:
        yield each["name"], plain(each["expr"])


def test_what_the_person_on_call_asks_first_is_first() -> None:
    first = sorted(PANELS, key=lambda panel: (panel["gridPos"]["y"], panel["gridPos"]["x"]))[:3]
    titles = [panel["title"] for panel in first]
    assert titles == ["What is active?", "Is it healthy?", "Can we roll back?"]
    rows = [panel["title"] for panel in BOARD["panels"] if panel["type"] == "row"]
    assert rows[:3] == ["Now", "What happened when?", "How long did it take?"]


def test_variables_and_annotations() -> None:
    assert list(VARIABLES) == ["source", "host", "pool"]
    for name, label in (("host", "instance"), ("pool", "pool")):
        found = re.fullmatch(r"label_values\((.*), (\w+)\)", VARIABLES[name]["definition"])
        assert found is not None
        assert faults(plain(found[1])) == []
        assert found[2] == label
    assert [each["name"] for each in BOARD["annotations"]["list"]] == ["Switches", "Rollbacks"]
    for title, expression in queries():
        assert ".*" in expression, f"{title} does not follow the variables"


def test_panels_have_their_own_place_and_number() -> None:
    numbers = [panel["id"] for panel in BOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_prometheus_can_read_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"query:{n}", "expr": expr} for n, (_, expr) in enumerate(queries())]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"SUCCESS: {len(rules)} rules found" in promtool("check", "rules", str(file))


@pytest.mark.parametrize(("title", "expression"), list(queries()))
def test_the_daemon_exports_what_a_query_asks(title: str, expression: str) -> None:
    assert faults(expression) == []


def test_labels_in_legends_are_labels_of_their_queries() -> None:
    every = set().union(*exported().values()) | {"instance", "job"}
    for panel in PANELS:
        for target in panel["targets"]:
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert label in every, panel["title"]


@pytest.mark.timeout(240)
def test_every_panel_shows_something_of_a_real_incident(tmp_path: Path) -> None:
    with (
        hook() as receiver,
        telling(tmp_path, receiver.port, {"stable": "blue"}) as world,
        Prometheus(tmp_path / "prometheus", world.http) as prometheus,
    ):
        eventually(lambda: prometheus.ask("up offset 6s == 1"), within=30, step=0.2)
        world.release("green")
        green = 'healthguard_pool_active{upstream="green"} == 1'
        eventually(lambda: prometheus.ask(green), within=30, step=0.2)  # a scrape has seen it
        world.app("green").answer(status=503)
        world.wait_served("blue")
        world.app("blue").answer(status=503)
        world.wait_pool(phase="holding")
        waiting = {title for title, _ in queries()} - QUIET - {"Bake left", "Switches"}

        def all_show() -> bool:
            for title, expression in queries():
                # An annotation is there for a moment: every moment is asked.
                asked = (
                    f"max_over_time(({expression})[30s:1s])" if title == "Rollbacks" else expression
                )
                found = prometheus.ask(asked)
                if any(sample["value"][1] != "NaN" for sample in found):
                    waiting.discard(title)
            assert not waiting, waiting
            return True

        eventually(all_show, within=60, step=0.5)
        # What moves last is asked until a scrape has seen it too.
        expressions = dict(queries())
        for title, label, expected in (
            ("On hold because of", "gate", world.pool()["hold"]),
            ("Switches", "upstream", "blue"),
            ("Notifications, by outcome", "notifier", "ops"),
        ):
            asked = expressions[title]
            eventually(lambda: prometheus.ask(asked), within=30, what=title, step=0.2)  # noqa: B023
            assert prometheus.ask(asked)[0]["metric"][label] == expected
