"""Requests, reports and lists in words for a shell: one line of text, or one object of JSON.

Prices and quantities are decimals as the venue would write them, ids are texts: they do not fit every reader's numbers.
"""

from collections.abc import Mapping
from dataclasses import fields
from enum import Enum, IntFlag
from typing import Any, Final

from netfeed.book.execution import OpenOrder, Position
from netfeed.book.level import Side
from netfeed.engine.contract import Contract
from netfeed.units import decimal_text

Json = dict[str, Any]
SIDES: Final[Mapping[Side, str]] = {Side.BID: "buy", Side.ASK: "sell"}
_PRICES: Final = frozenset({"price", "average_price"})
_QUANTITIES: Final = frozenset({"quantity", "filled"})
_IDS: Final = frozenset({"client_id", "order_id", "match_id"})


class Words:
    """Words about the instruments of an account."""

    def __init__(self, contracts: Mapping[int, Contract]) -> None:
        self._contracts = contracts

    def object(self, told: Any) -> Json:
        """Give a report, or an entry of a list, as an object; what it is called stands first."""
        contract = self._contracts.get(getattr(told, "instrument", -1))
        found: Json = {"report": type(told).__name__}
        for field in fields(told):
            found[field.name] = self._value(field.name, getattr(told, field.name), contract)
        if found.get("fee") is not None:
            found["fee"] = decimal_text(told.fee, told.fee_exponent)
        found.pop("fee_exponent", None)
        return found

    def text(self, told: Any) -> str:
        """Give it as a line: its name, then what it says; what is absent is left out."""
        found = self.object(told)
        name = found.pop("report")
        said = " ".join(f"{key}={_plain(value)}" for key, value in found.items() if value not in (None, "", [], False))
        return f"{name:<12} {said}"

    def order_text(self, one: OpenOrder) -> str:
        """Give an order that rests as a row."""
        found = self.object(one)
        kind = "quote" if one.quote else "order"
        left = f"{found['quantity']} @ {found['price'] or 'market'}"
        done = f" ({found['filled']} filled)" if one.filled else ""
        return f"{kind} {found['client_id'] or '-'}  {found['instrument']}  {found['side']} {left}{done}"

    def position_text(self, one: Position) -> str:
        """Give what is held of one instrument as a row."""
        found = self.object(one)
        price = "" if one.average_price is None else f" @ {found['average_price']}"
        return f"held  {found['instrument']}  {found['quantity']}{price}"

    def _value(self, name: str, value: Any, contract: Contract | None) -> Any:
        if value is None:
            return None
        if name in _IDS:
            return str(value)
        if name == "instrument":
            return contract.name if contract is not None else str(value)
        if contract is not None and name in _PRICES:
            return decimal_text(value, contract.price_exponent)
        if contract is not None and name in _QUANTITIES:
            return decimal_text(value, contract.quantity_exponent)
        if isinstance(value, Side):
            return SIDES[value]
        if isinstance(value, IntFlag):
            return [one.name for one in value]
        if isinstance(value, Enum):
            return value.name
        return [self._value(name, one, contract) for one in value] if isinstance(value, tuple | list) else value


def _plain(value: Any) -> str:
    if value is True:
        return "yes"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
