"""Fuzz targets of the simulated JSON-RPC venue, of recordings, and of the list of instruments."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from netfeed.app.discovery import Discovery
from netfeed.app.listing import Listing
from netfeed.app.recorder import masked
from netfeed.app.recording_replay import RecordingReplay, report
from netfeed.app.venue_kinds import KINDS
from netfeed.errors import WireError
from netfeed.proto import http
from netfeed.sim.jsonrpc_venue import JsonRpcVenue, StreamSettings
from netfeed.sim.past import Past
from netfeed.sim.stream_venue import StreamVenue
from netfeed.sim.venue import Settings, starbase_venue
from netfeed.sim.venue_ports import STREAM
from netfeed.wire import recording
from tests.app.crypto_words import VENUES
from tests.feed.plain_talk import Plain
from tests.proto import websocket_peers
from tests.sim import pasts
from tests.sim.recordings import usual


def venue() -> JsonRpcVenue:
    made = JsonRpcVenue(
        starbase_venue(Settings(instruments=2, rate=50, truth=False)), StreamSettings(), random_bytes=bytes
    )  # fmt: skip
    made.wake(0)
    return made


def request(data: bytes) -> None:
    """Any message of a client: it is answered with one, and the next request is still heard."""
    one = venue()
    one.open(STREAM, 0)
    one.receive(data, 1, STREAM)
    assert json.loads(one.transmit(STREAM)[0])["jsonrpc"] == "2.0"
    one.receive(b'{"id":1,"method":"public/test"}', 2, STREAM)
    assert one.transmit(STREAM)


def connection(data: bytes) -> None:
    """Any bytes of a connection, in pieces of a size that the bytes say."""
    one = StreamVenue(venue())
    one.open(STREAM, 0)
    step = 1 + (data[0] if data else 0)
    for at in range(0, len(data), step):
        one.receive(data[at : at + step], at, STREAM)
        one.transmit(STREAM)
    one.end(len(data), STREAM)
    assert one.clients == {}


def line(data: bytes) -> None:
    """A line of a recording."""
    for read in (recording.decode, recording.decode_header):
        try:
            told = read(data)
            if isinstance(told, recording.Record):
                told.payload  # noqa: B018
        except WireError:
            pass


def replayed(data: bytes) -> None:
    """A whole recording: whatever is in it is a book or a finding."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "day.jsonl"
        path.write_bytes(recording.encode_header(0, [{"name": "x", "venue": "deribit", "instruments": ["*"]}]) + data)
        replay = RecordingReplay([str(path)])
        replay.run()
        json.dumps(report(replay, depth=5))


def past(data: bytes) -> None:
    """A message of which a venue's past is made; its snapshots are JSON."""
    made = Past()
    made.add(1, data)
    for channel in made.channels:
        found = made.snapshot(channel, 10)
        assert found is None or json.loads(found)


def streamed(data: bytes) -> None:
    """A message of which the past of any venue of topics is made, and what a client asks of it; answers are JSON."""
    for name in VENUES:
        one = pasts.venue(name, None, _PASTS[name])
        one.past.add(2**62, 1, data)
        one.open(STREAM, 0)
        one.receive(data, 0, STREAM)
        one.wake(1)
        for answer in one.transmit(STREAM):
            assert answer == b"pong" or json.loads(answer)


def mask(data: bytes) -> None:
    """A message whose secrets are taken out."""
    assert b"hush" not in masked(b'{"client_secret":"hush"}' + data)


def asked(data: bytes) -> None:
    """A request of ours, in the words of any venue."""
    for kind in KINDS.values():
        kind.asked(data)


def discovered(data: bytes) -> None:
    """What answers the question for instruments, whichever venue it is."""
    for kind in KINDS.values():
        one = Discovery(Plain(), b"?", kind.instruments, 0)
        one.receive(b"!", 0)
        one.receive(b"M" + len(data).to_bytes(4, "big") + data, 1)
        one.end(2)
        assert one.is_over


def listed(data: bytes) -> None:
    """A page of a list over HTTP, whichever venue's it is."""
    for kind in KINDS.values():
        one = Listing(http.Client("venue"), "/", kind.instruments, kind.more, 0)
        one.receive(b"HTTP/1.1 200 x\r\ncontent-length: %d\r\n\r\n" % len(data) + data, 1)
        one.end(2)
        assert one.is_over


TARGETS: dict[str, Callable[[bytes], None]] = {
    "request": request, "connection": connection, "line": line, "replayed": replayed, "past": past, "mask": mask,
    "streamed": streamed,
    "asked": asked, "discovered": discovered, "listed": listed,
}  # fmt: skip
_LINES = usual(300_000_000, instruments=2).lines
_SAID = [recording.decode(one).payload for one in _LINES[1:] if b'"<"' in one[:60]]
_ASKED = [recording.decode(one).payload for one in _LINES[1:] if b'">"' in one[:60]]
_BOOKS = [one for one in _SAID if b'"book.' in one]
_PASTS = {name: pasts.messages(words, 2, 1) for name, words in VENUES.items()}
_LISTING = [words for words in VENUES.values() if words.kind != "kraken"]
CORPUS: dict[str, list[bytes]] = {
    "request": _ASKED, "connection": [b"".join(websocket_peers.new_client().transmit())], "line": _LINES[:6],
    "replayed": [b"".join(_LINES[1:])], "past": [*_SAID[:4], *_BOOKS[:8]], "mask": [b'{"id":1}'], "asked": _ASKED,
    "discovered": _SAID[:1],
    "streamed": [pasts.request(name, True, *words.names[:2]) for name, words in VENUES.items()]
    + [one for said in _PASTS.values() for one in said],
    "listed": [json.dumps(words.listing({"category": "linear", "instType": "SPOT"})).encode() for words in _LISTING],
}  # fmt: skip
