"""The clever counting against the dumb one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from healthguard.core.health import Tally, count
from healthguard.core.model import HealthPolicy, Instant, Result

from .dumb import DumbProbe


@st.composite
def policies(draw: st.DrawFn) -> HealthPolicy:
    of = draw(st.sampled_from([0, 0, 1, 2, 5, 10]))
    fails = draw(st.integers(1, of)) if of else 0
    rise, fall = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    return HealthPolicy(rise=rise, fall=fall, window_fails=fails, window_of=of)


@settings(max_examples=400, deadline=None)
@given(policies(), st.lists(st.sampled_from("ppfffi"), max_size=60), st.integers(1, 5))
def test_the_clever_counting_equals_the_dumb_one(
    policy: HealthPolicy, results: list[str], bake_fall: int
) -> None:
    tally, dumb = Tally(), DumbProbe(policy.rise, policy.window_fails, policy.window_of)
    words = {"p": "pass", "f": "fail", "i": "inconclusive"}
    for now, each in enumerate(results, 1):
        fall = bake_fall if (now // 7) % 2 else policy.fall  # a bake comes and goes
        tally = count(tally, Result(words[each], "", Instant(now, now), 0), policy, fall)
        if each != "i":
            dumb.add(now, each == "p", fall)
        assert (tally.health, tally.first_fail_ms) == dumb.read(), results[:now]
        assert tally.passes == dumb.passes()
