"""What a venue said: copies and nonsense are passed over, and snapshots are put together."""

import json

from netfeed.sim.past import Past
from tests.sim.test_past_venue import past


def test_copies_of_a_second_line_are_said_once() -> None:
    made = past()
    twice = Past()
    for frame in made.frames:
        twice.add(frame.ts_ns, frame.payload)
        twice.add(frame.ts_ns + 1, frame.payload)
    assert [frame.payload for frame in twice.frames] == [frame.payload for frame in made.frames]


def test_nonsense_is_passed_over() -> None:
    made = Past()
    for message in (b"", b"{", b"[]", b'{"method":"subscription"}', b'{"result":[]}', b'{"result":[5]}'):
        made.add(1, message)
    assert made.passed_over == 6


def test_a_snapshot_is_made_of_what_is_a_books_message_alone() -> None:
    made = Past()
    for data in (
        '{"type":"snapshot","change_id":1,"bids":[["new",5.50,10]],"asks":[["new",6.0,1]]}', '{"type":"change"}', "[]",
        '{"type":"change","change_id":2,"bids":[["new",7,"x"]],"asks":[]}', '{"bids":[[1.0,2.0]],"asks":[]}',
        '{"type":"change","change_id":3,"prev_change_id":1,"bids":[["delete",5.50,0]],"asks":[["new",7,1e3]]}',
    ):  # fmt: skip
        made.add(1, b'{"method":"subscription","params":{"channel":"book.A.raw","data":%s}}' % data.encode())
    made.add(1, b'{"method":"subscription","params":{"channel":"book.A.none.1.100ms","data":{"bids":[[1.0,2.0]]}}}')
    found = made.snapshot("book.A.raw", len(made.frames))
    told = {"type": "snapshot", "change_id": 3, "bids": [], "asks": [["new", 6.0, 1], ["new", 7, 1e3]]}
    assert found is not None
    assert json.loads(found)["params"]["data"] == told
    assert made.snapshot("book.A.raw", 0) is None
    assert made.snapshot("book.A.none.1.100ms", len(made.frames)) is None
