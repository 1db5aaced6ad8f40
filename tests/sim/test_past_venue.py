"""A venue that says again what it said: the same messages, in their pace, to each client from its own beginning."""

import json
from decimal import Decimal
from typing import Any

import pytest

from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.sim.past import Past
from netfeed.sim.past_venue import PastVenue
from netfeed.sim.venue_events import HungUp, Malformed
from netfeed.sim.venue_ports import STREAM
from netfeed.wire import recording
from tests.sim.jsonrpc_driver import MS, Reader, S
from tests.sim.recordings import NAMES, Recorded, usual

BOOK, TRADES = f"book.{NAMES[0]}.100ms", f"trades.{NAMES[0]}.100ms"
RECORDED = usual(3 * S)


def past(recorded: Recorded = RECORDED) -> Past:
    made = Past()
    for line in recorded.lines[1:]:
        record = recording.decode(line)
        if record.kind == recording.IN:
            made.add(record.ts_ns, record.payload)
    return made


class Listening:
    """Clients of the past, in virtual time."""

    def __init__(self, *, clients: int = 1, speed: float | None = 1.0) -> None:
        self.venue = PastVenue(past(), speed=speed)
        self.now = 5 * S
        self.events: list[Any] = []
        self.heard: dict[int, list[tuple[int, Any]]] = {STREAM + place: [] for place in range(clients)}
        for port in self.heard:
            assert self.venue.open(port, self.now)

    def take(self, events: Any) -> None:
        self.events += events
        for port, heard in self.heard.items():
            heard += [(self.now, json.loads(one, parse_float=Decimal)) for one in self.venue.transmit(port)]

    def ask(self, method: str, port: int = STREAM, **params: Any) -> Any:
        before = len(self.heard[port])
        request = json.dumps({"id": 3, "method": method, "params": params}).encode()
        self.take(self.venue.receive(request, self.now, port))
        answer = self.heard[port][before][1]
        assert answer["id"] == 3
        return answer["result"] if "result" in answer else answer["error"]

    def run(self, span_ns: int) -> "Listening":
        until = self.now + span_ns
        while (due := self.venue.deadline) <= until and due != NEVER:
            self.now = max(self.now, due)
            self.take(self.venue.wake(self.now))
        self.now = until
        return self

    def told(self, channel: str, port: int = STREAM) -> list[tuple[int, Any]]:
        found = [(at, one["params"]) for at, one in self.heard[port] if one.get("method") == "subscription"]
        return [(at, params["data"]) for at, params in found if params["channel"] == channel]


def frames(channel: str) -> list[Any]:
    told = [frame for frame in past().frames if frame.channel == channel]
    return [(frame.ts_ns, json.loads(frame.payload, parse_float=Decimal)["params"]["data"]) for frame in told]


@pytest.mark.parametrize("speed", [1.0, 2.0, 0.5])
def test_what_was_said_is_said_again_in_its_pace(speed: float) -> None:
    run = Listening(speed=speed)
    assert run.ask("public/subscribe", channels=[BOOK, "book.X.100ms"]) == [BOOK]
    began = run.now
    run.run(10 * S)
    expected = frames(BOOK)
    assert [data for _, data in run.told(BOOK)] == [data for _, data in expected]
    first = past().frames[0].ts_ns
    assert [at - began for at, _ in run.told(BOOK)] == [int((ts_ns - first) / speed) for ts_ns, _ in expected]
    assert run.venue.deadline == NEVER


def test_at_top_speed_all_of_it_comes_at_once() -> None:
    run = Listening(speed=None)
    run.ask("public/subscribe", channels=[BOOK])
    run.run(MS)
    assert len(run.told(BOOK)) == len(frames(BOOK))


def test_each_client_has_a_past_of_its_own() -> None:
    run = Listening(clients=2)
    run.ask("public/subscribe", channels=[BOOK])
    run.run(2 * S)
    run.ask("public/subscribe", STREAM + 1, channels=[BOOK, TRADES])
    run.run(5 * S)
    assert [data for _, data in run.told(BOOK)] == [data for _, data in run.told(BOOK, STREAM + 1)]
    assert run.told(TRADES) == []
    assert len(run.told(TRADES, STREAM + 1)) == len(frames(TRADES))


def test_who_joins_later_is_told_a_snapshot_of_what_came_before() -> None:
    run = Listening()
    run.ask("public/subscribe", channels=[TRADES])
    run.run(1500 * MS)
    run.ask("public/subscribe", channels=[BOOK])
    assert run.told(BOOK)[0][1]["type"] == "snapshot"
    run.run(5 * S)
    late, whole = Reader(), Reader()
    for _, data in run.told(BOOK):
        late.read(data)
    for _, data in frames(BOOK):
        whole.read(data)
    assert (late.breaks, late.change_id, late.digest()) == (0, whole.change_id, whole.digest())


def test_who_leaves_and_joins_again_is_told_another_snapshot() -> None:
    run = Listening()
    run.ask("public/subscribe", channels=[BOOK])
    run.run(S)
    assert run.ask("public/unsubscribe", channels=[BOOK, TRADES]) == [BOOK]
    run.run(S)
    before = len(run.told(BOOK))
    run.ask("public/subscribe", channels=[BOOK])
    assert run.told(BOOK)[before][1]["type"] == "snapshot"
    assert run.ask("public/subscribe", channels=[BOOK]) == [BOOK]
    assert len(run.told(BOOK)) == before + 1, "who listens already is told nothing more"


def test_its_clock_shows_the_past() -> None:
    run = Listening()
    first = past().frames[0].ts_ns // MS
    assert run.ask("public/get_time") == first
    run.ask("public/subscribe", channels=[BOOK])
    run.run(S)
    assert run.ask("public/get_time") == first + 1000


def test_the_instruments_are_those_that_were_recorded() -> None:
    run = Listening()
    assert [one["instrument_name"] for one in run.ask("public/get_instruments", currency="any")] == list(NAMES)
    assert run.ask("public/hello")["version"]
    assert run.ask("public/auth")["token_type"] == "bearer"
    assert run.ask("public/unsubscribe_all") == "ok"
    assert run.ask("public/buy")["code"] == -32601
    assert run.ask("public/subscribe", channels="x")["code"] == -32602
    assert run.ask("public/set_heartbeat", interval=1)["code"] == -32602


def test_heartbeats_are_those_of_a_living_venue() -> None:
    run = Listening()
    assert run.ask("public/set_heartbeat", interval=10) == "ok"
    run.run(10 * S)
    kinds = [one["params"]["type"] for _, one in run.heard[STREAM] if one.get("method") == "heartbeat"]
    assert kinds == ["heartbeat", "test_request"]
    run.ask("public/test")
    run.run(10 * S)
    assert run.events == []
    run.run(10 * S)
    assert [one.code for one in run.events if isinstance(one, HungUp)] == [1008]
    assert run.venue.receive(b"{}", run.now, STREAM) == [Malformed(STREAM, "nobody is connected there")]


def test_the_past_cannot_be_changed() -> None:
    run = Listening()
    with pytest.raises(MisuseError):
        run.venue.once("skip", [STREAM], run.now)
    run.venue.close(1012, [STREAM], run.now)
    assert run.run(1).events == [HungUp(STREAM, 1012, "as commanded")]


def test_a_past_without_a_channel_is_none() -> None:
    with pytest.raises(MisuseError):
        PastVenue(Past())
