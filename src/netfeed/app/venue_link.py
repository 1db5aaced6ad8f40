"""One venue of a run on real sockets: its instruments are asked for, then a gateway carries its topics.

    asking      a connection of its own, tried again with pauses, until the venue has said what it lists
    running     `feed.gateway`, on the loop by `venue_drive`
    closed      every connection was told so

What is heard goes to the books at once; what an operator should know is told in a line, and into the stream.

Leaves out: what a venue says (`venue_kinds`), who drives the loop (`venue_driver`).
"""

import os
import random
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from netfeed.app import venue_log
from netfeed.app import venue_words as words
from netfeed.app.attempt import Attempt
from netfeed.app.configuration import Venue as Config
from netfeed.app.discovery import Discovery, Found, Nothing
from netfeed.app.listing import MAX_BYTES, Listing
from netfeed.app.trust import system_trust
from netfeed.app.venue_drive import VenueDrive
from netfeed.app.venue_feed import VenueFeed
from netfeed.app.venue_kind import Made, credentials_of, wanted
from netfeed.app.venue_kinds import KINDS
from netfeed.app.venue_places import endpoints, fetch_endpoint, listing, target_of
from netfeed.errors import ConfigurationError, ConfigurationFileError, MisuseError
from netfeed.feed.exchange import Exchanges
from netfeed.feed.gateway import Gateway
from netfeed.feed.gateway_words import Disconnected, VenueStatistics
from netfeed.feed.talk import Talk
from netfeed.feed.venue import Venue
from netfeed.feed.websocket_talk import WebSockets
from netfeed.machine import Buffer
from netfeed.proto import http, tls, websocket
from netfeed.proto.backoff import Backoff, Pauses
from netfeed.proto.bucket import TokenBucket
from netfeed.transport.loop import Loop
from netfeed.transport.task import Task
from netfeed.units import duration_text
from netfeed.venues.entries import Passed
from netfeed.venues.instrument import Instrument

MAX_REASONS: Final = 64
"""Reasons of lost connections that are counted one by one, for each endpoint."""
SHOWN: Final = 5
"""Names that are told of a venue's list, when none of them is wanted."""
Wrap = Callable[[Talk, str, str], Talk]
"""Gives the talk that is held instead, for a recorder: (talk, venue, endpoint)."""


class VenueLink:
    """One venue. `tell` is given what an operator should know, `stream` lines of the JSON stream."""

    def __init__(
        self, config: Config, index: int, loop: Loop, *, budget: TokenBucket, tell: Callable[[str], None],
        stream: Callable[[list[dict[str, Any]]], None], wrap: Wrap | None = None,
        listed: Callable[[str, Sequence[bytes], bool], None] = lambda venue, answers, heard: None,
        fetched: Callable[[str, str, Buffer], None] = lambda venue, topic, body: None,
    ) -> None:  # fmt: skip
        """Read certificates, and look for the secret. Raises: ConfigurationError."""
        self.config, self.name, self.index = config, config.name, index
        self.feed = VenueFeed(index, fetched=partial(fetched, config.name))
        self.gateway: Gateway | None = None
        self.reconnects: dict[str, Counter[str]] = {}
        self.listed = 0
        self.instruments: dict[str, Instrument] = {}  # what it has answered, by name
        self.passed: tuple[Passed, ...] = ()
        self._kind = KINDS[config.venue]
        self._loop, self._budget, self._tell, self._stream = loop, budget, tell, stream
        self._listed = listed
        self._wrap: Wrap = wrap or (lambda talk, venue, endpoint: talk)
        credentials_of(config, os.environ)
        context = context_of(config)
        self._talks = websockets(config, context)
        self._exchanges = Exchanges(context=context, limits=http.Limits(body_bytes=MAX_BYTES))
        self._made: Made | None = None
        self._book_topics: tuple[str, ...] = ()
        self._drive: VenueDrive | None = None
        self._attempt: Attempt | None = None
        self._pauses = Pauses(config.reconnect.first, config.reconnect.cap, config.reconnect.healthy)
        self._backoff = Backoff(random.random, pauses=self._pauses, budget=budget)
        self._asking: Task | None = None
        self._closed = False
        self._last: VenueStatistics | None = None
        self._place = ""

    @property
    def skew_ns(self) -> int:
        """Give what stamps are ahead of monotonic time."""
        return 0 if self.gateway is None else self.gateway.skew_ns

    @property
    def is_ready(self) -> bool:
        """Say whether every book is LIVE, over connections that are heard."""
        return self.gateway is not None and self.feed.is_live

    def topic_of(self, number: int) -> str | None:
        """Name the topic of a book by its number in the feed."""
        return self._book_topics[number] if number < len(self._book_topics) else None

    def statistics(self) -> VenueStatistics | None:
        """Give the account of the gateway, as it was when the run ended; None before there is one."""
        if self._last is not None or self.gateway is None:
            return self._last
        return self.gateway.statistics().venues[0]

    def open(self) -> None:
        """Begin to ask."""
        self._backoff.begin(self._loop.clock())
        self._asking = self._loop.add(self._backoff, {}, events=lambda events, now: self._ask(now))

    def events(self) -> list[Any]:
        """Drain trades and tickers."""
        return [] if self._made is None or self._made.events is None else self._made.events.drain()

    def close(self) -> None:
        """Close every connection with a word; the books stay as they are."""
        if self._closed:
            return
        self._last = self.statistics()
        self._closed = self.feed.closing = True
        if self._attempt is not None:
            self._attempt.give_up()
        if self._drive is not None:
            self._drive.close()
        if self._asking is not None:
            self._asking.close()

    # -- the instruments

    def _ask(self, now: int) -> None:
        """Ask the venue for its instruments, at one endpoint after the other."""
        address = listing(self.config)
        places = endpoints(self.config) if address is None else (address,)
        place = places[self._backoff.statistics().failures_in_a_row % len(places)]
        self._place = place

        def machine(now: int) -> Discovery | Listing:
            if self._kind.question is not None:
                talk = self._talk(place, now)
                return Discovery(talk, self._kind.question(self.config), self._kind.instruments, now)
            url = urlsplit(place)
            exchange = self._exchanges(f"{url.scheme}://{url.netloc}", now)
            return Listing(exchange, target_of(place), self._kind.instruments, self._kind.more, now)

        self._attempt = Attempt(self._loop, place, machine, opened=self._backoff.opened, told=self._answered)

    def _answered(self, told: Found | Nothing, now: int) -> None:
        self._attempt = None
        if isinstance(told, Nothing):
            self._unanswered(words.hinted(told.reason, self._place), now, told.wait_ns)
            return
        found = wanted(self.config, told.listed.instruments)
        self.listed, self.passed = len(told.listed), told.listed.passed
        passed = f"; {told.listed}" if self.passed else ""
        if not found:
            some = ", ".join(one.name for one in told.listed.instruments[:SHOWN])
            none = f"`instruments` names none of the {self.listed} that it lists ({some}, ...)"
            self._unanswered(none + passed, now)
            return
        try:
            made, gateway = self._make(found, now)
        except MisuseError as error:
            self._unanswered(f"{error}: name fewer `instruments`, or raise its `limits`", now)
            return
        self._backoff.stop()
        self._listed(self.name, told.answers, self._kind.question is not None)
        self._tell(f"{self.name}: {len(found)} of {self.listed} instruments, {len(made.topics)} topics{passed}")
        self.instruments = {one.name: one for one in found}
        self._made, self._book_topics, self.gateway = made, made.books, gateway
        self._drive = VenueDrive(self._loop, gateway, events=self._take)

    def _unanswered(self, reason: str, now: int, wait_ns: int = 0) -> None:
        """Say why there are no instruments, and ask again later: other venues go on meanwhile."""
        self._backoff.failed(now, not_before=now + wait_ns)
        again = duration_text(max(0, self._backoff.deadline - now))
        self._tell(f"{self.name}: no instruments: {reason}; asked again in {again}")
        if self._asking is not None:
            self._asking.kick()

    def _make(self, instruments: Sequence[Instrument], now: int) -> tuple[Made, Gateway]:
        """Make what keeps the books. Raises: MisuseError when the venue's limits do not allow so many."""
        made = self._kind.made(self.config, instruments)
        venue = Venue(
            self.name, endpoints(self.config), made.dialect, self.feed, self._talk, topics=made.topics,
            lines=self.config.lines, pauses=self._pauses, fetch_endpoint=fetch_endpoint(self.config),
            fetch=None if fetch_endpoint(self.config) is None else self._exchanges,
        )  # fmt: skip
        gateway = Gateway([venue], random.random, now, budget=self._budget)
        self.feed.made(made.market)
        return made, gateway

    def _talk(self, endpoint: str, now: int) -> Talk:
        return self._wrap(self._talks(endpoint, now), self.name, endpoint)

    # -- what the gateway tells

    def _take(self, events: Sequence[Any], now: int) -> None:
        lines = []
        for event in events:
            if isinstance(event, Disconnected) and not event.planned:
                self._count(event)
            text = venue_log.words(event, now)
            if text is not None and not self._closed:  # that the run ends is no news
                self._tell(f"{self.name}: {text}")
            lines += words.records(event, self.skew_ns)
        if lines:
            self._stream(lines)

    def _count(self, event: Disconnected) -> None:
        reasons = self.reconnects.setdefault(event.endpoint, Counter())
        reason = words.reason(event)
        reasons[reason if reason in reasons or len(reasons) < MAX_REASONS else "other"] += 1


def websockets(config: Config, context: ssl.SSLContext | None) -> WebSockets:
    """Make what talks to a venue."""
    limits = replace(websocket.Limits(), frame_bytes=config.max_message, message_bytes=config.max_message)
    return WebSockets(os.urandom, context=context, limits=limits, compression=config.compression)


def context_of(config: Config) -> ssl.SSLContext | None:
    """Make the context of TLS, None where nothing wants it. Raises: ConfigurationError."""
    places = [*endpoints(config), listing(config), fetch_endpoint(config)]
    if not any(one is not None and one.startswith(("wss", "https")) for one in places):
        return None
    said = config.tls
    trust = None
    if said.verify:
        trust = system_trust() if said.ca is None else tls.Trust(file=said.ca)
    identity = None if said.certificate is None else tls.Identity(said.certificate, said.key)
    try:
        return tls.client_context(trust, identity=identity, alpn=["http/1.1"])
    except ConfigurationError as error:
        raise ConfigurationFileError(f"venues ({config.name}): tls: {error}") from None
