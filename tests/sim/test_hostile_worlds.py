"""Somebody on the group says nonsense in the words of the venue: books are never LIVE and wrong, and come back."""

import struct
from random import Random

import pytest

from netfeed.feed.events import SequenceReset, SessionChanged
from netfeed.feed.ports import Port
from netfeed.sim.venue import Settings
from netfeed.sim.world import World
from netfeed.wire import moldudp64
from tests.sim.test_venue_worlds import LOSSES, MS, differences, stage

A, B = Port.LINE_A, Port.LINE_B
FAR = (10**6, 5 * 10**6, 10**12, 2**63 - 1)
SESSIONS = (b"NETFEED001", b"FORGED0001")


def moldudp64_nonsense(random: Random) -> bytes:
    """Make packets of this session and another, with numbers that are far away, ends, heartbeats, lengths that lie."""
    session, sequence = random.choice(SESSIONS), random.choice((0, 2**64 - 5, 2**64 - 1, *FAR))
    body = [random.choice((b"A", b"D", b"X")) + random.randbytes(random.randrange(40)) for _ in range(3)]
    return random.choice([
        lambda: random.randbytes(random.randrange(200)),
        lambda: moldudp64.encode(session, sequence, body),
        lambda: struct.pack(">10sQH", session, sequence, 0),
        lambda: struct.pack(">10sQH", session, sequence, 0xFFFF),
        lambda: struct.pack(">10sQH", session, sequence, random.randrange(1, 0xFFFF)) + random.randbytes(40),
    ])()  # fmt: skip


def starbase_nonsense(random: Random) -> bytes:
    """Make packets of every type and of several channels, with numbers that are far away and messages of noise."""
    kind, sequence = random.choice((0, 1, 2, 4, 5, 65535)), random.choice((0, -1, -(2**63), *FAR))
    messages = [
        struct.pack("<HHHHq", 56, random.choice((20, 21, 24, 100, 101, 119)), 1, 3, 0) + random.randbytes(40)
        for _ in range(random.randrange(3))
    ]
    count = len(messages) if random.random() < 0.8 else random.randrange(65536)
    header = struct.pack("<qqiHH", random.getrandbits(62), sequence, random.choice((3, 4, 99)), kind, count)
    return header + b"".join(messages)


def _data(protocol: str, sequence: int, now: int, random: Random) -> bytes:
    """Make a packet of noise that nobody can tell from the venue's by its header."""
    if protocol == "itch":
        return moldudp64.encode(SESSIONS[0], sequence, [b"A" + random.randbytes(35)])
    message = struct.pack("<HHHHq", 56, random.choice((20, 21, 24)), 1, 3, 0) + random.randbytes(40)
    return struct.pack("<qqiHH", now, sequence, Settings().channel_id, 1, 1) + message


def _resets(world: World) -> int:
    return sum(isinstance(event, SequenceReset | SessionChanged) for event in world._told)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("every", [20 * MS, 150 * MS])
@pytest.mark.parametrize("protocol", ["itch", "starbase"])
def test_single_packets_a_little_ahead_are_taken_back(protocol: str, every: int, seed: int) -> None:
    """None of their numbers is ever reached, so that nobody would be right again who went on believing one."""
    random = Random(seed)
    world, venue = stage(protocol, seed, loss=0.02 if every > 50 * MS else 0.0, transactions=600)
    due = world.now + 50 * MS

    def attack(now: int) -> None:
        nonlocal due
        if now >= due and not venue.idle and venue.transactions < 500:
            due = now + every
            ahead = random.randrange(4_000, 9_000)
            world._down[A].send(_data(protocol, venue.lines.next + ahead, now, random), now)
        world.handler.feed.take()

    world._watch = attack
    outcome = world.run()
    assert outcome.calm, f"seed {seed}: {world.handler.channel.statistics()}"
    assert differences(world, venue) == [], f"seed {seed}"
    assert world.handler.channel.statistics().lost_messages < 1_000, f"seed {seed}: a forged gap was given up"
    assert _resets(world) == 0, f"seed {seed}"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("protocol", ["itch", "starbase"])
def test_bursts_of_before_that_are_sent_again_move_nothing(protocol: str, seed: int) -> None:
    random = Random(seed)
    world, venue = stage(protocol, seed, loss=LOSSES[seed], transactions=600)
    heard: list[bytes] = []
    receive = world.handler.receive
    due = 0

    def listen(data: bytes, now: int, port: int = 0) -> object:
        if port == A:
            heard.append(bytes(data))
        return receive(data, now, port)

    def attack(now: int) -> None:
        nonlocal due
        if now >= due and not venue.idle and len(heard) > 40:
            due = now + 60 * MS
            first = random.randrange(len(heard) - 40)
            for data in heard[first : first + 40]:
                world._down[B].send(data, now)
        world.handler.feed.take()

    world.handler.receive = listen  # type: ignore[method-assign]
    world._watch = attack
    outcome = world.run()
    assert outcome.calm, f"seed {seed}: {world.handler.channel.statistics()}"
    assert differences(world, venue) == [], f"seed {seed}"
    assert _resets(world) == 0, f"seed {seed}"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("protocol", "nonsense"), [("itch", moldudp64_nonsense), ("starbase", starbase_nonsense)])
def test_nonsense_on_the_group_costs_nothing_that_does_not_come_back(
    protocol: str, nonsense: object, seed: int
) -> None:
    random = Random(seed)
    world, venue = stage(protocol, seed, loss=0.02, transactions=600)
    due = 0

    def attack(now: int) -> None:
        nonlocal due
        if now >= due and not venue.idle:
            due = now + 500_000
            world._down[random.choice((A, B))].send(nonsense(random), now)  # type: ignore[operator]
        world.handler.feed.take()

    world._watch = attack
    outcome = world.run()
    assert outcome.calm, f"seed {seed}: {world.handler.channel.statistics()}"
    assert differences(world, venue) == [], f"seed {seed}"
