"""The `[[sessions]]` with which `netfeed run` sends orders to a simulated venue: one for each gateway of an account.

Secrets are named by their files, never written here. The gateway of OUCH is a venue of its own, because its instruments
have other names: their numbers, of which the perpetual's is always 1001. Source: `app.configuration.Session`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from netfeed.app.sim_accounts import AccountConfig
from netfeed.app.sim_config import SimConfig
from netfeed.app.sim_streams import StreamConfig, url

_PROTOCOLS = {"A": "starbase", "B": "starbase", "OUCH": "ouch"}
VENUE = "sim"
INDEX = "btc_usd"
_PERPETUAL = {
    "name": "1001", "id": 1001, "tick": "0.5", "lot": "10", "payoff": "perpetual", "underlying": "BTC", "inverse": True,
}  # fmt: skip


def sessions(config: SimConfig, account: str, orders: Mapping[str, str], stream: str | None) -> list[dict[str, Any]]:
    """Give the sessions of an account: `orders` has the address of each gateway, `stream` the URL of JSON-RPC."""
    one = next(one for one in config.accounts if one.name == account)
    return [*_of_gateways(config, one, orders), *_of_stream(config, one, stream)]


def sessions_text(rows: list[dict[str, Any]]) -> str:
    """Write sessions as TOML."""
    lines: list[str] = []
    for row in rows:
        lines += ["", "[[sessions]]", *(f"{name} = {_value(value)}" for name, value in row.items())]
    return "\n".join(lines) + "\n"


def configured(config: SimConfig) -> str:
    """Write the sessions of the first account of a venue that stands where its configuration says."""
    if not config.accounts:
        return ""
    orders = config.orders.addresses() if config.orders else {}
    stream = None if config.stream is None else url(config.stream)
    return sessions_text(sessions(config, config.accounts[0].name, orders, stream))


def _of_gateways(config: SimConfig, one: AccountConfig, orders: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for name, address in orders.items():
        if name == "OUCH" and len(one.name) > 6:
            continue  # SoupBinTCP has no room for it
        row = _begun(f"{VENUE}-{name.lower()}", _PROTOCOLS[name], f"tcp://{address}", one)
        if name == "OUCH":
            row |= {"venue": f"{VENUE}-ouch", "instruments": [_PERPETUAL]}
        yield row | _secret(config, one, ".ouch" if name == "OUCH" else "")


def _of_stream(config: SimConfig, one: AccountConfig, address: str | None) -> Iterator[dict[str, Any]]:
    if address is None:
        return
    row = _begun(f"{VENUE}-json", "deribit", address, one) | _secret(config, one, "")
    groups = [{"number": group.number, "name": group.name, "index": INDEX} for group in one.groups if group.name]
    row |= {"groups": groups} if groups else {}
    stream = config.stream or StreamConfig()
    yield row | ({"tls": {"ca": f"{Path(stream.certificates).resolve()}/ca.pem"}} if stream.tls else {})


def _begun(name: str, protocol: str, endpoint: str, one: AccountConfig) -> dict[str, Any]:
    return {"name": name, "venue": VENUE, "protocol": protocol, "endpoints": [endpoint], "key": one.name}


def _secret(config: SimConfig, one: AccountConfig, suffix: str) -> dict[str, Any]:
    if one.secret_env is not None:
        return {"secret_env": one.secret_env}
    directory = config.orders.secrets if config.orders else ""
    path = Path(one.secret_file) if one.secret_file is not None else Path(directory) / f"{one.name}{suffix}"
    return {"secret_file": str(path.resolve())}


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case dict():
            return "{ " + ", ".join(f"{name} = {_value(one)}" for name, one in value.items()) + " }"
        case list():
            return "[" + ", ".join(_value(one) for one in value) + "]"
    return str(value)
