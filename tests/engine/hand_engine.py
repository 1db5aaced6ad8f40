"""Temporary: a loop by hand until the real one is there."""
from collections import Counter
from netfeed.book.execution import *
from netfeed.book.state import BookState
from netfeed.engine.account import Account
from netfeed.engine.board import Board
from netfeed.engine.client_ids import ClientIds
from netfeed.engine.desk import Desk
from netfeed.engine.door import Door
from netfeed.engine.gate import Gate, GateSettings
from netfeed.engine.journal import Decided, Heard, Sent, Unsent, Woke, Began
from netfeed.engine.order import State
from netfeed.engine.order_events import Pull
from netfeed.engine.orders import ASKS
from netfeed.engine.quoter import Quoter, QuoterSettings, Tier
from netfeed.engine.risk import Risk
from netfeed.engine.risk_checks import Seen
from netfeed.engine.strategy import Phase, Working
from netfeed.engine.targets import Abilities, Differ
from netfeed.machine import NEVER
MS = 10**6
PH = {State.NEW: Phase.SENT, State.PENDING: Phase.SENT, State.LIVE: Phase.RESTS, State.PARTIAL: Phase.RESTS, State.AMENDING: Phase.SENT, State.CANCELING: Phase.LEAVING, State.UNCERTAIN: Phase.UNCERTAIN}

class HandEngine:
    def __init__(self, contracts, account, limits, routes, strategies, pricer, record, ids, gate):
        self.account, self.record, self.ids = account, record, ids
        self.board = Board(contracts.values())
        self.risk = Risk(account, limits)
        self.routes = {r.number: r for r in routes}
        self.doors = {r.number: Door(account, r.number, r.send) for r in routes}
        self.desks = [Desk(s, i, Gate(gate, h), Differ(Abilities(mass_quotes=m), ids.take, lambda _: 1)) for s, i, h, m in strategies]
        self.pricer = pricer
        self.list_at = 0
        self.listing = None
        self.seq = 0
        self.counts = Counter()
        self.kill_at = NEVER
    def touch(self, instruments, sequence):
        self.board.touch(instruments); self.seq = sequence
    def hear(self, session, report, now, until=NEVER):
        self.record(Heard(now, report, until))
        ev = self.account.apply(report, now, until=until)
        if isinstance(report, Listed) or (isinstance(report, Rejected) and report.ask is Ask.LIST): self.listing = None
        if isinstance(report, Up): self.list_at = now
        self.dirty(now)
    def dirty(self, now):
        for i in self.board.contracts: 
            if self.board.position(i) != self.account.positions[i].quantity:
                self.board.set_position(i, self.account.positions[i].quantity, now)
            self.work(i)
    def work(self, i):
        self.board.set_working(i, [Working(o.client_id if o.group is None else -(o.client_id*1000+i*2+o.side), i, o.side, o.price, o.open, PH[o.state], o.filled, 0, None, o.asked[0] if o.asked else None, o.group is not None) for o in self.account.orders.open(i)])
    @property
    def ready(self): return "" if self.account.agrees else "not"
    @property
    def deadline(self):
        d = min(self.list_at, self.account.deadline, *(x.deadline for x in self.desks)) if not self.risk.switch.is_killed else min(self.list_at, self.account.deadline)
        return d
    def wake(self, now, wall, off): 
        self.step(now, wall, off)
    def kill(self, by, why, now):
        self.risk.kill(by, why, now); self.kill_at = now; self.board.touch(self.board.contracts)
    def step(self, now, wall, off):
        self.board.at(now, wall, off); self.risk.clock(off)
        if self.account.deadline <= now:
            self.record(Woke(now)); self.account.wake(now); self.dirty(now)
        fairs = self.pricer.fairs(self.board)
        self.board.set_fairs(fairs)
        for i, c in self.board.contracts.items():
            b = self.board.book(i); f = fairs.get(i)
            self.risk.see(i, Seen(now, b.state is BookState.LIVE, b.bid.price if b.bid else None, b.ask.price if b.ask else None, round(f.value/10.0**c.price_exponent) if f else None))
            if f:
                from netfeed.engine.greeks import unit_delta
                self.risk.feel(i, unit_delta(c, f), f.gamma*c.multiplier, f.vega*c.multiplier)
                self.risk.mark(i, round(f.value/10.0**c.price_exponent))
        if now >= self.list_at:
            self.list_at = now + 200*MS
            self.send(List(self.ids.take()), now)
        if self.risk.switch.is_killed:
            for o in list(self.account.orders.open()):
                if o.state not in (State.CANCELING, State.UNCERTAIN): self.send(Cancel(o.client_id, o.instrument), now) if o.group is None else None
            if now >= self.counts["ca"] and any(o.state is State.UNCERTAIN or o.group is not None for o in self.account.orders.open()):
                self.counts["ca"] = now + 50*MS; self.send(CancelAll(self.ids.take()), now)
        else:
            for p in self.risk.watch(now):
                for o in list(self.account.orders.open(p.instrument)):
                    if o.state not in (State.CANCELING, State.UNCERTAIN): self.send(Cancel(o.client_id, o.instrument), now) if o.group is None else None
            touched = self.board.take_touched()
            for d in self.desks:
                for r in d.step(self.board, touched): self.send(r, now)
        for r in self.routes.values(): r.flush()
    def send(self, r, now):
        ups = [x for x in self.routes.values() if x.is_up and x.takes(r)]
        if not ups: return
        if isinstance(r, Cancel | Amend):
            o = self.account.orders._register.made(r.client_id)
            own = [x for x in ups if o and x.number == o[0].session]
            ups = own or ups
        v = self.risk.pass_(r, now)
        for x in v.refusals: self.counts[x.rule.name] += 1
        if v.cleared is None: return
        r = v.cleared._request
        self.record(Decided(now, self.seq, r))
        d = self.doors[ups[0].number]
        b = d.sent
        d.send(v.cleared, now)
        self.record((Sent(now, ups[0].number, ASKS[type(r)], r.client_id) if d.sent > b else Unsent(now, ASKS[type(r)], r.client_id)))
        self.dirty(now)
