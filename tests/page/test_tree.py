"""What the page is made of: escaping, and that HTML and data are the same tree."""

import json
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from healthguard.web.tree import Element, el, html, plain
from healthguard.web.words import marked, moment

EVIL = """<script>alert(1)</script>"'&<img src=x onerror=alert(1)>"""


class Read(HTMLParser):
    """A browser in small: the tree that it makes of a text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root: list[object] = ["root", {}, []]
        self._open = [self.root]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made: list[object] = [tag, dict(attrs), []]
        self._children().append(made)
        self._open.append(made)

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._children() and isinstance(self._children()[-1], str):
            data = str(self._children().pop()) + data
        self._children().append(data)

    def _children(self) -> list[object]:
        found = self._open[-1][2]
        assert isinstance(found, list)
        return found


def test_text_is_text() -> None:
    made = html(el("p", EVIL, title=EVIL, data_a=None))
    assert "<script" not in made
    assert "<img" not in made
    assert Read(made).root[2] == [["p", {"title": EVIL}, [EVIL]]]


words = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=12)
trees = st.recursive(
    words,
    lambda inner: st.builds(
        lambda children, title: el("div", children, title=title), st.lists(inner, max_size=5), words
    ),
    max_leaves=20,
)


@given(st.lists(trees, max_size=4))
def test_a_browser_reads_the_same_tree_that_the_stream_sends(children: list[Element]) -> None:
    made = el("div", children)
    assert Read(html(made)).root[2] == [json.loads(json.dumps(plain(made)))]


def test_times() -> None:
    made = moment("2026-03-01T03:04:05.678Z", "ago")
    assert made.children == ("since 01 Mar 03:04:05 UTC",)
    assert made.attributes["datetime"] == "2026-03-01T03:04:05.678+00:00"
    assert moment("2026-03-01T03:04:05+02:00", "clock").children == ("01 Mar 01:04:05 UTC",)
    assert moment(None, "ago").children == ("-",)


def test_commands_in_a_sentence() -> None:
    made = marked("or `healthguard ack p` helps")
    assert made == ["or ", el("code", "healthguard ack p"), " helps"]
