"""OKX over WebSocket v5: the channels `books` (400 levels), `books-l2-tbt` and `books50-l2-tbt`.

    snapshot     first on every subscription; prevSeqId -1
    update       prevSeqId is the seqId before
    keep-alive   after some 60 s without a change: no levels, seqId equal to prevSeqId
    reset        after maintenance seqId may be smaller than prevSeqId, once; the chain goes on from it
    checksum     always 0 since June 2026, and not looked at. Recordings from before have a CRC32 of 25 levels; that of
                 May 2022 has no seqId at all: `OLD_RULES` are for such
    "ping"       text that the client sends when nothing came for a while, answered by the text "pong"

Source: www.okx.com/docs-v5: order book channel, connect, subscribe; the notice "OKX order book channels checksum field
deprecation" (21 May 2026). Checked against a recording of 2022: 290 of 290 checksums. The rules of seqId are from the
documents, not checked on a recording.

Leaves out: books5 and bbo-tbt (each push is whole), trades, tickers, orders.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, ClassVar, Final

import msgspec

from netfeed.errors import MisuseError, WireError
from netfeed.feed.dialect import Acknowledged, Beat, Leaving, Limits, Liveness, Puzzling, Refused, Said, Throttled
from netfeed.machine import Buffer
from netfeed.venues import answers
from netfeed.venues.depth_market import DepthMarket
from netfeed.venues.depth_rules import Numbering, Rules, Summing
from netfeed.venues.depth_shape import Node, Role, Rung, Shape
from netfeed.venues.entries import Listed, each
from netfeed.venues.instrument import Instrument, Kind, Number, Right, believed, grid, milliseconds, whole

VENUE: Final = "okx"
HOST, PATH = "ws.okx.com", "/ws/v5/public"
CHANNELS: Final = ("books", "books-l2-tbt", "books50-l2-tbt")
SECOND: Final = 1_000_000_000

LIMITS: Final = Limits(
    topics_per_connection=500, topics_per_request=100, connections=30, budget_rate=480 / 3_600, budget_burst=60
)
"""480 requests an hour and connection, login and unsubscribe among them."""
LIVENESS: Final = Liveness(ping_ns=20 * SECOND, silent_ns=50 * SECOND)


def shape(channel: str = "books") -> Shape:
    """Give the shape of a channel's messages."""
    return Shape(
        Node({
            "arg": Node({"channel": Role.CHANNEL, "instId": Role.NAME}),
            "action": Role.KIND,
            "data": Node({
                "asks": Role.ASKS,
                "bids": Role.BIDS,
                "ts": Role.MILLISECONDS,
                "checksum": Role.CHECKSUM,
                "prevSeqId": Role.BEFORE,
                "seqId": Role.NUMBER,
            }, entry=True, many=True),
        }),
        Rung(price=0, quantity=1, orders=3), accept=channel,
    )  # fmt: skip


@cache
def rules(channel: str = "books") -> Rules:
    """Give the rules of a channel's books.

    Raises: MisuseError for a channel that is none of CHANNELS.
    """
    if channel not in CHANNELS:
        raise MisuseError(f"{channel} is none of the channels of whole books: {', '.join(CHANNELS)}")
    return Rules(shape(channel), Numbering.BEFORE)


OLD_RULES: Final = Rules(shape(), Numbering.NOTHING, summing=Summing.TEXT)


def topic(instrument: str, channel: str = "books") -> str:
    """Name the topic of an instrument's book."""
    return f"{channel}:{instrument}"


def market(
    instruments: Iterable[Instrument], channel: str = "books", *, old: bool = False, **options: Any
) -> DepthMarket:
    """Make the market of some instruments; `old`: of a recording whose messages are summed and not numbered."""
    made = DepthMarket(OLD_RULES if old else rules(channel), **options)
    for one in instruments:
        made.open(topic(one.name, channel), one.name, one.name, one.exponents)
    return made


class Dialect:
    """What is said to OKX, and what it answers."""

    limits: ClassVar[Limits] = LIMITS
    liveness: ClassVar[Liveness] = LIVENESS

    def opening(self, request: int) -> Sequence[bytes]:
        """Say nothing: topics are asked for at once."""
        return ()

    def subscribe(self, topics: Sequence[str], request: int) -> bytes:
        """Ask for topics."""
        return _ask("subscribe", topics, request)

    def unsubscribe(self, topics: Sequence[str], request: int) -> bytes:
        """Ask for topics no longer."""
        return _ask("unsubscribe", topics, request)

    def ping(self, request: int) -> bytes | None:
        """Give the client's own heartbeat: a text that is no JSON."""
        return b"ping"

    def read(self, message: Buffer) -> Sequence[Said]:
        """Say what a message that is no market data means."""
        if message == b"pong":
            return (Beat(),)
        root = answers.said(message)
        if root is None:
            return (Puzzling("no JSON object"),)
        event, code, text = root.get("event"), str(root.get("code")), str(root.get("msg"))[:200]
        number = root.get("id")
        request = int(number) if isinstance(number, str) and number.isascii() and number.isdecimal() else None
        channel, instrument = answers.part(root, "arg", "channel"), answers.part(root, "arg", "instId")
        named = (topic(instrument, channel),) if isinstance(channel, str) and isinstance(instrument, str) else None
        if event in ("subscribe", "unsubscribe"):
            return (Acknowledged(request, named, on=event == "subscribe"),)
        if event == "error":
            return (_ERRORS.get(code, _refused)(request, named, code, text),)
        if event == "notice":
            return (Leaving(f"{code} {text}"),)
        if event == "channel-conn-count":
            return (Beat(),)
        return (Puzzling("a channel that nobody opened" if event is None else f"event {str(event)[:40]}"),)


def _refused(request: int | None, named: tuple[str, ...] | None, code: str, text: str) -> Said:
    return Refused(request, named, code, text, final=code in ("60018", "60012"))


def _throttled(request: int | None, named: tuple[str, ...] | None, code: str, text: str) -> Said:
    return Throttled(SECOND, code, request)


_ERRORS: Final = {"60014": _throttled, "50011": _throttled, "50061": _throttled}


def _ask(op: str, topics: Sequence[str], request: int) -> bytes:
    parts = [one.split(":", 1) for one in topics]
    arguments = [{"channel": channel, "instId": instrument} for channel, instrument in parts]
    return msgspec.json.encode({"id": str(request), "op": op, "args": arguments})


# --- instruments


class _Listed(msgspec.Struct):
    instId: str
    instType: str
    tickSz: str
    lotSz: str
    minSz: str
    baseCcy: str = ""
    quoteCcy: str = ""
    settleCcy: str = ""
    uly: str = ""
    ctVal: str = ""
    ctMult: str = ""
    ctType: str = ""
    optType: str = ""
    stk: str = ""
    expTime: str = ""
    state: str = "live"


class _Listing(msgspec.Struct):
    data: list[msgspec.Raw]
    code: str = "0"
    msg: str = ""


_LISTING: Final = msgspec.json.Decoder(_Listing)
_ROW: Final = msgspec.json.Decoder(_Listed)
_KINDS: Final = {"SPOT": Kind.SPOT, "MARGIN": Kind.SPOT, "SWAP": Kind.PERPETUAL, "FUTURES": Kind.FUTURE,
                 "OPTION": Kind.OPTION}  # fmt: skip
_RIGHTS: Final = {"C": Right.CALL, "P": Right.PUT}


def instruments(body: Buffer) -> Listed:
    """Read the answer of public/instruments. What is not priced yet (`preopen`, without a tick) is left out.

    Raises: WireError for what is no list.
    """
    listing = answers.decoded(_LISTING, body, "public/instruments")
    answers.succeeded("public/instruments", listing.code == "0", f"{listing.code} {listing.msg}")
    return each(listing.data, _ROW, lambda one: _instrument(one) if one.tickSz and one.lotSz else None, "instId")


def _instrument(one: _Listed) -> Instrument:
    kind = _KINDS.get(one.instType)
    if kind is None:
        raise WireError("instType", offset=0, found=one.instType, wanted=", ".join(_KINDS))
    tick, lot = _decimal(one.tickSz), _decimal(one.lotSz)
    minimum = _decimal(one.minSz or one.lotSz)
    price, quantity = grid([tick], [lot, minimum])
    base, _, quote = one.uly.partition("-")
    contract = _decimal(one.ctVal) * _decimal(one.ctMult or "1") if one.ctVal else None
    return Instrument(
        VENUE, one.instId, kind, one.baseCcy or base, one.quoteCcy or quote, one.settleCcy or one.quoteCcy or quote,
        price, quantity, whole(tick, price), whole(lot, quantity), whole(minimum, quantity),
        inverse=one.ctType == "inverse" or (kind is Kind.OPTION and one.settleCcy == base),
        contract=None if contract is None else Number.of(contract),
        strike=Number.of(_decimal(one.stk)) if one.stk else None, right=_RIGHTS.get(one.optType),
        expiry_ns=milliseconds(int(one.expTime)) if one.expTime.isdecimal() and len(one.expTime) < 18 else None,
        trading=one.state == "live",
    )  # fmt: skip


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise WireError("decimal", offset=0, found=text, wanted="a number") from None
    believed(value)
    return value
