"""What a round trip goes over, as people write it: `udp://192.0.2.1:7400`, `wss://192.0.2.1:7403/ws`."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from netfeed.errors import ConfigurationError
from netfeed.transport.network import address, endpoint_text

DATAGRAMS: Final = ("udp", "multicast")
SCHEMES: Final = (*DATAGRAMS, "tcp", "tls", "ws", "wss")
_FORM: Final = "SCHEME://ADDRESS:PORT, as in udp://127.0.0.1:7400; schemes: " + ", ".join(SCHEMES)


@dataclass(frozen=True, slots=True)
class Target:
    """Where questions go, or where they are answered."""

    scheme: str
    host: str
    port: int
    path: str = "/"

    def __str__(self) -> str:
        path = self.path if self.path != "/" else ""
        return f"{self.scheme}://{endpoint_text(self.host, self.port)}{path}"

    @property
    def is_datagrams(self) -> bool:
        """Say whether each probe is a datagram."""
        return self.scheme in DATAGRAMS

    @property
    def is_group(self) -> bool:
        """Say whether several may answer."""
        return self.scheme == "multicast"

    @property
    def is_secure(self) -> bool:
        """Say whether TLS is spoken."""
        return self.scheme in ("tls", "wss")

    @property
    def is_websocket(self) -> bool:
        """Say whether WebSocket is spoken."""
        return self.scheme in ("ws", "wss")


def read_target(text: str) -> Target:
    """Read a target.

    Raises: ConfigurationError that says what it should be.
    """
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        raise ConfigurationError(f"{text!r} is not {_FORM}") from None
    if url.scheme not in SCHEMES or host is None or not port:
        raise ConfigurationError(f"{text!r} is not {_FORM}")
    if url.query or url.fragment or url.username or (url.path not in ("", "/") and url.scheme not in ("ws", "wss")):
        raise ConfigurationError(f"{text!r}: nothing stands behind the port, but for a path of ws:// and wss://")
    target = Target(url.scheme, host, port, url.path or "/")
    if address(target.host).is_multicast != target.is_group:
        wanted = "multicast://" if not target.is_group else "udp://"
        raise ConfigurationError(f"{text!r}: for this address it is {wanted}{endpoint_text(target.host, port)}")
    return target
