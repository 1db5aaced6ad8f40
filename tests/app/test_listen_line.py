"""What lines say, and how they compare: bytes in, an account out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.app.listen_line import Line, Lines
from netfeed.app.listen_words import MAX_DOUBT, NAMES, Words
from netfeed.transport.resend import Resent, read_capture
from netfeed.wire import moldudp64, numbered

SOURCE = (bytes(16), 1)


class Quiet:
    """A socket that is only named."""

    def __init__(self, host: str) -> None:
        self.host, self.port = host, 5000


def lines(count: int = 2) -> Lines:
    return Lines([Line(at, Quiet(f"233.252.0.{at + 1}")) for at in range(count)])  # type: ignore[arg-type]


def hear(shared: Lines, at: int, payload: bytes, ts_ns: int) -> None:
    shared.hear(shared.lines[at], memoryview(payload), ts_ns, SOURCE)


def data(sequence: int, sent_ns: int = 0, **kind: Any) -> bytes:
    return numbered.encode(7, sequence, sent_ns, **kind)


def test_numbered_packets_tell_loss_latency_and_their_end() -> None:
    shared = lines(1)
    for sequence in (1, 2, 4):
        hear(shared, 0, data(sequence, sent_ns=1000), 1000 + sequence)
    hear(shared, 0, data(7, kind=numbered.Kind.END), 2000)
    (line,) = shared.lines
    assert line.words.name == "numbered"
    assert line.total("lost") == 3
    assert (line.one_way.count, line.one_way.min_ns, line.one_way.max_ns) == (3, 1, 4)


@pytest.mark.parametrize("sent_ns", [0, 2**63 - 1, -(2**63)])
def test_a_stamp_that_is_absurd_is_beyond_the_end_and_ends_nothing(sent_ns: int) -> None:
    shared = lines(1)
    for sequence, now in ((1, 10**18), (2, 2**62)):
        hear(shared, 0, data(sequence, sent_ns=sent_ns), now)
    (line,) = shared.lines
    assert (line.one_way.count, line.one_way.negative + line.one_way.over) == (2, 2)


def test_who_was_first_is_judged_by_the_stamps_not_by_who_was_read_first() -> None:
    shared = lines()
    a, b = shared.lines
    hear(shared, 0, data(1), 100)
    hear(shared, 1, data(1), 130)
    hear(shared, 0, data(2), 250)
    hear(shared, 1, data(2), 200)  # read later, but there before
    assert (a.first, b.first) == (1, 1)
    assert (b.behind.count, b.behind.max_ns) == (1, 30)
    assert (a.behind.count, a.behind.max_ns) == (1, 50)


def test_what_one_line_lost_and_the_other_brought_is_not_missed() -> None:
    shared = lines()
    for sequence in (1, 2, 3, 5):
        hear(shared, 0, data(sequence), sequence)
    for sequence in (1, 3, 5):
        hear(shared, 1, data(sequence), sequence)
    a, b = shared.lines
    assert (a.total("lost"), b.total("lost"), shared.missed_by_all()) == (1, 2, 1)


def test_a_line_that_lags_far_behind_is_no_new_count() -> None:
    shared = lines()
    for sequence in range(1, 201):
        hear(shared, 0, data(sequence), sequence)
    for sequence in range(1, 201):
        hear(shared, 1, data(sequence), 1000 + sequence)
    a, b = shared.lines
    assert (a.first, b.first, b.behind.count, shared.missed_by_all()) == (200, 0, 200, 0)


def test_a_count_that_begins_anew_on_both_lines_is_compared_anew() -> None:
    shared = lines()
    for sequence in (*range(1, 101), *range(1, 101)):
        hear(shared, 0, data(sequence), sequence)
        hear(shared, 1, data(sequence), sequence)
    a, b = shared.lines
    assert (a.total("restarts"), b.total("restarts")) == (1, 1)
    assert (a.total("lost"), b.total("lost"), shared.missed_by_all()) == (0, 0, 0)


def test_lines_that_say_different_things_are_told() -> None:
    shared = lines()
    for sequence in (1, 2):
        hear(shared, 0, moldudp64.encode(b"SESSION001", sequence, [b"S" + bytes(11)]), sequence)
        hear(shared, 1, moldudp64.encode(b"SESSION001", sequence, [b"S" + bytes(10) + b"x"]), sequence)
    assert [line.differs for line in shared.lines] == [0, 2]


@pytest.mark.parametrize("protocol", NAMES)
@given(data=st.binary(max_size=200), head=st.sampled_from([b"", b"NFNP\x01", b"SESSION001", b"\x01\x00\x04\x80"]))
def test_no_bytes_raise_and_the_account_stays_sound(protocol: str, data: bytes, head: bytes) -> None:
    shared = Lines([Line(0, Quiet("233.252.0.1"), protocol), Line(1, Quiet("233.252.0.2"))])  # type: ignore[arg-type]
    for at in (0, 1, 0):
        hear(shared, at, head + data, 1)
        shared.lines[at].words.check(memoryview(head + data))
    assert all(line.total("lost") >= 0 for line in shared.lines)
    assert shared.missed_by_all() >= 0


def test_a_new_session_is_a_stream_of_its_own_not_a_loss() -> None:
    shared = lines(1)
    for session in (b"SESSION001", b"SESSION002"):
        for sequence in (1, 2):
            payload = moldudp64.encode(session, sequence, [b"S" + bytes(11)])
            hear(shared, 0, payload, 1)
    (line,) = shared.lines
    assert line.words.name == "itch50"
    assert (len(line.streams), line.total("lost"), line.total("duplicates")) == (2, 0, 0)


def test_a_line_that_speaks_nothing_known_is_given_up() -> None:
    words = Words()
    for _ in range(MAX_DOUBT):
        assert words.place(memoryview(b"\x00\x01garbage")) is None
    assert words.unknown
    assert words.place(memoryview(numbered.encode(1, 1, 0))) is None


def test_heartbeats_alone_are_taken_for_what_they_most_likely_are() -> None:
    words = Words()
    assert words.place(memoryview(moldudp64.encode_heartbeat(b"SESSION001", 5))) is None
    words.settle()
    assert words.name == "itch50"


def test_a_packet_that_is_too_short_is_malformed() -> None:
    words = Words("starbase")
    assert words.place(memoryview(b"short")) is None
    assert words.malformed == 1


def test_a_shipped_capture_shows_what_its_lines_lost() -> None:
    shared = lines()
    for packet in read_capture("pcaps/itch-ab.pcap", Resent()):
        hear(shared, int(packet.destination[0].split(".")[-1]) - 1, bytes(packet.payload), packet.ts_ns)
    a, b = shared.lines
    assert a.words.name == b.words.name == "itch50"
    assert a.total("lost") == 0 == shared.missed_by_all()
    assert b.total("lost") > 0


def test_snapshots_are_counted_but_not_put_in_order() -> None:
    shared = Lines([])
    found: dict[tuple[str, int], Line] = {}
    for packet in read_capture("pcaps/starbase.pcap", Resent()):
        if packet.destination not in found:
            found[packet.destination] = Line(len(found), Quiet(packet.destination[0]))  # type: ignore[arg-type]
        line = found[packet.destination]
        shared.hear(line, memoryview(bytes(packet.payload)), packet.ts_ns, SOURCE)
    assert any(line.words.unordered for line in found.values())
    assert {line.words.name for line in found.values()} == {"starbase"}
    assert shared.missed_by_all() == 28 + 29  # 28 were sent again later, 29 never
