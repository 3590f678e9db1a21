"""Whatever the text: a Config or a ConfigError, never anything else, and in bounded time."""

from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthguard.config import Config, ConfigError, parse, table
from healthguard.config.structures import Either, ListOf, MapOf, OneOf, Section

GOOD = (Path(__file__).parents[2] / "etc/healthguard/healthguard.yaml").read_text()
BOUNDED = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def keys_of(kind: object) -> set[str]:
    match kind:
        case Section():
            below = [keys_of(field.kind) for field in kind.fields.values()]
            return set(kind.fields).union(*below)
        case MapOf() | ListOf():
            return keys_of(kind.item)
        case Either():
            return keys_of(kind.long)
        case OneOf():
            return set().union(*map(keys_of, kind.sections.values()))
    return set()


KEYS = [*sorted(keys_of(table.ROOT)), "app", "blue", "green", "<<"]
TEXTS = """
    2s 0s 5% all auto 200-299 /a/b a.conf http://h:1/ ${A} h:1 http://[ http://[::1 unix:/a
    http://unix:: blue [::1]:x 1e999 ((
""".split()  # noqa: SIM905
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(TEXTS),
)
TREES = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(KEYS), below, max_size=6)
    ),
    max_leaves=40,
)


def outcome(text: str) -> Config | ConfigError:
    try:
        return parse(text, "fuzz.yaml")
    except ConfigError as error:
        refused = error
    assert refused.problems
    assert not [problem for problem in refused.problems if "\n" in str(problem)]
    return refused


@BOUNDED
@given(st.text())
def test_any_text(text: str) -> None:
    outcome(text)


@BOUNDED
@given(TREES)
def test_any_tree_of_known_keys(tree: object) -> None:
    outcome(yaml.safe_dump(tree))


@BOUNDED
@given(tree=TREES, section=st.sampled_from(["nginx", "daemon", "defaults"]))
def test_any_section_beside_a_good_pool(tree: object, section: str) -> None:
    base = yaml.safe_load(GOOD)
    base[section] = tree
    outcome(yaml.safe_dump(base))


@BOUNDED
@given(data=st.data())
def test_any_value_in_place_of_a_good_one(data: st.DataObject) -> None:
    base = yaml.safe_load(GOOD)
    here = base
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(here[key], (dict, list)) or not here[key] or data.draw(st.booleans()):
            break
        here = here[key]
    here[key] = data.draw(TREES)
    outcome(yaml.safe_dump(base))


@BOUNDED
@given(cut=st.integers(0, len(GOOD)), put=st.text(max_size=5), drop=st.integers(0, 20))
def test_any_slip_of_the_keyboard(cut: int, put: str, drop: int) -> None:
    outcome(GOOD[:cut] + put + GOOD[cut + drop :])
