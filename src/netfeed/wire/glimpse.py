"""GLIMPSE 5.0: the one message that a snapshot adds to TotalView-ITCH.

Source: Nasdaq GLIMPSE 5.0, revision of 13 February 2026. A snapshot is a SoupBinTCP session (sequence 1 must be asked
for) of ordinary ITCH messages - directory, states, every displayed order - that ends with `G`. Its number is the
sequence of the *next* real-time message to apply: buffered messages below it are in the snapshot already.

The specification does not say on which side the twenty digits are padded: both are read, the left side is written.
"""

from typing import Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer

END_OF_SNAPSHOT: Final = ord("G")
SIZE: Final = 21
_DIGITS: Final = 20


def decode_end_of_snapshot(message: Buffer) -> int:
    """Give the sequence of the first real-time message that the snapshot does not contain.

    Raises: WireError when this is not an End of Snapshot message.
    """
    data = bytes(message[: SIZE + 1])
    if data[:1] != b"G" or len(data) != SIZE:
        raise WireError(
            "not a GLIMPSE End of Snapshot",
            offset=0,
            found=f"{len(message)} bytes, type {data[:1]!r}",
            wanted=f"{SIZE} bytes, type b'G'",
        )
    digits = data[1:].strip(b" ")
    if not digits.isdigit():
        raise WireError("GLIMPSE sequence is not a number", offset=1, found=repr(data[1:]), wanted="decimal digits")
    return int(digits)


def encode_end_of_snapshot(sequence: int) -> bytes:
    """Encode the end of a snapshot that holds every message below `sequence`.

    Raises: MisuseError when the number is negative or has more than twenty digits.
    """
    if not 0 <= sequence < 10**_DIGITS:
        raise MisuseError(f"a GLIMPSE sequence has 1 to {_DIGITS} digits, not {sequence}")
    return b"G%20d" % sequence
