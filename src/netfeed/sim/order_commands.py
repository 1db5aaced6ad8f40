"""What a simulated venue can be told to do with its order gateways, in words: see `order_faults` and `pipe`.

    orders A lost 1% duplicate 1% delay 2ms jitter 1ms refuse 5%     its faults from now on; they replace those it had
    orders A refuse 100% for 500ms         ... for a time, in their place: a storm of rejects
    orders A slow 50ms                     everything takes so much longer, each way
    orders A frozen 2s | frozen            nothing arrives, either way, for a time or until `ok`; nothing is lost
    orders A kill | kill forget            all connections end without a word; `forget`: its journals are gone, too
    orders A kill after 3                  ... when three more requests are done, before the last of them is answered
    orders A,B revive                      it is there again
    orders A ok                            no faults, wires without length, and alive

Gateways: A and B speak Starbase, OUCH speaks OUCH over SoupBinTCP, JSON is JSON-RPC where there is one; several with
commas, or `all`. Several faults of one command hold together. The wires of JSON-RPC are slow or frozen by `stream`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netfeed.sim.faults import parse_rate
from netfeed.sim.order_faults import NONE, OrderFaults, Storm
from netfeed.sim.order_ways import OrderWays
from netfeed.sim.pipe import NONE as NEAR
from netfeed.sim.pipe import PipeFaults, PipeWindow
from netfeed.units import parse_duration

if TYPE_CHECKING:
    from netfeed.sim.order_venue import OrderVenue
    from netfeed.sim.wired_venue import WiredVenue

_FAULTS: Final = "ok, lost, duplicate, refuse, delay, jitter, slow, frozen, kill, revive"


def orders(wired: "WiredVenue", words: Sequence[str], now: int) -> None:
    """Do what the words say.

    Raises: ValueError; IndexError when something is missing; MisuseError.
    """
    venue, ways = wired.taker()
    names = _names(venue, words[0])
    lowered = [word.lower() for word in words[1:]]
    for name in names:
        _one(venue, ways, name, lowered, now)


def parse(words: Sequence[str]) -> OrderFaults:
    """Read the faults of a gateway; what is not named is not there.

    Raises: ValueError; IndexError when something is missing; MisuseError.

    >>> parse("lost 1% delay 2ms".split())
    OrderFaults(lost=10000, duplicate=0, delay_ns=2000000, jitter_ns=0, refuse=0)
    """
    faults, left = NONE, list(words)
    if not left:
        raise ValueError(f"no faults; there are {_FAULTS}")
    while left:
        match left.pop(0):
            case "lost" | "duplicate" | "refuse" as name:
                faults = replace(faults, **{name: parse_rate(left.pop(0))})
            case "delay" | "jitter" as name:
                faults = replace(faults, **{f"{name}_ns": parse_duration(left.pop(0))})
            case name:
                raise ValueError(f"{name!r} is none of {_FAULTS}")
    return faults


def _names(venue: "OrderVenue", text: str) -> list[str]:
    """Read names of gateways."""
    known = list(venue.gateway_names)
    names = known if text.lower() == "all" else text.upper().split(",")
    for name in names:
        if name not in known:
            raise ValueError(f"there is no gateway {name}; there are {', '.join(known)}")
    return names


def _one(venue: "OrderVenue", ways: OrderWays, name: str, words: Sequence[str], now: int) -> None:
    gateway, window = venue.gateway_named(name), ways.windows.get(name, PipeWindow())
    if name not in ways.windows and words and words[0] in ("slow", "frozen"):
        raise ValueError(f"the wires of {name} are those of `stream`: stream slow 1000, stream silent 2s")
    match words:
        case ["ok"]:
            gateway.faults, gateway.storm = NONE, None
            gateway.revive()
            window.change(NEAR)
        case ["kill", *how] if how in ([], ["forget"]):
            venue.kill(name, now, forget=bool(how))
        case ["kill", "after", count]:
            gateway.kill_after(int(count))
        case ["revive"]:
            gateway.revive()
        case ["slow", span]:
            window.change(PipeFaults(delay_ns=parse_duration(span)))
        case ["frozen"]:
            window.change(replace(window.usual, frozen=True))
        case ["frozen", *_, span]:
            window.until(now + parse_duration(span), replace(window.usual, frozen=True))
        case [*faults, "for", span]:
            gateway.storm = Storm(now + parse_duration(span), parse(faults))
        case _:
            gateway.faults, gateway.storm = parse(words), None
