"""What a page points to is there."""

from pathlib import PurePosixPath

import pytest

from tests.docs.pages import ROOT, Page, page, pages

LARGEST = 200_000  # bytes of a picture: pages load on a phone in a data centre, too


@pytest.mark.parametrize("each", pages(), ids=lambda each: each.name)
def test_links_lead_somewhere(each: Page) -> None:
    known = {other.name: other for other in pages()}
    for target in each.links:
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / PurePosixPath(each.name).parent / path).resolve() if path else None
        assert file is None or file.exists(), target
        name = str(file.relative_to(ROOT)) if file else each.name
        assert not anchor or anchor in known[name].anchors, target


@pytest.mark.parametrize("picture", [*(ROOT / "docs").glob("*.png")], ids=lambda each: each.name)
def test_pictures_are_small_and_used(picture: object) -> None:
    name = PurePosixPath(str(picture)).name
    assert (ROOT / "docs" / name).stat().st_size < LARGEST
    assert any(target.endswith(name) for each in pages() for target in each.links)


def test_the_front_door_leads_to_every_page() -> None:
    linked = {target.partition("#")[0] for target in page("README.md").links}
    for each in pages():
        if each.name.startswith("docs/"):
            assert each.name in linked, each.name
    assert "docs/page.png" in linked


def test_the_front_door_is_short() -> None:
    """What it is, two commands, a picture, install in ten lines, links."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
