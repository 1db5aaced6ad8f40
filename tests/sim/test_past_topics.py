"""What a venue of topics said: one connection of two, the places where a client can begin, and what is missing."""

from netfeed.sim.past_topics import PastTopics
from netfeed.sim.past_words import words
from tests.app.crypto_words import VENUES
from tests.sim import pasts


def test_of_two_connections_one_is_followed_until_it_is_over() -> None:
    said = pasts.messages(VENUES["okx"], 6, 1)
    past = PastTopics(words("okx", "SPOT", None).topic)
    for place, message in enumerate(said[:4]):
        past.add(place, 1, message)
        past.add(place, 2, message)
    past.over(1)
    for place, message in enumerate(said[3:], 4):
        past.add(place, 2, message)
    assert [one.payload for one in past.frames] == said
    past.add(9, 3, said[1])
    past.add(9, 2, b"no JSON")
    assert past.passed_over == 7


def test_a_client_begins_at_the_next_snapshot_else_at_the_last_one() -> None:
    said = pasts.messages(VENUES["okx"], 3, 1)
    past = pasts.past("okx", [said[1], *said, *said])
    topic = pasts.topic("okx", VENUES["okx"].names[0])
    assert [past.beginning(topic, index) for index in range(10)] == [1, 1, 5, 5, 5, 5, 5, 5, 5, 5]
    assert past.beginning("books:X") == 0
    assert pasts.past("okx", said[1:]).beginning(topic, 2) == 0


def test_who_gives_a_topic_up_leaves_it_to_the_other_connection() -> None:
    said = pasts.messages(VENUES["kraken"], 3, 2)
    past = PastTopics(words("kraken", "", 10).topic)
    past.add(0, 1, said[0])
    past.add(0, 1, said[1])
    past.over(1, [pasts.topic("kraken", VENUES["kraken"].names[0])])
    past.add(1, 2, said[2])
    past.add(1, 2, said[3])
    assert [one.payload for one in past.frames] == said[:3]


def test_what_coinbase_counted_and_nobody_recorded_is_a_hole_before_the_next_message() -> None:
    said = pasts.messages(VENUES["coinbase"], 8, 1)
    other = b'{"channel":"heartbeats","sequence_num":%d}'
    past = pasts.past("coinbase", [said[0], said[1], other % 3, said[4], said[5], said[8]])
    assert past.holes == {2: 1, 4: 2}
    assert past.passed_over == 1
    past.over(1)
    past.add(0, 2, said[0])
    assert len(past.holes) == 2
