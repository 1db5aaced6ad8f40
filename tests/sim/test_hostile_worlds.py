"""Somebody on the group says nonsense in the words of the venue: books are never LIVE and wrong, and come back."""

import struct
from random import Random

import pytest

from netfeed.feed.ports import Port
from netfeed.wire import moldudp64
from tests.sim.test_venue_worlds import differences, stage

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
