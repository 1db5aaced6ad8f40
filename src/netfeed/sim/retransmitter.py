"""How the retransmit servers of a simulated venue read requests and write answers, in the two protocols.

Source: MoldUDP64 1.00 (20 bytes ask for messages, the answer is an ordinary packet of what fits, or nothing); Starbase
market data (template 200 in a packet of its own; the answer bears INCREMENTAL and RETRANSMIT, a reject is template 202
in a packet without a type, under the sequence number of the request).
"""

from typing import Final, Protocol

from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.sim.gateway import Gateway, Reason
from netfeed.sim.outbox import Outbox
from netfeed.sim.publisher import Publisher, packed
from netfeed.sim.venue_events import Answered, Event, Malformed, Refused
from netfeed.wire import moldudp64, starbase
from netfeed.wire.starbase import RejectReason, TemplateId

_REASONS: Final = {
    Reason.TOO_LOW: RejectReason.SEQ_TOO_LOW,
    Reason.TOO_HIGH: RejectReason.SEQ_TOO_HIGH,
    Reason.RATE: RejectReason.RATE_LIMIT_EXCEEDED,
    Reason.OTHER: RejectReason.OTHER_ERROR,
}


class Retransmitter(Protocol):
    """A protocol's way to ask for messages."""

    def answer(self, data: Buffer, now: int, wall_ns: int, port: int, gateway: Gateway) -> list[Event]:
        """Take a request and queue its answer on the same port."""


class MoldRetransmitter:
    """Re-requests of MoldUDP64. A request for another session, or one that is not honoured, gets no answer."""

    def __init__(self, lines: Publisher, outbox: Outbox) -> None:
        self._lines, self._outbox = lines, outbox

    def answer(self, data: Buffer, now: int, wall_ns: int, port: int, gateway: Gateway) -> list[Event]:
        """Take a request and queue its answer on the same port."""
        try:
            request = moldudp64.decode_request(data)
        except WireError as error:
            return [Malformed(port, str(error))]
        first, count = request.sequence, request.count
        if request.session != self._lines.wire.session.encode():
            return [Refused(port, first, count, "another session")]
        judged = gateway.judge(first, count, self._lines.history, now)
        if isinstance(judged, Reason):
            return [Refused(port, first, count, judged.value)]
        _, part = next(packed(self._lines.wire, judged))
        self._outbox.put(port, self._lines.wire.packet(gateway.first_sent(first), part, wall_ns, again=True))
        return [Answered(port, first, len(part))]


class StarbaseRetransmitter:
    """The retransmit gateway of Starbase."""

    def __init__(self, lines: Publisher, outbox: Outbox, channel_id: int) -> None:
        self._lines, self._outbox, self._channel_id = lines, outbox, channel_id

    def answer(self, data: Buffer, now: int, wall_ns: int, port: int, gateway: Gateway) -> list[Event]:
        """Take a request and queue its answer on the same port."""
        try:
            packet = starbase.decode_packet(data)
            bodies = [starbase.decode(message) for message in packet.messages]
        except WireError as error:
            return [Malformed(port, str(error))]
        if [header.templateId for header, _ in bodies] != [TemplateId.RETRANSMIT_REQUEST]:
            return [Malformed(port, "not one RetransmitRequest")]
        first, count = bodies[0][1].beginSeqNum, bodies[0][1].messageCount
        judged = gateway.judge(first, count, self._lines.history, now)
        if isinstance(judged, Reason):
            self._reject(judged, packet.seqNum, wall_ns, port, gateway)
            return [Refused(port, first, count, judged.value)]
        sent = 0
        for _, (at, part) in zip(range(gateway.limits.packets), packed(self._lines.wire, judged), strict=False):
            again = self._lines.wire.packet(gateway.first_sent(first + at), part, wall_ns, again=True)
            self._outbox.put(port, again)
            sent += len(part)
        return [Answered(port, first, sent)]

    def _reject(self, reason: Reason, correlation: int, wall_ns: int, port: int, gateway: Gateway) -> None:
        delay_ns = gateway.limits.retry_delay_ns if reason in (Reason.RATE, Reason.OTHER) else 0
        reject = starbase.encode(
            TemplateId.RETRANSMIT_REJECT, flags=3, transact_time=wall_ns,
            retryDelayNanos=delay_ns, details=reason.value, reason=int(_REASONS[reason]),
        )  # fmt: skip
        packet = starbase.encode_packet(
            correlation, [reject], channel_id=self._channel_id, type=0, sending_time=wall_ns
        )
        self._outbox.put(port, packet)
