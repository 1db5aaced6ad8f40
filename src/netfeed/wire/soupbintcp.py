"""SoupBinTCP: the logical packets of Nasdaq's TCP sessions, in both directions.

Source: Nasdaq SoupBinTCP 3.00 (revision of 22 February 2017). A packet is a big-endian u16 that counts the type byte
and the payload, the type, the payload. Two additions of later versions are read as well: unsequenced data from the
server (4.00) and the heartbeat timeout at the end of a login request (4.10); their specifications were not at hand, the
shapes are those that other implementations agree on.

Text is padded with spaces. The specification pads user and password on the right, session and numbers on the left;
peers differ, so both sides are stripped when reading, and the specification's side is written.

Invariant: no memory. `decode` looks at one packet and gives None while it is incomplete; a type, a length or a number
that cannot be right is an error as soon as it can be seen, not when the packet is complete. Payloads are copies, so
that the caller may cut its buffer.

Leaves out: sequence counting, heartbeats, time: `proto` holds the conversation.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct
from typing import ClassVar, Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire.layout import Layout

HEADER_SIZE: Final = 3
MAX_PAYLOAD: Final = 0xFFFE

LOGIN_ACCEPTED: Final = Layout("LoginAccepted", ">", [("session", "b10"), ("sequence", "b20")])
LOGIN_REJECTED: Final = Layout("LoginRejected", ">", [("reason", "c1")])
LOGIN_REQUEST: Final = Layout("LoginRequest", ">", [
    ("username", "b6"),
    ("password", "b10"),
    ("session", "b10"),
    ("sequence", "b20"),
])  # fmt: skip
HEARTBEAT_TIMEOUT_SIZE: Final = 5

_HEADER: Final = Struct(">HB")


@dataclass(frozen=True, slots=True)
class Debug:
    """Text for people, from either side; applications ignore it."""

    text: str
    TYPE: ClassVar[bytes] = b"+"


@dataclass(frozen=True, slots=True)
class LoginAccepted:
    """The server's yes: the session, and the sequence of the next sequenced message it will send."""

    session: str
    sequence: int
    TYPE: ClassVar[bytes] = b"A"


@dataclass(frozen=True, slots=True)
class LoginRejected:
    """The server's no: A not authorised, S session not available. It closes the connection."""

    reason: str
    TYPE: ClassVar[bytes] = b"J"


@dataclass(frozen=True, slots=True)
class SequencedData:
    """One message of the session; its sequence is known by counting."""

    message: bytes
    TYPE: ClassVar[bytes] = b"S"


@dataclass(frozen=True, slots=True)
class UnsequencedData:
    """One message outside the session's sequence; it may be lost when the connection breaks."""

    message: bytes
    TYPE: ClassVar[bytes] = b"U"


@dataclass(frozen=True, slots=True)
class ServerHeartbeat:
    """The server has sent nothing else for a second."""

    TYPE: ClassVar[bytes] = b"H"


@dataclass(frozen=True, slots=True)
class ClientHeartbeat:
    """The client has sent nothing else for a second."""

    TYPE: ClassVar[bytes] = b"R"


@dataclass(frozen=True, slots=True)
class EndOfSession:
    """The session is over; the connection closes and the next login must not name this session."""

    TYPE: ClassVar[bytes] = b"Z"


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """The client's login. A blank session is the current one; sequence 0 starts at the most recent message.

    Units: `heartbeat_timeout_ms` in milliseconds, None where the packet is that of version 3.00.
    """

    username: str
    password: str = field(repr=False)
    session: str
    sequence: int
    heartbeat_timeout_ms: int | None = None
    TYPE: ClassVar[bytes] = b"L"


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """The client is done; the server closes at once."""

    TYPE: ClassVar[bytes] = b"O"


Packet = (
    Debug | LoginAccepted | LoginRejected | SequencedData | UnsequencedData | ServerHeartbeat | ClientHeartbeat
    | EndOfSession | LoginRequest | LogoutRequest
)  # fmt: skip


def decode(data: Buffer, offset: int = 0) -> tuple[Packet, int] | None:
    """Decode the packet that starts at `offset` and give it with the offset of the next; None when more is needed.

    Raises: WireError for a packet without a type, an unknown type, a length that its type does not have, or a number
    that is none. After it the stream cannot be followed any more.
    """
    here = len(data) - offset
    if here >= 2 and not data[offset] and not data[offset + 1]:
        raise WireError("SoupBinTCP packet has no type", offset=offset, found="length 0", wanted="at least 1")
    if here < HEADER_SIZE:
        return None
    length, code = _HEADER.unpack_from(data, offset)
    read = _READERS.get(code)
    if read is None:
        raise WireError(
            "SoupBinTCP packet type is not known",
            offset=offset + 2,
            found=f"0x{code:02x}",
            wanted=bytes(_READERS).decode(),
        )
    sizes = _SIZES.get(code)
    if sizes and length - 1 not in sizes:
        raise WireError(
            f"SoupBinTCP packet {chr(code)!r} has the wrong size",
            offset=offset,
            found=f"payload of {length - 1} bytes",
            wanted=" or ".join(map(str, sizes)),
        )
    end = offset + 2 + length
    if end > len(data):
        return None
    return read(bytes(data[offset + HEADER_SIZE : end]), offset + HEADER_SIZE), end


def encode(packet: Packet) -> bytes:
    """Encode one packet.

    Raises: MisuseError when a field does not fit or the payload is too long.
    """
    payload = _payload(packet)
    if len(payload) > MAX_PAYLOAD:
        raise MisuseError(f"a SoupBinTCP payload has at most {MAX_PAYLOAD} bytes, not {len(payload)}")
    return _HEADER.pack(len(payload) + 1, packet.TYPE[0]) + payload


def _payload(packet: Packet) -> bytes:
    match packet:
        case SequencedData(message) | UnsequencedData(message):
            return message
        case Debug(text):
            return _latin(text, "debug text")
        case LoginAccepted(session, sequence):
            return LOGIN_ACCEPTED.encode(_text(session, 10, left=True), _number(sequence, 20))
        case LoginRejected(reason):
            return _text(reason, 1)
        case LoginRequest():
            return _login(packet)
    return b""


def _login(packet: LoginRequest) -> bytes:
    payload = LOGIN_REQUEST.encode(
        username=_text(packet.username, 6),
        password=_text(packet.password, 10),
        session=_text(packet.session, 10, left=True),
        sequence=_number(packet.sequence, 20),
    )
    if packet.heartbeat_timeout_ms is None:
        return payload
    return payload + _number(packet.heartbeat_timeout_ms, HEARTBEAT_TIMEOUT_SIZE)


def _latin(text: str, what: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise MisuseError(f"SoupBinTCP {what}: {error}") from None


def _text(text: str, size: int, *, left: bool = False) -> bytes:
    data = _latin(text, "field")
    if len(data) > size:
        raise MisuseError(f"{text!r} does not fit {size} bytes")
    return data.rjust(size) if left else data.ljust(size)


def _number(value: int, size: int) -> bytes:
    if not 0 <= value < 10**size:
        raise MisuseError(f"{value} does not fit {size} digits")
    return b"%*d" % (size, value)


def _read_text(data: bytes) -> str:
    return data.strip(b" ").decode("latin-1")


def _read_number(data: bytes, offset: int) -> int:
    digits = data.strip(b" ")
    if not digits.isdigit():
        raise WireError("SoupBinTCP number is none", offset=offset, found=repr(data), wanted="decimal digits")
    return int(digits)


def _read_accepted(payload: bytes, offset: int) -> Packet:
    session, sequence = LOGIN_ACCEPTED.decode(payload)
    return LoginAccepted(_read_text(session), _read_number(sequence, offset + LOGIN_ACCEPTED.offsets["sequence"]))


def _read_login(payload: bytes, offset: int) -> Packet:
    raw = LOGIN_REQUEST.decode(payload)
    timeout = None
    if len(payload) > LOGIN_REQUEST.size:
        timeout = _read_number(payload[LOGIN_REQUEST.size :], offset + LOGIN_REQUEST.size)
    return LoginRequest(
        _read_text(raw.username),
        _read_text(raw.password),
        _read_text(raw.session),
        _read_number(raw.sequence, offset + LOGIN_REQUEST.offsets["sequence"]),
        timeout,
    )


_SIZES: Final[dict[int, tuple[int, ...]]] = {
    ord("A"): (LOGIN_ACCEPTED.size,),
    ord("J"): (LOGIN_REJECTED.size,),
    ord("H"): (0,),
    ord("R"): (0,),
    ord("Z"): (0,),
    ord("L"): (LOGIN_REQUEST.size, LOGIN_REQUEST.size + HEARTBEAT_TIMEOUT_SIZE),
    ord("O"): (0,),
}
"""The payload sizes that a type may have; any size where a type is missing."""

_READERS: Final[dict[int, Callable[[bytes, int], Packet]]] = {
    ord("+"): lambda payload, _: Debug(payload.decode("latin-1")),
    ord("A"): _read_accepted,
    ord("J"): lambda payload, _: LoginRejected(payload.decode("latin-1")),
    ord("S"): lambda payload, _: SequencedData(payload),
    ord("H"): lambda payload, _: ServerHeartbeat(),
    ord("Z"): lambda payload, _: EndOfSession(),
    ord("L"): _read_login,
    ord("U"): lambda payload, _: UnsequencedData(payload),
    ord("R"): lambda payload, _: ClientHeartbeat(),
    ord("O"): lambda payload, _: LogoutRequest(),
}
