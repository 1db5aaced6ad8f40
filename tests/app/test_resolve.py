"""Names to addresses, away from the loop: answers, failures, and lookups that nobody waits for any more."""

import threading
from collections.abc import Callable

import pytest

from netfeed.app.resolve import MAX_LOOKUPS, Resolution, ResolveError, system_resolver
from netfeed.errors import MisuseError

ADDRESSES = [("2001:db8::1", 443), ("192.0.2.1", 443)]


class Post:
    """Keeps what is posted, as a loop does until its next turn."""

    def __init__(self) -> None:
        self.posted: list[Callable[[], None]] = []
        self.came = threading.Semaphore(0)

    def __call__(self, call: Callable[[], None]) -> None:
        self.posted.append(call)
        self.came.release()

    def turn(self) -> None:
        assert self.came.acquire(timeout=60)
        self.posted.pop(0)()


def test_addresses_are_posted_in_the_resolvers_order() -> None:
    post, told = Post(), []  # type: tuple[Post, list[Any]]
    Resolution("venue.example", 443, post, told.append, resolver=lambda host, port: ADDRESSES)
    post.turn()
    assert told == [ADDRESSES]


def test_an_address_is_not_looked_up() -> None:
    post, told = Post(), []  # type: tuple[Post, list[Any]]

    def never(host: str, port: int) -> list[tuple[str, int]]:
        raise AssertionError(host)

    for host in ("192.0.2.1", "2001:db8::1"):
        Resolution(host, 80, post, told.append, resolver=never)
        post.turn()
    assert told == [[("192.0.2.1", 80)], [("2001:db8::1", 80)]]


@pytest.mark.parametrize(
    ("error", "what"),
    [(OSError(-2, "Name or service not known"), "Name or service not known"), (None, "it has no address")],
)
def test_a_name_without_an_address_is_told_with_its_name(error: OSError | None, what: str) -> None:
    def resolver(host: str, port: int) -> list[tuple[str, int]]:
        if error is not None:
            raise error
        return []

    post, told = Post(), []  # type: tuple[Post, list[Any]]
    Resolution("nowhere.example", 443, post, told.append, resolver=resolver)
    post.turn()
    assert isinstance(told[0], ResolveError)
    assert str(told[0]) == f"cannot resolve nowhere.example: {what}"


def test_a_lookup_that_was_given_up_tells_nothing() -> None:
    post, told = Post(), []  # type: tuple[Post, list[Any]]
    one = Resolution("venue.example", 443, post, told.append, resolver=lambda host, port: ADDRESSES)
    one.give_up()
    post.turn()
    assert told == []


def test_only_so_many_names_are_looked_up_at_once() -> None:
    answer, post, told = threading.Event(), Post(), []  # type: tuple[threading.Event, Post, list[Any]]

    def slow(host: str, port: int) -> list[tuple[str, int]]:
        answer.wait(60)
        return ADDRESSES

    for _ in range(MAX_LOOKUPS):
        Resolution("slow.example", 443, post, told.append, resolver=slow)
    with pytest.raises(MisuseError, match="looked up already"):
        Resolution("one.more.example", 443, post, told.append, resolver=slow)
    answer.set()
    for _ in range(MAX_LOOKUPS):
        post.turn()
    assert told == [ADDRESSES] * MAX_LOOKUPS


def test_the_system_knows_its_own_name() -> None:
    assert ("127.0.0.1", 80) in system_resolver("localhost", 80)
