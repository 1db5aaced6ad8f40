"""Order sessions in a configuration: what is refused, with which remedy, and what instruments they come to."""

from pathlib import Path

import pytest

from netfeed.app.config import parse
from netfeed.app.configuration import Session
from netfeed.app.trading.session_places import Place, instruments_of, place_of, traded_of
from netfeed.app.trading.traded import Traded, deribit_listing, ouch_listing, starbase_listing
from netfeed.cli.main import main
from netfeed.errors import ConfigurationFileError, MisuseError

SESSION = """
[[sessions]]
name = "a"
venue = "deribit"
protocol = "starbase"
endpoints = ["tcp://192.0.2.1:9002"]
key = "mm"
secret_env = "SECRET"
"""
INSTRUMENT = """
[[sessions.instruments]]
name = "BTC-PERPETUAL"
id = 1001
tick = "0.5"
lot = "10"
"""


def sessions(text: str) -> list[Session]:
    return parse(("schema_version = 1\n" + text).encode(), "mm.toml").sessions


def test_sessions_alone_are_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mm.toml"
    path.write_text("schema_version = 1\n" + SESSION)
    assert main(["config", "check", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: ok, 1 order session\n"
    assert main(["run", str(path), "--dry-run"]) == 4
    assert "nothing to hear" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('key = "mm"', 'key = "a-key-of-more-than-16"', "sessions[0] (a): key: starbase has 16 ASCII characters"),
        ('secret_env = "SECRET"', "", "the secret is named once: secret_file, or secret_env"),
        ('secret_env = "SECRET"', 'secret_env = "A"\nsecret_file = "b"', "the secret is named once"),
        ('secret_env = "SECRET"', 'secret = "hush"', "sessions[0].secret: no such key; did you mean 'secret_env'?"),
        ("tcp://192.0.2.1:9002", "wss://192.0.2.1", "starbase is spoken over tcp:// or tls://, not wss://"),
        ("tcp://192.0.2.1:9002", "tcp://192.0.2.1", "tcp://192.0.2.1 has no port from 1 to 65535"),
        ("tcp://192.0.2.1:9002", "tcp://192.0.2.1:70000", "has no port from 1 to 65535"),
        ("tcp://192.0.2.1:9002", "192.0.2.1:9002", "it is not of the form of tcp://192.0.2.1:9002"),
        ('"starbase"', '"fix"', "'fix' is none of deribit, ouch, starbase"),
        ('key = "mm"', 'key = "mm"\nrate = 0', "sessions[0].rate"),
        ('key = "mm"', 'key = "mm"\nreconnect = { first = "1s", cap = "1ms" }', "reconnect: `first` is more than"),
        (
            'key = "mm"',
            'key = "mm"\ngroups = [{ number = 1, name = "x", index = "btc_usd" }]',
            "groups: starbase knows",
        ),
        ('key = "mm"', 'key = "mm"\nportfolios = ["btc"]', "portfolios: starbase tells none"),
        ("id = 1001\n", "", "instruments: BTC-PERPETUAL needs `id`, the venue's number of it"),
        ('tick = "0.5"', 'tick = "0.0"', "BTC-PERPETUAL has a tick and a lot of more than nothing"),
        ('tick = "0.5"', 'tick = "half"', "it is not of the form of 0.0005"),
    ],
)
def test_a_mistake_is_named_with_what_may_stand_there(old: str, new: str, says: str) -> None:
    text = SESSION + INSTRUMENT
    assert old in text
    with pytest.raises(ConfigurationFileError) as refused:
        sessions(text.replace(old, new))
    assert says in str(refused.value)


def test_sessions_of_a_venue_agree_on_its_instruments() -> None:
    other = SESSION.replace('"a"', '"b"')
    with pytest.raises(ConfigurationFileError, match="the name 'a' stands twice"):
        sessions(SESSION + SESSION)
    with pytest.raises(ConfigurationFileError, match="BTC-PERPETUAL has two different ticks or lots"):
        sessions(SESSION + INSTRUMENT + other + INSTRUMENT.replace("0.5", "0.1"))
    with pytest.raises(ConfigurationFileError, match="X and BTC-PERPETUAL have the same id 1001"):
        sessions(SESSION + INSTRUMENT + other + INSTRUMENT.replace("BTC-PERPETUAL", "X"))
    both = sessions(SESSION + INSTRUMENT + other + INSTRUMENT)
    ((_, contract),) = instruments_of(both).values()
    assert (contract.name, contract.tick, contract.lot) == ("BTC-PERPETUAL", 5, 10)
    assert (contract.price_exponent, contract.quantity_exponent) == (-1, 0)
    assert traded_of(both) == [Traded(0, "BTC-PERPETUAL", -1, 0, 1001)]


def test_an_endpoint_is_a_host_a_port_and_whether_it_is_secure() -> None:
    assert place_of("tcp://gateway.example:9002") == Place("gateway.example", 9002, False)
    assert place_of("tls://[2001:db8::1]:9002") == Place("2001:db8::1", 9002, True)
    assert place_of("wss://www.deribit.com/ws/api/v2") == Place("www.deribit.com", 443, True)


def test_each_protocol_lists_what_it_can_name() -> None:
    traded = [Traded(3, "BTC-PERPETUAL", -1, 0, 1001, 7)]
    assert starbase_listing(traded).ours(3).venue_id == 1001
    assert starbase_listing(traded).pairs == (7,)
    assert ouch_listing(traded).ours(3).symbol == "BTC-PERPETUAL"
    assert deribit_listing(traded).theirs("BTC-PERPETUAL").instrument == 3
    with pytest.raises(MisuseError, match="by a number, which nobody has said"):
        starbase_listing([Traded(3, "X", -1, 0)])
    with pytest.raises(MisuseError, match="whole shares"):
        ouch_listing([Traded(3, "X", -1, -2)])
