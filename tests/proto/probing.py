"""Both sides of a round trip for the laws, and what their peers may say."""

from random import Random

from netfeed.proto.bucket import TokenBucket
from netfeed.proto.probe import Pinger, Ponger
from netfeed.proto.probe_stream import Streamed
from netfeed.proto.probe_websocket import Framed
from netfeed.proto.probe_words import Plan
from netfeed.proto.websocket import Limits
from netfeed.wire import probe
from netfeed.wire.probe import BACKGROUND
from netfeed.wire.websocket import encode
from tests.proto import websocket_peers

RUN = 77


def started(plan: Plan) -> Pinger:
    made = Pinger(plan, epoch_ns=10**18)
    made.start(0)
    return made


def pinger() -> Pinger:
    return started(Plan(RUN, interval_ns=200_000_000, background_ns=600_000_000, warmup_ns=900_000_000, max_flights=40))


def eager() -> Pinger:
    return started(Plan(RUN, interval_ns=None, window=4, count=40, max_flights=40))


def of_a_group() -> Pinger:
    return started(Plan(RUN, interval_ns=200_000_000, duration_ns=10**12, answers=None, max_flights=40))


def ponger() -> Ponger:
    return Ponger(5, 9, bucket=TokenBucket(rate=1000, burst=50), epoch_ns=10**18, max_queued=20_000)


def streamed_pinger() -> Streamed:
    return Streamed(pinger())


def streamed_ponger() -> Streamed:
    return Streamed(ponger())


def framed_pinger() -> Framed:
    return Framed(websocket_peers.client(compression=False, limits=SMALL), pinger())


def framed_ponger() -> Framed:
    return Framed(websocket_peers.server(limits=SMALL), ponger())


SMALL = Limits(frame_bytes=5000, message_bytes=5000)


def question(random: Random) -> bytes:
    return probe.encode_question(
        RUN, random.choice([random.randrange(60), BACKGROUND]), 5, random.choice([72, 100, 900])
    )


def answers(random: Random) -> bytes:
    """Give the answer of one of few to one of the first questions, seldom to none of ours."""
    run = RUN if random.random() < 0.9 else 78
    sequence = random.choice([random.randrange(60), random.randrange(4), BACKGROUND, 2**62])
    asked = probe.encode_question(run, sequence, 5, random.choice([72, 100]))
    return probe.encode_answer(asked, 9, random.choice([5, 5, 6, random.randrange(2**64)]), 1, 2, 3)


def questions(random: Random) -> bytes:
    return question(random) if random.random() < 0.9 else answers(random)


def framed_questions(random: Random) -> bytes:
    return encode(0x82, questions(random), websocket_peers.KEY)
