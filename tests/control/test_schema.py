"""docs/api.schema.json is what the dataclasses give, and answers are what it says."""

import json
from typing import Any

import jsonschema
import pytest
from makers.api_schema import written

from healthguard.control.server import ControlServer
from healthguard.core.model import Outcome
from healthguard.views.documents import ReadyView
from tests.control.fakes import FakeGuard, proposal_view
from tests.control.rawhttp import ask
from tests.support import documents
from tests.support.views import dependency

READS = [request for request in documents.schema()["answers"] if request.startswith("GET ")]


@pytest.fixture
def guard() -> FakeGuard:
    """Nothing is null that could be something."""
    guard = FakeGuard()
    guard.open = [proposal_view()]
    guard.is_ready = ReadyView("threader", False, "known_bad", "green failed", "green")
    guard.changes = {
        "proposal": proposal_view(),
        "dependencies": {"database": dependency("down", True, "fail", "refused")},
        "forced": "blue",
        "lost": "the way back failed",
        "cooldown_until": "2026-03-01T03:00:00.000Z",
    }
    guard.tell(ts="2026-03-01T03:00:00.000Z", id="1", event="acked", pool="threader")
    return guard


def test_the_file_is_what_the_generator_writes() -> None:
    assert documents.FILE.read_text() == written()
    jsonschema.Draft202012Validator.check_schema(documents.schema())


@pytest.mark.parametrize("request_", READS)
async def test_what_is_read_fits(server: ControlServer, request_: str) -> None:
    got = await ask(server.path, *request_.replace("POOL", "threader").split())
    assert got.status == 200
    for line in got.text.splitlines():
        documents.check(request_, json.loads(line))


@pytest.mark.parametrize("code", range(7))
async def test_every_end_of_an_order_fits(
    server: ControlServer, guard: FakeGuard, code: int
) -> None:
    gates: Any = [{"gate": "mode", "closed": True, "pending": False, "evidence": "x",
                   "never_forced": False}]  # fmt: skip
    guard.outcome = Outcome(code, "mode" if code else "", "so it ended", {"gates": gates})
    got = await ask(server.path, "POST", "/v1/pools/threader/switch", {"to": "green"})
    documents.check("POST", got.json)
    if code not in (0, 6):
        documents.check("error", got.json)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/nothing"),
        ("GET", "/v1/pools/nosuch"),
        ("POST", "/v1/status"),
        ("POST", "/v1/pools/threader/pause"),
    ],
)
async def test_errors_fit(server: ControlServer, method: str, target: str) -> None:
    got = await ask(server.path, method, target)
    assert got.status >= 400
    documents.check("error", got.json)


async def test_a_document_that_lacks_or_invents_a_field_does_not_fit(server: ControlServer) -> None:
    good = (await ask(server.path, "GET", "/v1/pools/threader")).json
    lacking = {name: value for name, value in good.items() if name != "phase"}
    for bad in (lacking, {**good, "mood": "good"}, {**good, "latched": "yes"}):
        with pytest.raises(jsonschema.ValidationError):
            documents.check("GET /v1/pools/POOL", bad)
