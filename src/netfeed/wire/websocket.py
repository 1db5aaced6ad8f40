"""WebSocket frames as bytes: heads read, frames written, and every plain frame of a piece of a stream found at once.

Source: RFC 6455 section 5 (framing), RFC 3629 (UTF-8). A *plain* frame is a whole message by itself: final, text or
binary, no reserved bit, masked as it must be, its length in the shortest form and within the bound, its text UTF-8.
`Finder` stops at anything else, and at a frame that is not there to its end; what stopped it is for `proto.websocket`.

`Messages`, `Finder` and `encode` are the plain twins that define `netfeed._core.websocket`; that both mean what wsproto
means is tested beside them. Leaves out: control frames, fragments, compression, which need a memory.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
FINAL: Final = 0x80
COMPRESSED: Final = 0x40
"""RSV1, which permessage-deflate (RFC 7692) gives this meaning."""
MASKED: Final = 0x80
PLACES: Final = 2048
"""How many frames one call finds at most. A call takes no more memory for them than this, whatever a peer sends."""


@dataclass(frozen=True, slots=True, repr=False)
class Messages:
    """Whole messages that came one after the other, as one buffer and the place of each in it.

    `data` holds the payloads, and between them whatever lay there. `places` is a C-contiguous int64 buffer, for numpy
    and the core alike. `is_text` has a byte for each message, 1 for text (which is UTF-8, checked), 0 for binary.
    All three stay as they are as long as somebody holds them; none is shared with what the machine does next.

    Shape: places (n, 2), n > 0: start and length of each payload. Units: bytes.
    """

    data: memoryview
    places: memoryview
    is_text: bytes

    def __len__(self) -> int:
        return len(self.is_text)

    def __getitem__(self, index: int) -> memoryview:
        start = self.places[index, 0]
        return self.data[start : start + self.places[index, 1]]

    def __repr__(self) -> str:
        return f"Messages({len(self)} in {len(self.data)} bytes)"

    def text(self, index: int) -> str:
        """Give a message as text. A binary one that is no UTF-8 raises UnicodeDecodeError."""
        return str(self[index], "utf-8")


def messages(data: bytes, places: bytes, is_text: bytes) -> Messages:
    """Make a batch of one message or more: `places` is two int64 for each, `is_text` a byte.

    Raises: ValueError when the three do not fit each other.
    """
    spans = memoryview(places).cast("q")
    if not is_text or len(spans) != 2 * len(is_text):
        raise ValueError("places must be two int64 for each message, and there must be one")
    if any(not 0 <= start <= start + size <= len(data) for start, size in zip(spans[::2], spans[1::2], strict=True)):
        raise ValueError("a place lies outside of the data")
    return Messages(memoryview(data), memoryview(places).cast("q", (len(is_text), 2)), is_text)


def message(payload: bytes, is_text: bool) -> Messages:
    """Make a batch of one message that is all of its buffer."""
    return messages(payload, bytes(8) + len(payload).to_bytes(8, "little"), bytes((is_text,)))


class Head(NamedTuple):
    """The head of a frame. `size` is its own, `length` the payload's. Units: bytes."""

    first: int
    is_masked: bool
    size: int
    length: int
    is_shortest: bool


def head_size(second: int) -> int:
    """Give the size of a head by its second byte. Units: bytes."""
    return 2 + {126: 2, 127: 8}.get(second & 0x7F, 0) + (4 if second & MASKED else 0)


def head(data: bytes | bytearray, at: int = 0) -> Head | None:
    """Read the head of the frame that begins at `at`, None when it is not whole."""
    if len(data) - at < 2:
        return None
    second = data[at + 1]
    size = head_size(second)
    if len(data) - at < size:
        return None
    length = second & 0x7F
    least = 0
    if length == 126:
        length, least = int.from_bytes(data[at + 2 : at + 4]), 126
    elif length == 127:
        length, least = int.from_bytes(data[at + 2 : at + 10]), 0x10000
    return Head(data[at], second >= MASKED, size, length, length >= least)


def is_plain(found: Head, *, masked: bool, max_bytes: int) -> bool:
    """Say whether a frame with this head is plain, as far as a head tells."""
    return (
        found.first in (FINAL | TEXT, FINAL | BINARY)
        and found.is_masked is masked
        and found.is_shortest
        and found.length <= max_bytes
    )


def mask(payload: bytes, key: bytes) -> bytes:
    """Mask a payload with a key of four bytes, or take the mask off again."""
    size = len(payload)
    stretched = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(stretched, "little")).to_bytes(size, "little")


def encode(first: int, payload: bytes, key: bytes | None = None) -> bytes:
    """Write a frame: `first` is its first byte, `key` the mask of a client's frame."""
    size, bit = len(payload), 0 if key is None else MASKED
    if size < 126:
        start = bytes((first, bit | size))
    elif size < 0x10000:
        start = bytes((first, bit | 126)) + size.to_bytes(2)
    else:
        start = bytes((first, bit | 127)) + size.to_bytes(8)
    return start + payload if key is None else start + key + mask(payload, key)


def is_utf8(payload: bytes) -> bool:
    """Say whether these bytes are UTF-8."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


class Finder:
    """Find the plain frames of one direction of a connection: masked ones at a server, others at a client."""

    def __init__(self, masked: bool, max_bytes: int) -> None:
        self._masked, self._max_bytes = masked, max_bytes

    def find(self, data: bytes, start: int) -> tuple[int, Messages | None]:
        """Find plain frames from `start` on; give where it stopped, and the messages, None where there is none.

        Payloads that were masked are laid back to back in a new buffer; otherwise `data` itself is theirs.
        """
        payloads, places, is_text = bytearray(), bytearray(), bytearray()
        while len(is_text) < PLACES:
            found = head(data, start)
            if found is None or not is_plain(found, masked=self._masked, max_bytes=self._max_bytes):
                break
            at, stop = start + found.size, start + found.size + found.length
            if stop > len(data):
                break
            payload = data[at:stop]
            if self._masked:
                payload, at = mask(payload, data[at - 4 : at]), len(payloads)
            if found.first & TEXT and not is_utf8(payload):
                break
            if self._masked:
                payloads += payload
            places += at.to_bytes(8, "little") + found.length.to_bytes(8, "little")
            is_text.append(found.first & TEXT)
            start = stop
        if not is_text:
            return start, None
        return start, messages(bytes(payloads) if self._masked else data, bytes(places), bytes(is_text))
