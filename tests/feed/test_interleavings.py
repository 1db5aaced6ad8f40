"""Two lines that lose, delay, reorder, repeat and pack as they like: what is delivered and what is reported lost.

The oracle is one sentence. A number is delivered if and only if its first copy came before the recovery window was
over, which runs from the moment when any packet or heartbeat told that the number exists; everything else is in
exactly one GapLost. And it counts as recovered if and only if its copy came after the reorder window.
"""

from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.feed.channel import Channel
from netfeed.feed.events import GapClosed, GapLost, GapOpened, Messages
from netfeed.feed.framing import FRAMINGS
from netfeed.feed.ports import Port
from tests.feed.packets import BUILD
from tests.fuzz.targets_feed import followed
from tests.test_machine_laws import channel

REORDER, RECOVERY = 20, 200
COUNT = 60


class Arrival(NamedTuple):
    at: int
    port: int
    first: int
    count: int


def journey(random: Random, first: int, per_packet: bool) -> list[Arrival]:
    """Draw what arrives of COUNT messages: both lines lossy, the retransmissions lucky."""
    arrivals = []
    loss, late = random.choice([0.0, 0.1, 0.5]), random.choice([0, 15, 150, 400])
    for port in (Port.LINE_A, Port.LINE_B, Port.RETRANSMIT):
        at, number = 0, first
        while number < first + COUNT:
            count = 1 if per_packet else random.randint(1, 5)
            count = min(count, first + COUNT - number)
            at += random.randint(0, 30)
            for _ in range(random.choice([1, 1, 1, 2])):
                if random.random() >= (loss if port != Port.RETRANSMIT else 0.8):
                    arrivals.append(Arrival(at + random.randint(0, late), port, number, count))
            number += count
            if not per_packet and port != Port.RETRANSMIT and random.random() < 0.1:
                arrivals.append(Arrival(at, port, number, 0))
    return sorted(arrivals)


def drive(name: str, start: int, arrivals: list[Arrival]) -> tuple[list[object], list[Arrival]]:
    """Run the arrivals through a channel as a driver does; give its events and what it was shown."""
    channel = Channel(
        FRAMINGS[name], name="x", reorder_window_ns=REORDER, recovery_window_ns=RECOVERY, start=start, max_jump=10**6
    )
    events: list[object] = []
    shown = []
    for arrival in arrivals:
        while channel.deadline <= arrival.at:
            events += channel.wake(channel.deadline)
        high = max((a.first + a.count for a in shown), default=start)
        if arrival.port == Port.RETRANSMIT and (arrival.first > high or not shown):
            continue  # nobody asks for what nobody knows of
        shown.append(arrival)
        messages = [f"{arrival.first + index:08d}".encode() for index in range(arrival.count)]
        raw = arrival.first % 2**32 if name == "deribit" else arrival.first
        data = BUILD[name](raw, messages)
        events += channel.receive(data, arrival.at, arrival.port)
    while channel.deadline < 10**9:
        events += channel.wake(channel.deadline)
    assert channel.held_bytes == 0
    assert channel.in_order or not shown
    return events, shown


@pytest.mark.parametrize(
    ("name", "first"), [("moldudp64", 1), ("starbase", 1), ("cme", 1), ("iex", 1), ("deribit", 2**32 - 30)]
)
@given(seed=st.integers(0, 2**32))
def test_every_number_is_delivered_once_or_reported_lost_as_the_windows_say(name: str, first: int, seed: int) -> None:
    arrivals = journey(Random(seed), first, FRAMINGS[name].per_packet)
    events, shown = drive(name, first, arrivals)
    came: dict[int, int] = {}
    known: dict[int, int] = {}
    high = first
    for arrival in shown:
        for number in range(arrival.first, arrival.first + arrival.count):
            came.setdefault(number, arrival.at)
        while high < arrival.first + arrival.count:
            known[high] = arrival.at
            high += 1

    delivered: list[int] = []
    recovered, lost = set(), list[int]()
    for event in events:
        if isinstance(event, Messages):
            per_packet = FRAMINGS[name].per_packet
            numbers = [event.first_sequence + (0 if per_packet else i) for i in range(len(event.messages))]
            for number, message in zip(numbers, event.messages, strict=True):
                assert name not in ("moldudp64", "iex") or bytes(message) == f"{number:08d}".encode()
            assert not delivered or delivered[-1] < numbers[0]
            delivered += numbers
            if event.recovered_by:
                recovered |= set(numbers)
        elif isinstance(event, GapLost):
            lost += range(event.first, event.last + 1)
    in_time = {n for n in known if n in came and came[n] < known[n] + RECOVERY}
    assert set(delivered) == in_time
    assert sorted(delivered) == delivered
    assert sorted(lost) == sorted(set(known) - in_time)
    assert recovered == {n for n in in_time if came[n] >= known[n] + REORDER}
    opened = {n for e in events if isinstance(e, GapOpened) for n in range(e.first, e.last + 1)}
    closed = {n for e in events if isinstance(e, GapClosed) for n in range(e.first, e.last + 1)}
    assert opened == {n for n in known if n not in came or came[n] >= known[n] + REORDER}
    assert closed <= opened


@given(seed=st.integers(0, 2**32))
def test_whatever_the_order_all_that_came_in_time_comes_out_in_order(seed: int) -> None:
    """No loss on line A, any shuffle within the reorder window: as if there were no line B and no disorder."""
    random = Random(seed)
    arrivals = [Arrival(10 * n + random.randint(0, REORDER - 1), 0, n, 1) for n in range(1, 40)]
    arrivals += [Arrival(10 * n + random.randint(0, 500), 1, n, 1) for n in range(1, 40) if random.random() < 0.5]
    events, _ = drive("moldudp64", 1, sorted(arrivals))
    assert [event.first_sequence for event in events if isinstance(event, Messages)] == list(range(1, 40))
    assert len(events) == 39, "nothing but messages"


@pytest.mark.parametrize("name", FRAMINGS)
@given(seed=st.integers(0, 2**32))
def test_whatever_a_peer_sends_every_number_is_told_once_and_in_order(name: str, seed: int) -> None:
    law = channel(name)
    machine, now, at = law.make(), 0, None
    for pause, port, data in law.steps(Random(seed), 60):
        now += pause
        at = followed(list(machine.wake(now) if data is None else machine.receive(data, now, port)), at,
                      FRAMINGS[name].per_packet)  # fmt: skip
    at = followed(list(machine.wake(now + 10**12)), at, FRAMINGS[name].per_packet)
    assert isinstance(machine, Channel)
    assert at is None or at == machine.next_sequence
