"""What a configured order session comes to: where it is, what it lacks, and which instruments it names.

protocol    schemes       key, secret                            wants of an instrument
starbase    tcp, tls      16 and 48 ASCII characters             the venue's `id`, and the `pair` of mass cancels
ouch        tcp, tls      6 and 10 alphanumeric characters       its symbol as `name`
deribit     ws, wss       client id and secret of an API key     its name
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from netfeed.app.configuration import Session, SessionInstrument
from netfeed.app.trading.traded import Traded
from netfeed.engine.contract import Contract, Payoff
from netfeed.units import parse_decimal


class Kind(NamedTuple):
    """What a protocol wants. `key`: the most characters of one, None for any."""

    schemes: tuple[str, ...]
    key: int | None
    ids: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    "starbase": Kind(("tcp", "tls"), 16, ids=True),
    "ouch": Kind(("tcp", "tls"), 6),
    "deribit": Kind(("ws", "wss"), None),
}


class Place(NamedTuple):
    """One endpoint. `secure`: TLS stands below what is spoken."""

    host: str
    port: int
    secure: bool


_PORTS: Final = {"ws": 80, "wss": 443}


def place_of(endpoint: str) -> Place:
    """Take an endpoint apart. Raises: ValueError where it has no port."""
    url = urlsplit(endpoint)
    try:
        port = url.port or _PORTS.get(url.scheme)
    except ValueError:
        port = None
    if not port or not url.hostname:
        raise ValueError(f"{endpoint} has no port from 1 to 65535")
    return Place(url.hostname, port, url.scheme in ("tls", "wss"))


def check_sessions(sessions: Sequence[Session]) -> Iterable[str]:
    """Name what the types cannot say."""
    names = [one.name for one in sessions]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            yield f"sessions: the name {name!r} stands twice"
    for index, one in enumerate(sessions):
        yield from (f"sessions[{index}] ({one.name}): {what}" for what in _check(one))
    for venue in sorted({one.venue for one in sessions}):
        yield from _check_names(venue, [one for one in sessions if one.venue == venue])


def _check(one: Session) -> Iterable[str]:
    kind = KINDS[one.protocol]
    for endpoint in one.endpoints:
        yield from _check_endpoint(one.protocol, kind, endpoint)
    if (one.secret_file is None) == (one.secret_env is None):
        yield "the secret is named once: secret_file, or secret_env for a variable of the environment"
    if kind.key is not None and (len(one.key) > kind.key or not one.key.isascii()):
        yield f"key: {one.protocol} has {kind.key} ASCII characters at most"
    if one.groups and one.protocol != "deribit":
        yield f"groups: {one.protocol} knows protection groups by their number"
    if one.portfolios and one.protocol != "deribit":
        yield f"portfolios: {one.protocol} tells none"
    if len({group.number for group in one.groups}) != len(one.groups):
        yield "groups: a number stands twice"
    if (one.tls.certificate is None) != (one.tls.key is None):
        yield "tls: certificate and key go together"
    if not 0 < one.reconnect.first <= one.reconnect.cap:
        yield "reconnect: `first` is more than nothing, and not more than `cap`"
    for instrument in one.instruments:
        if kind.ids and instrument.id is None:
            yield f"instruments: {instrument.name} needs `id`, the venue's number of it"
        if not parse_decimal(instrument.tick, -18) or not parse_decimal(instrument.lot, -18):
            yield f"instruments: {instrument.name} has a tick and a lot of more than nothing"


def _check_endpoint(protocol: str, kind: Kind, endpoint: str) -> Iterable[str]:
    scheme = urlsplit(endpoint).scheme
    if scheme not in kind.schemes:
        yield f"endpoints: {protocol} is spoken over {' or '.join(f'{one}://' for one in kind.schemes)}, not {scheme}://"
        return
    try:
        place_of(endpoint)
    except ValueError as error:
        yield f"endpoints: {error}"


def _check_names(venue: str, sessions: Sequence[Session]) -> Iterable[str]:
    said: dict[str, SessionInstrument] = {}
    for session in sessions:
        for one in session.instruments:
            known = said.setdefault(one.name, one)
            if (known.tick, known.lot) != (one.tick, one.lot):
                yield f"sessions of {venue}: {one.name} has two different ticks or lots"
    numbers: dict[int, str] = {}
    for name, one in said.items():
        if one.id is not None and numbers.setdefault(one.id, name) != name:
            yield f"sessions of {venue}: {name} and {numbers[one.id]} have the same id {one.id}"


# --- instruments


def instruments_of(sessions: Sequence[Session]) -> dict[int, tuple[SessionInstrument, Contract]]:
    """Give the instruments that sessions of one venue name, each under a number of ours."""
    named: dict[str, SessionInstrument] = {}
    for session in sessions:
        for one in session.instruments:
            known = named.get(one.name)
            if known is None or known.id is None:
                named[one.name] = one
    return {index: (one, _contract(index, one)) for index, one in enumerate(named.values())}


def traded_of(sessions: Sequence[Session]) -> list[Traded]:
    """Give what sessions need of the instruments that they name."""
    return [
        Traded(index, one.name, contract.price_exponent, contract.quantity_exponent, one.id, one.pair)
        for index, (one, contract) in instruments_of(sessions).items()
    ]


def _contract(index: int, one: SessionInstrument) -> Contract:
    price, quantity = _exponent(one.tick), _exponent(one.lot)
    return Contract(
        index, one.name, Payoff(one.payoff), one.underlying, one.inverse, price, quantity,
        parse_decimal(one.tick, price), parse_decimal(one.lot, quantity), one.multiplier,
    )  # fmt: skip


def _exponent(text: str) -> int:
    return -len(text.partition(".")[2])
