"""A simulated venue inside of this process, and the configuration of a run that quotes on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from netfeed.app.config import load
from netfeed.app.run import Options, Run
from netfeed.app.sim_accounts import AccountConfig, GroupConfig
from netfeed.app.sim_embedded import EmbeddedVenue, embedded

ENGINE = """
[engine]
strategy = "quoter"
instruments = ["BTC-*-[CP]"]
journal = "{folder}/orders"
mass_quotes = false
list_every = "1s"
closing = "5s"
stall = "60s"

[engine.quoter]
tiers = [{{ size = "0.5" }}]
half_ticks = 3
half_volatility = 0.01
requote_ticks = 2
max_position = "20"
protected = false

[engine.limits]
order_size = {{ "BTC-PERPETUAL" = "100000", "*" = "100000" }}
position = {{ "BTC-PERPETUAL" = "500000", "*" = "500000" }}

[engine.gate]
settle = "50ms"

[engine.surface]
refit = "300ms"

[engine.hedge]
instruments = ["BTC-PERPETUAL"]
band = 0.2
clip = "50000"
max_position = "1000000"
through_ticks = 20
"""


HOT = (
    ENGINE.replace("mass_quotes = false\n", "")
    + """
[engine.hot]
session = "A"
"""
)
FEES = {"A": "fee = 0.5\n", "B": "", "lists": "fee = 0.5\n"}
"""Orders go by the other gateway as long as that is up."""


class Trading:
    """A venue and a run on it. `seen` is called in every turn of the loop, and says when it is enough."""

    def __init__(
        self, folder: Path, *, engine: str = ENGINE, how: str = "loop", lists: bool = True, portfolios: str = ""
    ) -> None:
        self.folder = folder
        self.venue = EmbeddedVenue(
            embedded(
                seed=7, cycle="300ms", rate=150, instruments=12,
                accounts=[AccountConfig(name="mm", groups=[GroupConfig(number=1)])],
                exchange={"chain": "priced"}, stream={"listen": "127.0.0.1:0", "tls": False},
            )
        )  # fmt: skip
        self.venue.start()
        self.engine_text, self.how, self.lists, self.portfolios = engine, how, lists, portfolios
        self.lines: list[str] = []
        self.run: Run | None = None

    def text(self) -> str:
        """Give the configuration of the run."""
        channel = self.venue.run_config[self.venue.run_config.index("[[channels]]") :]
        (self.folder / "secret").write_text(self.venue.secrets["mm"])
        (self.folder / "secret").chmod(0o600)
        orders, stream = self.venue.addresses["orders"], self.venue.addresses["stream"]
        sessions = [("A", "starbase", f"tcp://{orders['A']}"), ("B", "starbase", f"tcp://{orders['B']}")]
        sessions += [("lists", "deribit", stream)] if self.lists else []
        return "\n".join([
            "schema_version = 1", "[endpoints]", 'listen = "127.0.0.1:0"', "[receive]", f'how = "{self.how}"', channel,
            *(
                f'[[sessions]]\nname = "{name}"\nvenue = "sim"\nprotocol = "{protocol}"\nendpoints = ["{place}"]\n'
                f'key = "mm"\nsecret_file = "{self.folder}/secret"\n{FEES[name]}'
                f'reconnect = {{ first = "50ms", cap = "200ms" }}'
                + (self.portfolios if protocol == "deribit" else "")
                for name, protocol, place in sessions
            ),
            self.engine_text.format(folder=self.folder),
        ])  # fmt: skip

    def trade(self, enough: Callable[[Any], bool], *, seconds: float = 20.0) -> Run:
        """Run until it is enough; the run leaves the market and closes before this returns."""
        path = self.folder / "run.toml"
        path.write_text(self.text())
        config = load(str(path), {}, {})
        run = self.run = Run(
            config, Options(str(path), {}, duration=int(seconds * 1e9), quiet=True), lambda: enough(run)
        )  # fmt: skip
        tell = run.tell
        run.tell = lambda text: (self.lines.append(text), tell(text))[1]  # type: ignore[method-assign]
        run.run()
        return run

    def close(self) -> None:
        """End the venue."""
        self.venue.stop()
