"""An endpoint that echoes, as the suite asks for one, and the peer that judges what it sends with wsproto."""

from collections.abc import Callable, Iterable
from typing import Any

from wsproto.frame_protocol import FrameProtocol, Opcode

from netfeed.proto.websocket import Client, Closed, Limits, Messages, Server
from netfeed.wire.websocket import encode
from tests.conformance.cases import Frame, Got
from tests.proto.websocket_peers import KEY, client, server

SIDES: dict[str, Callable[..., Client | Server]] = {"client": client, "server": server}
NAMES = {Opcode.TEXT: "text", Opcode.BINARY: "binary", Opcode.PONG: "pong", Opcode.PING: "ping"}


class Endpoint:
    """One side that echoes every message that it is told while it may, and what the peer got of it."""

    def __init__(self, side: str, **options: Any) -> None:
        self.side = SIDES[side](limits=Limits(), **options)
        self.side.transmit()
        self.key = KEY if side == "server" else None
        self.peer = FrameProtocol(side == "server", [])
        self.closed: Closed | None = None
        self.code: int | None = None
        self.got: list[Got] = []
        self._message = b""

    def wire(self, frames: Iterable[Frame]) -> list[bytes]:
        """Write frames as the peer of this side must."""
        return [encode(frame.first, frame.payload, self.key) for frame in frames]

    def take(self, piece: bytes) -> None:
        """Receive one piece of the stream, echo, and let the peer have what comes of it."""
        for event in self.side.receive(piece, 1):
            if isinstance(event, Messages) and self.side.is_open:
                for at in range(len(event)):
                    self.side.send_text(bytes(event[at])) if event.is_text[at] else self.side.send_binary(event[at])
            elif isinstance(event, Closed):
                self.closed = event
        for data in self.side.transmit():
            self.judge(data)

    def judge(self, data: bytes) -> None:
        self.peer.receive_bytes(data)
        for frame in self.peer.received_frames():
            if frame.opcode is Opcode.CLOSE:
                assert isinstance(frame.payload, tuple)
                self.code = int(frame.payload[0])
                continue
            payload = frame.payload
            assert not isinstance(payload, tuple)
            self._message += payload.encode() if isinstance(payload, str) else payload
            if frame.message_finished:
                self.got.append(Got(NAMES[frame.opcode], self._message))
                self._message = b""


def chopped(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]
