"""Answers of venues as typed JSON: decoded by msgspec, numbers as decimals, and what does not fit is one error."""

from typing import Any, Final, TypeVar

import msgspec

from netfeed.errors import WireError
from netfeed.machine import Buffer

MAX_BYTES: Final = 64 * 2**20
"""An answer that is longer is not looked at: all instruments of the largest venue are some 20 MB."""

Kind = TypeVar("Kind")


def decoded(decoder: "msgspec.json.Decoder[Kind]", body: Buffer, what: str) -> Kind:
    """Decode an answer.

    Raises: WireError.
    """
    if len(body) > MAX_BYTES:
        raise WireError(what, offset=0, found=f"{len(body)} bytes", wanted=f"at most {MAX_BYTES}")
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(what, offset=0, found=error, wanted="the venue's documented JSON") from None


def succeeded(what: str, success: bool, told: str) -> None:
    """Check that a venue says of its answer that it is one.

    Raises: WireError with what it says else.
    """
    if not success:
        raise WireError(what, offset=0, found=told[:200], wanted="an answer without an error")


def said(message: Buffer) -> dict[str, Any] | None:
    """Decode a message of a conversation as an object, None when it is none. Any bytes whatever."""
    try:
        value = msgspec.json.decode(message)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def whole_number(value: Any) -> int | None:
    """Give what is an integer, None for anything else."""
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def texts(value: Any) -> tuple[str, ...] | None:
    """Give a list of texts, None for anything else."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    return None


def part(value: Any, *keys: str) -> Any:
    """Give what stands under keys within keys, None where there is nothing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
