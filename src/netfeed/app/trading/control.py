"""POST /kill and POST /arm on the endpoints of a run: who may say so, and what they must say.

    curl -d '{"by": "anna", "why": "the feed looks wrong"}' -H "Authorization: Bearer $(cat KILL.token)" HOST/kill
    curl -d '{"by": "anna"}' -H "Authorization: Bearer $(cat KILL.token)" HOST/arm

Whoever reaches a loopback port may be any user of the host, or a page that a browser of theirs shows. So all of these
must hold, else 403: the peer is on this host, whatever address is listened on; it bears the token that stands in
KILL.token (mode 0600, new with each start: who can read it could send the process a signal as well); and it does not
say that a page of the web sent it. To kill takes the token, too: quotes out at the wrong moment cost money.
"""

import hmac
import ipaddress
import os
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import msgspec

from netfeed.app.trading.kill import KillError
from netfeed.app.trading.kill_watch import KillWatch

TOKEN: Final = ".token"
PATHS: Final = ("/kill", "/arm")
_TEXT: Final = "text/plain"

Answer = tuple[int, str, bytes]


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """What a request says."""

    by: str
    why: str = "a request"


class Control:
    """Answer to requests that do something. `refused` counts those that were not believed, by why."""

    def __init__(self, watch: KillWatch, clock: Callable[[], int]) -> None:
        """Make the token. Raises: KillError when its file cannot be written."""
        self._watch, self._clock = watch, clock
        self._path = watch.path + TOKEN
        self._token = secrets.token_urlsafe(32)
        self.refused: Counter[str] = Counter()
        try:
            with suppress(FileNotFoundError):
                os.unlink(self._path)
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(fd, "w", encoding="ascii") as file:
                file.write(self._token + "\n")
        except OSError as error:
            raise KillError(f"{self._path} cannot be written: {error.strerror}; the kill file needs a folder") from None

    def answer(self, path: str, headers: Mapping[str, str], body: bytes, peer: str) -> Answer:
        """Do what a POST asks for, where it may."""
        if path not in PATHS:
            return 404, _TEXT, b"POST /kill or /arm\n"
        objection = self._objection(headers, peer)
        if objection is not None:
            self.refused[objection] += 1
            return 403, _TEXT, f"{objection}: see {TOKEN.lstrip('.')} beside the kill file\n".encode()
        try:
            said = msgspec.json.decode(body, type=Said)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return 400, _TEXT, f'a body as {{"by": "anna", "why": "..."}}: {error}\n'.encode()
        return self._do(path, said)

    def close(self) -> None:
        """Take the token away."""
        with suppress(OSError):
            os.unlink(self._path)

    def _do(self, path: str, said: Said) -> Answer:
        try:
            if path == "/arm":
                self._watch.arm(said.by, self._clock())
                return 200, _TEXT, b"armed\n"
            self._watch.kill("request", said.by, said.why, self._clock())
            return 200, _TEXT, b"killed\n"
        except KillError as error:
            return 409, _TEXT, f"{error}\n".encode()

    def _objection(self, headers: Mapping[str, str], peer: str) -> str | None:
        if not _is_here(peer):
            return "not from this host"
        if "origin" in headers:
            return "sent by a page of the web"
        given = headers.get("authorization", "").removeprefix("Bearer ").encode("utf-8", "replace")
        return None if hmac.compare_digest(given, self._token.encode()) else "no token, or not the one of this run"


def _is_here(peer: str) -> bool:
    """Say whether an address is of this host's loopback."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
