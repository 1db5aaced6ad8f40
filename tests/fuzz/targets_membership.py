"""Fuzz targets of IGMP and MLD: any bytes give a message or a WireError, and any messages a bounded account."""

from collections.abc import Callable
from contextlib import suppress

from netfeed.errors import WireError
from netfeed.host.membership import Memberships
from netfeed.host.membership_findings import findings
from netfeed.wire import igmp, mld
from netfeed.wire.headers import checksum
from netfeed.wire.membership import hear
from tests.wire.membership_samples import A6, B6, FRAMES, MESSAGES4, MESSAGES6


def igmp_message(data: bytes) -> None:
    """Decode a message, also with the checksum put right; what is decoded encodes to the same message."""
    for octets in (data, _summed(data)):
        with suppress(WireError):
            message = igmp.decode(octets)
            assert message is None or igmp.decode(igmp.encode(message)) == message


def mld_message(data: bytes) -> None:
    """Decode a message; what is decoded encodes to the same message."""
    with suppress(WireError):
        message = mld.decode(data, A6, B6)
        assert message is None or mld.decode(mld.encode(message, A6, B6), A6, B6) == message


def account(data: bytes) -> None:
    """Cut bytes into frames, a length before each, and keep account of what they say."""
    memberships, at, now = Memberships(), 0, 0
    while at + 3 <= len(data):
        size, now = data[at], now + int.from_bytes(data[at + 1 : at + 3]) * 10**8
        with suppress(WireError):
            heard = hear(data[at + 3 : at + 3 + size], 1)
            if heard is not None:
                memberships.hear(heard, now)
                assert memberships.deadline > memberships.now_ns
        at += 3 + size
    findings(memberships)


def _summed(data: bytes) -> bytes:
    bare = data[:2] + b"\0\0" + data[4:]
    return bare[:2] + checksum(bare).to_bytes(2) + bare[4:]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "igmp_message": igmp_message,
    "mld_message": mld_message,
    "account": account,
}
CORPUS: dict[str, list[bytes]] = {
    "igmp_message": [igmp.encode(one) for one in MESSAGES4],
    "mld_message": [mld.encode(one, A6, B6) for one in MESSAGES6],
    "account": [b"".join(bytes([len(one)]) + b"\x00\x09" + one for one in FRAMES)],
}
