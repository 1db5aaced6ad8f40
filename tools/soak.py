"""Run `netfeed run` beside `netfeed sim` with readers ten times too slow: memory must stay flat, losses must be exact.

    python tools/soak.py [--minutes 10] [--rate 1000] [--how thread] [--protocol itch50] [--json]

Over loopback, two lines that lose packets, a server that sends them again; or, with `--protocol deribit`, connections
over TLS and WebSocket that something befalls every `--trouble` seconds: closed, torn, silent, a change left out. Three
readers follow the changes:

    ring, slow     takes a tenth of what is put into the shared memory
    ring, fast     takes everything, and keeps the newest records to hold the slow one's against
    --json, slow   takes a tenth of the lines from the pipe

Memory is sampled every `--every` seconds, and /metrics asked for as often; the slope is a least-squares line through
what the process has for itself (RssAnon) in the second half: in the first queues and bounded tables fill. At the end
all of this must hold, else the exit code is 3:

    records read + records lost == records published, for both ring readers; the fast one lost none; the slow one's
    records are the fast one's
    lines read of changes and closed gaps + those that DROPPED lines tell == changes and closed gaps of the account
    the slope is below `--limit` KiB a minute
    deribit: no gap is open, every book is LIVE and is what the venue says is true at its last change
"""

import argparse
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import numpy as np

from netfeed.book.change import CHANGE
from netfeed.transport.ring import Reader

SLOWNESS: Final = 10
TICK_S: Final = 0.1
RING, QUEUE = 4_096, 4_096
DATA: Final = 3
ENDS: Final = frozenset({"DROPPED", "BOOK", "SUMMARY"})
CHANGES: Final = frozenset({"BBO", "TRADE", "STATE", "GAP", "REFUSED"})
TROUBLE: Final = (
    "stream close 1012", "stream once torn", "stream once skip", "stream silent 700ms", "stream once alert",
    "stream close 1006", "stream once duplicate", "stream once oversized",
)  # fmt: skip
CALM_S: Final = 8.0
"""Nothing befalls a connection in the last seconds: who was lost has to come back."""


class Lines(threading.Thread):
    """The slow reader of --json: it takes lines only as far as it is `allowed`."""

    def __init__(self, pipe: Any) -> None:
        super().__init__(daemon=True)
        self.kinds: Counter[str] = Counter()
        self.dropped = 0
        self.summary: dict[str, Any] = {}
        self.books: list[dict[str, Any]] = []
        self.allowed = 0
        self._pipe, self._read = pipe, 0
        self._change = threading.Condition()

    def allow(self, count: int) -> None:
        """Let so many lines be read, counted from the first."""
        with self._change:
            self.allowed = count
            self._change.notify()

    def run(self) -> None:
        while True:
            with self._change:
                while self._read >= self.allowed:
                    self._change.wait()
            line = self._pipe.readline()
            if not line:
                return
            self._read += 1
            row = json.loads(line)
            self.kinds[row["kind"]] += 1
            self.dropped += row["lines"] if row["kind"] == "DROPPED" else 0
            self.summary = row if row["kind"] == "SUMMARY" else self.summary
            self.books += [row] if row["kind"] == "BOOK" else []

    @property
    def rows(self) -> int:
        """Count the changes and closed gaps that were read."""
        return sum(count for kind, count in self.kinds.items() if kind not in ENDS)


class Rings:
    """The slow and the fast reader of one ring."""

    def __init__(self, name: str) -> None:
        self.fast, self.slow = Reader(name), Reader(name)
        self.first = {"fast": self.fast.at, "slow": self.slow.at}
        self.read = {"fast": 0, "slow": 0}
        self.wrong = 0
        self._mirror = np.zeros(RING, CHANGE)

    def tick(self, allowed: int) -> None:
        """Read all with the one, and with the other until it has read as much as it may."""
        while len(rows := self.fast.read()):
            at = self.fast.at - len(rows)
            self._mirror[np.arange(max(at, self.fast.at - RING), self.fast.at) % RING] = rows[-RING:]
            self.read["fast"] += len(rows)
        while self.read["slow"] < allowed and len(rows := self.slow.read(min(1024, allowed - self.read["slow"]))):
            self.read["slow"] += len(rows)
            numbers = np.arange(self.slow.at - len(rows), self.slow.at)
            known = (numbers >= self.fast.at - RING) & (numbers < self.fast.at)
            self.wrong += int((self._mirror[numbers[known] % RING] != rows[known]).sum())

    def account(self) -> dict[str, Any]:
        """Give the account, and whether it adds up."""
        told: dict[str, Any] = {"published": self.fast.published, "unlike": self.wrong}
        for name, reader in (("fast", self.fast), ("slow", self.slow)):
            told[name] = {"first": self.first[name], "read": self.read[name], "lost": reader.lost}
        told["exact"] = (
            all(sum(told[name].values()) == told["published"] for name in ("fast", "slow"))
            and not self.wrong
            and not self.fast.lost
        )
        return told


def memory(pid: int) -> tuple[int, int]:
    """Give (RSS, RssAnon) of a process. Units: KiB."""
    told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(told["VmRSS"].split()[0]), int(told["RssAnon"].split()[0])


def slope(samples: list[tuple[float, int, int]]) -> float:
    """Give the growth of RssAnon in the second half. Units: KiB a minute."""
    later = [sample for sample in samples if sample[0] >= samples[-1][0] / 2]
    if len(later) < 2:
        return 0.0
    times, sizes = np.array([one[0] for one in later]) / 60, np.array([one[2] for one in later])
    return float(np.polyfit(times, sizes, 1)[0])


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def streaming(folder: Path, given: argparse.Namespace) -> str:
    """Write the file of a venue that talks over connections."""
    return "\n".join([
        "schema_version = 1", 'protocol = "deribit"', f"rate = {given.rate}", "seed = 5",
        f'control = "{folder / "control"}"', "[stream]", f'listen = "127.0.0.1:{free_port(socket.SOCK_STREAM)}"',
        f'certificates = "{folder / "ca"}"', "credits = false", "",
    ])  # fmt: skip


def tell(folder: Path, text: str) -> None:
    """Give the venue a command."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(30)
        one.connect(str(folder / "control"))
        one.sendall(text.encode() + b"\n")
        answer = json.loads(one.recv(65_536))
    if not answer["ok"]:
        raise SystemExit(f"soak: {text}: {answer['error']}")


def venue(folder: Path, given: argparse.Namespace) -> tuple[Path, Path]:
    """Write the venue's file; give it, and where the venue will write what a handler must know."""
    path, config = folder / "venue.toml", folder / "run.toml"
    if given.protocol == "deribit":
        path.write_text(streaming(folder, given))
        return path, config
    port = free_port(socket.SOCK_DGRAM)
    text = [
        "schema_version = 1", f'protocol = "{given.protocol}"', f"rate = {given.rate}", "seed = 5",
        f'lines = ["233.252.0.71:{port}", "233.252.0.72:{port}"]',
        f'retransmit = ["127.0.0.1:{free_port(socket.SOCK_DGRAM)}"]',
    ]  # fmt: skip
    if given.protocol == "itch50":
        text.append(f'glimpse = "127.0.0.1:{free_port(socket.SOCK_STREAM)}"')
    else:
        other = free_port(socket.SOCK_DGRAM)
        text.append(f'snapshots = ["233.252.0.73:{other}", "233.252.0.74:{other}"]')
    path.write_text("\n".join([*text, "[faults]", 'A = "loss 1%"', 'B = "loss 1%"', ""]))
    return path, config


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def started(*command: str, **more: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "netfeed", *command], **more)


def wait_for(what: str, done: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise SystemExit(f"soak: no {what} within {seconds:g} s")
        time.sleep(0.01)


def soak(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    path, config = venue(folder, given)
    ring = Path("/dev/shm") / f"netfeed-soak-{folder.name}"
    truth = ["--truth", str(folder / "truth.jsonl")] if given.protocol == "deribit" else []
    sim = started("sim", str(path), "--write-config", str(config), "-q", *truth, stdout=subprocess.DEVNULL)
    try:
        wait_for("configuration of the venue", lambda: config.exists() and config.read_text().strip())
        port = free_port(socket.SOCK_STREAM)
        if given.protocol == "deribit":
            quick = 'reconnect = { first = "50ms", healthy = "1s" }'
            config.write_text(config.read_text().replace("[[venues]]", f"[[venues]]\n{quick}"))
            wait_for("control of the venue", (folder / "control").exists)
        run = started(
            "run", str(config), "--json", "-q", "--ring", ring.name, "--set", f"ring.changes={RING}",
            "--set", f"stream.queue={QUEUE}", "--set", f"receive.how='{given.how}'",
            "--set", f"endpoints.listen='127.0.0.1:{port}'", stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            wait_for("ring of the handler", ring.exists)
            rings = Rings(ring.name)
            wait_for("endpoint of the handler", lambda: answers(port))
            told = watch(given, run, sim.pid, rings, f"http://127.0.0.1:{port}/metrics", folder)
            if given.protocol == "deribit":
                sim.send_signal(signal.SIGINT)  # the truth is on disk when it has ended
                sim.wait()
                judge(told, folder)
            return told
        finally:
            run.kill()
            run.wait()
            ring.unlink(missing_ok=True)
    finally:
        sim.send_signal(signal.SIGINT)
        sim.wait()


def watch(
    given: argparse.Namespace, run: "subprocess.Popen[bytes]", sim: int, rings: Rings, metrics: str, folder: Path
) -> dict[str, Any]:
    lines = Lines(run.stdout)
    lines.start()
    samples: list[tuple[float, int, int]] = []
    began = time.monotonic()
    troubles = 0
    while (now := time.monotonic() - began) < given.minutes * 60:
        if run.poll() is not None:
            raise SystemExit(f"soak: the handler ended with {run.returncode}")
        calm = given.protocol != "deribit" or now > given.minutes * 60 - CALM_S
        if not calm and now >= (troubles + 1) * given.trouble:
            tell(folder, TROUBLE[troubles % len(TROUBLE)])
            troubles += 1
        allowed = (rings.fast.published - rings.first["fast"]) // SLOWNESS
        lines.allow(allowed)
        rings.tick(allowed)
        if not samples or now - samples[-1][0] >= given.every:
            with urlopen(metrics, timeout=30) as answer:
                answer.read()
            samples.append((now, *memory(run.pid)))
            print(f"{now:7.1f} s  RSS {samples[-1][1]} KiB  RssAnon {samples[-1][2]} KiB  venue {memory(sim)[0]} KiB  "
                  f"published {rings.fast.published}  lost {rings.slow.lost}", file=sys.stderr, flush=True)  # fmt: skip
        time.sleep(TICK_S)
    run.send_signal(signal.SIGINT)
    lines.allow(1 << 62)
    lines.join(30)
    run.wait(30)
    rings.tick(1 << 62)
    return report(given, samples, rings, lines)


def report(
    given: argparse.Namespace, samples: list[tuple[float, int, int]], rings: Rings, lines: Lines
) -> dict[str, Any]:
    account = lines.summary
    if given.protocol == "deribit":  # prints, tickers and what befalls connections are lines, too, and not counted
        rows = sum(count for kind, count in lines.kinds.items() if kind in CHANGES)
        stream = {"read": rows, "dropped": lines.dropped, "written": account.get("changes", 0)}
        stream["exact"] = rows <= stream["written"] <= rows + lines.dropped
    else:
        written = account.get("changes", 0) + sum(account.get("recovered", {}).values())
        stream = {"read": lines.rows, "dropped": lines.dropped, "written": written}
        stream["exact"] = lines.rows + lines.dropped == written
    growth = slope(samples)
    told = rings.account()
    return {
        "how": given.how, "protocol": given.protocol, "seconds": round(samples[-1][0], 1),
        "rss_kib": {"start": samples[0][1], "half": _at(samples, 0.5)[1], "end": samples[-1][1],
                    "most": max(sample[1] for sample in samples)},
        "anon_kib": {"start": samples[0][2], "half": _at(samples, 0.5)[2], "end": samples[-1][2]},
        "slope_kib_minute": round(growth, 1), "ring": told, "stream": stream,
        "venues": [{key: one[key] for key in VENUE} for one in account.get("venues", [])], "books": lines.books,
        "handler": {key: account.get(key) for key in ("packets", "messages", "gaps", "recovered", "messages_lost")},
        "good": bool(told["exact"] and stream["exact"] and growth < given.limit),
    }  # fmt: skip


VENUE: Final = (
    "messages", "attempts", "disconnected", "resyncs", "gaps_opened", "gaps_closed", "open_gaps", "reconnects", "books",
)  # fmt: skip


def judge(told: dict[str, Any], folder: Path) -> None:
    """Hold the last books against the truth, and see that nothing is missed."""
    records = map(json.loads, (folder / "truth.jsonl").read_text().splitlines())
    truth = {record["change_id"]: record for record in records}
    books = told.pop("books")
    right = [book for book in books if book["state"] == "LIVE" and agrees(book, truth.get(book["sequence"]))]
    told["books"] = {"LIVE and right": len(right), "all": len(books)}
    (venue,) = told["venues"]
    told["good"] &= bool(books) and len(right) == len(books) and not venue["open_gaps"] and bool(venue["reconnects"])


def agrees(book: dict[str, Any], truth: dict[str, Any] | None) -> bool:
    """Say whether the best levels of a book are the true ones."""
    if truth is None or truth["instrument"] != book["instrument"]:
        return False
    return all(
        (book[side] is None) == (truth[side] is None)
        and (
            book[side] is None or all(Decimal(book[side][k]) == Decimal(truth[side][k]) for k in ("price", "quantity"))
        )
        for side in ("bid", "ask")
    )


def _at(samples: list[tuple[float, int, int]], part: float) -> tuple[float, int, int]:
    return next(sample for sample in samples if sample[0] >= samples[-1][0] * part)


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak.py", description="Let a handler run with readers that are too slow.")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--rate", type=int, default=1_000, help="transactions a second of the venue (default 1000)")
    parser.add_argument("--how", choices=("thread", "loop"), default="thread", help="how packets are received")
    parser.add_argument("--protocol", choices=("itch50", "starbase", "deribit"), default="itch50")
    parser.add_argument("--trouble", type=float, default=5.0, metavar="SECONDS", help="deribit: how often (default 5)")
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS", help="between samples (default 5)")
    parser.add_argument("--limit", type=float, default=100.0, metavar="KIB", help="growth a minute (default 100)")
    parser.add_argument("--json", action="store_true", help="one object")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    given = arguments(argv)
    with tempfile.TemporaryDirectory(prefix="netfeed-soak-") as folder:
        told = soak(given, Path(folder))
    print(json.dumps(told, indent=None if given.json else 1))
    return 0 if told["good"] else DATA


if __name__ == "__main__":
    sys.exit(main())
