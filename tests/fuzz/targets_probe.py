"""Fuzz targets of round trips: a probe, both sides over datagrams and streams, and what the kernel says of itself."""

from collections.abc import Callable

from netfeed.errors import WireError
from netfeed.host.interruptions import read_switches, read_table, read_times
from netfeed.latency.round_trip import RoundTrips
from netfeed.proto.probe import Pinger
from netfeed.proto.probe_stream import Streamed
from netfeed.proto.probe_words import Answered, Plan
from netfeed.wire import probe
from netfeed.wire.capture import NO_TIME
from tests.proto import probing


def header(data: bytes) -> None:
    """A probe is as long as it says, and its answer as long as the question."""
    try:
        record = probe.decode(data)
    except WireError:
        return
    answer = probe.encode_answer(data, 1, 2, 3, 4, 5)
    assert len(answer) == len(data) == record.size
    assert probe.decode(answer).sequence == record.sequence


def answers(data: bytes) -> None:
    """Answers of anybody: only what was asked is told, whatever stamps it carries, and the account holds them all."""
    pinger = Pinger(Plan(probing.RUN, interval_ns=1_000_000, answers=None, max_flights=50))
    pinger.start(0)
    pinger.wake(40_000_000)
    trips = RoundTrips(absent=NO_TIME, interval_ns=1_000_000)
    step = max(72, len(data) // 7)
    for at in range(0, len(data), step):
        for event in pinger.receive(data[at : at + step], 40_000_000 + at):
            assert isinstance(event, Answered)
            trips.answered(event)
    for one in trips.answerers.values():
        one.ways(same_clock=False)
    assert trips.from_sent.count == pinger.statistics().answered


def questions(data: bytes) -> None:
    """Questions of anybody over a stream: what goes back is no longer than what came."""
    side = Streamed(probing.ponger())
    step = 1 + (data[0] if data else 0)
    for at in range(0, len(data), step):
        side.receive(data[at : at + step], at)
    assert sum(map(len, side.transmit())) <= len(data)
    side.end(len(data))
    assert side.receive(data, 0) == []


def counters(data: bytes) -> None:
    """Files of /proc, whatever a kernel may write into them."""
    text = data.decode("ascii", "replace")
    read_table(text)
    read_switches(text)
    read_times(text, 100)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "header": header,
    "answers": answers,
    "questions": questions,
    "counters": counters,
}

_QUESTIONS = [probe.encode_question(probing.RUN, sequence, 5, 72) for sequence in range(8)]
_ANSWERS = [probe.encode_answer(one, 9, 5, 1, 2, 3) for one in _QUESTIONS]
CORPUS: dict[str, list[bytes]] = {
    "header": [*_QUESTIONS[:2], probe.encode_question(probing.RUN, 1, 2, 300)],
    "answers": [b"".join(_ANSWERS), b"".join(_ANSWERS[:3] * 3)],
    "questions": [b"".join(_QUESTIONS), b"".join(probe.encode_question(7, 1, 2, 72 + 40 * at) for at in range(5))],
    "counters": [
        b"           CPU0       CPU2\n 24:          1          0  IO-APIC   5-edge\nLOC: 1 2 Local timer\n",
        b"cpu  3 0 0\ncpu0 1 2 3 4 5 6 7 330 0 0\nintr 5\nvoluntary_ctxt_switches:\t12\n",
    ],
}
