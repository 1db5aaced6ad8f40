"""TLS without a socket: what is agreed, who is not believed, how it ends, and what a hostile peer cannot do."""

import contextlib
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from OpenSSL import SSL

from netfeed.errors import ConfigurationError, MisuseError
from netfeed.machine import NEVER
from netfeed.proto import tls
from netfeed.proto.tls import Closed, Ending, Established, Malformed, Reason, Received, TimedOut, Unverified
from tests.proto import certificates
from tests.proto.certificates import NAME
from tests.proto.opposite import joined

S = 10**9
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
versions = pytest.mark.parametrize("version", [V12, V13], ids=lambda version: version.name)


def client_context(version: ssl.TLSVersion = V13, **kinds: Any) -> ssl.SSLContext:
    context = tls.client_context(kinds.pop("trust", certificates.trust()), **kinds)
    context.maximum_version = version
    return context


def server_context(identity: tls.Identity | None = None, **kinds: Any) -> ssl.SSLContext:
    return tls.server_context(identity or certificates.good(), **kinds)


def pair(
    here: ssl.SSLContext | None = None, there: ssl.SSLContext | None = None, name: str = NAME, **more: Any
) -> tuple[tls.Tls, tls.Tls]:
    return tls.client(here or client_context(), name, 0, **more), tls.server(there or server_context(), 0)


def talk(client: tls.Tls, server: tls.Tls, now: int = 0) -> tuple[list[Any], list[Any]]:
    """Carry what both say until neither says anything; give what each was told."""
    heard: tuple[list[Any], list[Any]] = ([], [])
    quiet = False
    while not quiet:
        quiet = True
        for sender, receiver, told in ((client, server, heard[1]), (server, client, heard[0])):
            out = b"".join(sender.transmit())
            if out:
                quiet = False
                told += receiver.receive(out, now)
    return heard


def opened(*args: Any, **kinds: Any) -> tuple[tls.Tls, tls.Tls]:
    client, server = pair(*args, **kinds)
    here, there = talk(client, server)
    assert isinstance(here[0], Established)
    assert isinstance(there[0], Established)
    return client, server


@versions
def test_both_agree_and_say_what_they_have_to_say(version: ssl.TLSVersion) -> None:
    here, there = client_context(version, alpn=["http/1.1"]), server_context(alpn=["h2", "http/1.1"], names={})
    client, server = pair(here, there)
    client.send(b"said before the handshake is over")
    heard, asked = talk(client, server)
    first, *rest = heard
    assert (first.version, first.alpn, first.server_name) == (version.name.replace("_", "."), "http/1.1", NAME)
    assert (first.verified, first.session_reused, rest) == (True, False, [])
    assert NAME in first.certificate.names
    assert first.certificate.not_before_ns < first.certificate.not_after_ns
    assert asked[1:] == [Received(b"said before the handshake is over")]
    assert (asked[0].server_name, asked[0].verified, asked[0].certificate) == (NAME, False, None)
    server.send(b"answer")
    assert talk(client, server) == ([Received(b"answer")], [])


def test_one_input_gives_one_buffer_of_plaintext_however_many_records_it_held() -> None:
    client, server = opened()
    for part in (b"a" * 40_000, b"b", b"c" * 20_000):
        server.send(part)
    assert client.receive(b"".join(server.transmit()), 1) == [Received(b"a" * 40_000 + b"b" + b"c" * 20_000)]


@versions
def test_every_byte_split_tells_the_same(version: ssl.TLSVersion) -> None:
    def told(step: int) -> list[Any]:
        client, server = pair(client_context(version))
        client.send(b"hello")
        events: list[Any] = []
        for _ in range(3):
            server.receive(b"".join(client.transmit()), 0)
            if server.state is tls.State.OPEN:
                server.send(b"ab")
                server.send(b"c" * 300)
            out = b"".join(server.transmit())
            for at in range(0, len(out), step):
                events += client.receive(out[at : at + step], 0)
        server.close(0)
        out = b"".join(server.transmit())
        for at in range(0, len(out), step):
            events += client.receive(out[at : at + step], 0)
        return joined(events)

    whole = told(2**20)
    assert isinstance(whole[-1], Closed)
    assert [told(step) for step in (1, 2, 3, 7, 1000)] == [whole] * 5


BAD: list[tuple[Callable[[], tls.Identity], str, Reason, str, str]] = [
    (certificates.good, "other.example", Reason.WRONG_NAME, "bad_certificate", "is not for other.example"),
    (certificates.good, "192.0.2.1", Reason.WRONG_NAME, "bad_certificate", "is not for 192.0.2.1"),
    (certificates.expired, NAME, Reason.EXPIRED, "certificate_expired", "it has expired"),
    (certificates.early, NAME, Reason.NOT_YET_VALID, "bad_certificate", "it is not valid yet"),
    (certificates.self_signed, NAME, Reason.SELF_SIGNED, "unknown_ca", "nobody but itself vouches for it"),
    (certificates.of_a_stranger, NAME, Reason.UNKNOWN_AUTHORITY, "unknown_ca", "its issuer is not trusted"),
    (certificates.for_clients, NAME, Reason.WRONG_PURPOSE, "unsupported_certificate", "it is for another purpose"),
]


@versions
@pytest.mark.parametrize(
    ("identity", "name", "reason", "alert", "what"), BAD, ids=[f"{one[2].name}-{one[1]}" for one in BAD]
)
def test_a_certificate_that_is_not_believed_is_named_with_its_reason(
    version: ssl.TLSVersion, identity: Callable[[], tls.Identity], name: str, reason: Reason, alert: str, what: str
) -> None:
    client, server = pair(client_context(version), server_context(identity()), name)
    client.send(b"secret")
    (told, closed), heard = talk(client, server)
    assert isinstance(told, Unverified)
    assert (told.reason, told.alert) == (reason, alert)
    assert what in told.what
    assert told.certificate is not None
    assert told.certificate.names[0] == NAME
    assert told.certificate.subject
    assert told.certificate.issuer in told.what
    assert (closed.ending, client.is_closed, client.deadline) == (Ending.FAILED, True, NEVER)
    assert heard[-2:] == [tls.AlertReceived(alert), Closed(f"the peer gave up: {alert}", Ending.FAILED)]
    assert Received(b"secret") not in heard


@versions
def test_a_certificate_of_nonsense_is_told_like_any_other(version: ssl.TLSVersion) -> None:
    (told, _), heard = talk(*pair(client_context(version), server_context(certificates.nonsense())))
    assert isinstance(told, Unverified)
    assert told.certificate is not None
    assert (told.certificate.names, told.certificate.not_after_ns) == ((), 0)
    assert heard[-2] == tls.AlertReceived(told.alert)


def test_nothing_is_verified_only_where_that_was_asked_for() -> None:
    client, server = pair(client_context(trust=None), server_context(certificates.expired()), "other.example")
    told = talk(client, server)[0][0]
    assert isinstance(told, Established)
    assert not told.verified
    assert told.certificate is not None
    assert told.certificate.names == (NAME,)


@versions
def test_a_client_shows_its_certificate(version: ssl.TLSVersion) -> None:
    there = server_context(clients=certificates.trust())
    client, server = pair(client_context(version, identity=certificates.customer()), there)
    told = talk(client, server)[1][0]
    assert isinstance(told, Established)
    assert told.verified
    assert told.certificate is not None
    assert told.certificate.names == ("customer@venue.example",)


@versions
def test_a_client_that_shows_none_or_a_bad_one_is_refused_and_hears_why(version: ssl.TLSVersion) -> None:
    there = server_context(clients=certificates.trust())
    heard, told = talk(*pair(client_context(version), there))
    alert = "certificate_required" if version is V13 else "handshake_failure"
    assert told[0] == Malformed("peer did not return a certificate", alert)
    assert heard[-2] == tls.AlertReceived(alert)
    heard, told = talk(*pair(client_context(version, identity=certificates.of_a_stranger()), there))
    assert (told[0].reason, told[0].alert) == (Reason.UNKNOWN_AUTHORITY, "unknown_ca")
    assert told[0].certificate.names == (NAME,)
    assert heard[-2] == tls.AlertReceived("unknown_ca")


def test_a_server_may_ask_for_a_certificate_and_go_on_without_one() -> None:
    told = talk(*pair(there=server_context(clients=certificates.trust(), required=False)))[1][0]
    assert (type(told), told.verified, told.certificate) == (Established, False, None)


@versions
def test_a_session_is_gone_on_with(version: ssl.TLSVersion) -> None:
    here, there = client_context(version), server_context()
    client, _ = opened(here, there)
    session = client.session
    assert session is not None
    heard, told = talk(*pair(here, there, session=session))
    assert heard[0].session_reused
    assert told[0].session_reused
    assert heard[0].certificate is not None
    with pytest.raises(MisuseError, match="different SSLContext"):
        pair(client_context(), session=session)
    with pytest.raises(MisuseError, match=r"proves nothing about other\.example"):
        pair(here, there, "other.example", session=session)


def test_a_session_of_tls_1_2_can_be_gone_on_with_by_its_number_too() -> None:
    here, there = client_context(V12), server_context()
    there.options |= ssl.OP_NO_TICKET
    client, server = opened(here, there)
    assert client.session is not None
    assert server.session is None
    assert talk(*pair(here, there, session=client.session))[0][0].session_reused


def test_there_is_no_session_before_the_server_has_said_so() -> None:
    there = server_context()
    there.num_tickets = 0
    client, _ = opened(client_context(V13), there)
    assert client.session is None


def test_a_server_shows_the_certificate_of_the_name_that_is_asked_for() -> None:
    other = certificates.shown("other", certificates.authority().issue_cert("other.example"))
    there = server_context(names={"Other.example": server_context(other)})
    told = [talk(*pair(there=there, name=name))[0][0] for name in (NAME, "other.example")]
    assert [one.certificate.names[0] for one in told] == [NAME, "other.example"]


@versions
def test_close_notify_goes_both_ways(version: ssl.TLSVersion) -> None:
    client, server = opened(client_context(version))
    server.send(b"last words")
    client.close(5 * S)
    assert client.deadline == 8 * S
    heard, told = talk(client, server)
    assert told == [Closed("the peer closed", Ending.CLEAN)]
    assert heard == [Received(b"last words"), Closed("we closed", Ending.CLEAN)]
    assert client.end(9 * S) == []
    with pytest.raises(MisuseError, match="closed"):
        client.send(b"more")


def test_the_end_of_the_stream_without_close_notify_is_told_apart() -> None:
    client, server = opened()
    server.send(b"half of what")
    client.receive(b"".join(server.transmit()), 0)
    assert client.end(1) == [Closed("the peer closed without close_notify", Ending.TRUNCATED)]
    server.close(0)
    assert server.end(1) == [Closed("the peer closed without close_notify", Ending.UNANSWERED)]
    shaking, _ = pair()
    assert shaking.end(1) == [Closed("the peer closed during the handshake", Ending.TRUNCATED)]


def test_a_handshake_and_a_close_that_take_too_long_are_given_up() -> None:
    client, _ = opened()
    client.close(0)
    assert client.wake(3 * S - 1) == []
    unanswered = Closed("the peer did not say close_notify", Ending.UNANSWERED)
    assert client.wake(3 * S) == [TimedOut("close_notify"), unanswered]
    for one in pair():
        assert one.deadline == 10 * S
        assert one.wake(10 * S) == [TimedOut("the handshake"), Closed("no handshake in time", Ending.FAILED)]
        assert (one.deadline, one.wake(99 * S)) == (NEVER, [])


def test_a_handshake_can_be_given_up() -> None:
    client, _ = pair()
    client.close(7)
    assert client.deadline == 7
    assert client.receive(b"anything", 7) == []
    assert client.wake(7) == [Closed("the handshake was given up", Ending.FAILED)]


def test_what_is_no_tls_is_told() -> None:
    client, server = pair()
    assert server.receive(b"GET / HTTP/1.1\r\n\r\n", 0)[0] == Malformed("http request", "")
    assert client.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n", 0)[0] == Malformed(
        "wrong version number: is that a plain port, of ws:// or http://?", ""
    )


@versions
def test_a_forged_record_ends_it_and_both_say_so(version: ssl.TLSVersion) -> None:
    client, server = opened(client_context(version))
    server.send(b"x")
    record = bytearray(b"".join(server.transmit()))
    record[-1] ^= 1
    told = client.receive(record, 0)
    assert told[0] == Malformed("decryption failed or bad record mac", "bad_record_mac")
    assert talk(client, server)[1][0] == tls.AlertReceived("bad_record_mac")


def test_a_version_below_the_floor_is_refused() -> None:
    here = client_context(V12)
    there = server_context(floor=V13)
    heard, told = talk(*pair(here, there))
    assert told[0] == Malformed("unsupported protocol", "protocol_version")
    assert heard[0] == tls.AlertReceived("protocol_version")
    with pytest.raises(MisuseError, match="broken"):
        tls.client_context(certificates.trust(), floor=ssl.TLSVersion.TLSv1_1)


def test_a_handshake_that_never_ends_is_bounded() -> None:
    server = tls.server(server_context(), 0, limits=tls.Limits(handshake_bytes=1000))
    hello = b"\x16\x03\x01\x40\x00\x01\x00\xff\x00\x03\x03" + bytes(2000)
    told = server.receive(hello, 0)
    assert told[0] == Malformed("a handshake of more than 1000 bytes", "")
    assert server.statistics().wire_in_bytes == 1000


def test_what_waits_is_bounded_before_and_after_the_handshake() -> None:
    client, server = pair(limits=tls.Limits(queued_bytes=1000))
    client.send(bytes(2000))
    with pytest.raises(MisuseError, match="wait already"):
        client.send(b"x")
    assert talk(client, server)[1][1] == Received(bytes(2000))
    client.send(bytes(2000))
    assert not client.has_room
    with pytest.raises(MisuseError, match="wait already"):
        client.send(b"x")
    client.transmit()
    client.send(b"x")


class Renegotiator:
    """A TLS 1.2 client of another make (pyOpenSSL) that shakes hands, and then wants to do it again."""

    def __init__(self, server: tls.Tls) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        self.talk, self.server = SSL.Connection(context, None), server
        self.talk.set_connect_state()
        for _ in range(3):
            hello = self.said()
            if hello:
                server.receive(hello, 0)
                self.talk.bio_write(b"".join(server.transmit()))

    def said(self) -> bytes:
        with contextlib.suppress(SSL.WantReadError):
            self.talk.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            return bytes(self.talk.bio_read(2**20))
        return b""

    def again(self) -> list[Any]:
        self.talk.renegotiate()
        return list(self.server.receive(self.said(), 0))


def test_renegotiation_is_refused_and_counted() -> None:
    server = tls.server(server_context(), 0)
    peer = Renegotiator(server)
    assert server.state is tls.State.OPEN
    assert peer.again() == []
    refusal = b"".join(server.transmit())
    assert refusal[0] == 0x15
    assert server.statistics().reply_bytes == len(refusal)
    assert server.state is tls.State.OPEN


def test_a_flood_that_wants_answers_and_brings_no_data_is_cut_off() -> None:
    server = tls.server(server_context(), 0, limits=tls.Limits(reply_bytes=20))
    assert Renegotiator(server).again()[-1] == Closed("a flood of renegotiations", Ending.FAILED)


def test_a_name_that_cannot_be_one_is_a_misuse() -> None:
    for name in ("", ".example", "a" * 300):
        with pytest.raises(MisuseError, match="cannot speak TLS"):
            tls.client(client_context(), name, 0)


def test_what_cannot_be_read_is_a_configuration_error_that_says_what() -> None:
    with pytest.raises(MisuseError, match="trust in nobody"):
        tls.Trust()
    with pytest.raises(ConfigurationError, match=r"/nowhere\.pem: No such file"):
        tls.client_context(tls.Trust(file="/nowhere.pem"))
    with pytest.raises(ConfigurationError, match="from the PEM text"):
        tls.client_context(tls.Trust(pem="no PEM"))
    with pytest.raises(ConfigurationError, match=r"/nowhere\.pem: No such file"):
        tls.server_context(tls.Identity("/nowhere.pem"))
    with pytest.raises(ConfigurationError, match="the key is not the certificate's"):
        tls.server_context(tls.Identity(certificates.good().chain, certificates.expired().chain))
    with pytest.raises(ConfigurationError, match="no such ciphers"):
        tls.client_context(certificates.trust(), ciphers="NOTHING")


def test_an_encrypted_key_wants_its_password_and_never_asks_the_terminal() -> None:
    chain, key = certificates.encrypted("word")
    assert "word" not in repr(tls.Identity(chain, key, "word"))
    tls.server_context(tls.Identity(chain, key, "word"))
    with pytest.raises(ConfigurationError, match="give its password"):
        tls.server_context(tls.Identity(chain, key))


def test_the_account_counts_records_and_what_they_held() -> None:
    client, server = opened()
    client.send(b"12345")
    talk(client, server)
    mine, its = client.statistics(), server.statistics()
    assert (mine.plain_out_bytes, its.plain_in_bytes) == (5, 5)
    assert (mine.wire_out_bytes, mine.wire_in_bytes) == (its.wire_in_bytes, its.wire_out_bytes)
    assert mine.queued_bytes == its.queued_bytes == mine.reply_bytes == 0
