"""The connections of a capture: bounded, each closed into its account once."""

from netfeed.latency.tcp_table import Connections
from netfeed.wire.segment import ACK, SYN, Segment

CLIENT, SERVER = bytes(16), bytes(15) + b"\x01"


def data(port: int, size: int = 10, *, flags: int = ACK, back: bool = False) -> Segment:
    ends = (SERVER, 8001, CLIENT, port) if back else (CLIENT, port, SERVER, 8001)
    return Segment(*ends, 1, 1, flags, 100, None, size, memoryview(bytes(size)))


def test_the_connection_that_was_silent_longest_makes_room() -> None:
    table = Connections(most=2)
    first, _ = table.take(data(1), 0)
    table.take(data(2), 1)
    table.take(data(1), 2)
    table.take(data(3), 3)  # 2 was silent longest
    assert table.take(data(1), 4)[0] is first
    assert table.take(data(2), 5)[0] is not first
    table.finish()
    assert table.count == table.partial == len(table.done) == 4
    assert table.total[0].segments == 6


def test_the_accounts_of_the_greatest_are_kept_and_all_are_in_the_sums() -> None:
    table = Connections(most=1, keep=3)
    for port in range(1, 21):
        table.take(data(port, size=port), port)
    table.finish()
    assert [one.ends[0][1] for one in table.done] == [20, 19, 18]
    assert table.total[0].data_bytes == sum(range(1, 21))


def test_who_answers_a_syn_is_the_server_though_it_is_seen_first() -> None:
    table = Connections()
    connection, side = table.take(data(5, 0, flags=SYN | ACK, back=True), 0)
    assert (connection.ends[0], side) == ((CLIENT, 5), 1)
