"""What a configuration says of accounts, and where their secrets are."""

from pathlib import Path
from typing import Any

import pytest

from netfeed.app.config import load as load_run
from netfeed.app.sim_accounts import AccountConfig, permit
from netfeed.app.sim_config import addressed, load, make_venue, run_config
from netfeed.app.sim_secrets import keys, made
from netfeed.app.sim_sessions import configured
from netfeed.errors import ConfigurationFileError
from netfeed.sim.exchange_match import SelfMatch
from netfeed.sim.order_venue import OrderVenue
from netfeed.sim.starbase_chain import chain
from netfeed.sim.terms import MONEY, Fees

WHOLE = """
schema_version = 1
[[accounts]]
name = "mm"
deposit = { BTC = "2.5", USD = "100" }
fees = { maker = "-0.01%", taker = "0.05%" }
rate = 50
max_orders = 7
max_positions = { BTC-PERPETUAL = "5000" }
self_match = "cancel_both"
[[accounts.groups]]
number = 3
name = "wings"
window = "2s"
frozen = "500ms"
quantity = "1.5"
[[accounts]]
name = "taker"
[orders]
a = "127.0.0.1:9001"
ouch = ""
[exchange]
bump = "5ms"
band = "5%"
informed = false
margin = { initial = "4%" }
"""


def loaded(tmp_path: Path, text: str) -> Any:
    file = tmp_path / "venue.toml"
    file.write_text(text)
    return load(str(file), {})


def test_accounts_and_rules_become_those_of_the_exchange(tmp_path: Path) -> None:
    config = addressed(loaded(tmp_path, WHOLE), "127.0.0.1")
    venue = make_venue(config, 0, 1_772_438_400 * 10**9)
    assert isinstance(venue, OrderVenue)
    trading = venue.exchange.trading
    mm = trading.permits["mm"]
    assert trading.ledger.accounts["mm"].cash == {"BTC": 5 * MONEY // 2, "USD": 100 * MONEY}
    assert (mm.fees, mm.rate, mm.max_orders, mm.max_positions) == (Fees(-100, 500), 50, 7, {1001: 5_000})
    assert (mm.self_match, mm.groups[3].quantity, mm.group_names) == (
        SelfMatch.CANCEL_BOTH,
        1_500_000_000,
        {3: "wings"},
    )
    assert (mm.groups[3].window_ns, mm.groups[3].frozen_ns) == (2 * 10**9, 5 * 10**8)
    assert (trading.band, trading.rates.initial, trading.rates.maintenance) == (50_000, 40_000, 10_000)
    assert config.orders.addresses() == {"A": "127.0.0.1:9001", "B": "127.0.0.1:7102"}


def test_the_gateways_stand_where_nobody_says_anything_else() -> None:
    config = addressed(load(None, {"accounts": [{"name": "mm"}]}), "127.0.0.1")
    assert config.orders is not None
    assert list(config.orders.addresses()) == ["A", "B", "OUCH"]


def test_a_venue_of_json_rpc_alone_has_no_other_gateways_and_secrets_all_the_same(tmp_path: Path) -> None:
    flags = {"protocol": "deribit", "accounts": [{"name": "mm"}], "orders": {"secrets": str(tmp_path)}}
    config = addressed(load(None, flags), "127.0.0.1")
    assert config.orders is not None
    assert config.orders.addresses() == {}
    (key,) = keys(config.accounts, config.orders.secrets, config.seed)
    assert (tmp_path / "mm").read_text().strip() == key.secret
    named = addressed(load(None, flags | {"orders": {"a": "127.0.0.1:9001"}}), "127.0.0.1")
    assert named.orders is not None
    assert named.orders.addresses() == {"A": "127.0.0.1:9001"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[accounts]]\nname = "a-name-that-is-too-long"', "1 to 16"),
        ('[[accounts]]\nname = "mm"\n[[accounts]]\nname = "mm"', "2 of the name mm"),
        ('[[accounts]]\nname = "mm"\nsecret = "inline"', "secret"),
        ('[[accounts]]\nname = "mm"\nsecret_file = "x"\nsecret_env = "X"', "not in both"),
        ('[[accounts]]\nname = "mm"\ndeposit = { EUR = "1" }', "EUR"),
        ('[[accounts]]\nname = "mm"\nmax_positions = { X = "1" }', "X is none of BTC-PERPETUAL"),
        ('[[accounts]]\nname = "crowd-1"', "there is an account 'crowd-1'"),
        ('protocol = "itch50"\n[[accounts]]\nname = "mm"', "no accounts"),
        ('[orders]\na = "127.0.0.1:1"', "nobody can send"),
        ('[[accounts]]\nname = "mm"\n[orders]\na = "here"', "orders.a"),
        ('[[accounts]]\nname = "mm"\n[exchange]\nband = "10"', "percentage"),
        ('[[accounts]]\nname = "mm"\n[[schedule]]\nat = "1s"\ndo = "orders Q kill"', "no gateway Q"),
    ],
)
def test_a_mistake_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationFileError, match=said):
        loaded(tmp_path, f"schema_version = 1\n{text}\n")


def test_a_secret_that_is_made_is_for_its_owner_alone_and_the_same_for_a_seed(tmp_path: Path) -> None:
    (key,) = keys([AccountConfig(name="mm")], str(tmp_path / "secrets"), 7)
    file = tmp_path / "secrets" / "mm"
    assert file.read_text().strip() == key.secret == made(7, "mm") != made(8, "mm")
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert key.secret not in repr(key)


def test_a_secret_is_read_from_a_file_of_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hush\n")
    file.chmod(0o600)
    account = AccountConfig(name="mm", secret_file=str(file))
    assert [key.secret for key in keys([account], "", 7)] == ["hush"]
    file.chmod(0o640)
    with pytest.raises(ConfigurationFileError, match="chmod 600"):
        keys([account], "", 7)
    file.unlink()
    with pytest.raises(ConfigurationFileError, match="cannot be read"):
        keys([account], "", 7)


def test_a_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    account = AccountConfig(name="mm", secret_env="NETFEED_TEST_SECRET")
    monkeypatch.setenv("NETFEED_TEST_SECRET", "hush")
    assert [key.secret for key in keys([account], "", 7)] == ["hush"]
    monkeypatch.delenv("NETFEED_TEST_SECRET")
    with pytest.raises(ConfigurationFileError, match="NETFEED_TEST_SECRET"):
        keys([account], "", 7)


def test_a_name_that_is_a_path_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationFileError, match="name of a file"):
        keys([AccountConfig(name="../mm")], str(tmp_path), 7)


def test_expiries_are_ahead_of_a_venue_that_opens_late() -> None:
    at = 1_795_973_664 * 10**9  # 29 November 2026
    instruments = chain(at)
    assert [one.name for one in instruments[:3]] == ["BTC-PERPETUAL", "BTC-25DEC26", "BTC-25DEC26-80000-C"]
    assert {one.name.split("-")[1] for one in instruments[2:]} == {"25DEC26", "26MAR27"}
    assert all(one.expiry_ns is None or one.expiry_ns > at for one in instruments)
    assert [one.id for one in instruments] == [one.id for one in chain()]
    assert permit(AccountConfig(name="mm", max_positions={"BTC-25DEC26": "10"}), {one.name: one for one in instruments})


def test_the_example_of_the_documents_is_sound(tmp_path: Path) -> None:
    document = (Path(__file__).parents[2] / "docs" / "venue.md").read_text()
    examples = [part.split("```")[0] for part in document.split("```toml\n")[1:]]
    (example,) = [text for text in examples if "[[accounts]]" in text]
    config = addressed(loaded(tmp_path, example), "127.0.0.1")
    venue = make_venue(config, 0, 1_772_438_400 * 10**9)
    assert isinstance(venue, OrderVenue)
    assert [one.name for one in config.accounts] == ["mm", "taker"]
    assert len(venue.exchange.trading.markets) == 31


def test_sessions_of_an_account_are_a_configuration_that_can_be_run(tmp_path: Path) -> None:
    text = '[[accounts]]\nname = "mm"\n[[accounts.groups]]\nnumber = 1\nname = "wings"\n[stream]\ntls = false\n'
    text += f'[orders]\nsecrets = "{tmp_path}"\n'
    config = addressed(loaded(tmp_path, f"schema_version = 1\n{text}"), "127.0.0.1")
    keys(config.accounts, config.orders.secrets, 7)
    file = tmp_path / "run.toml"
    file.write_text(run_config(config) + configured(config))
    sessions = load_run(str(file), {}).sessions
    assert [(one.name, one.protocol, one.key) for one in sessions] == [
        ("sim-a", "starbase", "mm"), ("sim-b", "starbase", "mm"), ("sim-ouch", "ouch", "mm"),
        ("sim-json", "deribit", "mm"),
    ]  # fmt: skip
    assert [one.endpoints[0].partition("://")[0] for one in sessions] == ["tcp", "tcp", "tcp", "ws"]
    for one in sessions:
        assert one.secret_file is not None
        assert len(Path(one.secret_file).read_text().strip()) == (10 if one.protocol == "ouch" else 32)
    assert [group.name for group in sessions[-1].groups] == ["wings"]
