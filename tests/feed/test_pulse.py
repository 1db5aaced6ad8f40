"""When a connection must speak up, when its silence is told, and when it is given up."""

import pytest

from netfeed.feed.dialect import Liveness
from netfeed.feed.pulse import CLOCK_NS, PING_NS, Pulse

S = 1_000_000_000


@pytest.mark.parametrize(
    ("declared", "ping", "stale", "dead"),
    [
        (Liveness(heartbeat_ns=5 * S), CLOCK_NS, 10 * S, 20 * S),
        (Liveness(ping_ns=10 * S), 10 * S, 20 * S, 40 * S),
        (Liveness(heartbeat_ns=5 * S, ping_ns=3 * S), 3 * S, 6 * S, 12 * S),
        (Liveness(heartbeat_ns=30 * S, silent_ns=40 * S), CLOCK_NS, 40 * S, 40 * S),
        (Liveness(), PING_NS, 2 * PING_NS, 4 * PING_NS),
        (Liveness(silent_ns=7 * S), PING_NS, 7 * S, 7 * S),
    ],
)
def test_what_a_venue_declares_is_what_its_silence_is_judged_by(
    declared: Liveness, ping: int, stale: int, dead: int
) -> None:
    pulse = Pulse(declared, 0)
    assert pulse.ping_at == ping
    assert pulse.deadline == min(ping, stale, dead)
    assert [pulse.falls_silent(stale - 1), pulse.falls_silent(stale), pulse.falls_silent(stale)] == [False, True, False]
    assert [pulse.is_dead(dead - 1), pulse.is_dead(dead)] == [False, True]


def test_anything_heard_is_a_sign_of_life() -> None:
    pulse = Pulse(Liveness(heartbeat_ns=5 * S), 0)
    assert not pulse.hear(S)
    assert pulse.falls_silent(11 * S)
    assert pulse.hear(12 * S)
    assert pulse.deadline == 22 * S


def test_a_ping_is_due_again_after_the_same_time() -> None:
    pulse = Pulse(Liveness(ping_ns=5 * S), 0)
    pulse.asked(6 * S)
    assert pulse.ping_at == 11 * S
