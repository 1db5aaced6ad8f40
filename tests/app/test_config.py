"""Configurations: every mistake is named at once, and what stands over what."""

from pathlib import Path

import pytest

from netfeed.app.config import SECTIONS, load, parse, settable
from netfeed.app.configuration import Configuration
from netfeed.cli.main import main
from netfeed.errors import ConfigurationFileError

GOOD = """
schema_version = 1

[[channels]]
name = "equities"
protocol = "itch50"
interface = "lo"
heartbeat = "250ms"
sources = ["127.0.0.0/8"]
lines = [{ group = "233.252.0.1:26400" }, { group = "233.252.1.1:26400", source = "127.0.0.2" }]
retransmit = [{ address = "127.0.0.1:26401" }]
glimpse = { address = "127.0.0.1:26402", username = "nf", password_env = "GLIMPSE_PASSWORD" }
recovery = { window = "2s", max_held = "8MiB" }

[receive]
how = "loop"
buffer = "4M"
"""


def read(text: str, **over: dict[str, str]) -> Configuration:
    return parse(text.encode(), "feed.toml", **over)


def mistakes(text: str, **over: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationFileError) as caught:
        read(text, **over)
    return str(caught.value).splitlines()


def test_texts_become_numbers_with_their_units() -> None:
    config = read(GOOD)
    channel = config.channels[0]
    assert channel.heartbeat == 250_000_000
    assert channel.recovery.window == 2_000_000_000
    assert channel.recovery.max_held == 8 * 2**20
    assert config.receive.buffer == 4_000_000
    assert channel.lines[1].source == "127.0.0.2"


def test_the_environment_stands_over_the_file_and_flags_over_both() -> None:
    environment = {"NETFEED_RECEIVE_BUFFER": "16MiB", "NETFEED_RECEIVE_SPIN": "true"}
    config = read(GOOD, environment=environment, flags={"receive.buffer": "1MiB"})
    assert config.receive.buffer == 2**20
    assert config.receive.spin is True
    assert config.receive.how == "loop"


def test_an_unknown_key_comes_with_the_one_that_was_meant() -> None:
    assert mistakes(GOOD.replace("heartbeat =", "hartbeat =")) == [
        "feed.toml: channels[0].hartbeat: no such key; did you mean 'heartbeat'?"
    ]
    assert mistakes(GOOD, flags={"receive.bufer": "1"}) == [
        "feed.toml: --set receive.bufer: no such key; did you mean 'receive.buffer'?"
    ]


def test_every_mistake_is_named_at_once() -> None:
    text = GOOD.replace('"250ms"', '"soon"').replace("window =", "widow =").replace("127.0.0.0/8", "here")
    found = mistakes(text)
    assert len(found) == 3
    assert all(line.startswith("feed.toml: channels[0].") for line in found)


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('interface = "lo"\n', "", "name the interface"),
        ("schema_version = 1", "schema_version = 2", "this netfeed reads schema_version = 1"),
        ("schema_version = 1", "", "schema_version is missing"),
        ('"itch50"', '"itch"', "'itch' is none of "),
        ('"itch50"', '"cme"', "has no such server"),
        ('window = "2s"', "natural_refresh = true", "names no levels by position"),
        ("233.252.0.1:26400", "233.252.0.1", "not ADDRESS:PORT"),
        ("233.252.0.1:26400", "example.org:26400", "does not appear to be"),
        ("233.252.1.1:26400", "233.252.0.1:26400", "is a line of equities and of equities"),
        ('"127.0.0.2"', '"::1"', "is no IPv4 address"),
        ('"lo"', "7", "Expected `str | null`"),
        ("= 1", "= ", "Invalid value"),
        ("retransmit =", 'snapshots = [{ group = "233.252.2.1:1" }]\nretransmit =', "GLIMPSE is its snapshot"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(old: str, new: str, part: str) -> None:
    assert old in GOOD
    assert any(part in line for line in mistakes(GOOD.replace(old, new, 1)))


def test_names_of_channels_are_used_once() -> None:
    second = GOOD.split("[[channels]]")[1].split("[receive]")[0].replace("233.252", "233.253")
    found = mistakes(GOOD + "\n[[channels]]" + second)
    assert found == ["feed.toml: channels, venues: the name 'equities' stands twice"]


def test_every_key_of_a_section_can_be_set_and_none_of_a_channel() -> None:
    keys = set(settable())
    assert {"receive.cpu", "journal.path", "endpoints.listen"} <= keys
    assert not any(key.startswith("channels") for key in keys)


def test_every_key_stands_in_the_document() -> None:
    import re

    import msgspec

    from netfeed.app import configuration, engine_configuration

    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    known = [*vars(configuration).values(), *vars(engine_configuration).values()]
    structs = [one for one in known if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    names = {field.name for one in structs for field in msgspec.structs.fields(one)} - set(SECTIONS)
    assert len(names) > 40
    said = r"`(\[+(engine\.)?)?%s\]*`"  # a key, or a table of its own
    assert sorted(name for name in names if not re.search(said % name, text)) == []


def test_the_example_of_the_document_is_right() -> None:
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    config = read(text.split("```toml")[1].split("```")[0])
    assert config.channels[0].glimpse is not None


def test_a_bad_file_ends_the_command_with_4(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "feed.toml"
    path.write_text(GOOD)
    assert main(["config", "check", str(path)]) == 0
    assert "ok, 1 channel" in capsys.readouterr().out
    path.write_text(GOOD.replace("lines", "lanes"))
    assert main(["config", "check", str(path)]) == 4
    assert "did you mean 'lines'?" in capsys.readouterr().err
    assert main(["config", "check", str(tmp_path / "none.toml")]) == 4


def test_a_file_that_is_no_text_is_refused(tmp_path) -> None:
    path = tmp_path / "feed.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationFileError, match="decode"):
        load(str(path))


@pytest.mark.parametrize("port", ["99999", "x", "-1"])
def test_an_endpoint_of_a_venue_has_a_port_that_there_is(port: str) -> None:
    venue = f'name = "d"\nvenue = "deribit"\ninstruments = ["*"]\nendpoints = ["ws://127.0.0.1:{port}/"]'
    (mistake,) = mistakes(f"schema_version = 1\n[[venues]]\n{venue}\n")
    assert mistake.endswith(f"ws://127.0.0.1:{port}/ has no port from 0 to 65535")


@pytest.mark.parametrize("tls", [
    'ca = "/nonexistent"', 'certificate = "/nonexistent", key = "/nonexistent", verify = false',
])  # fmt: skip
def test_certificates_that_cannot_be_read_are_a_mistake_of_the_file(
    tls: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "feed.toml"
    venue = 'name = "d"\nvenue = "deribit"\ninstruments = ["*"]\nendpoints = ["wss://127.0.0.1:1/"]'
    file.write_text(
        f"schema_version = 1\n[[venues]]\n{venue}\ntls = {{ {tls} }}\n[endpoints]\nlisten = ''\n", encoding="utf-8"
    )
    assert main(["run", str(file), "--duration", "100ms"]) == 4
    assert "/nonexistent" in capsys.readouterr().err


VENUE = """
schema_version = 1
[[venues]]
name = "a"
venue = "deribit"
endpoints = ["wss://localhost:8022/ws/api/v2"]
instruments = ["*"]
max_message = "1MiB"
limits = { budget_rate = 2.5 }
"""


def test_a_rate_may_have_decimals() -> None:
    assert read(VENUE).venues[0].limits.budget_rate == 2.5
    assert read(VENUE.replace("2.5", "3")).venues[0].limits.budget_rate == 3


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"deribit"', '"binanec"', "venues[0].venue: 'binanec' is none of binance, bybit, coinbase, deribit,"),
        (
            "wss://localhost:8022/ws/api/v2",
            "localhost:8022",
            "it is not of the form of wss://www.deribit.com/ws/api/v2",
        ),
        ('"1MiB"', "0", "max_message: more than nothing"),
        ("2.5", "0", "limits.budget_rate"),
        ("max_message = ", "fetch = ", "it is not of the form of https://api.binance.com"),
    ],
)
def test_a_wrong_value_of_a_venue_comes_with_what_may_stand_there(old: str, new: str, says: str) -> None:
    (told,) = mistakes(VENUE.replace(old, new))
    assert says in told
    assert "regex" not in told


def test_a_check_names_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text, says in (("v", VENUE, "ok, 1 venue\n"), ("c", GOOD, "ok, 1 channel\n")):
        path = tmp_path / f"{name}.toml"
        path.write_text(text)
        for verb in (["config", "check", str(path)], ["run", str(path), "--dry-run"]):
            assert main(verb) == 0
            assert capsys.readouterr().out.endswith(says)
