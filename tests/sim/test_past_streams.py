"""A venue of topics that says again what it said, in its own words and pace, to each client from its own beginning."""

import json
from typing import Any

import pytest

from netfeed.errors import MisuseError
from netfeed.feed.dialect import Acknowledged, Beat, Refused
from netfeed.machine import NEVER
from netfeed.sim.past_words import words
from netfeed.sim.venue_events import HungUp, Malformed
from netfeed.sim.venue_ports import STREAM
from netfeed.venues import binance, bybit, coinbase, kraken, okx
from tests.app.crypto_words import VENUES
from tests.sim import pasts
from tests.sim.pasts import MS, STEP_NS, S, request, topic

each = pytest.mark.parametrize("name", sorted(VENUES))
DIALECTS: dict[str, Any] = {
    "kraken": kraken.Dialect(10), "binance": binance.Dialect(), "usdm": binance.Dialect(binance.USDM),
    "okx": okx.Dialect(), "bybit": bybit.Dialect(),
    "coinbase": coinbase.Dialect(frozenset(VENUES["coinbase"].names)),
}  # fmt: skip


class Listening:
    """Clients of the past, in virtual time."""

    def __init__(self, name: str, speed: float | None = 1.0, said: list[bytes] | None = None) -> None:
        self.name, self.venue = name, pasts.venue(name, speed, said)
        self.names = VENUES[name].names
        self.now = 5 * S
        self.events: list[Any] = []
        self.heard: list[tuple[int, bytes]] = []
        assert self.venue.open(STREAM, self.now)

    def say(self, data: bytes) -> list[bytes]:
        """Say something, and give what is answered at once."""
        before = len(self.heard)
        self.take(self.venue.receive(data, self.now, STREAM))
        return [one for _, one in self.heard[before:]]

    def ask(self, on: bool, *names: str) -> list[Any]:
        """Ask for books, or give them up, and give what our own dialect reads in the answers."""
        answers = self.say(request(self.name, on, *names))
        return [one for answer in answers for one in DIALECTS[self.name].read(answer) if not isinstance(one, Beat)]

    def take(self, events: Any) -> None:
        self.events += events
        self.heard += [(self.now, one) for one in self.venue.transmit(STREAM)]

    def run(self, span_ns: int) -> "Listening":
        until = self.now + span_ns
        while (due := self.venue.deadline) <= until and due != NEVER:
            self.now = max(self.now, due)
            self.take(self.venue.wake(self.now))
        self.now = until
        return self

    def told(self, *names: str) -> list[tuple[int, Any]]:
        """Give what was heard of books; counts of the connection are not the recording's."""
        wanted, found = {topic(self.name, one) for one in names}, []
        for at, message in self.heard:
            if is_of(self.name, message) in wanted:
                found.append((at, plain(message)))
        return found


def is_of(name: str, message: bytes) -> str | None:
    spoken = words(VENUES[name].kind, VENUES[name].category, pasts.depth(name))
    root = json.loads(message)
    found = spoken.topic(root) if isinstance(root, dict) else None
    return found[0] if found else None


def plain(message: bytes) -> Any:
    root = json.loads(message, parse_float=str)
    root.pop("sequence_num", None)
    return root


def recorded(name: str, *instruments: str) -> list[tuple[int, Any]]:
    wanted = {topic(name, one) for one in instruments}
    return [(one.ts_ns, plain(one.payload)) for one in pasts.past(name).frames if one.channel in wanted]


@each
@pytest.mark.parametrize("speed", [1.0, 0.5, 4.0])
def test_what_was_said_is_said_again_in_its_pace(name: str, speed: float) -> None:
    run = Listening(name, speed)
    first, second = run.names[:2]
    acknowledged = run.ask(True, first, second)
    assert all(isinstance(one, Acknowledged) for one in acknowledged)
    assert any(one.on for one in acknowledged)
    began = run.now
    run.run(3 * S)
    expected = recorded(name, first, second)
    assert [data for _, data in run.told(first, second)] == [data for _, data in expected]
    assert [at - began for at, _ in run.told(first, second)] == [
        int((ts_ns - expected[0][0]) / speed) for ts_ns, _ in expected
    ]


@each
def test_a_topic_begins_at_its_snapshot_whenever_it_is_asked_for(name: str) -> None:
    run = Listening(name)
    first, second = run.names[:2]
    run.ask(True, first)
    run.run(100 * MS)
    run.ask(True, second)
    began = run.now
    run.run(S)
    assert [data for _, data in run.told(second)] == [data for _, data in recorded(name, second)]
    assert run.told(second)[0][0] == began
    assert [data for _, data in run.told(first)] == [data for _, data in recorded(name, first)]


@each
def test_who_gives_up_a_topic_hears_no_more_of_it(name: str) -> None:
    run = Listening(name)
    first, second = run.names[:2]
    run.ask(True, first, second)
    run.run(50 * MS)
    heard = len(run.told(first))
    assert heard < len(recorded(name, first))
    assert all(isinstance(one, Acknowledged) for one in run.ask(False, first))
    run.run(S)
    assert len(run.told(first)) == heard
    assert len(run.told(second)) == len(recorded(name, second))


@each
def test_at_top_speed_all_of_it_comes_at_once(name: str) -> None:
    run = Listening(name, None)
    run.ask(True, run.names[0])
    run.run(MS)
    assert len(run.told(run.names[0])) == len(recorded(name, run.names[0]))
    assert run.venue.over == 1


@each
def test_what_nobody_recorded_is_refused_in_the_venues_words(name: str) -> None:
    run = Listening(name)
    told = run.ask(True, "NONE-USD")
    refused = [one for one in told if isinstance(one, Refused)]
    if VENUES[name].kind == "binance":  # takes any stream
        assert told == [Acknowledged(4, None)]
    elif name == "coinbase":  # lists what is carried, and the topic is not among it
        assert all(one.on is False for one in told)
    else:
        assert refused[0].final
        assert len(refused) == len(told)
    run.run(S)
    assert run.told("NONE-USD") == []


def test_a_request_of_bybit_with_one_odd_topic_is_refused_as_a_whole() -> None:
    run = Listening("bybit")
    run.ask(True, run.names[0])
    answer = json.loads(run.say(request("bybit", True, run.names[1], run.names[0]))[0])
    assert (answer["success"], answer["ret_msg"]) == (
        False,
        f"error:already subscribed,topic:orderbook.50.{run.names[0]}",
    )
    run.run(S)
    assert run.told(run.names[1]) == []


@pytest.mark.parametrize(("name", "ping", "pong"), [
    ("okx", b"ping", b"pong"),
    ("bybit", b'{"op":"ping","req_id":"9"}', {"op": "pong", "ret_msg": "pong", "req_id": "9"}),
    ("kraken", b'{"method":"ping","req_id":9}', {"method": "pong", "req_id": 9}),
    ("binance", b'{"method":"LIST_SUBSCRIPTIONS","id":9}', {"result": [], "id": 9}),
])  # fmt: skip
def test_a_clients_heartbeat_is_answered(name: str, ping: bytes, pong: Any) -> None:
    run = Listening(name)
    (answer,) = run.say(ping)
    if isinstance(pong, dict):
        told = json.loads(answer)
        wanted = pong | ({"op": "ping"} if name == "bybit" else {})  # spot and linear repeat what was asked
        assert {key: told[key] for key in pong} == wanted
    else:
        assert answer == pong
    assert all(isinstance(one, Beat) for one in DIALECTS[name].read(answer))


@pytest.mark.parametrize("name", ["kraken", "coinbase"])
def test_a_venue_with_heartbeats_has_them(name: str) -> None:
    run = Listening(name)
    run.ask(True, run.names[0])
    if name == "coinbase":
        run.say(b'{"type":"subscribe","channel":"heartbeats"}')
    run.run(10 * S)
    beats = [one for _, one in run.heard if json.loads(one).get("channel") in ("heartbeat", "heartbeats")]
    assert len(beats) == 10
    assert all(list(DIALECTS[name].read(one)) == [Beat()] for one in beats)


def test_coinbase_counts_the_messages_of_the_connection_that_hears_them() -> None:
    run = Listening("coinbase")
    run.ask(True, run.names[1])
    run.run(50 * MS)
    run.say(b'{"type":"subscribe","channel":"heartbeats"}')
    run.run(5 * S)
    assert [json.loads(one)["sequence_num"] for _, one in run.heard] == list(range(len(run.heard)))


def test_krakens_list_of_pairs_is_the_recorded_one() -> None:
    said = pasts.messages(VENUES["kraken"])
    listing = json.dumps(VENUES["kraken"].pairs()).encode()  # type: ignore[attr-defined]
    run = Listening("kraken", said=[listing, *said])
    run.say(kraken.instruments_request(1))
    run.run(MS)
    assert run.heard[-1][1] == listing


def test_who_asks_again_goes_on_with_the_next_snapshot() -> None:
    said = pasts.messages(VENUES["okx"], 10, 1)
    run = Listening("okx", said=[*said, *said])
    run.ask(True, run.names[0])
    run.run(3 * STEP_NS)
    run.ask(False, run.names[0])
    before = len(run.told(run.names[0]))
    run.ask(True, run.names[0])
    run.run(S)
    assert [data for _, data in run.told(run.names[0])[before:]] == [plain(one) for one in said]


@each
def test_what_nobody_understands_is_refused(name: str) -> None:
    run = Listening(name)
    for data in (b"", b"{}", b"[]", b"\xff", b'{"op":"subscribe","args":[{}]}', b'{"method":"subscribe","params":[5]}'):
        assert len(run.say(data)) == 1, data
    assert run.venue.receive(b"{}", run.now, STREAM + 1) == [Malformed(STREAM + 1, "nobody is connected there")]


def test_the_past_cannot_be_changed() -> None:
    run = Listening("okx")
    with pytest.raises(MisuseError):
        run.venue.once("skip", [STREAM], run.now)
    run.venue.close(1012, [STREAM], run.now)
    assert run.run(1).events == [HungUp(STREAM, 1012, "as commanded")]
    with pytest.raises(MisuseError, match="nothing was recorded"):
        pasts.venue("okx", said=[])
