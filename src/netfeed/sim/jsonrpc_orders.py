"""What an account of a simulated exchange can do over JSON-RPC, as Deribit has it.

    private/  buy sell edit edit_by_label cancel cancel_by_label cancel_all cancel_all_by_instrument
              cancel_all_by_currency mass_quote cancel_quotes get_mmp_config reset_mmp
              enable_cancel_on_disconnect disable_cancel_on_disconnect get_cancel_on_disconnect
              and what `jsonrpc_lists` has

A label that is a number is the client id of its order, unless that was used before; any other label is taken, and its
order gets a number of the venue's own. A quote has the client id of its mass quote as `quote_id`. Each connection is a
way of its own to the exchange: what came by it leaves with it, where cancel on disconnect is enabled.

An edit that has to wait in the speed bump is answered when it is done: `late` holds such answers.

Source: docs.deribit.com (API 2.1.1). Leaves out: trigger orders, orders by implied volatility, iceberg orders, and
`valid_until`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from netfeed.book.execution import (
    Accepted,
    Amend,
    Amended,
    Ask,
    Cancel,
    CancelAll,
    Canceled,
    New,
    Quoted,
    Rejected,
    Report,
    Request,
)
from netfeed.book.level import Side
from netfeed.sim import jsonrpc_quotes as quotes
from netfeed.sim.exchange_orders import Live
from netfeed.sim.exchange_trading import Outcome
from netfeed.sim.jsonrpc_account import Accounts, Step
from netfeed.sim.jsonrpc_client import Client
from netfeed.sim.jsonrpc_lists import Lists
from netfeed.sim.jsonrpc_params import Reader, flags, is_here
from netfeed.sim.jsonrpc_private import Channel, notices, parse
from netfeed.sim.jsonrpc_text import Id, RefusedError
from netfeed.sim.jsonrpc_words import (
    INVALID,
    MAX_LABEL,
    OTHER_REJECT,
    TIMES_BACK,
    client_id_of,
    flag,
    refused,
    text,
)  # fmt: skip
from netfeed.sim.switchboard import Switchboard

MAX_EDITS: Final = 1_000
"""Edits that wait for their answer, of all accounts."""
TRADING: Final = frozenset(f"private/{name}" for name in (
    "buy", "sell", "edit", "edit_by_label", "cancel", "cancel_by_label", "cancel_all", "cancel_all_by_instrument",
    "cancel_all_by_currency", "mass_quote", "cancel_quotes",
))  # fmt: skip
"""What changes orders: the faults of a gateway are of these."""
_FIRST_OWN: Final = 2**62
"""Where client ids of the venue's own begin."""
_UNKNOWN: Final = ("trigger", "trigger_price", "advanced", "valid_until", "display_amount", "otoco_config")
Params = dict[str, Any]


class LaterError(Exception):
    """A request is answered later."""


class OrderMethods:
    """The private methods of an exchange's accounts. `news`: what steps did to accounts, until it is told."""

    def __init__(self, board: Switchboard, accounts: Iterable[str]) -> None:
        self.news: list[tuple[str, Step]] = []
        self.late: list[tuple[int, Id, Any]] = []
        self.accounts = Accounts(board.exchange, accounts)
        self._board, self._exchange = board, board.exchange
        self._reader = Reader(board.exchange, self.accounts)
        self._lists = Lists(board.exchange, self.accounts, self._reader)
        self._next = _FIRST_OWN
        self._last: dict[str, Step] = {}
        self._edits: dict[tuple[str, int], tuple[int, Id]] = {}
        board.follow(self)

    def channel(self, name: str) -> Channel | None:
        """Read the name of a private channel; None when there is no such channel."""
        return parse(self._exchange, name)

    def told(self, clients: Iterable[Client]) -> Iterator[tuple[Client, str, Any]]:
        """Drain what steps did to accounts: to which client, on which channel, and what."""
        news, self.news = self.news, []
        listening = [client for client in clients if client.private]
        for account, step in news:
            for client in [one for one in listening if one.account == account]:
                for name, channel in client.private.items():
                    for data in notices(self._exchange, account, channel, step):
                        yield client, name, data

    def knows(self, method: str) -> bool:
        """Say whether a method is one of these."""
        return method in _TABLE or self._lists.knows(method)

    def call(self, client: Client, method: str, params: Params, now: int, id: Id = None) -> Any:
        """Do what an account asks and give the result. Raises: RefusedError; LaterError."""
        if self._lists.knows(method):
            return self._lists.call(client.account, method, params)
        return _TABLE[method](self, client, params, now, id)

    def gone(self, client: Client, now: int) -> None:
        """Take note that a client has left: what came by its connection leaves, where it wanted that."""
        self._edits = {key: waits for key, waits in self._edits.items() if waits[0] != client.port}
        if client.account and client.cancels:
            self._board.disconnect(client.account, client.port, now)

    # -- what happens

    def take(self, outcome: Outcome) -> None:
        """Take a step of the exchange: what it did to accounts is told when there is a chance to."""
        self._last = self.accounts.follow(outcome)
        self.news += self._last.items()
        for account, _, report in outcome.deliveries:
            if isinstance(report, Amended) or (isinstance(report, Rejected) and report.ask is Ask.AMEND):
                self._edited(account, report)

    def _edited(self, account: str, report: Amended | Rejected) -> None:
        waits = self._edits.pop((account, report.client_id), None)
        if waits is not None:
            error = refused(report) if isinstance(report, Rejected) else None
            self.late.append((*waits, error or self._done(account, int(report.order_id))))  # type: ignore[union-attr]

    def _ask(self, client: Client, request: Request, now: int) -> list[Report]:
        """Carry a request to the exchange; give what came of it. Raises: RefusedError when it was refused."""
        outcome = self._exchange.request(client.account, request, self._board.wall_ns + now, client.port)
        self._board.route(outcome, now)
        told = [one.report for one in outcome.deliveries if one.account == client.account]
        for report in told:
            if isinstance(report, Rejected) and report.client_id == request.client_id:
                raise refused(report)
        return told

    def _step(self, account: str) -> Step:
        return self._last.get(account) or Step()

    def _done(self, account: str, order_id: int) -> Any:
        step = self._step(account)
        return {"order": step.order(order_id), "trades": step.trades_of(order_id)}

    # -- orders

    def _buy(self, client: Client, params: Params, now: int, id: Id) -> Any:
        return self._new(client, Side.BID, params, now)

    def _sell(self, client: Client, params: Params, now: int, id: Id) -> Any:
        return self._new(client, Side.ASK, params, now)

    def _new(self, client: Client, side: Side, params: Params, now: int) -> Any:
        for name in _UNKNOWN:
            if params.get(name) is not None:
                raise RefusedError(INVALID, name, "is not taken by this venue")
        of = self._reader.instrument(params)
        label, price = text(params, "label", ""), self._reader.price(params)
        if len(label) > MAX_LABEL:
            raise RefusedError(INVALID, "label", f"has at most {MAX_LABEL} characters")
        force = TIMES_BACK.get(text(params, "time_in_force", "good_til_cancelled"))
        if force is None:
            raise RefusedError(INVALID, "time_in_force", "must be a valid time in force")
        quantity = self._reader.amount(params, of)
        client_id = client_id_of(label)
        request = New(client_id or 0, of, side, price, quantity, force, flags(params))
        return self._enter(client, request, label, now, own=client_id is None)

    def _enter(self, client: Client, request: New, label: str, now: int, *, own: bool) -> Any:
        """Send a new order; under a number of the venue's own where its label is none that can be had."""
        if own:
            self._next += 1
            request = New(
                self._next, request.instrument, request.side, request.price, request.quantity, request.time_in_force,
                request.flags,
            )  # fmt: skip
            self.accounts.labels[request.client_id] = label
        self.accounts.at_market = request.price is None
        try:
            told = self._ask(client, request, now)
        except RefusedError as error:
            if error.reason == "duplicate_client_order_id" and not own:
                return self._enter(client, request, label, now, own=True)
            raise
        finally:
            self.accounts.at_market = False
            self.accounts.labels.pop(request.client_id, None)
        accepted = next(one for one in told if isinstance(one, Accepted))
        return self._done(client.account, int(accepted.order_id))

    def _edit(self, client: Client, params: Params, now: int, id: Id) -> Any:
        live = self._reader.order(client.account, params)
        return self._amend(client, live, params, now, id)

    def _edit_by_label(self, client: Client, params: Params, now: int, id: Id) -> Any:
        found = self._reader.labelled(client.account, params)
        if len(found) != 1:
            raise RefusedError(10004, reason=f"{len(found)} orders of this label")
        return self._amend(client, found[0], params, now, id)

    def _amend(self, client: Client, live: Live, params: Params, now: int, id: Id) -> Any:
        if live.group is not None:
            raise RefusedError(11044, reason="a quote is replaced by a mass quote")
        price = self._reader.price(params)
        key = client.account, live.client_id
        if key in self._edits or len(self._edits) >= MAX_EDITS:
            raise RefusedError(10047, reason="an edit waits already")
        request = Amend(
            live.client_id, live.instrument, live.price if price is None else price,
            self._reader.amount(params, live.instrument), flags(params),
        )  # fmt: skip
        told = self._ask(client, request, now)
        if any(isinstance(one, Amended) and one.client_id == live.client_id for one in told):
            return self._done(client.account, live.id)
        self._edits[key] = client.port, id
        raise LaterError

    def _cancel(self, client: Client, params: Params, now: int, id: Id) -> Any:
        live = self._reader.order(client.account, params)
        if live.group is not None:
            raise RefusedError(11044, reason="a quote is cancelled by cancel_quotes")
        self._ask(client, Cancel(live.client_id, live.instrument), now)
        return self._step(client.account).order(live.id)

    def _cancel_by_label(self, client: Client, params: Params, now: int, id: Id) -> Any:
        found = self._reader.labelled(client.account, params)
        for live in found:
            self._ask(client, Cancel(live.client_id, live.instrument), now)
        return len(found)

    def _cancel_all(self, client: Client, params: Params, now: int, id: Id) -> Any:
        return self._count(self._ask(client, CancelAll(self._own()), now))

    def _cancel_by_instrument(self, client: Client, params: Params, now: int, id: Id) -> Any:
        return self._count(self._ask(client, CancelAll(self._own(), self._reader.instrument(params)), now))

    def _cancel_by_currency(self, client: Client, params: Params, now: int, id: Id) -> Any:
        return self._cancel_all(client, params, now, id) if is_here(params) else 0

    # -- quotes

    def _mass_quote(self, client: Client, params: Params, now: int, id: Id) -> Any:
        if not client.cancels:
            raise RefusedError(OTHER_REJECT, reason="quotes want cancel on disconnect")
        number = client_id_of(text(params, "quote_id", "")) or self._own()
        request = quotes.mass_quote(self._exchange, client.account, params, self._reader.names, number)
        told = self._ask(client, request, now)
        quoted = next(one for one in told if isinstance(one, Quoted))
        if not flag(params, "wait_for_response"):
            return None
        step = self._step(client.account)
        return quotes.answer(self._exchange, quoted, step, detailed=flag(params, "detailed"))

    def _cancel_quotes(self, client: Client, params: Params, now: int, id: Id) -> Any:
        of = None
        match text(params, "cancel_type"):
            case "all":
                pass
            case "instrument" | "quote_set_id" as name:
                named = params if name == "instrument" else {"instrument_name": params.get("quote_set_id")}
                of = self._reader.instrument(named)
            case "currency" | "currency_pair":
                if not is_here(params):
                    return 0
            case _:
                raise RefusedError(INVALID, "cancel_type", "must be all, instrument, quote_set_id or currency")
        outcome = self._exchange.pull(client.account, self._board.wall_ns + now, client.port, of)
        self._board.route(outcome, now)
        return self._count([one.report for one in outcome.deliveries if one.account == client.account])

    def _protection(self, client: Client, params: Params, now: int, id: Id) -> Any:
        return quotes.protection(self._exchange, client.account)

    def _reset(self, client: Client, params: Params, now: int, id: Id) -> Any:
        group = quotes.group_of(self._exchange, client.account, params) if params.get("mmp_group") else 0
        outcome = self._exchange.reset(client.account, group, self._board.wall_ns + now, client.port)
        self._board.route(outcome, now)
        return "ok"

    # -- the connection

    def _enable(self, client: Client, params: Params, now: int, id: Id) -> Any:
        return self._cancels(client, params, wanted=True)

    def _disable(self, client: Client, params: Params, now: int, id: Id) -> Any:
        return self._cancels(client, params, wanted=False)

    def _cancels(self, client: Client, params: Params, *, wanted: bool) -> Any:
        if text(params, "scope", "connection") != "connection":
            raise RefusedError(INVALID, "scope", "this venue knows the connection's only")
        client.cancels = wanted
        return "ok"

    def _is_enabled(self, client: Client, params: Params, now: int, id: Id) -> Any:
        return {"scope": "connection", "enabled": client.cancels}

    # -- reading

    def _own(self) -> int:
        self._next += 1
        return self._next

    def _count(self, told: list[Report]) -> int:
        return sum(isinstance(one, Canceled) for one in told)


_TABLE: Final[Mapping[str, Callable[[OrderMethods, Client, Params, int, Id], Any]]] = {
    "private/buy": OrderMethods._buy, "private/sell": OrderMethods._sell, "private/edit": OrderMethods._edit,
    "private/edit_by_label": OrderMethods._edit_by_label, "private/cancel": OrderMethods._cancel,
    "private/cancel_by_label": OrderMethods._cancel_by_label, "private/cancel_all": OrderMethods._cancel_all,
    "private/cancel_all_by_instrument": OrderMethods._cancel_by_instrument,
    "private/cancel_all_by_currency": OrderMethods._cancel_by_currency, "private/mass_quote": OrderMethods._mass_quote,
    "private/cancel_quotes": OrderMethods._cancel_quotes, "private/get_mmp_config": OrderMethods._protection,
    "private/reset_mmp": OrderMethods._reset,
    "private/enable_cancel_on_disconnect": OrderMethods._enable,
    "private/disable_cancel_on_disconnect": OrderMethods._disable,
    "private/get_cancel_on_disconnect": OrderMethods._is_enabled,
}  # fmt: skip
