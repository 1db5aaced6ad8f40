"""Fuzz targets of order sessions: any bytes give a message or a WireError, and no machine raises."""

from collections.abc import Callable
from contextlib import suppress
from random import Random

from netfeed.errors import WireError
from netfeed.wire import ouch, starbase_orders
from tests.proto import order_laws


def starbase_frame(data: bytes) -> None:
    """Decode a frame; what is decoded encodes again, unless it holds an empty text where a number is null."""
    with suppress(WireError):
        header, body = starbase_orders.decode(data)
        built = starbase_orders.encode(header.messageTypeId, sequence=header.sequenceNumber, **body._asdict())
        assert starbase_orders.decode(built)[1]._asdict().keys() == body._asdict().keys()


def ouch_message(data: bytes) -> None:
    """Decode a message of either way; what is decoded is itself again, where its appendage is."""
    for way in ouch.Way:
        with suppress(WireError):
            message = ouch.decode(way, data)
            fields = message.fields._asdict()
            assert len(ouch.encode(way, fields.pop("message_type"), message.tags, **fields)) + 2 >= len(data)


def machine(make: Callable[[], object]) -> Callable[[bytes], None]:
    """Give the target of one machine: bytes in two pieces, then the end."""

    def run(data: bytes) -> None:
        one = make()
        half = len(data) // 2
        told = [*one.receive(data[:half], 1), *one.receive(data[half:], 2), *one.end(3)]  # type: ignore[attr-defined]
        assert told

    return run


TARGETS: dict[str, Callable[[bytes], None]] = {
    "starbase_frame": starbase_frame,
    "ouch_message": ouch_message,
    **{name.replace(" ", "_"): machine(make) for name, make, _ in order_laws.MACHINES},
}

_DRAWN = Random(1)

CORPUS: dict[str, list[bytes]] = {
    "starbase_frame": [order_laws.from_starbase_venue(_DRAWN) for _ in range(30)],
    "ouch_message": [order_laws.from_ouch_venue(_DRAWN)[3:] for _ in range(20)]
    + [order_laws.from_ouch_client(_DRAWN)[3:] for _ in range(20)],
    **{
        name.replace(" ", "_"): [b"".join(packet(_DRAWN) for _ in range(6)) for _ in range(5)]
        for name, _, packet in order_laws.MACHINES
    },
}
