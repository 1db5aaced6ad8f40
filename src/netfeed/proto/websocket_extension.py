"""What wsproto asks of an extension, answered with this side's bounds and its inflater.

wsproto's own permessage-deflate inflates without a bound, and forgets that a message is compressed when a ping comes
between its fragments; its names are kept here because wsproto calls them.

Source: RFC 7692 section 6.1 (RSV1 on the first frame alone), RFC 6455 section 5.4.
"""

import zlib
from typing import Any

from wsproto.frame_protocol import CloseReason, Opcode, RsvBits

from netfeed.proto.websocket_deflate import Inflater
from netfeed.proto.websocket_words import Limits

NONE = RsvBits(False, False, False)
FIRST = RsvBits(True, False, False)


class Bounds:
    """Stands between a frame decoder and what it gives; `wrong` says what it refused."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.inflater: Inflater | None = None
        self._is_control = False
        self.is_compressed = False
        self.wrong = ""
        self.size = 0
        """Of the message so far. Units: bytes, inflated."""

    def enabled(self) -> bool:
        """Say that this extension takes part."""
        return True

    def frame_inbound_header(self, proto: Any, opcode: Opcode, rsv: RsvBits, length: int) -> RsvBits | CloseReason:
        """Judge the head of a frame, and say which reserved bits it may carry."""
        self._is_control = opcode.iscontrol()
        if self._is_control:
            return NONE
        if opcode is not Opcode.CONTINUATION:
            self.is_compressed = rsv.rsv1 and self.inflater is not None
            self.size = 0
        if length > self._limits.frame_bytes:
            return self._refuse("a frame is too big", CloseReason.MESSAGE_TOO_BIG)
        if not self.is_compressed:
            self.size += length
        if self.size > self._limits.message_bytes:
            return self._refuse("a message is too big", CloseReason.MESSAGE_TOO_BIG)
        return FIRST if self.inflater is not None and opcode is not Opcode.CONTINUATION else NONE

    def whole(self, payload: bytes) -> bytes | CloseReason:
        """Inflate a message that came as one frame."""
        self.size = 0
        return self._inflate(payload, end=True)

    def frame_inbound_payload_data(self, proto: Any, data: bytes) -> bytes | CloseReason:
        """Inflate what is compressed."""
        if self._is_control or not self.is_compressed:
            return data
        return self._inflate(data, end=False)

    def frame_inbound_complete(self, proto: Any, fin: bool) -> bytes | CloseReason | None:
        """End what is compressed."""
        if self._is_control or not fin or not self.is_compressed:
            return None
        return self._inflate(b"", end=True)

    def _inflate(self, data: bytes, *, end: bool) -> bytes | CloseReason:
        assert self.inflater is not None
        room = self._limits.message_bytes - self.size
        try:
            out = self.inflater.end(room, data) if end else self.inflater.add(data, room)
        except zlib.error:
            return self._refuse("a message does not inflate", CloseReason.INVALID_FRAME_PAYLOAD_DATA)
        self.size += len(out)
        if len(out) > room:
            return self._refuse("a message is too big when it is inflated", CloseReason.MESSAGE_TOO_BIG)
        return out

    def _refuse(self, what: str, code: CloseReason) -> CloseReason:
        self.wrong = what
        return code
