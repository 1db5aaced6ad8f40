"""The configuration of a simulated venue: what it may say, what it may not, and what it makes of it."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.config import parse
from netfeed.app.sim_config import addressed, commands, load, make_venue, run_config
from netfeed.errors import ConfigurationFileError


def written(folder: Path, text: str) -> str:
    path = folder / "venue.toml"
    path.write_text("schema_version = 1\n" + text)
    return str(path)


def test_without_a_file_it_is_a_starbase_venue_on_the_loopback() -> None:
    config = load(None, {})
    assert (config.protocol, config.interface, len(config.lines), len(config.snapshots)) == ("starbase", "lo", 2, 2)
    assert make_venue(config, 0, 0).protocol == "starbase"


@pytest.mark.parametrize("protocol", ["starbase", "itch50"])
def test_what_it_writes_for_the_handler_is_a_good_configuration(protocol: str) -> None:
    config = addressed(load(None, {"protocol": protocol}), "127.0.0.1")
    text = run_config(config)
    channel = parse(text.encode(), "made.toml").channels[0]
    assert [line.group for line in channel.lines] == config.lines
    assert [server.address for server in channel.retransmit] == config.retransmit
    assert (channel.glimpse.address if channel.glimpse else None) == config.glimpse
    assert tomllib.loads(text)["channels"][0]["protocol"] == protocol


def test_deribit_is_json_rpc_alone(tmp_path: Path) -> None:
    config = addressed(load(None, {"protocol": "deribit", "stream": {"tls": False}}), "127.0.0.1")
    assert config.stream is not None
    assert (config.stream.listen, config.stream.tls) == ("127.0.0.1:8022", False)
    assert (config.lines, config.snapshots, config.retransmit, config.glimpse) == ([], [], [], None)
    path = written(tmp_path, 'protocol = "deribit"\n[stream]\nlisten = "127.0.0.1:1"\ncredits = false\n')
    both = load(path, {"stream": {"listen": "127.0.0.1:2"}}).stream
    assert both is not None
    assert (both.listen, both.credits) == ("127.0.0.1:2", False)


def test_faults_of_connections_are_checked_before_there_are_any(tmp_path: Path) -> None:
    text = (
        '[stream]\n[faults]\nstream = "skip 1%"\n[[schedule]]\nat = "1s"\ndo = "stream 3 close 1012"\n'
        '[[schedule]]\nat = "2s"\ndo = "stream once torn"\n'
    )
    config = load(written(tmp_path, text), {})
    assert commands(config) == [
        (0, "stream skip 1%"), (10**9, "stream 3 close 1012"), (2 * 10**9, "stream once torn"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('[stream]\nlisten = "venue:1"', "stream.listen"),
        ('[stream]\nleast_heartbeat = "1ms"', "stream.least_heartbeat"),
        ('[stream]\nclient_id = "me"', "go together"),
        ("[stream]\nlissen = 1", "lissen"),
        ('protocol = "itch50"\n[stream]', "no JSON-RPC"),
        ('protocol = "deribit"\nlines = ["233.252.0.1:1"]', "JSON-RPC alone"),
        ('[faults]\nstream = "skip 1%"', "no JSON-RPC connections"),
        ('[stream]\n[faults]\nstream = "wet"', "'wet' is none of"),
    ],
)
def test_what_connections_cannot_be_told(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(ConfigurationFileError, match=what):
        load(written(tmp_path, text), {})


def test_flags_win_over_the_file_over_the_defaults(tmp_path: Path) -> None:
    path = written(tmp_path, 'protocol = "itch50"\nrate = 7\nseed = 3\n')
    config = load(path, {"rate": 9, "seed": None})
    assert (config.protocol, config.rate, config.seed, config.instruments) == ("itch50", 9, 3, None)
    assert make_venue(config, 5, 0).settings.begin_ns == 5


def test_faults_and_the_schedule_become_commands(tmp_path: Path) -> None:
    text = (
        '[faults]\nA = "loss 1%"\ngateway = "slow 20ms"\n'
        '[[schedule]]\nat = "5s"\ndo = "session restart"\n[[schedule]]\nat = "2s"\ndo = "line B silent 1s"\n'
    )
    assert commands(load(written(tmp_path, text), {})) == [
        (0, "line A loss 1%"), (0, "gateway slow 20ms"),
        (2 * 10**9, "line B silent 1s"), (5 * 10**9, "session restart"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sed = 1", "did you mean 'seed'?"),
        ("rate = 0", "rate"),
        ('rate = "fast"', "rate"),
        ('protocol = "pigeon"', "protocol"),
        ('duration = "soon"', "duration"),
        ('[faults]\nC = "loss 1%"', "there is no such line"),
        ('[faults]\nA = "wet"', "wet"),
        ('[[schedule]]\nat = "1s"\ndo = "dance"', "dance"),
        ('[[schedule]]\nat = "1s"', "do"),
        ('glimpse = "127.0.0.1:1"', "only itch50"),
        ('protocol = "itch50"\nsnapshots = ["233.252.0.1:1"]', "only starbase"),
        ('lines = ["a", "b", "c"]', "at most two lines"),
        ("x =", "Invalid value"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationFileError, match=said.replace("?", r"\?")):
        load(written(tmp_path, text), {})


def test_a_file_that_is_not_there_or_has_no_version_is_named(tmp_path: Path) -> None:
    nothing: dict[str, Any] = {}
    with pytest.raises(ConfigurationFileError, match="No such file"):
        load(str(tmp_path / "none.toml"), nothing)
    (tmp_path / "old.toml").write_text("seed = 1")
    with pytest.raises(ConfigurationFileError, match="schema_version"):
        load(str(tmp_path / "old.toml"), nothing)
