"""/metrics, /healthz and /readyz over HTTP/1.1, on the loop of the handler: h11 for the protocol, sockets here.

    GET /metrics    Prometheus' text                       200
    GET /healthz    the loop turns                         200 ok
    GET /readyz     every channel is heard, in order, and its books are LIVE: 200, else 503 and why not
    GET /account    the account as JSON                    200
    POST /kill      and /arm, where something trades: whoever may (`trading.control`)

One request at a time for each connection, MAX_CONNECTIONS of them; the oldest makes room for one more. What is asked
before the answer to the last request has been taken waits. A request that is longer than MAX_REQUEST is refused, as is
more of them at once; a peer that does not read its answer is closed by the next who comes.
Loopback by default: nothing here asks who is there.
"""

import contextlib
import json
import select
import socket
from collections.abc import Callable, Mapping
from typing import Final

import h11

from netfeed.app.account import account, is_ready
from netfeed.app.gap_records import full_account
from netfeed.app.live import Live
from netfeed.app.metrics import CONTENT_TYPE, Metrics
from netfeed.app.venue_account import why_not_ready
from netfeed.errors import NetfeedError

MAX_CONNECTIONS: Final = 16
MAX_REQUEST: Final = 16_384
MAX_BODY: Final = 4_096

Answer = tuple[int, str, bytes]
Posted = Callable[[str, Mapping[str, str], bytes], Answer]
"""What answers a POST: its path, its headers by their names in small letters, its body."""


class EndpointError(NetfeedError):
    """The address cannot be listened on."""


class Exchange:
    """One connection, without its socket: bytes in, bytes out; `closed` when it has no more to say."""

    def __init__(self, answer: Callable[[str], Answer], posted: Posted | None = None) -> None:
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_REQUEST)
        self._answer, self._posted = answer, posted
        self._request: h11.Request | None = None
        self._body = b""
        self.closed = False

    def receive(self, data: bytes) -> bytes:
        """Take bytes (none at the end of the stream) and give the answer to one request, if there is one."""
        try:
            self._h11.receive_data(data)
        except h11.RemoteProtocolError as error:
            return self._refuse(error.error_status_hint)
        return self.more()

    def more(self) -> bytes:
        """Give the answer to the next request that has come; none at the end."""
        out = b""
        try:
            while not self.closed and not out:
                event = self._h11.next_event()
                if isinstance(event, h11.Request):
                    out += self._respond(event)
                elif isinstance(event, h11.Data) and self._request is not None:
                    out += self._more_of_body(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage) and self._request is not None:
                    out += self._respond_posted(self._request)
                elif event is h11.PAUSED:
                    self._h11.start_next_cycle()
                elif isinstance(event, h11.ConnectionClosed):
                    self.closed = True
                elif event is h11.NEED_DATA:
                    break
        except h11.RemoteProtocolError as error:
            out += self._refuse(error.error_status_hint)
        return out

    def _respond(self, request: h11.Request) -> bytes:
        path = _path(request)
        if request.method == b"POST" and self._posted is not None:
            self._request, self._body = request, b""
            if self._h11.they_are_waiting_for_100_continue:
                return self._h11.send(h11.InformationalResponse(status_code=100, headers=[])) or b""
            return b""
        if request.method not in (b"GET", b"HEAD"):
            return self._send((405, "text/plain", b"GET only\n"), close=True)
        return self._send(self._answer(path), head=request.method == b"HEAD")

    def _more_of_body(self, data: bytes) -> bytes:
        self._body += data
        if len(self._body) <= MAX_BODY:
            return b""
        self._request = None
        return self._send((413, "text/plain", b"too long\n"), close=True)

    def _respond_posted(self, request: h11.Request) -> bytes:
        assert self._posted is not None
        self._request = None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        return self._send(self._posted(_path(request), headers, self._body))

    def _refuse(self, status: int) -> bytes:
        self.closed = True
        if self._h11.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return b""
        return self._send((status, "text/plain", b"not a request\n"), close=True)

    def _send(self, answer: Answer, *, close: bool = False, head: bool = False) -> bytes:
        status, kind, body = answer
        headers = [("content-type", kind), ("content-length", str(len(body)))]
        if close:
            headers.append(("connection", "close"))
        out = self._h11.send(h11.Response(status_code=status, headers=headers)) or b""
        if body and not head:
            out += self._h11.send(h11.Data(data=body)) or b""
        out += self._h11.send(h11.EndOfMessage()) or b""
        self.closed = self._h11.our_state is h11.MUST_CLOSE
        return out


def _path(request: h11.Request) -> str:
    return request.target.split(b"?")[0].decode("latin-1")


class Endpoints:
    """Listen on an address and answer, on the loop of `live`."""

    def __init__(self, live: Live, metrics: Metrics, host: str, port: int) -> None:
        """Listen. Raises: EndpointError."""
        self._live = live
        self._metrics = metrics
        self.control: Callable[[str, Mapping[str, str], bytes, str], Answer] | None = None
        """What answers a POST, with the peer's address; None: nothing here can be told to do anything."""
        self.reasons: list[Callable[[], str]] = []
        """Why the run is not ready though its feeds are; empty texts are no reason."""
        self._open: dict[socket.socket, tuple[Exchange, bytearray]] = {}
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listener.bind((host, port))
            self._listener.listen(MAX_CONNECTIONS)
        except OSError as error:
            self._listener.close()
            raise EndpointError(
                f"cannot listen on {host}:{port}: {error.strerror}; --set endpoints.listen=ADDRESS:PORT names another "
                "one, --set endpoints.listen= none"
            ) from None
        self.port: int = self._listener.getsockname()[1]
        live.watch(self._listener.fileno(), self._accept)

    def answer(self, path: str) -> Answer:
        """Answer a path."""
        if path == "/metrics":
            return 200, CONTENT_TYPE, self._metrics.text()
        if path == "/healthz":
            return 200, "text/plain", b"ok\n"
        if path == "/readyz":
            ready = is_ready(self._live) and not any(reason() for reason in self.reasons)
            return (200, "text/plain", b"ready\n") if ready else (503, "text/plain", self._why_not())
        if path == "/account":
            return 200, "application/json", json.dumps(full_account(self._live)).encode() + b"\n"
        return 404, "text/plain", b"/metrics /healthz /readyz /account\n"

    def close(self) -> None:
        """Stop listening and hang up."""
        for one in list(self._open):
            self._hang_up(one)
        self._live.forget(self._listener.fileno())
        self._listener.close()

    def _why_not(self) -> bytes:
        told = account(self._live)
        lines = []
        for channel in told["channels"]:
            if channel["next_sequence"] is None:
                lines.append(f"{channel['channel']}: nothing heard yet")
            elif channel["silent"]:
                lines.append(f"{channel['channel']}: all lines are silent")
        lines += filter(None, map(why_not_ready, self._live.venues.links))
        lines += filter(None, (reason() for reason in self.reasons))
        states = ", ".join(f"{count} {state}" for state, count in told["books"].items() if count)
        return "\n".join([*lines, f"books: {states or 'none'}", ""]).encode()

    def _posted_by(self, peer: str) -> Posted | None:
        control = self.control
        return None if control is None else lambda path, headers, body: control(path, headers, body, peer)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            one, peer = self._listener.accept()
            one.setblocking(False)
            if len(self._open) >= MAX_CONNECTIONS:
                self._hang_up(next(iter(self._open)))
            self._open[one] = Exchange(self.answer, self._posted_by(peer[0])), bytearray()
            self._live.watch(one.fileno(), lambda: self._serve(one))

    def _serve(self, one: socket.socket) -> None:
        exchange, waiting = self._open[one]
        more = bool(waiting)
        try:
            if not waiting:
                waiting += exchange.more()
                more = bool(waiting)  # another request may have come with this one: its turn is the next
            if not waiting:
                waiting += exchange.receive(one.recv(MAX_REQUEST))
                more = bool(waiting)
            while waiting:
                del waiting[: one.send(waiting)]
        except BlockingIOError:
            pass
        except OSError:
            self._hang_up(one)
            return
        if not waiting and exchange.closed:
            self._hang_up(one)
            return
        self._live.watch(
            one.fileno(), lambda: self._serve(one), select.EPOLLOUT if waiting or more else select.EPOLLIN
        )  # fmt: skip

    def _hang_up(self, one: socket.socket) -> None:
        self._open.pop(one, None)
        self._live.forget(one.fileno())
        one.close()
