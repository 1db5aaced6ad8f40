"""What a simulated venue on real sockets may be told in TOML, and what its defaults are.

    schema_version = 1
    protocol = "starbase"          # or "itch50", or "deribit": JSON-RPC alone
    rate = 2000                    # transactions a second
    [stream]                       # JSON-RPC over TLS and WebSocket, beside the multicast of starbase
    listen = "127.0.0.1:8022"
    [[accounts]]                   # who may send orders: see `sim_accounts`; starbase and deribit
    name = "mm"
    [orders]                       # where the order gateways listen: see `sim_orders`
    a = "127.0.0.1:7101"
    [faults]                       # by line: A, B, SNAPSHOT_A, SNAPSHOT_B; gateway, glimpse, requests, orders...
    A = "loss 1%"
    [[schedule]]
    at = "5s"
    do = "line B silent 2s"        # see `sim.commands`

Flags of the command line win over the file. Unknown keys are mistakes, and come with the key that was probably meant.
"""

import re
import time
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from netfeed.app import sim_accounts, sim_orders
from netfeed.app.sim_accounts import AccountConfig, ExchangeConfig
from netfeed.app.sim_orders import OrdersConfig
from netfeed.app.sim_streams import StreamConfig, url, wrong
from netfeed.errors import ConfigurationFileError, NetfeedError
from netfeed.feed.ports import Port
from netfeed.sim.commands import LINES, command
from netfeed.sim.gateway import Limits
from netfeed.sim.jsonrpc_venue import JsonRpcVenue
from netfeed.sim.session_gateway import Key
from netfeed.sim.stream_venue import StreamVenue
from netfeed.sim.venue import Settings, Venue, itch_venue, starbase_venue
from netfeed.sim.venue_ports import RETRANSMITS
from netfeed.sim.wired_venue import WiredVenue
from netfeed.units import parse_duration

Protocol = Literal["starbase", "itch50", "deribit"]
Text = str
"""A duration such as 250ms, or GROUP:PORT."""

_GROUPS: Final = {
    "starbase": (("233.252.0.11:7001", "233.252.0.12:7001"), ("233.252.0.13:7002", "233.252.0.14:7002")),
    "itch50": (("233.252.0.1:26400", "233.252.0.2:26400"), ()),
    "deribit": ((), ()),
}
_SERVERS: Final = {"starbase": 7003, "itch50": 26499}
GLIMPSE_PORT: Final = 26498
_SERVICES: Final = ("gateway", "glimpse", "requests", "logins", "stream", "orders")
_NUMBERED: Final = re.compile(r"^stream \d+ ", re.IGNORECASE)
"""A command for one connection of those that are open then, which are none yet."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A command, and how long after the start it is given."""

    at: Text
    do: str


class SimConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of it. An address that is not named is taken from the interface, or is a default."""

    schema_version: Literal[1] = 1
    protocol: Protocol = "starbase"
    interface: str = "lo"
    ttl: int = 1
    lines: list[Text] = []
    snapshots: list[Text] = []
    retransmit: list[Text] = []
    glimpse: Text | None = None
    control: str | None = None
    seed: int = 1
    rate: int = 1_000
    transactions: int | None = None
    duration: Text | None = None
    instruments: int | None = None
    live_orders: int = 1_000
    retain: int = 100_000
    requests_per_second: int = 200
    burst: int = 100
    retry_delay: Text = "10ms"
    answer_packets: int = 16
    cycle: Text = "3s"
    snapshot_lag: Text = "20ms"
    payload_a: int = 1472
    payload_b: int = 1472
    username: str | None = None
    password_env: str | None = None
    stream: StreamConfig | None = None
    accounts: list[AccountConfig] = []
    orders: OrdersConfig | None = None
    exchange: ExchangeConfig = ExchangeConfig()
    faults: dict[str, str] = {}
    schedule: list[Step] = []


def load(path: str | None, flags: Mapping[str, Any]) -> SimConfig:
    """Read a file, if there is one, with `flags` over it, and fill in the groups of the protocol.

    Raises: ConfigurationFileError with every mistake.
    """
    table: dict[str, Any] = {}
    where = path or "the command line"
    if path:
        try:
            table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationFileError(f"{path}: {error.strerror or error}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationFileError(f"{path}: {error}") from None
        if "schema_version" not in table:
            raise ConfigurationFileError(f"{path}: schema_version is missing; it is 1")
    mistakes = [f"{where}: {what}" for what in _unknown(table)]
    if mistakes:
        raise ConfigurationFileError("\n".join(mistakes))
    said = {key: value for key, value in flags.items() if value is not None}
    if "stream" in said and isinstance(table.get("stream"), dict):
        said["stream"] = table["stream"] | said["stream"]
    if "orders" in said and isinstance(table.get("orders"), dict):
        said["orders"] = table["orders"] | said["orders"]
    table |= said
    try:
        config = msgspec.convert(table, SimConfig)
    except msgspec.ValidationError as error:
        raise ConfigurationFileError(f"{where}: {error}") from None
    lines, copies = _GROUPS[config.protocol]
    stream = config.stream or (StreamConfig() if config.protocol == "deribit" else None)
    config = msgspec.structs.replace(
        config, lines=config.lines or list(lines), snapshots=config.snapshots or list(copies), stream=stream
    )
    mistakes = [f"{where}: {what}" for what in _wrong(config)]
    if mistakes:
        raise ConfigurationFileError("\n".join(mistakes))
    return config


def make_venue(
    config: SimConfig, now: int, wall_ns: int, credentials: tuple[str, str] | None = None, keys: Iterable[Key] = ()
) -> Venue:
    """Make the venue. `keys`: those of its accounts. Units: `wall_ns` what the clock shows when `now` is 0."""
    limits = Limits(
        rate=config.requests_per_second, burst=config.burst, packets=config.answer_packets,
        most=65_000 if config.protocol == "itch50" else 255, retry_delay_ns=parse_duration(config.retry_delay),
    )  # fmt: skip
    settings = Settings(
        seed=config.seed, rate=config.rate, transactions=config.transactions, begin_ns=now, wall_ns=wall_ns,
        instruments=config.instruments, live_orders=config.live_orders, retain=config.retain,
        gateways=max(len(config.retransmit), 1), limits=limits, cycle_ns=parse_duration(config.cycle),
        lag_ns=parse_duration(config.snapshot_lag), payloads=(config.payload_a, config.payload_b),
        credentials=credentials, truth=config.protocol != "deribit",
    )  # fmt: skip
    if config.accounts:
        return sim_accounts.make_order_venue(settings, config.accounts, config.exchange, keys)
    return (itch_venue if config.protocol == "itch50" else starbase_venue)(settings)


def addressed(config: SimConfig, host: str) -> SimConfig:
    """Fill in the servers, which stand on `host` if nothing else is said."""
    if config.accounts:
        alone = config.protocol == "deribit"  # JSON-RPC is where its orders come in, if nothing else is said
        orders = sim_orders.addressed(config.orders or OrdersConfig(), None if alone else host)
        config = msgspec.structs.replace(config, orders=orders)
    if config.protocol == "deribit":
        return config
    glimpse = config.glimpse
    if glimpse is None and config.protocol == "itch50":
        glimpse = f"{host}:{GLIMPSE_PORT}"
    retransmit = config.retransmit or [f"{host}:{_SERVERS[config.protocol]}"]
    return msgspec.structs.replace(config, retransmit=retransmit, glimpse=glimpse)


def run_config(config: SimConfig) -> str:
    """Write the configuration with which `netfeed run` receives this venue."""
    rows = ["schema_version = 1"]
    if config.stream is not None:
        rows += ["", "[[venues]]", 'name = "sim-json"', 'venue = "deribit"', f'endpoints = ["{url(config.stream)}"]']
        rows += ['instruments = ["*"]', "trades = true", "tickers = true"]
        rows += [f'tls = {{ ca = "{Path(config.stream.certificates).resolve()}/ca.pem" }}'] * config.stream.tls
    if config.protocol == "deribit":
        return "\n".join(rows) + "\n"
    rows += [
        "", "[[channels]]", 'name = "sim"', f'protocol = "{config.protocol}"',
        f'interface = "{config.interface}"', f"lines = [{_groups(config.lines)}]",
    ]  # fmt: skip
    if config.snapshots:
        rows.append(f"snapshots = [{_groups(config.snapshots)}]")
    servers = ", ".join(f'{{ address = "{one}" }}' for one in config.retransmit)
    rows.append(f"retransmit = [{servers}]")
    if config.glimpse:
        user = f', username = "{config.username}"' if config.username else ""
        secret = f', password_env = "{config.password_env}"' if config.password_env else ""
        rows.append(f'glimpse = {{ address = "{config.glimpse}"{user}{secret} }}')
    return "\n".join(rows) + "\n"


def commands(config: SimConfig) -> list[tuple[int, str]]:
    """Give the commands with their times, those of `faults` at the start. Units: ns from the start."""
    now = [
        (0, f"{name} {words}" if name in _SERVICES else f"line {name} {words}") for name, words in config.faults.items()
    ]
    return now + sorted((parse_duration(step.at), step.do) for step in config.schedule)


def _groups(groups: Iterable[str]) -> str:
    return ", ".join(f'{{ group = "{group}" }}' for group in groups)


def _unknown(table: Mapping[str, Any]) -> Iterable[str]:
    known = SimConfig.__struct_fields__
    for key in table:
        if key not in known:
            close = get_close_matches(key, known, 1)
            yield f"{key}: no such key" + (f"; did you mean {close[0]!r}?" if close else f"; there are {known}")


def _wrong(config: SimConfig) -> Iterable[str]:
    for name in config.faults:
        if name not in (*LINES, *_SERVICES):
            yield f"faults.{name}: there is no such line; there are {', '.join((*LINES, *_SERVICES))}"
    if len(config.lines) > 2 or len(config.snapshots) > 2 or len(config.retransmit) > len(RETRANSMITS):
        yield f"at most two lines, two snapshot lines and {len(RETRANSMITS)} retransmit servers"
    if config.snapshots and config.protocol != "starbase":
        yield "snapshots: only starbase has a snapshot channel"
    if config.glimpse and config.protocol != "itch50":
        yield "glimpse: only itch50 has such a server"
    if config.protocol == "deribit" and (config.lines or config.snapshots or config.retransmit):
        yield "lines, snapshots, retransmit: deribit is JSON-RPC alone; starbase has both"
    if config.stream is not None:
        yield from wrong(config.stream)
    yield from sim_accounts.wrong(config.accounts)
    yield from sim_orders.wrong(config.orders or OrdersConfig())
    if config.accounts and config.protocol == "itch50":
        yield "accounts: itch50 has a flow and no accounts; starbase and deribit have, and OUCH leads to those"
        return
    if config.orders is not None and not config.accounts:
        yield "orders: nobody can send one without [[accounts]]"
    if config.stream is not None and config.protocol == "itch50":
        yield "stream: itch50 has no JSON-RPC; starbase and deribit do"
        return
    try:
        wired = WiredVenue(make_venue(config, 0, time.time_ns()))
        streams = StreamVenue(JsonRpcVenue(wired, random_bytes=bytes)) if config.stream is not None else None
        parse_duration(config.duration or "0")
        for _, text in commands(config):
            command(wired, _NUMBERED.sub("stream ", text), 0, streams)
    except (ValueError, NetfeedError) as error:
        yield str(error)


PORTS: Final = {"lines": (Port.LINE_A, Port.LINE_B), "snapshots": (Port.SNAPSHOT_A, Port.SNAPSHOT_B)}
"""The ports of the groups."""
