"""Recordings of venues over connections: what was said both ways, message by message, as lines of JSON.

    {"netfeed_recording": 1, "began_ns": ..., "venues": [{"name": "...", "venue": "deribit", ...}]}      the first line
    [ts_ns, venue, connection, kind, text]                                                         every other line

    kind  "+"  a connection begins; text: its endpoint      "<"  the venue said text       "<b"  ... bytes, in base64
          "-"  it is over; text: why                        ">"  we said text              "!"   so much was lost
          "="  had over HTTP: a topic and its snapshot in the next lines of the text; no topic: the list of instruments

`ts_ns` is an integer, ns since 1970, of when it came or was said; `venue` counts the venues of the first line from 0,
`connection` counts up from 0 in a recording of several files, too. The text is the message, whole, as it was on the
wire, but for what was secret in it.

Any tool that reads JSON Lines reads it: `jq -r 'arrays | select(.[3] == "<") | .[4]'`.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from netfeed.errors import WireError
from netfeed.machine import Buffer

VERSION: Final = 1
MAGIC: Final = b'{"netfeed_recording":'
OPENED, ENDED, IN, IN_BYTES, OUT, LOST, FETCHED = "+", "-", "<", "<b", ">", "!", "="
KINDS: Final = frozenset({OPENED, ENDED, IN, IN_BYTES, OUT, LOST, FETCHED})


Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Time = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What 64 bits hold: all that stands here goes on to the core."""


class Header(msgspec.Struct):
    """The first line. `venues` are what the configuration says of each, without secrets. Units: ns since 1970."""

    netfeed_recording: int
    began_ns: Time
    venues: list[dict[str, Any]]


class Record(NamedTuple):
    """Any other line. Units: ns since 1970."""

    ts_ns: int
    venue: int
    connection: int
    kind: str
    text: str

    @property
    def payload(self) -> bytes:
        """Give the bytes of a message. Raises: WireError for base64 that is none."""
        if self.kind != IN_BYTES:
            return self.text.encode()
        try:
            return b64decode(self.text, validate=True)
        except (ValueError, binascii.Error):
            raise WireError("base64", offset=0, found=self.text[:40], wanted="a message in base64") from None


_HEADER: Final = msgspec.json.Decoder(Header)
_RECORD: Final = msgspec.json.Decoder(tuple[Time, Count, Count, str, str])


def encode_header(began_ns: int, venues: Sequence[dict[str, Any]]) -> bytes:
    """Write the first line."""
    return msgspec.json.encode(Header(VERSION, began_ns, list(venues))) + b"\n"


def encode(ts_ns: int, venue: int, connection: int, kind: str, text: str) -> bytes:
    """Write a line."""
    return msgspec.json.encode((ts_ns, venue, connection, kind, text)) + b"\n"


def encode_message(ts_ns: int, venue: int, connection: int, message: Buffer) -> bytes:
    """Write what a venue said, as text where it is one."""
    try:
        text, kind = str(message, "utf-8"), IN
    except UnicodeDecodeError:
        text, kind = b64encode(message).decode(), IN_BYTES
    return encode(ts_ns, venue, connection, kind, text)


def decode_header(line: Buffer) -> Header:
    """Read the first line.

    Raises: WireError.
    """
    try:
        header = _HEADER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError("header", offset=0, found=str(error)[:80], wanted="the first line of a recording") from None
    if header.netfeed_recording != VERSION:
        raise WireError("version", offset=0, found=header.netfeed_recording, wanted=VERSION)
    return header


def decode(line: Buffer, offset: int = 0) -> Record:
    """Read any other line, which begins at `offset`.

    Raises: WireError.
    """
    try:
        record = Record(*_RECORD.decode(line))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError("line", offset=offset, found=str(error)[:80], wanted="a line of a recording") from None
    if record.kind not in KINDS:
        raise WireError("kind", offset=offset, found=record.kind, wanted=", ".join(sorted(KINDS)))
    return record
