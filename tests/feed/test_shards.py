"""Which topic goes over which connection."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError
from netfeed.feed.dialect import Limits
from netfeed.feed.shards import Shards

LIMITS = Limits(topics_per_connection=3, topics_per_request=3, connections=5, budget_rate=1, budget_burst=1)


def test_topics_fill_one_connection_after_the_other_and_one_is_spare() -> None:
    shards = Shards(LIMITS)
    assert shards.capacity == 12
    assert shards.place("abcd") == {0: ["a", "b", "c"], 1: ["d"]}
    assert shards.place("da") == {1: ["d"], 0: ["a"]}
    assert (shards.home("d"), shards.home("x"), "d" in shards, len(shards)) == (1, None, True, 2)


@pytest.mark.parametrize(("connections", "lines", "capacity"), [(1, 1, 3), (2, 2, 3), (3, 2, 3), (5, 2, 6), (2, 1, 3)])
def test_every_line_and_one_that_moves_over_have_a_connection(connections: int, lines: int, capacity: int) -> None:
    assert Shards(replace(LIMITS, connections=connections), lines=lines).capacity == capacity


def test_too_much_is_refused_whole() -> None:
    shards = Shards(LIMITS)
    shards.place("a")
    with pytest.raises(MisuseError, match="13 topics are wanted, 12 fit"):
        shards.place("bcdefghijklm")
    assert len(shards) == 1
    with pytest.raises(MisuseError, match="cannot carry 6 lines"):
        Shards(LIMITS, lines=6)


def test_what_is_let_go_frees_its_place_and_an_empty_connection_its_number() -> None:
    shards = Shards(LIMITS)
    shards.place("abcd")
    shards.remove(["b", "d", "x"])
    assert (shards.topics(0), shards.topics(1), len(shards)) == (["a", "c"], [], 1)
    assert shards.place("ef") == {0: ["e"], 1: ["f"]}


@given(st.lists(st.tuples(st.booleans(), st.sets(st.sampled_from("abcdefghijkl"), max_size=6)), max_size=20))
def test_each_topic_has_one_home_and_no_home_too_many(steps: list[tuple[bool, set[str]]]) -> None:
    shards, wanted = Shards(LIMITS), set()
    for add, topics in steps:
        if add:
            shards.place(sorted(topics))
            wanted |= topics
        else:
            shards.remove(sorted(topics))
            wanted -= topics
        held = [topic for shard in range(4) for topic in shards.topics(shard)]
        assert sorted(held) == sorted(wanted)
        assert all(len(shards.topics(shard)) <= 3 for shard in range(4))
        assert all(topic in shards.topics(shards.home(topic) or 0) for topic in wanted)
