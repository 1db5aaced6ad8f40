"""`netfeed order send|cancel|cancel-all|list`: one request from a shell, through risk, by a configured session."""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from netfeed.cli import arguments as args
from netfeed.cli import order_kill

if TYPE_CHECKING:
    from netfeed.app.trading.order_desk import OrderDesk, Outcome

OK, REJECTED, REFUSED, UNCERTAIN, UNREACHABLE = 0, 1, 3, 5, 69

_EXAMPLES: Final = """examples:
  netfeed order send --config mm.toml --session starbase-a BTC-PERPETUAL --side buy --quantity 10 --price 60000
  netfeed order send --config mm.toml --session deribit BTC-PERPETUAL --side sell --quantity 10 --price 60100 \\
      --fair 60000 --time-in-force ioc --json
  netfeed order list --config mm.toml --session deribit
  netfeed order cancel --config mm.toml --session starbase-a 7638104968021475330
  netfeed order cancel-all --config mm.toml --session starbase-a
  netfeed order kill --config mm.toml --why "the feed looks wrong"

exit codes: 0 done, 1 the venue refused it, 2 usage, 3 risk refused it and nothing was sent, 4 configuration,
5 UNCERTAIN: nobody knows whether it happened (netfeed order list tells), 69 the venue was not reached
"""
_FORCES: Final = ("gtc", "day", "ioc", "fok")


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "order", help="send, cancel and list orders from the shell, kill a running engine", epilog=_EXAMPLES,
        description="One request to a venue by a session of the configuration ([[sessions]]). Everything goes through "
        "the checks of risk; orders stay when the command ends; nothing is ever sent twice.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_send(_action(actions, "send", "send a new order", _send))
    cancel = _action(actions, "cancel", "cancel orders by their client ids", _cancel)
    cancel.add_argument("client_ids", nargs="+", type=_client_id, metavar="CLIENT_ID")
    every = _action(actions, "cancel-all", "cancel all orders and quotes, or those of an instrument", _cancel_all)
    every.add_argument("--instrument", metavar="NAME", help="only of this instrument")
    _action(actions, "list", "list what rests and what is held", _list)
    order_kill.add(actions)


def _action(actions: Any, name: str, what: str, run: Any) -> Any:
    parser = actions.add_parser(
        name, help=what, epilog=_EXAMPLES, description=f"{what[0].upper()}{what[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--config", metavar="FILE", help="TOML with [[sessions]]; else what NETFEED_CONFIG names")
    parser.add_argument("--session", required=True, metavar="NAME", help="the session to send by")
    parser.add_argument("--timeout", type=args.duration, metavar="TIME", help="how long to wait for an answer (10s)")
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    args.add_talk(parser)
    parser.set_defaults(run=run)
    return parser


def _add_send(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("instrument", metavar="INSTRUMENT")
    parser.add_argument("--side", required=True, choices=("buy", "sell"))
    parser.add_argument("--quantity", required=True, metavar="DECIMAL")
    parser.add_argument("--price", required=True, metavar="DECIMAL", help="the limit of the order")
    parser.add_argument("--fair", metavar="DECIMAL", help="what it is worth: a price more than 5%% worse is refused")
    parser.add_argument("--time-in-force", choices=_FORCES, help="gtc, where the session is ouch day")
    parser.add_argument("--post-only", action="store_true", help="never takes; refused where it would")
    parser.add_argument("--reduce-only", action="store_true", help="never makes a position larger")


def _client_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < 2**63):
        raise argparse.ArgumentTypeError(f"not a client id (netfeed order list has them): {text!r}")
    return int(text)


# --- the actions


def _send(arguments: argparse.Namespace) -> int:
    from netfeed.app.trading.order_desk import named
    from netfeed.app.trading.order_request import new_order, price_of

    with _desk(arguments) as desk:
        contract = named(desk.contracts, arguments.instrument)
        order = new_order(
            contract, desk.link.config.protocol, 0, side=arguments.side, price=arguments.price,
            quantity=arguments.quantity, force=arguments.time_in_force, post_only=arguments.post_only,
            reduce_only=arguments.reduce_only,
        )  # fmt: skip
        fair = None if arguments.fair is None else price_of(contract, arguments.fair)
        desk.connect()
        if not desk.stays:
            _note("this port cancels what rests when the connection ends, as it does with this command: ")
            _note(f"  cancel_on_disconnect = false under {desk.link.name} says that it does not")
        against = desk.take_stock()
        if against:
            _note(f"the venue's list does not agree with itself, or has orders of nobody we know: {against}")
        return _told(arguments, desk, [desk.ask(replace(order, client_id=desk.ids.take()), fair)])


def _cancel(arguments: argparse.Namespace) -> int:
    from netfeed.book.execution import Cancel

    with _desk(arguments) as desk:
        desk.connect()
        desk.take_stock()
        orders = [desk.account.orders.get(one) for one in arguments.client_ids]
        unknown = [one for one, order in zip(arguments.client_ids, orders, strict=True) if order is None]
        if unknown:
            _note(f"nothing rests under {', '.join(map(str, unknown))}; nothing was sent")
            return REJECTED
        return _told(arguments, desk, [desk.ask(Cancel(one.client_id, one.instrument)) for one in orders if one])


def _cancel_all(arguments: argparse.Namespace) -> int:
    from netfeed.app.trading.order_desk import named
    from netfeed.book.execution import CancelAll

    with _desk(arguments, lists=False) as desk:
        only = None if arguments.instrument is None else named(desk.contracts, arguments.instrument).index
        desk.connect()
        return _told(arguments, desk, [desk.ask(CancelAll(desk.ids.take(), only))])


def _list(arguments: argparse.Namespace) -> int:
    from netfeed.app.trading.order_words import Words

    with _desk(arguments) as desk:
        desk.connect()
        listed, words = desk.listed(), Words(desk.contracts)
    if arguments.json:
        orders, positions = map(words.object, listed.orders), map(words.object, listed.positions)
        print(json.dumps({"session": desk.link.name, "orders": list(orders), "positions": list(positions)}))
        return OK
    for order in listed.orders:
        print(words.order_text(order))
    for position in listed.positions:
        print(words.position_text(position))
    if not listed.orders and not listed.positions:
        print("nothing rests, and nothing is held")
    return OK


# --- around them


@contextmanager
def _desk(arguments: argparse.Namespace, *, lists: bool = True) -> "Iterator[OrderDesk]":
    """Open the sessions that are wanted. What is said of them goes to standard error."""
    from netfeed.app.config import load
    from netfeed.app.trading.order_desk import TIMEOUT_NS, OrderDesk
    from netfeed.errors import ConfigurationError

    path = arguments.config or os.environ.get("NETFEED_CONFIG")
    if not path:
        raise ConfigurationError("which configuration? Name a file by --config, or set NETFEED_CONFIG")
    desk = OrderDesk(
        load(path, os.environ), arguments.session, os.environ, has_fair=getattr(arguments, "fair", None) is not None,
        timeout_ns=arguments.timeout or TIMEOUT_NS, lists=lists, tell=_note if arguments.verbose else _say_nothing,
    )  # fmt: skip
    with _ended_in_order(), desk:
        yield desk


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM end the command as SIGINT does: what is under way is said to be UNCERTAIN."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _told(arguments: argparse.Namespace, desk: "OrderDesk", outcomes: "list[Outcome]") -> int:
    """Print what became of requests; the worst of it is the exit code."""
    from netfeed.app.trading.order_desk import Fate
    from netfeed.app.trading.order_words import Words

    words, codes = Words(desk.contracts), {
        Fate.DONE: OK, Fate.REJECTED: REJECTED, Fate.REFUSED: REFUSED, Fate.UNCERTAIN: UNCERTAIN
    }  # fmt: skip
    reports = [report for one in outcomes for report in one.reports]
    if arguments.json:
        print(json.dumps({
            "session": desk.link.name, "fate": [one.fate.name for one in outcomes],
            "refusals": [{"rule": no.rule.value, "detail": no.detail} for one in outcomes for no in one.refusals],
            "reports": [words.object(report) for report in reports],
        }))  # fmt: skip
    else:
        for report in reports:
            print(words.text(report))
    for one in outcomes:
        _explain(arguments, one)
    return max(codes[one.fate] for one in outcomes)


def _explain(arguments: argparse.Namespace, one: "Outcome") -> None:
    """Say what is not as it was wished, and what to do."""
    from netfeed.app.trading.order_desk import Fate

    for refusal in one.refusals:
        _note(f"risk refused it, and nothing was sent: {refusal.rule.value}: {refusal.detail}")
    if one.fate is Fate.REJECTED:
        _note(f"the venue refused it: {one.why}")
    if one.fate is Fate.UNCERTAIN:
        config = f" --config {arguments.config}" if arguments.config else ""
        _note(f"UNCERTAIN: {one.why}. It may have happened, and was not sent again; what is true is told by")
        _note(f"  netfeed order list{config} --session {arguments.session}")


def _note(text: str) -> None:
    print(f"netfeed: {text}", file=sys.stderr)


def _say_nothing(text: str) -> None:
    """Keep the log of sessions for -v."""
