"""What a simulated venue can be told to do, in words: for configurations, for live commands, and for people.

    line A loss 10% reorder 1% 500us       faults of a line from now on; they replace those it had
    line B silent for 2s                   ... for a time, then as before
    line A,B ok                            no faults
    gateway dead | slow 200ms | refusing | wrong | ok       all retransmit servers; `gateway 2` is the second
    glimpse dead | slow 1s | refusing | torn | ok           the snapshot server of ITCH
    requests loss 10%                      faults of the way to the retransmit servers; `requests 2`: to the second
    logins loss 50% | slow 1s | dead       ... to the snapshot server: a login that is lost is heard by nobody
    snapshots spoilt 10%                   snapshots that contradict themselves
    rate 5000                              transactions a second; 0 stops the flow
    switch A | B | both                    one switch sends alone, as to bonded interfaces; a fail-over; both again
    session end | restart | restart 15s    the end of the session; another one, after a time of silence
    stream FAULTS [for 2s] | ok            all JSON-RPC connections from now on, or for a time: see `stream_faults`
    stream once skip | torn | ...          something happens once, to all of them; `stream 2 once skip`: to the second
    stream close 1012 | 1006               they end with this WebSocket code, or without a word
    exchange settle | halt NAME | open NAME | index 91000   see `exchange_commands`
    orders A lost 1% | kill | frozen 2s ...                 the order gateways: see `order_commands`

Lines: A, B, SNAPSHOT_A, SNAPSHOT_B. Faults: ok, silent, loss RATE, burst RATE [PACKETS], duplicate RATE,
reorder RATE [TIME], delay TIME, jitter TIME, corrupt RATE, chain WORSEN MEND [BAD [GOOD]] (four rates, see `faults`).
A rate is a percentage such as 0.1%.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from netfeed.errors import ConfigurationError, MisuseError
from netfeed.feed.ports import Port
from netfeed.sim.exchange_commands import exchange
from netfeed.sim.faults import NONE, RATE, Chain, Faults, parse_rate
from netfeed.sim.order_commands import orders
from netfeed.sim.stream_commands import Streams, stream
from netfeed.sim.venue_ports import GLIMPSE, INWARD, RETRANSMITS
from netfeed.sim.wired_venue import WiredVenue
from netfeed.units import parse_duration

LINES: Final = {
    "A": Port.LINE_A, "B": Port.LINE_B, "SNAPSHOT_A": Port.SNAPSHOT_A, "SNAPSHOT_B": Port.SNAPSHOT_B,
}  # fmt: skip
_SWITCHES: Final = {"A": 0, "B": 1, "BOTH": None}
_T = TypeVar("_T")
_FAULTS: Final = "ok, silent, loss, burst, chain, duplicate, reorder, delay, jitter, corrupt"


def command(wired: WiredVenue, text: str, now: int, streams: Streams | None = None) -> None:
    """Do what a command says. `streams`: the JSON-RPC connections of the venue, where it has some.

    Raises: ConfigurationError that says what was not understood, and what would be; nothing has changed then.
    """
    words = text.split()
    subject = words[0].lower() if words else ""
    act = _SUBJECTS.get(subject)
    if act is None and subject != "stream":
        raise ConfigurationError(f"{text!r} begins with none of {', '.join(_SUBJECTS)}, stream")
    try:
        if act is None:
            stream(streams, words[1:], now)
        else:
            act(wired, words[1:], now)
    except (IndexError, ValueError, MisuseError) as error:
        said = str(error) if not isinstance(error, IndexError) else "something is missing at its end"
        raise ConfigurationError(f"{text!r}: {said}") from None
    wired.flush(now)
    if streams is not None:
        streams.flush(now)


def parse_faults(words: Sequence[str]) -> Faults:
    """Read faults from their words; what is not named is not there.

    Raises: ValueError; IndexError when something is missing; MisuseError.

    >>> parse_faults("loss 1% delay 2ms".split()).loss
    10000
    """
    faults, left = NONE, list(words)
    if not left:
        raise ValueError(f"no faults; there are {_FAULTS}")
    while left:
        name = left.pop(0).lower()
        match name:
            case "ok":
                faults = NONE
            case "silent":
                faults = replace(faults, silent=True)
            case "loss":
                faults = replace(faults, loss=parse_rate(left.pop(0)))
            case "burst":
                faults = replace(faults, burst=parse_rate(left.pop(0)))
                faults = replace(faults, burst_packets=_more(left, int, faults.burst_packets))
            case "chain":
                worsen, mend = parse_rate(left.pop(0)), parse_rate(left.pop(0))
                bad = _more(left, parse_rate, RATE)
                faults = replace(faults, chain=Chain(worsen, mend, _more(left, parse_rate, 0), bad))
            case "duplicate":
                faults = replace(faults, duplicate=parse_rate(left.pop(0)))
            case "reorder":
                faults = replace(faults, reorder=parse_rate(left.pop(0)))
                faults = replace(faults, reorder_ns=_more(left, parse_duration, faults.reorder_ns))
            case "delay":
                faults = replace(faults, delay_ns=parse_duration(left.pop(0)))
            case "jitter":
                faults = replace(faults, jitter_ns=parse_duration(left.pop(0)))
            case "corrupt":
                faults = replace(faults, corrupt=parse_rate(left.pop(0)))
            case _:
                raise ValueError(f"{name!r} is none of {_FAULTS}")
    return faults


def parse_lines(text: str) -> list[int]:
    """Read names of lines, with commas between them.

    Raises: ValueError.
    """
    names = text.upper().split(",")
    for name in names:
        if name not in LINES:
            raise ValueError(f"there is no line {name}; there are {', '.join(LINES)}")
    return [LINES[name] for name in names]


def _more(left: list[str], read: Callable[[str], _T], otherwise: _T) -> _T:
    """Read one more value where there is one: it begins with a digit."""
    return read(left.pop(0)) if left and left[0][0].isdigit() else otherwise


def _line(wired: WiredVenue, words: Sequence[str], now: int) -> None:
    _set(wired, parse_lines(words[0]), words[1:], now)


def _set(wired: WiredVenue, ports: Sequence[int], words: Sequence[str], now: int) -> None:
    """Set the faults of lines, for good or `for` a time."""
    if len(words) > 2 and words[-2].lower() == "for":
        faults, span_ns = parse_faults(words[:-2]), parse_duration(words[-1])
        wired.during(ports, now, now + span_ns, faults)
    elif len(words) == 2 and words[0].lower() == "silent" and words[1][0].isdigit():
        wired.during(ports, now, now + parse_duration(words[1]), replace(NONE, silent=True))
    else:
        wired.change(ports, parse_faults(words))


def _gateway(wired: WiredVenue, words: Sequence[str], now: int) -> None:
    gateways = wired.venue.gateways
    chosen, words = _chosen(wired, words)
    ports = [RETRANSMITS[place] for place in chosen]
    how = words[0].lower()
    if how in ("refusing", "wrong") and len(words) == 1:
        for place in chosen:
            setattr(gateways[place], how, True)
        return
    _reach(wired, ports, words, now)
    if how == "ok":
        for place in chosen:
            gateways[place].refusing = gateways[place].wrong = False


def _chosen(wired: WiredVenue, words: Sequence[str]) -> tuple[list[int], Sequence[str]]:
    """Read which servers are meant: a number, or all."""
    count = len(wired.venue.gateways)
    if not words[0].isdigit():
        return list(range(count)), words
    if not 1 <= int(words[0]) <= count:
        raise ValueError(f"there are {count} gateways")
    return [int(words[0]) - 1], words[1:]


def _requests(wired: WiredVenue, words: Sequence[str], now: int) -> None:
    chosen, words = _chosen(wired, words)
    _reach(wired, [INWARD + RETRANSMITS[place] for place in chosen], words, now)


def _logins(wired: WiredVenue, words: Sequence[str], now: int) -> None:
    if wired.venue.glimpse is None:
        raise ValueError("this venue has no GLIMPSE server")
    _reach(wired, [INWARD + GLIMPSE], words, now)


def _glimpse(wired: WiredVenue, words: Sequence[str], now: int) -> None:
    server = wired.venue.glimpse
    if server is None:
        raise ValueError("this venue has no GLIMPSE server")
    how = words[0].lower()
    if how in ("refusing", "torn") and len(words) == 1:
        setattr(server, how, True)
        return
    _reach(wired, [GLIMPSE], words, now)
    if how == "ok":
        server.refusing = server.torn = False


def _reach(wired: WiredVenue, ports: Sequence[int], words: Sequence[str], now: int) -> None:
    """Make servers dead or slow: faults of the way from them. Any faults of a line will do, too."""
    meant = {"dead": "silent", "slow": "delay"}
    _set(wired, ports, [meant.get(word.lower(), word) for word in words], now)


def _snapshots(wired: WiredVenue, words: Sequence[str], now: int) -> None:
    cycle = wired.venue.cycle
    if cycle is None:
        raise ValueError("this venue has no snapshot cycle")
    if words[0].lower() not in ("spoilt", "ok"):
        raise ValueError("snapshots are `spoilt` RATE or `ok`")
    cycle.spoilt = 0 if words[0].lower() == "ok" else parse_rate(words[1])


def _rate(wired: WiredVenue, words: Sequence[str], now: int) -> None:
    wired.venue.pace(int(words[0]), now)


def _switch(wired: WiredVenue, words: Sequence[str], now: int) -> None:
    name, *more = words
    if name.upper() not in _SWITCHES or more:
        raise ValueError("a switch is A, B or both")
    wired.venue.switch(_SWITCHES[name.upper()], now)


def _session(wired: WiredVenue, words: Sequence[str], now: int) -> None:
    match [words[0].lower(), *words[1:]]:
        case ["end"]:
            wired.venue.finish(now)
        case ["restart"]:
            wired.venue.restart(now)
        case ["restart", span]:
            wired.venue.restart(now, parse_duration(span))
        case _:
            raise ValueError("a session can `end` or `restart` [TIME]")


_SUBJECTS: Final[dict[str, Callable[[WiredVenue, Sequence[str], int], None]]] = {
    "line": _line, "gateway": _gateway, "glimpse": _glimpse, "snapshots": _snapshots, "rate": _rate,
    "session": _session, "switch": _switch, "requests": _requests, "logins": _logins,
    "orders": orders, "exchange": exchange,
}  # fmt: skip
