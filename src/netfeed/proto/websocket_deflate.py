"""permessage-deflate: what two sides agree to, and payloads deflated and inflated, the latter never beyond a bound.

Source: RFC 7692 (section 7.1 the parameters, 7.2 the payloads). This side offers what it can do, takes any agreement
that the RFC lets a server answer, and as a server takes the first offer that it understands. A window of 8 bits is
agreed to and then nothing is compressed in that direction: zlib cannot.

Leaves out: a preset for the level of compression; other extensions.
"""

import re
import zlib
from dataclasses import dataclass
from typing import Final

NAME: Final = "permessage-deflate"
OFFER: Final = b"permessage-deflate; client_max_window_bits"
TAIL: Final = b"\x00\x00\xff\xff"
"""What ends a flushed payload; the sender cuts it off, the receiver puts it back."""
WINDOW: Final = 2**15
MAX_ENDS: Final = 16
"""How often one message may end its deflate stream (BFINAL) and go on: each time costs a new inflater."""
BITS: Final = ("server_max_window_bits", "client_max_window_bits")
FLAGS: Final = ("server_no_context_takeover", "client_no_context_takeover")
PARAMETER: Final = re.compile(r"""\s*([\w!#$%&'*+.^`|~-]+)\s*(?:=\s*(?:([\w!#$%&'*+.^`|~-]+)|"([^"\\,;]*)")\s*)?""")


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides agreed to; a takeover keeps the window from one message to the next."""

    server_bits: int = 15
    client_bits: int = 15
    server_takeover: bool = True
    client_takeover: bool = True


Parameters = dict[str, str | None]


def extensions(value: str) -> list[tuple[str, Parameters]] | None:
    """Read a Sec-WebSocket-Extensions header, None when it is none. A parameter that comes twice makes it none."""
    found = []
    for part in value.split(","):
        matches = [PARAMETER.fullmatch(field) for field in part.split(";")]
        pairs = [(match[1].lower(), match[2] or match[3]) for match in matches if match]
        parameters = dict(pairs[1:])
        if len(pairs) < len(matches) or len(parameters) < len(pairs) - 1 or pairs[0][1] is not None:
            return None
        found.append((pairs[0][0], parameters))
    return found


def agreement(parameters: Parameters, *, bare_bits: bool) -> Agreement | None:
    """Give what these parameters say, None when they are not in order. `bare_bits`: client bits may have no value."""
    if set(parameters) - {*BITS, *FLAGS} or any(parameters.get(flag) is not None for flag in FLAGS):
        return None
    bits: list[int] = []
    for name in BITS:
        text = parameters.get(name)
        if text is None and (name not in parameters or (bare_bits and name == BITS[1])):
            bits.append(15)
        elif text is not None and re.fullmatch("8|9|1[0-5]", text):
            bits.append(int(text))
        else:
            return None
    return Agreement(bits[0], bits[1], FLAGS[0] not in parameters, FLAGS[1] not in parameters)


def agreed(value: str | None) -> Agreement | str | None:
    """Read a server's answer to OFFER: what was agreed, None when nothing was, text that says what is wrong."""
    if value is None:
        return None
    found = extensions(value)
    if found is None or len(found) != 1 or found[0][0] != NAME:
        return "an extension that was not offered"
    return agreement(found[0][1], bare_bits=False) or "permessage-deflate with parameters that were not offered"


def answer(value: str | None) -> tuple[Agreement, bytes] | None:
    """Choose from a client's offers: what is agreed and the header that says so, None when nothing can be."""
    for name, parameters in extensions(value or "-") or []:
        chosen = agreement(parameters, bare_bits=True) if name == NAME else None
        if chosen is not None:
            said = [NAME, *(flag for flag in FLAGS if flag in parameters)]
            said += [f"{name}={parameters[name]}" for name in BITS if parameters.get(name) is not None]
            return chosen, "; ".join(said).encode()
    return None


class Deflater:
    """Deflate the payloads of one direction, one message after the other."""

    def __init__(self, bits: int, *, takeover: bool) -> None:
        self._bits, self._takeover = bits, takeover
        self._deflate = self._begin()

    def deflate(self, payload: bytes) -> bytes:
        """Give the payload of a compressed message."""
        data = self._deflate.compress(payload) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        if not self._takeover:
            self._deflate = self._begin()
        return data[: -len(TAIL)]

    def _begin(self) -> "zlib._Compress":
        return zlib.compressobj(wbits=-self._bits)


class Inflater:
    """Inflate the payloads of one direction. Raises: zlib.error for what does not inflate."""

    def __init__(self, *, takeover: bool) -> None:
        self._takeover = takeover
        self._inflate = zlib.decompressobj(-15)
        self._ends = 0

    def add(self, data: bytes, room: int) -> bytes:
        """Inflate a part of a message; more than `room` bytes are given when there are more, but not all of them.

        A peer that ends its deflate stream within a message may still refer to what this part gave.
        """
        out = bytearray()
        while True:
            out += self._inflate.decompress(data, room + 1 - len(out))
            if not self._inflate.eof or len(out) > room:
                return bytes(out)
            data = self._inflate.unused_data
            self._ends += 1
            if self._ends > MAX_ENDS:
                raise zlib.error("the stream ends too often")
            self._inflate = zlib.decompressobj(-15, zdict=bytes(out[-WINDOW:]))

    def end(self, room: int, data: bytes = b"") -> bytes:
        """End a message with its last part, and give what was left in it."""
        out = self.add(data + TAIL, room)
        self._ends = 0
        if not self._takeover:
            self._inflate = zlib.decompressobj(-15)
        return out
