"""What the real daemon answers fits docs/api.schema.json, and the command line's dataclasses."""

from healthguard.control.client import ApiReply, Client
from healthguard.machine.codec import decode, encode
from healthguard.views.documents import ReleasesView, StatusView, WhyView
from tests.support import documents
from tests.support.world import World


def test_every_document_and_an_order_and_an_error(stable: World) -> None:
    client = Client(stable.daemon.socket)
    for request in documents.schema()["answers"]:
        method, _, target = request.partition(" ")
        if method != "GET":
            continue
        parts = target.replace("POOL", "app").split("/")[2:]
        if parts == ["events"]:
            found = client.lines(*parts, query={}, follow=False)
            answers = list(found)  # type: ignore[arg-type]
            assert answers
        else:
            answers = [stable.api(*parts)]
        for answer in answers:
            documents.check(request, answer)

    for kind, parts in ((StatusView, ["status"]), (WhyView, ["pools", "app", "why"]),
                        (ReleasesView, ["pools", "app", "releases"])):  # fmt: skip
        answer = stable.api(*parts)
        assert list(encode(decode(kind, answer))) == list(answer)
        assert encode(decode(kind, answer)) == answer

    body = {"to": "green", "dry_run": True}
    done = client.post("pools", "app", "switch", body=body, wait="30s", timeout_s=40)
    refused = client.post("pools", "app", "reject", body={}, wait="30s", timeout_s=40)
    wrong = client.get("pools", "nosuch")
    assert isinstance(done, ApiReply)
    assert isinstance(refused, ApiReply)
    assert isinstance(wrong, ApiReply)
    documents.check("POST", done.body)
    assert done.body["gates"]
    documents.check("POST", refused.body)
    documents.check("error", refused.body)
    documents.check("error", wrong.body)
