"""What a simulated venue can be told to do with its JSON-RPC connections, in words: see `commands` and `stream_faults`.

stream skip 1% torn 0.1%       standing faults, all of them: those that are not named end
stream silent for 2s           ... for a time, beside the usual ones; `stream silent 2s` is the same
stream once skip               once, to each connection that is open; `stream 2 once skip`: to the second
stream close 1012              the end
stream ok                      no faults
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from netfeed.proto.websocket_words import SENDABLE, Code
from netfeed.sim.faults import parse_rate
from netfeed.sim.stream_faults import NONE, ONCE, UNAVAILABLE, StreamFaults, StreamWindows
from netfeed.units import parse_duration

CODES: Final = frozenset({*SENDABLE, Code.ABNORMAL})
_STANDING: Final = "ok, skip, duplicate, torn, skew, silent, deaf, slow, throttle, refuse"


class Streams(Protocol):
    """The connections of a venue. `clients` by port, in the order in which they came."""

    @property
    def clients(self) -> Mapping[int, Any]:
        """Give those that are open."""

    @property
    def faults(self) -> StreamWindows:
        """Give the standing faults."""

    def once(self, what: str, ports: Iterable[int], now: int) -> None:
        """Do something to connections once. Raises: MisuseError."""

    def close(self, code: int, ports: Iterable[int], now: int) -> None:
        """End connections."""

    def flush(self, now: int) -> None:
        """Take over what a command has done."""


def stream(streams: Streams | None, words: Sequence[str], now: int) -> None:
    """Do what the words say.

    Raises: ValueError; IndexError when something is missing; MisuseError.
    """
    if streams is None:
        raise ValueError("this venue has no JSON-RPC connections")
    ports = list(streams.clients)
    if words[0].isdigit():
        number, words = int(words[0]), words[1:]
        if not 1 <= number <= len(ports):
            raise ValueError(f"{len(ports)} connections are open")
        ports = ports[number - 1 : number]
        if words[0].lower() not in ("once", "close"):
            raise ValueError("one connection alone can be told `once` something, or `close`")
    match [word.lower() for word in words]:
        case ["once", what]:
            if what not in ONCE:
                raise ValueError(f"{what!r} is none of {', '.join(ONCE)}")
            streams.once(what, ports, now)
        case ["close", code]:
            if not code.isdigit() or int(code) not in CODES:
                raise ValueError(f"{code!r} is no code of WebSocket such as 1012, or 1006 for none")
            streams.close(int(code), ports, now)
        case lowered:
            _stand(streams.faults, lowered, now)


def _stand(windows: StreamWindows, words: Sequence[str], now: int) -> None:
    """Set standing faults, for good or for a time."""
    if len(words) > 2 and words[-2] == "for":
        windows.during(now, now + parse_duration(words[-1]), parse(words[:-2]))
    elif len(words) == 2 and words[0] in ("silent", "deaf", "throttle") and words[1][0].isdigit():
        windows.during(now, now + parse_duration(words[1]), parse(words[:1]))
    else:
        windows.change(parse(words))


def parse(words: Sequence[str]) -> StreamFaults:
    """Read standing faults; what is not named is not there.

    Raises: ValueError; IndexError when something is missing; MisuseError.

    >>> parse("skip 1% skew -2ms".split()).skew_ns
    -2000000
    """
    faults, left = NONE, list(words)
    if not left:
        raise ValueError(f"no faults; there are {_STANDING}")
    while left:
        match left.pop(0):
            case "ok":
                faults = NONE
            case "skip" | "duplicate" | "torn" as name:
                faults = faults.with_(name, parse_rate(left.pop(0)))
            case "silent" | "deaf" | "throttle" as name:
                faults = faults.with_(name, True)
            case "skew":
                span = left.pop(0)
                faults = replace(faults, skew_ns=(-1 if span[0] == "-" else 1) * parse_duration(span.lstrip("-")))
            case "slow":
                faults = replace(faults, slow=int(left.pop(0)))
            case "refuse":
                faults = replace(faults, refuse=int(left.pop(0)) if left and left[0].isdigit() else UNAVAILABLE)
            case name:
                raise ValueError(f"{name!r} is none of {_STANDING}")
    return faults
