"""Send captures again at layer 2: every frame as it was recorded, onto the wire of one interface, at the same paces.

A card, a switch, or a program that captures then sees what was seen: addresses, VLAN tags, checksums, protocols that
are no UDP. Frames that were cut by a snap length, and those of other link types than Ethernet, are left out.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from netfeed.errors import WireError
from netfeed.transport.file import Source, open_source
from netfeed.transport.raw.packet import LINK_ETHERNET
from netfeed.transport.raw.send import FrameSender
from netfeed.transport.resend import Destination, Outlet, Recorded, Resend, Resent, address_text
from netfeed.wire import pcap, pcapng
from netfeed.wire.frame import Kind, locate

RELEASE_EVERY: Final = 1024
NOWHERE: Final = ("", 0)
"""Where a frame went that is no UDP."""


class ResendFrames(Resend):
    """Captures on their way out of an interface, as frames; `wanted` chooses by UDP destination as `Resend`'s does.

    The other arguments are `Resend`'s; addresses are not changed.
    """

    def __init__(
        self,
        paths: Sequence[str],
        sender: FrameSender,
        *,
        wanted: Callable[[str, int], bool] | None = None,
        **more: Any,
    ) -> None:
        outlet = _Outlet(sender)
        super().__init__(paths, lambda *_: outlet, wanted=wanted or (lambda *_: True), **more)
        self._outlet, self._chosen = outlet, wanted

    def _read(self, path: str) -> Iterator[Recorded]:
        return read_frames(path, self.result)

    def _sender(self, recorded: Destination) -> Outlet | None:
        if self._chosen is not None and not self._chosen(*recorded):
            return None
        return self._outlet


class _Outlet:
    """The interface, as `Resend` sees a destination."""

    def __init__(self, sender: FrameSender) -> None:
        self.host, self.port, self._sender = sender.interface, 0, sender

    def send(self, data: memoryview) -> bool:
        return self._sender.send((data,)) == 1

    def close(self) -> None:
        self._sender.close()


def read_frames(path: str, result: Resent) -> Iterator[Recorded]:
    """Give every whole Ethernet frame of a capture, in its order; count the others, and what cannot be read.

    Raises: SourceError.
    """
    with open_source(path) as source:
        for record in _records(source, result):
            if record.linktype == LINK_ETHERNET and len(record.data) == record.original_length:
                yield Recorded(record.ts_ns, _destination(record), record.data)
            else:
                result.left_out += 1


def _records(source: Source, result: Resent) -> Iterator[pcap.Record]:
    """Step through a capture past its faults."""
    while len(source.buffer) < 4 and source.more(0):
        pass
    is_pcapng = source.buffer[:4] == pcapng.SECTION.to_bytes(4, "big")
    decoder: pcap.Decoder | pcapng.Decoder = pcapng.Decoder() if is_pcapng else pcap.Decoder()
    at = count = 0
    while at >= 0:
        try:
            if at == len(source.buffer):
                if not source.more(at):
                    break
                at = 0
            record, at = decoder.step(source.buffer, at)
        except WireError as error:
            if isinstance(error, pcap.Torn) and source.more(at):
                at = 0
                continue
            result.faults += 1
            at = decoder.resync(source.buffer, at)
            continue
        if record is not None:
            yield record
            count += 1
            if count % RELEASE_EVERY == 0:
                source.release(at)
    result.faults += source.error is not None


def _destination(record: pcap.Record) -> Destination:
    packet = locate(record.data, record.linktype, record.original_length)
    if packet.kind != Kind.UDP:
        return NOWHERE
    return address_text(packet.destination), packet.destination_port
