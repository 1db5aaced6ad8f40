"""Evidence of a drill: captures of both ends, which stay when the verdict is not good, and only then."""

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from netfeed.app.drill import DrillError, play, watched
from netfeed.app.drill_evidence import Evidence
from netfeed.app.drill_scenarios import SCENARIOS
from netfeed.cli.drill import _line
from netfeed.host.namespace import permitted
from netfeed.transport.network import NetworkError
from netfeed.wire import pcapng
from netfeed.wire.frame import LinkType, locate
from tests.app.capture_source import FrameQueue, frame

SHORT = replace(SCENARIOS["loss-identical"], acts=((200, "A,B silent for 15ms"),), flow_ms=400)


def payloads(path: Path, port: int) -> dict[str, Counter[bytes]]:
    """Give the UDP payloads to a port, by the name of the interface."""
    data = path.read_bytes()
    decoder, at, found = pcapng.Decoder(), 0, {}
    while at < len(data):
        record, at = decoder.step(memoryview(data), at)
        if record is None:
            continue
        packet = locate(bytes(record.data), LinkType.ETHERNET)
        if packet.destination_port == port:
            payload = bytes(record.data[packet.payload_offset : packet.payload_offset + packet.payload_length])
            found.setdefault(decoder.interfaces[record.interface].name, Counter())[payload] += 1
    return found


def test_what_came_to_an_end_is_in_its_file(tmp_path: Path) -> None:
    ends = {"venue": [FrameQueue("feed", [frame(5, b"sent")])], "handler": [FrameQueue("line-a"), FrameQueue("line-b")]}
    ends["handler"][1].put([frame(7, b"came")])
    evidence = Evidence(ends, tmp_path)
    files = evidence.close()
    assert [path.name for path in files] == ["venue.pcapng", "handler.pcapng"]
    assert payloads(files[0], 26400) == {"feed": Counter([b"sent"])}
    assert payloads(files[1], 26400) == {"line-b": Counter([b"came"])}
    assert evidence.close() == files
    assert evidence.failures == []


def test_why_there_is_no_file_is_told_where_it_cannot_be_written(tmp_path: Path) -> None:
    evidence = Evidence({"venue": [FrameQueue("feed")]}, tmp_path / "nowhere")
    assert evidence.close() == []
    assert ["No such file or directory" in one for one in evidence.failures] == [True]


def test_why_a_file_ends_early_is_told(tmp_path: Path) -> None:
    source = FrameQueue("feed", [frame(5)])
    source.gone = "the interface was removed"
    evidence = Evidence({"venue": [source]}, tmp_path)
    evidence.close()
    assert evidence.failures == ["venue.pcapng failed: feed: the interface was removed"]


def test_a_drill_that_cannot_be_played_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise DrillError("the venue did not come up")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("netfeed.app.drill._Play.run", refuse)
    with pytest.raises(DrillError):
        play(SHORT, "starbase", rootless=True)
    assert list(tmp_path.iterdir()) == []


def test_where_nobody_may_capture_the_drill_is_played_and_says_so(tmp_path: Path) -> None:
    class Stage:
        def taps(self):
            raise NetworkError("cannot open a raw socket: needs CAP_NET_RAW", 1)

    notes = []
    with watched(Stage(), tmp_path, notes.append) as evidence:
        assert evidence is None
    assert notes == ["no captures as evidence: cannot open a raw socket: needs CAP_NET_RAW"]


@pytest.mark.root
@pytest.mark.skipif(not permitted(), reason="the kernel lets nobody make namespaces here")
def test_a_verdict_that_fails_leaves_what_was_on_the_wires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra drill)")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    outcome = play(replace(SHORT, must=frozenset({"reset"})), "starbase")
    assert outcome.why == ["the drill did not bite: no reset"]
    venue, handler = map(Path, outcome.evidence)
    assert outcome.as_json()["evidence"] == [str(venue), str(handler)]
    assert f"evidence: {venue}, {handler}" in _line(outcome.as_json())
    (sent,) = payloads(venue, 7001).values()
    came = payloads(handler, 7001)
    assert set(came) == {"line-a", "line-b"}
    for line in came.values():
        assert line
        assert not line - sent
    assert sum((sent - came["line-a"] - came["line-b"]).values()) >= 2 * outcome.report["recovered"]["retransmit"] > 0
    assert payloads(handler, 7003)["unicast"] == payloads(venue, 7003)["feed"]
