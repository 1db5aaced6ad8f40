"""A line: what comes out of it, when, and how its faults are drawn."""

from itertools import pairwise

import pytest

from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.sim.faults import RATE, Chain, Faults, Window, spoil
from netfeed.sim.link import Link

COUNT = 4_000
PACKETS = [number.to_bytes(4) * 8 for number in range(COUNT)]


def carried(link: Link, step_ns: int = 1_000) -> list[bytes]:
    """Send the packets a microsecond apart, and give what arrives."""
    arrived = []
    for number, packet in enumerate(PACKETS):
        link.send(packet, number * step_ns)
        arrived += link.deliver(number * step_ns)
    while link.deadline != NEVER:
        arrived += link.deliver(link.deadline)
    return arrived


def test_a_good_line_delivers_everything_at_once_and_in_order() -> None:
    assert carried(Link()) == PACKETS


def test_a_packet_arrives_after_the_delay_and_not_before() -> None:
    link = Link(Faults(delay_ns=500))
    link.send(b"one", 100)
    assert (link.deadline, link.deliver(599), link.deliver(600), link.deadline) == (600, [], [b"one"], NEVER)


def test_jitter_overtakes_nothing() -> None:
    assert carried(Link(Faults(jitter_ns=50_000), seed=2)) == PACKETS


def test_chance_loses_about_as_many_as_it_says() -> None:
    arrived = carried(Link(Faults(loss=RATE // 10), seed=3))
    assert 0.88 * COUNT < len(arrived) < 0.92 * COUNT
    assert arrived == sorted(arrived)


def test_more_loss_loses_the_same_packets_and_more() -> None:
    few, many = (set(carried(Link(Faults(loss=loss), seed=4))) for loss in (RATE // 5, RATE // 20))
    assert few < many


def test_a_burst_loses_so_many_in_a_row() -> None:
    arrived = carried(Link(Faults(burst=RATE // 400, burst_packets=20), seed=5))
    numbers = [int.from_bytes(packet[:4]) for packet in arrived]
    holes = [after - before - 1 for before, after in pairwise(numbers) if after != before + 1]
    assert holes
    assert all(hole % 20 == 0 for hole in holes)


def test_the_loss_of_a_chain_comes_in_clusters() -> None:
    link = Link(Faults(chain=Chain(worsen=RATE // 100, mend=RATE // 10)), seed=6)
    numbers = [int.from_bytes(packet[:4]) for packet in carried(link)]
    holes = [after - before - 1 for before, after in pairwise(numbers) if after != before + 1]
    assert link.counts.lost == COUNT - len(numbers)
    assert sum(holes) / len(holes) > 4


def test_repeated_and_overtaken_packets_are_all_there() -> None:
    link = Link(Faults(duplicate=RATE // 5, reorder=RATE // 5, reorder_ns=4_000), seed=7)
    arrived = carried(link)
    assert set(arrived) == set(PACKETS)
    assert len(arrived) == COUNT + link.counts.duplicated
    assert arrived != sorted(arrived)
    assert 0.15 * COUNT < link.counts.reordered < 0.25 * COUNT


def test_damage_can_always_be_seen() -> None:
    for damage in range(0, RATE, 997):
        assert spoil(PACKETS[9], damage) != PACKETS[9]


def test_damaged_packets_are_counted() -> None:
    link = Link(Faults(corrupt=RATE // 10), seed=8)
    arrived = carried(link)
    assert len(arrived) == COUNT
    assert sum(packet not in set(PACKETS) for packet in arrived) == link.counts.corrupted > 0


def test_a_window_holds_from_its_beginning_up_to_its_end() -> None:
    link = Link(windows=[Window(10_000, 20_000, Faults(silent=True))])
    assert carried(link) == PACKETS[:10] + PACKETS[20:]
    assert link.counts.silenced == 10


def test_faults_can_be_changed_under_way() -> None:
    link = Link(seed=9)
    link.send(b"one", 0)
    link.change(Faults(loss=RATE))
    link.send(b"two", 1)
    link.change(Faults())
    link.silence(2, 3)
    link.send(b"three", 2)
    link.send(b"four", 3)
    assert link.deliver(3) == [b"one", b"four"]


def test_a_seed_is_a_line() -> None:
    faults = Faults(loss=RATE // 10, duplicate=RATE // 10, reorder=RATE // 10, corrupt=RATE // 10, jitter_ns=9_999)
    assert carried(Link(faults, seed=10)) == carried(Link(faults, seed=10))
    assert carried(Link(faults, seed=10)) != carried(Link(faults, seed=11))


def test_what_is_on_its_way_is_bounded() -> None:
    link = Link(Faults(delay_ns=10**9), max_held=100)
    for _ in range(10):
        link.send(bytes(30), 0)
    assert (link.overflowed, len(link.deliver(10**9))) == (7, 3)


@pytest.mark.parametrize("wrong", [{"loss": RATE + 1}, {"corrupt": -1}, {"delay_ns": -1}, {"chain": Chain(-1, 0)}])
def test_faults_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(MisuseError):
        Faults(**wrong)  # type: ignore[arg-type]
