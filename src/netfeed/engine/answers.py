"""What a report asks of the engine, beside what it does to our orders: questions, rests, protections.

Up                       ask what rests
Down                     ask what rests, as soon as somebody can
Listed                   agree, or ask again soon
Rejected, refused sides  the desk rests: who asks again at once is refused at once
Tripped, Freed           the desk's gates shut and open with the venue's protection
"""

from collections import Counter
from collections.abc import Sequence

from netfeed.book.execution import (
    AllCanceled,
    Ask,
    Cause,
    Down,
    Freed,
    Listed,
    Quoted,
    QuoteState,
    Rejected,
    Report,
    Tripped,
    Up,
)  # fmt: skip
from netfeed.engine.account import Account
from netfeed.engine.clearing import Clearing
from netfeed.engine.desk import Desk
from netfeed.engine.gate import Reason
from netfeed.engine.questions import Questions


class Answers:
    """Do what reports ask for."""

    def __init__(
        self, account: Account, questions: Questions, clearing: Clearing, desks: Sequence[Desk], count: Counter[str]
    ) -> None:
        self._account, self._questions, self._clearing = account, questions, clearing
        self._desks, self._count = desks, count
        self._trips = {number: group.trips for number, group in account.groups.items()}

    def take(self, session: int, report: Report, now: int, until: int) -> None:
        """Do what a report asks for beside what it does to our orders."""
        venue = self._account.venues.of_session(session)
        match report:
            case Up():
                self._questions.up(venue, now)
            case Down():
                self._questions.doubt(venue, now)
            case Listed():
                agreed = self._account.reconciled is not None and self._account.reconciled.agreed
                self._clearing.listed(venue, len(report.orders), self._questions.last(venue))
                self._questions.answered(venue, now, agreed=agreed)
            case AllCanceled():
                self._clearing.canceled(venue)
            case Rejected(ask=Ask.LIST):
                self._questions.refused(venue, now)
            case Rejected():
                self._refused(report, now)
            case Quoted():
                self._refused_sides(report, now)
            case Tripped():
                self._tripped(report, until)
            case Freed():
                self.freed(None if report.orders else report.group)

    def _refused(self, report: Rejected, now: int) -> None:
        """Let desks rest where the venue refuses what they ask; that a cancel came too late is no refusal."""
        self._count["rejected"] += 1
        if report.ask not in (Ask.NEW, Ask.AMEND, Ask.QUOTE) or report.cause is Cause.NOT_FOUND:
            return
        made = {order.instrument for order in self._account.orders.made(report.client_id)}
        for instrument in report.instruments or sorted(made):
            self._rest(instrument, now)

    def _refused_sides(self, report: Quoted, now: int) -> None:
        for instrument, *sides in report.sides:
            if any(side.state is QuoteState.REFUSED for side in sides):
                self._rest(instrument, now)

    def _rest(self, instrument: int, now: int) -> None:
        for desk in self._desks:
            if instrument in desk.instruments:
                desk.refused(instrument, now)

    def _tripped(self, report: Tripped, until: int) -> None:
        self._count["tripped"] += 1
        for desk in self._desks:
            if report.orders:
                for instrument in desk.instruments:
                    desk.gate.hold(instrument, Reason.PROTECTION, until)
            else:
                desk.tripped(report.group, until)

    def freed(self, group: int | None) -> None:
        for desk in self._desks:
            if group is not None:
                desk.freed(group)
                continue
            for instrument in desk.instruments:
                desk.gate.free(instrument, Reason.PROTECTION)

    def protections(self) -> None:
        """Tell the desks when our own mirror of a protection has frozen a group."""
        for number, group in self._account.groups.items():
            if group.trips != self._trips[number]:
                self._trips[number] = group.trips
                for desk in self._desks:
                    desk.tripped(number, group.until)
