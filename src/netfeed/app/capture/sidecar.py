"""The file beside a pcap file that says what is missing in it: NAME.drops.json, and none where nothing is.

Its room on the disk is taken when the pcap file is begun, so that it can be written when the disk is full, which is one
of the things that it tells. One of an earlier run is taken away: it would speak of a file that is no more.
"""

import contextlib
import json
import os
from collections.abc import Sequence
from typing import Any, Final

from netfeed.transport.sink import DirectSink

DROPS: Final = ".drops.json"
"""What its name has behind that of the pcap file."""
_ROOM: Final = 8192


class Sidecar:
    """It is begun with the pcap file, and ended by `tell` or `discard`."""

    def __init__(self, name: str) -> None:
        """Take its room. Raises: SinkError."""
        self._file, self._sink = name, DirectSink(name + DROPS)
        try:
            self._sink.reserve(_ROOM)
        except BaseException:
            self.discard()
            raise

    def tell(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write what is missing, an object an interface; leave no file for none. Raises: SinkError."""
        if not rows:
            self.discard()
            with contextlib.suppress(OSError):
                os.unlink(self._sink.name)
            return
        self._sink.write(json.dumps({"file": self._file, "interfaces": rows}).encode() + b"\n")
        self._sink.cut(self._sink.written)
        self._sink.close()

    def discard(self) -> None:
        """Leave no file, unless it was told; and one of an earlier run as it is."""
        self._sink.discard()
