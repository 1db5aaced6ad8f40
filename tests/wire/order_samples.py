"""Order messages by hand: Starbase's header of 32 bytes and the beginning of a request, and OUCH in SoupBinTCP."""

import struct

from netfeed.wire import soupbintcp


def starbase_order(kind: int, client_order: int, correlation: int, *, size: int = 64) -> bytes:
    """Give an order entry message of a type: client order id, correlation id, then zeros up to `size`."""
    length = 32 + size
    head = struct.pack("<BBHHHqqq", 0xDB, 0, length, kind, 16, 1, 0, 0)
    return head + struct.pack("<qq", client_order, correlation) + bytes(size - 16)


def ouch_enter(reference: int) -> bytes:
    """Give an OUCH 5.0 EnterOrder as SoupBinTCP carries it."""
    return soupbintcp.encode(soupbintcp.UnsequencedData(b"O" + reference.to_bytes(4, "big") + bytes(42)))


def ouch_replace(old: int, new: int) -> bytes:
    """Give an OUCH 5.0 ReplaceOrder as SoupBinTCP carries it."""
    message = b"U" + old.to_bytes(4, "big") + new.to_bytes(4, "big") + bytes(31)
    return soupbintcp.encode(soupbintcp.UnsequencedData(message))
