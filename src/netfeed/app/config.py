"""Read a configuration: TOML, the environment and flags over it, every mistake named at once.

    flags (`--set section.key=value`)  win over  NETFEED_SECTION_KEY  over  the file  over  the defaults

Unknown keys are mistakes and come with the key that was probably meant. What the types in `configuration` cannot say
(a multicast group needs an interface, names are used once) is checked here too.
"""

import ipaddress
import tomllib
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import inspect

from netfeed.app.config_words import plain
from netfeed.app.configuration import SCHEMA_VERSION, Channel, Configuration, Line, Venue
from netfeed.errors import ConfigurationFileError
from netfeed.units import parse_duration, parse_size

SECTIONS: Final = ("receive", "process", "books", "stream", "journal", "recording", "ring", "trace", "endpoints")
MAX_BYTES: Final = 4 * 2**20
"""A larger file is no configuration."""
_NO_SNAPSHOTS: Final = {"itch50": "GLIMPSE is its snapshot", "iex": "it has none"}
_REFRESHES: Final = frozenset({"cme"})
_RETRANSMITS: Final = frozenset({"itch50", "starbase", "iex"})

Overrides = Mapping[str, str]
Judge = Callable[[Configuration], list[str]]
"""Names what the types cannot say, for whoever needs only a part."""


def load(
    path: str, environment: Mapping[str, str] | None = None, flags: Overrides | None = None,
    judge: Judge | None = None,
) -> Configuration:  # fmt: skip
    """Read the file at `path`, with `flags` and the environment over it; `judge`: in the place of `check`.

    Raises: ConfigurationFileError with every mistake.
    """
    try:
        data = Path(path).read_bytes() if path != "-" else _standard_input()
    except OSError as error:
        raise ConfigurationFileError(f"{path}: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise ConfigurationFileError(f"{path}: more than {MAX_BYTES} bytes")
    return parse(data, path, environment, flags, judge)


def parse(
    data: bytes, path: str, environment: Mapping[str, str] | None = None, flags: Overrides | None = None,
    judge: Judge | None = None,
) -> Configuration:  # fmt: skip
    """Read the bytes of a file.

    Raises: ConfigurationFileError with every mistake.
    """
    try:
        table = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationFileError(f"{path}: {error}") from None
    mistakes: list[str] = []
    _version(table, mistakes)
    for where, text in overrides(environment or {}, flags or {}, mistakes):
        section, key = where.split(".")
        inner = table.setdefault(section, {})
        if isinstance(inner, dict):
            inner[key] = _value(text)
    table = _walk(table, inspect.type_info(Configuration), "", mistakes)
    config = _convert(table, mistakes)
    if config is not None:
        mistakes += (judge or check)(config)
    if mistakes or config is None:
        raise ConfigurationFileError("\n".join(f"{path}: {mistake}" for mistake in mistakes))
    return config


def overrides(environment: Mapping[str, str], flags: Overrides, mistakes: list[str]) -> Iterable[tuple[str, str]]:
    """Give (section.key, text) of what stands over the file, the strongest last."""
    known = list(settable())
    for where in known:
        variable = "NETFEED_" + where.replace(".", "_").upper()
        if variable in environment:
            yield where, environment[variable]
    for where, text in flags.items():
        if where in known:
            yield where, text
        else:
            mistakes.append(f"--set {where}: no such key{_meant(where, known)}")


def settable() -> Iterable[str]:
    """Name the keys that the environment and flags can set: those of sections, but not of channels."""
    for field in msgspec.structs.fields(Configuration):
        if field.name in SECTIONS:
            for inner in msgspec.structs.fields(field.type):
                yield f"{field.name}.{inner.name}"


def split_endpoint(text: str) -> tuple[str, int]:
    """Split HOST:PORT or [HOST]:PORT, an address without names.

    Raises: ValueError.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"an IPv6 address stands in brackets, as in [ff15::1]:26400: {text!r}")
    if not (colon and port.isascii() and port.isdecimal() and int(port) < 65536):
        raise ValueError(f"not ADDRESS:PORT: {text!r}")
    return str(ipaddress.ip_address(host)), int(port)


def check(config: Configuration) -> list[str]:
    """Name what the types cannot say."""
    mistakes: list[str] = []
    from netfeed.app.engine_configuration import check_engine, check_hot
    from netfeed.app.trading.session_places import check_sessions

    names = [channel.name for channel in config.channels] + [venue.name for venue in config.venues]
    if not names and not config.sessions:
        mistakes.append("channels, venues, sessions: at least one of them has to be there")
    mistakes += [
        f"channels, venues: the name {name!r} stands twice" for name in sorted(set(names)) if names.count(name) > 1
    ]
    for index, venue in enumerate(config.venues):
        mistakes += [f"venues[{index}] ({venue.name}): {what}" for what in _check_venue(venue)]
    mistakes += check_sessions(config.sessions)
    if config.engine is not None:
        mistakes += check_engine(config.engine, names, sorted({one.venue for one in config.sessions}))
        protocols = {one.name: one.protocol for one in config.sessions}
        mistakes += check_hot(config.engine, protocols, config.receive.how)
        if config.engine.journal is None:
            mistakes.append("engine.journal: name the folder that keeps what was decided, sent and heard")
        if config.engine.limits.margin_percent is not None and not any(one.portfolios for one in config.sessions):
            mistakes.append(
                "engine.limits.margin_percent: no session tells how much is used, so that nothing would be quoted: "
                'give one of protocol = "deribit" its `portfolios`'
            )
    for index, channel in enumerate(config.channels):
        mistakes += [f"channels[{index}] ({channel.name}): {what}" for what in _check_channel(channel)]
    seen: dict[tuple[str, int | None], str] = {}
    for channel in config.channels:
        for line in channel.lines:
            key = line.group, channel.id
            if key in seen:
                mistakes.append(
                    f"channels: {line.group} is a line of {seen[key]} and of {channel.name}; give their ids"
                )
            seen[key] = channel.name
    return mistakes


def _check_channel(channel: Channel) -> Iterable[str]:
    for kind, lines in (("lines", channel.lines), ("snapshots", channel.snapshots)):
        for index, line in enumerate(lines):
            yield from (f"{kind}[{index}]: {what}" for what in _check_line(channel, line))
    if channel.snapshots and channel.protocol in _NO_SNAPSHOTS:
        yield f"snapshots: {channel.protocol} has no snapshot channel, {_NO_SNAPSHOTS[channel.protocol]}"
    if channel.recovery.natural_refresh and channel.protocol not in _REFRESHES:
        yield f"recovery.natural_refresh: {channel.protocol} names no levels by position: a snapshot heals its books"
    if channel.retransmit and channel.protocol not in _RETRANSMITS:
        yield f"retransmit: {channel.protocol} has no such server"
    if channel.glimpse is not None:
        if channel.protocol != "itch50":
            yield f"glimpse: {channel.protocol} has no such server"
        if channel.glimpse.password_file and channel.glimpse.password_env:
            yield "glimpse: password_file and password_env exclude each other"


def _check_venue(venue: Venue) -> Iterable[str]:
    from netfeed.app.venue_places import misfits

    yield from misfits(venue)
    if (venue.tls.certificate is None) != (venue.tls.key is None):
        yield "tls: certificate and key go together"
    for endpoint in venue.endpoints:
        try:
            urlsplit(endpoint).port  # noqa: B018 - reading it is the check
        except ValueError:
            yield f"endpoints: {endpoint} has no port from 0 to 65535"
    if venue.max_message == 0:
        yield 'max_message: more than nothing, as in "16MiB": each message would end the connection'
    if not 0 < venue.reconnect.first <= venue.reconnect.cap:
        yield "reconnect: `first` is more than nothing, and not more than `cap`"


def _check_line(channel: Channel, line: Line) -> Iterable[str]:
    address = ipaddress.ip_address(split_endpoint(line.group)[0])
    if address.is_multicast and not (line.interface or channel.interface):
        yield f'{line.group} is multicast: name the interface it comes in on (interface = "eth0" or its address)'
    if line.source is not None:
        source = ipaddress.ip_address(line.source)
        if not address.is_multicast:
            yield "source: only a multicast group is joined by source"
        elif source.version != address.version:
            yield f"source: {line.source} is no IPv{address.version} address"


# --- from a table to values


def _version(table: dict[str, Any], mistakes: list[str]) -> None:
    found = table.get("schema_version")
    if found != SCHEMA_VERSION:
        said = "is missing" if found is None else f"is {found!r}"
        mistakes.append(f"schema_version {said}; this netfeed reads schema_version = {SCHEMA_VERSION}")
        table["schema_version"] = SCHEMA_VERSION


def _walk(value: Any, kind: inspect.Type, where: str, mistakes: list[str]) -> Any:
    """Turn texts into values by what their type reads, and take unknown keys out, each with a mistake."""
    reads = None
    while isinstance(kind, inspect.Metadata):
        reads, kind = (kind.extra or {}).get("reads", reads), kind.type
    if isinstance(kind, inspect.UnionType):
        kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
        return _walk(value, kind, where, mistakes)
    if isinstance(kind, inspect.StructType) and isinstance(value, dict):
        return _walk_table(value, kind, where, mistakes)
    if isinstance(kind, inspect.ListType) and isinstance(value, list):
        return [_walk(one, kind.item_type, f"{where}[{index}]", mistakes) for index, one in enumerate(value)]
    if reads is not None and isinstance(value, str):
        try:
            return _READERS[reads](value)
        except ValueError as error:
            mistakes.append(f"{where}: {error}")
            return None if isinstance(kind, inspect.StrType) else 0
    return value


def _walk_table(table: dict[str, Any], kind: inspect.StructType, where: str, mistakes: list[str]) -> dict[str, Any]:
    fields = {field.name: field.type for field in kind.fields}
    found = {}
    for key, value in table.items():
        path = f"{where}.{key}" if where else key
        if key in fields:
            found[key] = _walk(value, fields[key], path, mistakes)
        else:
            mistakes.append(f"{path}: no such key{_meant(key, fields)}")
    return found


def _meant(key: str, known: Iterable[str]) -> str:
    close = get_close_matches(key, known, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


def _convert(table: dict[str, Any], mistakes: list[str]) -> Configuration | None:
    try:
        return msgspec.convert(table, Configuration)
    except msgspec.ValidationError as error:
        if not mistakes or "got `null`" not in str(error):  # a null stands for a text that was refused above
            mistakes.append(plain(str(error), Configuration))
        return None


def _value(text: str) -> Any:
    """Read a value of the environment or a flag: as TOML, else as the text that it is."""
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


def _endpoint(text: str) -> str:
    if text:
        host, port = split_endpoint(text)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return text


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "duration": parse_duration,
    "size": parse_size,
    "endpoint": _endpoint,
    "host": lambda text: str(ipaddress.ip_address(text)),
    "network": lambda text: str(ipaddress.ip_network(text)),
}


def _standard_input() -> bytes:
    import sys

    return sys.stdin.buffer.read(MAX_BYTES + 1)
