"""All order sessions of a configuration on one loop, which turns inside the loop of the run whenever it has something.

    sessions = Sessions(config.sessions, {"deribit": traded}, os.environ, hear=engine.hear, tell=live.tell)
    live.watch(sessions.fileno(), sessions.ready); live.machines.append(sessions); sessions.open()
    sessions.links                 a Route each, numbered from 1 in the order of the configuration

`hear(number, report, now)` and `doubt(number, now)` are called from turns only, never from `send` or `flush` of a link.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from netfeed.app.configuration import Session as Config
from netfeed.app.resolve import Resolver, system_resolver
from netfeed.app.trading.over_tls import context_of
from netfeed.app.trading.secrets import read_secret
from netfeed.app.trading.session_link import Doubt, Hear, Sent, SessionLink, Valued
from netfeed.app.trading.speech import epoch_ns
from netfeed.app.trading.traded import Traded
from netfeed.book.execution import NONE, Flag, Tripped
from netfeed.engine.router import SessionTerms
from netfeed.errors import ConfigurationError, ConfigurationFileError, MisuseError
from netfeed.feed.gateway import ATTEMPTS_BURST, ATTEMPTS_RATE
from netfeed.machine import NEVER
from netfeed.proto.bucket import TokenBucket
from netfeed.transport.loop import Loop
from netfeed.venues.deribit_budget import ORDERS_BURST, ORDERS_RATE


class Sessions:
    """The sessions. `traded`: what each venue's sessions trade, by the venue's name. `paced`: each keeps its `rate`;
    not so where a router keeps it, which lets hedges pass (`terms`).
    """

    def __init__(
        self, configs: Sequence[Config], traded: Mapping[str, Sequence[Traded]], environment: Mapping[str, str], *,
        hear: Hear, tell: Callable[[str], None] = lambda text: None, sent: Sent = lambda request, at: None,
        doubt: Doubt = lambda number, now: None,
        valued: Valued = lambda number, currency, worth, now: None, quote_flags: Flag = NONE,
        resolver: Resolver = system_resolver, paced: bool = True,
    ) -> None:  # fmt: skip
        """Read secrets and certificates. Raises: ConfigurationError."""
        self.loop = Loop()
        budget = TokenBucket(rate=ATTEMPTS_RATE, burst=ATTEMPTS_BURST)
        self.links: list[SessionLink] = []
        try:
            for number, config in enumerate(configs, 1):
                with _named(config):
                    secret = read_secret(file=config.secret_file, variable=config.secret_env, environment=environment)
                    self.links.append(SessionLink(
                        config, number, traded.get(config.venue, ()), secret, self.loop, hear=hear, tell=tell,
                        sent=sent, doubt=doubt, valued=valued, context=context_of(config), budget=budget,
                        quote_flags=quote_flags, resolver=resolver, paced=paced,
                    ))  # fmt: skip
        except ConfigurationError:
            self.loop.close()
            raise

    @property
    def deadline(self) -> int:
        """Say when a turn is due though nothing comes. Units: monotonic ns."""
        return self.loop.deadline

    def fileno(self) -> int:
        """Give the descriptor to watch."""
        return self.loop.fileno()

    def open(self) -> None:
        """Begin to connect all of them."""
        for link in self.links:
            link.open()

    def ready(self) -> None:
        """Turn once, without waiting."""
        self.loop.turn(self.loop.clock())

    def wake(self, now: int) -> None:
        """Turn, because something is due."""
        self.ready()

    def hang_up(self) -> None:
        """Say goodbye in all sessions; what waits is still sent by the turns that follow."""
        for link in self.links:
            link.close()

    @property
    def is_idle(self) -> bool:
        """Say whether nothing is open any more: after `hang_up`, the last words are out."""
        return not any(task.ports for task in self.loop.tasks)

    def close(self) -> None:
        """Close everything at once."""
        self.hang_up()
        self.loop.close()


def terms(configs: Sequence[Config]) -> dict[int, SessionTerms]:
    """Give what a router must know of the sessions, by their numbers."""
    return {number: _terms(one) for number, one in enumerate(configs, 1)}


def _terms(one: Config) -> SessionTerms:
    """Deribit takes so many, whether it was said or not."""
    if one.rate is None and one.protocol == "deribit":
        return SessionTerms(int(ORDERS_RATE), ORDERS_BURST, one.fee)
    return SessionTerms(one.rate, one.burst, one.fee)


def until_of(tripped: Tripped) -> int:
    """Give when a group may quote again, on our clock; NEVER where somebody must reset it. Units: monotonic ns."""
    return NEVER if tripped.until_ns is None else tripped.until_ns - epoch_ns()


@contextmanager
def _named(config: Config) -> Iterator[None]:
    """Say of which session a mistake is."""
    try:
        yield
    except (ConfigurationError, MisuseError) as error:
        raise ConfigurationFileError(f"sessions ({config.name}): {error}") from None
