"""Options that several verbs share, and how their values are read."""

import argparse
import ipaddress
from typing import Final

from netfeed.units import parse_duration, parse_size

PROTOCOLS: Final = ("itch50", "starbase", "deribit", "cme", "iex")


def add_input(parser: argparse.ArgumentParser, *, since: str = "only what happened at or after it") -> None:
    """Add the files and what of them is wanted; `since` explains --from."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE",
        help="pcap, pcapng or ITCH file, also .gz and .zst; - is standard input; several captures are merged by time",
    )  # fmt: skip
    parser.add_argument(
        "--protocol", choices=PROTOCOLS, help="what the packets speak; without it every flow is recognised"
    )
    parser.add_argument(
        "--group", action="append", default=[], type=group, metavar="GROUP[:PORT]",
        help="only packets to this destination (repeatable)",
    )  # fmt: skip
    parser.add_argument("--from", dest="since", type=moment, metavar="TIME", help=since)
    parser.add_argument(
        "--to", dest="until", type=moment, metavar="TIME",
        help="only what happened up to it: 2016-11-12T14:30:25.5Z, 14:30:25.5 (UTC; ITCH files: of the exchange) or ns",
    )  # fmt: skip


def add_channels(parser: argparse.ArgumentParser) -> None:
    """Add the naming of channels."""
    parser.add_argument(
        "--channel", action="append", default=[], type=channel, metavar="NAME=GROUP:PORT[,GROUP:PORT...]",
        help="a channel and its lines, A first (repeatable); without it lines are found by what they carry",
    )  # fmt: skip


def add_talk(parser: argparse.ArgumentParser, *, verbose: str = "say more (repeatable)") -> None:
    """Add how much is said."""
    parser.add_argument("-v", "--verbose", action="count", default=0, help=verbose)
    parser.add_argument("-q", "--quiet", action="store_true", help="say only what was asked for")


def group(text: str) -> tuple[str, int | None]:
    """Read GROUP[:PORT]."""
    host, port = text, None
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest[1:] if rest.startswith(":") else None
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        return str(ipaddress.ip_address(host)), None if port is None else _port(port)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not an address with or without a port: {text!r}") from None


def flow(text: str) -> str:
    """Read GROUP:PORT."""
    host, port = group(text)
    if port is None:
        raise argparse.ArgumentTypeError(f"a line needs its port too, as in 233.252.0.1:26400: {text!r}")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def channel(text: str) -> tuple[str, tuple[str, ...]]:
    """Read NAME=GROUP:PORT[,GROUP:PORT...]."""
    name, equals, lines = text.partition("=")
    if not name or not equals or not lines:
        raise argparse.ArgumentTypeError(f"not NAME=GROUP:PORT[,GROUP:PORT...]: {text!r}")
    return name, tuple(flow(line) for line in lines.split(","))


def destination(text: str, port: int | None = None) -> tuple[str, int]:
    """Read GROUP:PORT, or GROUP with the port of -p.

    Raises: ConfigurationError.
    """
    from netfeed.errors import ConfigurationError

    try:
        host, own = group(text)
    except argparse.ArgumentTypeError as error:
        raise ConfigurationError(str(error)) from None
    if own is None and port is None:
        raise ConfigurationError(f"{text} needs a port, as in {text}:26400 or with -p")
    return host, own if own is not None else port or 0


def interfaces(given: list[str], count: int) -> list[str | None]:
    """Spread the values of -i over `count` groups: none, one for all, or one for each.

    Raises: ConfigurationError.
    """
    from netfeed.errors import ConfigurationError

    if len(given) not in (0, 1, count):
        raise ConfigurationError(f"-i stands once, or once for each of the {count} groups")
    return list(given) if len(given) == count else [given[0] if given else None] * count


def mapping(text: str) -> tuple[tuple[str, int], tuple[str, int]]:
    """Read GROUP:PORT=GROUP:PORT."""
    one, equals, other = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"not FROM=TO: {text!r}")
    (host, port), (to, to_port) = group(one), group(other)
    if port is None or to_port is None:
        raise argparse.ArgumentTypeError(f"both sides need their port: {text!r}")
    return (host, port), (to, to_port)


def moment(text: str) -> object:
    """Read a time."""
    from netfeed.app.clock import parse_moment

    try:
        return parse_moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def speed(text: str) -> float:
    """Read a pace: 2 or 2x is twice as fast as it happened."""
    try:
        value = float(text.rstrip("xX"))
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"not a pace such as 1, 0.5 or 10x: {text!r}")
    return value


def positive(text: str) -> int:
    """Read a count of one or more."""
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"not a count of 1 or more: {text!r}")
    return min(int(text), 2**31)


def priority(text: str) -> int:
    """Read a priority of SCHED_FIFO."""
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 99):
        raise argparse.ArgumentTypeError(f"not a priority of 1 to 99: {text!r}")
    return int(text)


def rounds(text: str) -> int:
    """Read a count of zero or more."""
    return 0 if text == "0" else positive(text)


def rate(text: str) -> float:
    """Read a rate, as in 5000, 0.5 or 20k. Units: a second."""
    scale = {"k": 1e3, "K": 1e3, "M": 1e6}.get(text[-1:], 1.0)
    try:
        value = float(text[:-1] if scale > 1 else text) * scale
    except ValueError:
        value = 0.0
    if not 0 < value < 1e10:
        raise argparse.ArgumentTypeError(f"not a rate such as 5000 or 20k: {text!r}")
    return value


def size(text: str) -> int:
    """Read the size of a UDP payload. Units: bytes."""
    value = int(text) if text.isascii() and text.isdecimal() else 0
    if not 32 <= value <= 65_507:
        raise argparse.ArgumentTypeError(f"not a payload of 32 to 65507 bytes: {text!r}")
    return value


def ttl(text: str) -> int:
    """Read a time to live."""
    value = int(text) if text.isascii() and text.isdecimal() else -1
    if not 0 <= value <= 255:
        raise argparse.ArgumentTypeError(f"not a TTL of 0 to 255: {text!r}")
    return value


def buffer(text: str) -> int:
    """Read the size of a socket's buffer, which the kernel counts with 31 bits. Units: bytes."""
    return min(length(text), 2**31 - 1)


def length(text: str) -> int:
    """Read a size of any length. Units: bytes."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def address(text: str) -> str:
    """Read an address.

    Raises: ConfigurationError.
    """
    from netfeed.errors import ConfigurationError

    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ConfigurationError(f"{text!r} is no IP address (names are not resolved)") from None


def port_number(text: str) -> int:
    """Read a port."""
    try:
        return _port(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a port of 1 to 65535: {text!r}") from None


def duration(text: str) -> int:
    """Read a duration. Units: ns."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else -1
    if not 0 < number < 65536:
        raise ValueError(text)
    return number
