"""What is wrong with a message that a feed refused: the feed counts and goes on, the report has to say it.

The packet is decoded once more, by the codecs that define what is right. A packet that is not there any more (held
back, or of an earlier batch) has no answer.
"""

from collections.abc import Callable
from typing import Any, Final

from netfeed.app.protocols import Protocol
from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.wire import cme, deribit, iex, itch, starbase

DECODE: Final[dict[str, Callable[[Buffer], Any]]] = {
    "itch50": itch.decode, "starbase": starbase.decode, "deribit": deribit.decode, "cme": cme.decode, "iex": iex.decode,
}  # fmt: skip
"""The codec of one message, by the name of its protocol."""


def fault_of(protocol: str, message: Buffer) -> WireError | None:
    """Say why a message does not decode; None when it does."""
    try:
        DECODE[protocol](message)
    except WireError as error:
        return error
    return None


def fault_in(protocol: Protocol, payload: Buffer, sequence: int) -> WireError | None:
    """Say why the message of a sequence does not decode, or the first one where a whole packet has one number."""
    try:
        packet = protocol.framing.parse(payload)
    except WireError as error:
        return error
    messages = packet.messages
    if not protocol.framing.per_packet:
        messages = messages[max(sequence - packet.sequence, 0) :][:1]
    return next(filter(None, (fault_of(protocol.name, message) for message in messages)), None)
