"""Strategies by the name that a configuration gives them, each with the instruments that it may want something on.

    quoter         one for all instruments that count quantities alike
    avellaneda     one for each instrument
    module:Class   Class(contracts, **settings), once, with all of its instruments

What a class of one's own gets are contracts (`engine.contract`), and `[engine.settings]` as keywords. A module is
looked for as Python does; a path that ends in .py is read from there.
"""

import importlib
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from netfeed.app.engine_configuration import Engine
from netfeed.engine.avellaneda import AvellanedaSettings, AvellanedaStoikov
from netfeed.engine.contract import Contract
from netfeed.engine.quoter import Quoter, QuoterSettings, Tier
from netfeed.engine.strategy import Strategy
from netfeed.errors import ConfigurationError, MisuseError
from netfeed.units import parse_decimal

Made = tuple[Strategy, list[int]]


def strategies(config: Engine, contracts: Sequence[Contract], folder: str = ".") -> list[Made]:
    """Make the strategies of these contracts. Raises: ConfigurationError."""
    try:
        if config.strategy == "quoter":
            return list(_quoters(config, contracts))
        if config.strategy == "avellaneda":
            return list(_avellanedas(config, contracts))
        return [_own(config, contracts, folder)]
    except MisuseError as error:
        raise ConfigurationError(f"engine.{config.strategy}: {error}") from None


def units(text: str, contract: Contract, where: str) -> int:
    """Read a size as an integer of a contract's quantity, in whole lots. Raises: ConfigurationError."""
    try:
        quantity = parse_decimal(text, contract.quantity_exponent)
    except ValueError:
        quantity = -1
    if quantity < 0 or quantity % contract.lot:
        lot = f"{contract.lot}e{contract.quantity_exponent}"
        raise ConfigurationError(f"{where}: {text} of {contract.name} is not in its lots of {lot}")
    return quantity


def _quoters(config: Engine, contracts: Sequence[Contract]) -> Iterator[Made]:
    alike: dict[tuple[int, int, str], list[Contract]] = defaultdict(list)
    for one in contracts:
        alike[one.quantity_exponent, one.lot, one.venue].append(one)
    for members in alike.values():
        yield Quoter([one.index for one in members], _settings(config, members[0])), [one.index for one in members]


def _settings(config: Engine, of: Contract) -> QuoterSettings:
    said = config.quoter
    far = float("inf")
    return QuoterSettings(
        tuple(Tier(tier.spread, units(tier.size, of, "engine.quoter.tiers")) for tier in said.tiers)
        or (Tier(1.0, of.lot),),
        said.half_ticks, said.half_share, said.half_volatility, said.edge_ticks, said.skew_delta, said.skew_vega,
        2**62 if said.max_position is None else units(said.max_position, of, "engine.quoter.max_position"),
        far if said.max_delta is None else said.max_delta, far if said.max_gamma is None else said.max_gamma,
        far if said.max_vega is None else said.max_vega,
        said.requote_ticks, said.front_ticks, units(said.front, of, "engine.quoter.front"), said.refill,
        said.cool_down, said.fill_pause, config.mass_quotes, said.protected,
    )  # fmt: skip


def _avellanedas(config: Engine, contracts: Sequence[Contract]) -> Iterator[Made]:
    said = config.avellaneda
    assert said is not None  # checked with the file
    for one in contracts:
        settings = AvellanedaSettings(
            said.gamma, said.kappa, said.sigma, said.horizon / 1e9, units(said.unit, one, "engine.avellaneda.unit"),
            units(said.size, one, "engine.avellaneda.size"),
            units(said.max_position, one, "engine.avellaneda.max_position"), said.edge, said.requote_ticks,
        )  # fmt: skip
        yield AvellanedaStoikov(one.index, settings), [one.index]


def _own(config: Engine, contracts: Sequence[Contract], folder: str) -> Made:
    place, _, name = config.strategy.rpartition(":")
    try:
        made = getattr(_module(place, folder), name)(list(contracts), **config.settings)
    except Exception as error:
        raise ConfigurationError(f"engine.strategy: {config.strategy}: {type(error).__name__}: {error}") from error
    if not callable(getattr(made, "decide", None)):
        raise ConfigurationError(f"engine.strategy: {config.strategy} has no `decide(view, touched)`")
    return made, [one.index for one in contracts]


def _module(place: str, folder: str) -> Any:
    if not place.endswith(".py"):
        return importlib.import_module(place)
    path = Path(folder, place)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module
