"""The server's side of a WebSocket as the talk of a toy venue, and the client's with entropy that is none."""

from collections.abc import Sequence
from typing import Any

from netfeed.feed.talk import Ended, Heard, Lively, Opened, Word
from netfeed.feed.websocket_talk import WebSockets
from netfeed.proto import websocket


def no_entropy(count: int) -> bytes:
    return bytes(count)


client = WebSockets(no_entropy, compression=False)


class ServerTalk:
    """Accepts whoever comes."""

    def __init__(self, now: int) -> None:
        self._server = websocket.Server(now)
        self._now = now

    @property
    def deadline(self) -> int:
        return self._server.deadline

    def say(self, message: bytes, now: int) -> None:
        if self._server.is_open:
            self._server.send_text(message)

    def close(self, code: int, reason: str) -> None:
        if self._server.is_open:
            self._server.close(self._now, code, reason)

    def receive(self, data: Any, now: int, port: int = 0) -> Sequence[Word]:
        self._now = now
        return self._meant(self._server.receive(data, now), now)

    def wake(self, now: int) -> Sequence[Word]:
        return self._meant(self._server.wake(now), now)

    def end(self, now: int) -> Sequence[Word]:
        return self._meant(self._server.end(now), now)

    def transmit(self, port: int = 0) -> list[bytes]:
        return self._server.transmit()

    def _meant(self, events: Sequence[Any], now: int) -> list[Word]:
        words: list[Word] = []
        for event in events:
            if isinstance(event, websocket.Requested):
                self._server.accept(now)
                words.append(Opened())
            elif isinstance(event, websocket.Messages):
                words.append(Heard(event))
            elif isinstance(event, websocket.Closed):
                words.append(Ended("venue", event.code, event.reason))
            elif isinstance(event, websocket.Pinged | websocket.Ponged):
                words.append(Lively())
        return words
