"""The receiving half of a WebSocket: bytes to messages, pings, pongs and a close, in the order they came.

Plain frames (`wire.websocket`) are found by the core, all of a piece of the stream at once and without a copy of it.
Any other frame is cut out and given to wsproto, which knows the rules, but for a compressed message in one frame, which
is the usual one where compression was agreed: it is inflated here, for a fifth of the time. A frame whose end has not
come is kept, and only what is new of it is looked at: the cost stays linear, however many pieces it comes in.

Invariant: how the stream was cut changes batches, never what is in them. Nothing is read after a close or a mistake.
"""

import re
from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import Final, NamedTuple

from wsproto.frame_protocol import CloseReason, Frame, FrameDecoder, MessageDecoder, Opcode, ParseFailed

from netfeed.build import select
from netfeed.proto.websocket_deflate import Inflater
from netfeed.proto.websocket_extension import Bounds
from netfeed.proto.websocket_words import FRAGMENT_BYTES, SENDABLE, Code, Limits, Malformed, Messages
from netfeed.wire.websocket import COMPRESSED, PLACES, TEXT, Finder, Head, head, head_size, is_utf8, mask
from netfeed.wire.websocket import is_plain as is_whole

MAX_WHAT: Final = 100
NO_UTF8: Final = "a text is no UTF-8"
FLOOD: Final = "a flood of pings and pongs"
TOO_MANY: Final = "a message of too many fragments"


class Ping(NamedTuple):
    """A ping came."""

    payload: bytes


class Pong(NamedTuple):
    """A pong came."""

    payload: bytes


class Close(NamedTuple):
    """The peer closes."""

    code: int
    reason: str


Told = Messages | Ping | Pong | Close | Malformed


class Reader:
    """What one side receives, from the first byte after the handshake."""

    def __init__(self, limits: Limits, *, is_client: bool) -> None:
        self._max_bytes = min(limits.frame_bytes, limits.message_bytes)
        self._max_frame_bytes = limits.frame_bytes
        self._max_fragments, self._fragments = limits.fragments, 0
        self._finder: Finder = select("websocket", "netfeed.wire.websocket", "Finder")(not is_client, self._max_bytes)
        self._whole: Callable[[bytes, bool], Messages] = select("websocket", "netfeed.wire.websocket", "message")
        self._masked = not is_client
        self._bounds = Bounds(limits)
        self._frames = FrameDecoder(is_client, [self._bounds])  # type: ignore[list-item]
        self._messages = MessageDecoder()
        self._message = bytearray()
        self._is_fragmented = False
        self._held = bytearray()  # what has come of a frame that has not come to its end, and is not wsproto's yet
        self._left = 0  # what has not come of a frame that is wsproto's
        self._early = getincrementaldecoder("utf-8")()
        self._checked = 0
        self.is_over = False
        self.controls_left = limits.controls
        """Pings and pongs that may still come before somebody sets this anew."""
        self.frames = self.messages = self.plain = 0

    def inflate_with(self, inflater: Inflater) -> None:
        """Let messages be compressed."""
        self._bounds.inflater = inflater

    def stop(self) -> None:
        """Keep nothing any more."""
        self.is_over = True
        self._held, self._message, self._bounds.inflater = bytearray(), bytearray(), None

    @property
    def is_midway(self) -> bool:
        """Say whether something has begun that has not come to its end."""
        return bool(self._held or self._left or self._is_fragmented)

    def read_plain(self, data: bytes) -> Messages | None:
        """Take a piece that is plain frames from its first byte to its last, None (and take nothing) when it is not.

        Nothing may be midway: the short way for what is usual.
        """
        stop, batch = self._finder.find(data, 0)
        if batch is None or stop != len(data):
            return None
        self._count(len(batch))
        return batch

    def read(self, data: bytes) -> list[Told]:
        """Take a piece of the stream and give what came to its end in it."""
        told: list[Told] = []
        at = 0
        while at < len(data) and not self.is_over:
            if self._left:
                at = self._pass_on(data, at, told)
            elif self._held or self._is_fragmented:
                at = self._hold(data, at, told)
            else:
                at = self._search(data, at, told)
        return told

    def _search(self, data: bytes, at: int, told: list[Told]) -> int:
        before = self.plain
        stop = self._found(data, at, told)
        if stop == len(data) or self.plain - before == PLACES:
            return stop
        return self._hold(data, stop, told)

    def _found(self, data: bytes, at: int, told: list[Told]) -> int:
        stop, batch = self._finder.find(data, at)
        if batch is not None:
            told.append(batch)
            self._count(len(batch))
        return stop

    def _count(self, plain: int) -> None:
        self.frames += plain
        self.plain += plain
        self.messages += plain

    def _hold(self, data: bytes, at: int, told: list[Told]) -> int:
        """Go on with the frame that is held: until its head is there, then for a plain one until it is whole."""
        held = self._held
        while len(held) < (need := head_size(held[1]) if len(held) > 1 else 2):
            if at == len(data):
                return at
            piece = data[at : at + need - len(held)]
            held += piece
            at += len(piece)
        found = head(held)
        assert found is not None, "its size says that it is whole"
        is_plain = not self._is_fragmented and is_whole(found, masked=self._masked, max_bytes=self._max_bytes)
        if is_plain or self._is_deflated(found):
            piece = data[at : at + found.size + found.length - len(held)]
            held += piece
            at += len(piece)
            if self._completed(found, told) if is_plain else self._inflated(found, told):
                return at
        self._left = found.size + found.length - len(held)
        return self._begin(found, data, at, told)

    def _completed(self, found: Head, told: list[Told]) -> bool:
        """Say whether the plain frame that is held has been told, or goes on to be plain."""
        if len(self._held) < found.size + found.length:
            return not found.first & TEXT or self._is_text_so_far(found)
        self._checked = 0
        self._early.reset()
        if not self._found(bytes(self._held), 0, told):
            return False
        self._held.clear()
        return True

    def _is_deflated(self, found: Head) -> bool:
        """Say whether this is a compressed message in one frame: the usual one where compression was agreed."""
        plain = found._replace(first=found.first & ~COMPRESSED)
        return (
            self._bounds.inflater is not None
            and found.first & COMPRESSED != 0
            and not self._is_fragmented
            and is_whole(plain, masked=self._masked, max_bytes=self._max_frame_bytes)
        )

    def _inflated(self, found: Head, told: list[Told]) -> bool:
        """Tell the compressed message that is held when it has come to its end. It is dealt with in any case."""
        if len(self._held) < found.size + found.length:
            return True
        payload = bytes(self._held[found.size :])
        if found.is_masked:
            payload = mask(payload, bytes(self._held[found.size - 4 : found.size]))
        self._held.clear()
        self.frames += 1
        message = self._bounds.whole(payload)
        if isinstance(message, CloseReason):
            self._fail(self._bounds.wrong, int(message), told)
        elif found.first & TEXT and not is_utf8(message):
            self._fail(NO_UTF8, Code.INVALID_DATA, told)
        else:
            told.append(self._whole(message, bool(found.first & TEXT)))
            self.messages += 1
        return True

    def _is_text_so_far(self, found: Head) -> bool:
        """Judge what is new of a text that has not come to its end: a wrong one need not be waited for."""
        fresh = bytes(self._held[found.size + self._checked :])
        if found.is_masked:
            turn = self._checked % 4
            key = bytes(self._held[found.size - 4 : found.size])
            fresh = mask(fresh, key[turn:] + key[:turn])
        self._checked += len(fresh)
        try:
            self._early.decode(fresh)
        except UnicodeDecodeError:
            return False
        return True

    # --- the frames that are wsproto's

    def _begin(self, found: Head, data: bytes, at: int, told: list[Told]) -> int:
        """Give wsproto the head at once, so that a wrong one is not waited for; with the payload where it is there."""
        if len(data) - at < self._left or not self._left:
            self._give(told)
        return self._pass_on(data, at, told) if self._left and not self.is_over else at

    def _pass_on(self, data: bytes, at: int, told: list[Told]) -> int:
        """Give wsproto what has come; of a compressed frame all at once, so that no cut changes what is found wrong."""
        piece = data[at : at + self._left]
        self._left -= len(piece)
        self._held += piece
        if not self._left or not self._bounds.is_compressed:
            self._give(told)
        return at + len(piece)

    def _give(self, told: list[Told]) -> None:
        self._frames.receive_bytes(bytes(self._held))
        self._held.clear()
        try:
            frame = self._frames.process_buffer()
            if frame is not None:
                self._take(frame, told)
        except ParseFailed as error:
            self._fail(self._bounds.wrong or said(error), int(error.code), told)

    def _take(self, frame: Frame, told: list[Told]) -> None:
        self.frames += frame.frame_finished
        if not frame.opcode.iscontrol():
            self._add(self._messages.process_frame(frame), told)
            return
        payload = bytes(frame.payload)  # type: ignore[arg-type]
        self.controls_left -= frame.opcode is not Opcode.CLOSE
        if self.controls_left < 0:
            self._fail(FLOOD, Code.POLICY_VIOLATION, told)
        elif frame.opcode is Opcode.PING:
            told.append(Ping(payload))
        elif frame.opcode is Opcode.PONG:
            told.append(Pong(payload))
        else:
            told.append(closing(payload))
            self.is_over = True

    def _add(self, part: Frame, told: list[Told]) -> None:
        text = isinstance(part.payload, str)
        assert not isinstance(part.payload, tuple), "only closes have these, and they are no part of a message"
        self._message += part.payload.encode() if isinstance(part.payload, str) else part.payload
        self._is_fragmented = not part.message_finished
        self._fragments += part.frame_finished
        if part.message_finished:
            self._fragments = 0
            whole, self._message = bytes(self._message), bytearray()
            told.append(self._whole(whole, text))
            self.messages += 1
        elif self._fragments > self._max_fragments + len(self._message) // FRAGMENT_BYTES:
            self._fail(TOO_MANY, Code.POLICY_VIOLATION, told)

    def _fail(self, what: str, code: int, told: list[Told]) -> None:
        self.is_over = True
        told.append(Malformed(what, code))


def said(error: ParseFailed) -> str:
    """Say what wsproto found wrong, without the bytes that it quotes and where in a piece they lay."""
    if int(error.code) == Code.INVALID_DATA:
        return NO_UTF8
    return re.sub(r"Opcode\.|<|:.*?>", "", str(error))[:MAX_WHAT]


def closing(payload: bytes) -> Close | Malformed:
    """Read the payload of a close frame."""
    if not payload:
        return Close(Code.NO_STATUS, "")
    code = int.from_bytes(payload[:2])
    if len(payload) == 1 or code not in SENDABLE:
        return Malformed("a close with a code that nobody may send", Code.PROTOCOL_ERROR)
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError:
        return Malformed("the reason of a close is no UTF-8", Code.INVALID_DATA)
