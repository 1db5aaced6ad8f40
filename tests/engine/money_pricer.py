"""Temporary."""
from netfeed.engine.option import CALL, PUT, Row, price_one, implied_volatility
from netfeed.engine.contract import Payoff
from netfeed.engine.strategy import Fair
from netfeed.book.state import BookState

class FlatPricer:
    def __init__(self, contracts, spot):
        self.contracts, self.spot, self.vols = contracts, spot, {}
    def fairs(self, board):
        b = board.book(self.spot)
        if b.state is not BookState.LIVE or not b.bid or not b.ask: return {}
        F = (b.bid.price + b.ask.price) / 2 * 1e-9
        out = {self.spot: Fair(F, F, 1.0, board.now, board.now)}
        for i, c in self.contracts.items():
            if i == self.spot: continue
            if not c.is_option:
                bk = board.book(i)
                if bk.bid and bk.ask:
                    m = (bk.bid.price + bk.ask.price) / 2 * 1e-9
                    out[i] = Fair(m, m, 1.0, board.now, board.now)
                continue
            t, kind = c.years(board.wall_ns), CALL if c.payoff is Payoff.CALL else PUT
            if i not in self.vols:
                bk = board.book(i)
                if bk.state is not BookState.LIVE or not bk.bid or not bk.ask: continue
                v, code = implied_volatility(kind, (bk.bid.price + bk.ask.price)/2*1e-9, F, c.strike, t, inverse=True)
                if code[0]: continue
                self.vols[i] = float(v[0])
            vals, code = price_one(kind, F, c.strike, t, self.vols[i], inverse=True)
            out[i] = Fair(vals[Row.PRICE], F, vals[Row.NET_DELTA], board.now, board.now, vals[Row.GAMMA], vals[Row.VEGA], vals[Row.THETA], self.vols[i])
        return out
