"""One engine on two venues that list the same names, on real sockets: one of them dies, and the other goes on."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.config import load
from netfeed.app.run import Options, Run
from tests.app.trading.desk_venue import ENGINE, Trading

pytestmark = pytest.mark.net
ACCOUNTS = 'accounts = { "feed-a" = "a", "feed-b" = "b" }\nclosing = "500ms"'
NAMES = '"BTC-*-[CP]", "BTC-*-[CP]@b"'


@pytest.fixture
def venues(tmp_path: Path) -> Iterator[list[Trading]]:
    """Two venues, each with a folder of its own."""
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made.append(Trading(tmp_path / name, engine=""))
    yield made
    for one in made:
        one.close()


def part(trading: Trading, name: str) -> str:
    """Give channel and sessions of a venue, under names of their own."""
    text = trading.text().replace('name = "sim"', f'name = "feed-{name}"').replace('venue = "sim"', f'venue = "{name}"')
    for session in ("A", "B", "lists"):
        text = text.replace(f'name = "{session}"', f'name = "{name}-{session}"')
    return text[text.index("[[channels]]") :]


def resting(run: Run) -> dict[str, int]:
    """Count what rests, by venue."""
    engine = run.desk.engine
    open_ = [] if engine is None else list(engine.account.orders.open())
    venues = [engine.account.contracts[one.instrument].venue for one in open_]
    return {name: venues.count(name) for name in ("a", "b")}


def test_two_venues_are_quoted_and_when_one_dies_the_other_goes_on(tmp_path: Path, venues: list[Trading]) -> None:
    engine = ENGINE.format(folder=tmp_path).replace('"BTC-*-[CP]"', NAMES)
    engine = engine.replace('closing = "5s"', ACCOUNTS).replace('["BTC-PERPETUAL"]', '["BTC-PERPETUAL*"]')
    engine = engine.replace('"BTC-PERPETUAL" =', '"BTC-PERPETUAL*" =')
    head = 'schema_version = 1\n[endpoints]\nlisten = "127.0.0.1:0"\n'
    path = tmp_path / "run.toml"
    path.write_text(head + part(venues[0], "a") + "\n" + part(venues[1], "b") + engine)
    before: dict[str, int] = {}
    after: list[int] = []

    def enough(run: Run) -> bool:
        rests = resting(run)
        if not before and min(rests.values()) > 0:
            before.update(rests, orders=run.desk.engine.statistics().orders)
            venues[1].close()
        if before and not any(one.is_up for one in run.desk.engine.router.routes("b")):
            after.append(sum(one.sent for one in run.desk.engine.statistics().sessions if one.venue == "a"))
        return bool(after) and after[-1] > after[0] + 5

    run: Any = Run(
        load(str(path), {}, {}), Options(str(path), {}, duration=30 * 10**9, quiet=True), lambda: enough(run)
    )
    run.run()
    assert before
    assert after[-1] > after[0] + 5  # orders still went to the venue that lives
    end = time.monotonic() + 10
    while venues[0].venue.ledger("mm")["orders"] and time.monotonic() < end:
        time.sleep(0.01)
    assert venues[0].venue.ledger("mm")["orders"] == []
    names = {one.name for one in run.desk.engine.account.contracts.values()}
    assert {name.removesuffix("@b") for name in names if "@" in name} == {name for name in names if "@" not in name}
