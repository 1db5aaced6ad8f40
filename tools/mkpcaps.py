"""Build every file of pcaps/ from its seed: captures, truth.json and README.md.

    python tools/mkpcaps.py            write them
    python tools/mkpcaps.py --check    say whether the files on disk are those; 3 when not

No clock and no entropy is read: each run writes the same bytes. What is compressed is compared as it expands, because
two versions of a compressor may write the same content in different bytes. truth.json comes from the simulations that
made the captures and never from a replay, so that a replay can be held against it.
"""

import argparse
import gzip
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import zstandard
from rich.console import Console
from rich.progress import track

from netfeed.sim import capture_broken, capture_itch, capture_orders, capture_starbase
from netfeed.sim.account import RECOVERY_NS, REORDER_NS, Facts
from netfeed.sim.capture_itch import Capture

FOLDER: Final = Path(__file__).resolve().parents[1] / "pcaps"
CAPTURES: Final[tuple[Callable[[], Capture], ...]] = (
    *capture_itch.CAPTURES,
    *capture_starbase.CAPTURES,
    *capture_broken.CAPTURES,
    *capture_orders.CAPTURES,
)
COMPRESS: Final[dict[str, Callable[[bytes], bytes]]] = {
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".zst": lambda data: zstandard.ZstdCompressor(level=19).compress(data),
}
EXPAND: Final[dict[str, Callable[[bytes], bytes]]] = {
    ".gz": gzip.decompress,
    ".zst": lambda data: zstandard.ZstdDecompressor().decompress(data),
}
_README: Final = """\
# Captures

Every file here is made from a seed by `python tools/mkpcaps.py`, and `python tools/mkpcaps.py --check` says whether the
files are still those. Do not edit them; this page is written by the tool, too.

| file | what it holds | packets | messages | gaps: range, what closes it | damage | exit |
|---|---|---:|---:|---|---|---|
{rows}

*Packets* are the records of the file. *Messages* are those of the sequenced stream, each counted once, whichever line
or answer brought it; a lost one is not counted, and those of a snapshot channel stand in `truth.json` by themselves
(a replay's `messages` and `by_type` have both). *Exit* is the exit code of
`netfeed replay`: 3 when there was a gap or damage.

## What a replay must report

The end of each book, from `truth.json` (all of them stand there):

| file | instrument | state | bid | ask | levels | orders |
|---|---|---|---:|---:|---:|---:|
{books}

`truth.json` says all this for programs, in the forms of `netfeed replay --json`. It is written by the simulations that
sent the packets, and never by a replay. For each file:

* `by_type`: the messages of the stream by type. `snapshot_by_type` of a channel: those of the snapshot channel.
* `lines`: packets by line; how many brought something first, how many nothing new, and how many are `unnumbered`:
  heartbeats, ends of session, rejects of requests.
* `gaps`: a `closed_by` of null: nothing closes it. They hold for a reader that calls a hole a gap after {reorder_ms} ms
  and gives a gap up after {recovery_s} s; times are those of the capture.
* `books`: the best level of each side, and levels, quantity and orders of each side in total. They are what a reader
  holds who applied everything that came, and nothing to orders that it does not know. `differs_from_venue` names those
  that a loss has made wrong. `queue`: ids of the orders at the best prices, the next to be filled first.
* `errors`: damage, with the offset of its record in the file, or with the sequence of the bad message.
* `tick_to_trade`: where orders go, how long each took from the first copy of the packet that it answers, and what
  befell the connection. An order's correlation id is the sequence of that packet's last message.
* `ignored`: packets that must neither move the sequence nor bring messages. `exit` null: 0 and 3 are both right.

Addresses: lines of ITCH 233.252.0.1:26400 (A) and 233.252.0.2:26400 (B), their request server 192.0.2.10:26499. Lines
of Starbase 233.252.0.11:7001 (A) and 233.252.0.12:7001 (B), snapshots 233.252.0.13:7002, retransmit gateway
192.0.2.20:7003, order gateway 192.0.2.30:8001. The host that captured is 192.0.2.77; a request of this host is in the
capture like the answer to it.
"""


def built() -> dict[str, bytes]:
    """Build all files by name; captures as they expand."""
    console = Console(stderr=True)
    quiet = not console.is_terminal
    made = [make() for make in track(CAPTURES, "captures", console=console, transient=True, disable=quiet)]
    facts = {capture.name: capture.facts for capture in made}
    truth = {"reorder_window_ns": REORDER_NS, "recovery_window_ns": RECOVERY_NS, "files": facts}
    files = {capture.name: capture.data for capture in made}
    files["truth.json"] = (json.dumps(truth, indent=1) + "\n").encode()
    files["README.md"] = readme(facts).encode()
    return files


def readme(files: dict[str, Facts]) -> str:
    """Write the page about the captures."""
    return _README.format(
        rows="\n".join(_row(name, facts) for name, facts in files.items()),
        books="\n".join(_book(name, facts["books"][0]) for name, facts in files.items()),
        reorder_ms=REORDER_NS // 10**6,
        recovery_s=RECOVERY_NS // 10**9,
    )


def _row(name: str, facts: Facts) -> str:
    gaps = [gap for channel in facts["channels"] for gap in channel["gaps"]]
    told = "; ".join(f"{gap['first']}-{gap['last']} {gap['closed_by'] or 'lost'}" for gap in gaps) or "none"
    damage = "; ".join(error["what"] for error in facts["errors"]) or "none"
    packets = "-" if facts["packets"] is None else f"{facts['packets']:,}"
    exit_code = "0 or 3" if facts["exit"] is None else facts["exit"]
    return f"| `{name}` | {facts['about']} | {packets} | {facts['messages']:,} | {told} | {damage} | {exit_code} |"


def _book(name: str, book: Facts) -> str:
    best = [f"{book[side]['quantity']} @ {book[side]['price']}" if book[side] else "-" for side in ("bid", "ask")]
    totals = [" + ".join(str(book["totals"][side][what]) for side in ("bid", "ask")) for what in ("levels", "orders")]
    return f"| `{name}` | {book['instrument']} | {book['state']} | {' | '.join(best)} | {' | '.join(totals)} |"


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Write each file under another name, and give it its own when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        part = folder / f"{name}.part"
        try:
            part.write_bytes(COMPRESS.get(Path(name).suffix, bytes)(data))
            os.replace(part, folder / name)
        finally:
            part.unlink(missing_ok=True)


def differing(folder: Path, files: dict[str, bytes]) -> list[str]:
    """Say which files are absent or hold something else."""
    return [f"{name} {fault}" for name, data in files.items() if (fault := _fault(folder / name, data))]


def _fault(path: Path, wanted: bytes) -> str:
    try:
        found = EXPAND.get(path.suffix, bytes)(path.read_bytes())
    except FileNotFoundError:
        return "is absent"
    except (EOFError, ValueError, gzip.BadGzipFile, zstandard.ZstdError) as error:
        return f"cannot be expanded: {error}"
    if found == wanted:
        return ""
    at = next((i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), min(len(found), len(wanted)))
    return f"differs from byte {at} on ({len(found)} bytes; {len(wanted)} wanted)"


def main(argv: list[str] | None = None) -> int:
    """Write or check the files; return the exit code."""
    parser = argparse.ArgumentParser(prog="mkpcaps", description=str(__doc__).splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER, help="where they are (default: pcaps/)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 3 when a file is another")
    options = parser.parse_args(argv)
    files = built()
    try:
        if not options.check:
            write(options.folder, files)
            return 0
        faults = differing(options.folder, files)
    except OSError as error:
        print(f"mkpcaps: {error}", file=sys.stderr)
        return 1
    for fault in faults:
        print(f"mkpcaps: {fault}", file=sys.stderr)
    return 3 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
