"""Play a scenario: a venue and a handler as processes of their own, faults between them, and a verdict.

The handler is `netfeed run` as anybody would start it, and is watched as anybody can watch it: through its ring and its
report. The venue is `netfeed sim`, whose truth file says what its books were at every sequence. Nothing is asked of
either that a user could not ask.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from netfeed.app.drill_evidence import Evidence
from netfeed.app.drill_scenarios import Scenario
from netfeed.app.drill_stage import LINES, Loopback, Namespaces, Stage, ended, tail
from netfeed.app.drill_verdict import Verdict, compare, moments, replayed
from netfeed.app.drill_watch import Watch
from netfeed.errors import NetfeedError
from netfeed.transport.network import NetworkError

GROUPS: Final = {
    "starbase": (("233.252.0.11:7001", "233.252.0.12:7001"), ("233.252.0.13:7002", "233.252.0.14:7002")),
    "itch50": (("233.252.0.1:26400", "233.252.0.2:26400"), ()),
}
_REQUESTS, _SNAPSHOTS = 7003, 7004
_START_S, _SETTLE_S = 30.0, 30.0
"""How long anything may take on a busy machine before the drill gives up."""
_HALF_S: Final = 0.15
_LOOK_S: Final = 0.2

Json = dict[str, Any]


class DrillError(NetfeedError):
    """A drill could not be played: a process did not come up. The message says what it said."""


@dataclass(slots=True)
class Outcome:
    """What came of a scenario. `why`: the reasons why it is not ok; `evidence`: the captures that were kept."""

    scenario: str
    where: str
    protocol: str
    report: Json = field(default_factory=dict)
    verdict: Verdict = field(default_factory=Verdict)
    books: int = 0
    books_different: list[str] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)

    def as_json(self) -> Json:
        """Give it as one object."""
        report, verdict = self.report, self.verdict
        return {
            "scenario": self.scenario,
            "ok": not self.why,
            "protocol": self.protocol,
            "books_compared": self.books,
            "books_different": len(self.books_different),
            "moments_compared": verdict.compared,
            "moments_different": verdict.different,
            "messages_lost": report.get("messages_lost", 0),
            "gaps": report.get("gaps", 0),
            "recovered": report.get("recovered", {}),
            "recovery_ns": spread(recoveries(report)),
            "kernel_drops": report.get("kernel_drops", 0),
            "untouched_instruments_disturbed": len(verdict.disturbed),
            "where": self.where,
            "why": self.why,
            "evidence": self.evidence,
        }


def play(
    scenario: Scenario, protocol: str, *, seed: int = 1, rootless: bool = False,
    keep: Path | None = None, note: Callable[[str], None] = lambda text: None,
) -> Outcome:  # fmt: skip
    """Play one scenario. In `keep` stays what was written: configurations, logs, the truth, the report, the captures.

    Captures of a scenario that is not passed stay in any case, in a folder of their own.

    Raises: DrillError when a process does not come up; NamespaceError without the permission for namespaces.
    """
    with contextlib.ExitStack() as end:
        folder = str(keep) if keep else end.enter_context(tempfile.TemporaryDirectory(prefix="netfeed-drill-"))
        stage: Stage = Loopback(traffic(protocol)) if rootless else Namespaces(flows(protocol), seed)
        end.callback(stage.close)
        one = _Play(scenario, protocol, stage, Path(folder), seed, note)
        wires = keep or Path(tempfile.mkdtemp(prefix=f"netfeed-drill-{scenario.name}-"))
        goes = end.enter_context(contextlib.ExitStack())
        if not keep:
            goes.callback(shutil.rmtree, wires)
        evidence = end.enter_context(watched(stage, wires, note))
        end.callback(one.close)
        outcome = one.run()
        one.close()
        files = evidence.close() if evidence else []
        if outcome.why or keep:
            outcome.evidence = [str(path) for path in files]
            for text in evidence.failures if evidence else ():
                note(f"{scenario.name}: {text}")
        if outcome.evidence:
            goes.pop_all()
        return outcome


@contextlib.contextmanager
def watched(stage: Stage, folder: Path, note: Callable[[str], None]) -> Iterator[Evidence | None]:
    """Capture at both ends of a stage; where nobody may, say so and give None."""
    try:
        taps = stage.taps()
    except NetworkError as error:
        note(f"no captures as evidence: {error}")
        yield None
        return
    evidence = Evidence(taps, folder)
    try:
        yield evidence
    finally:
        evidence.close()


def flows(protocol: str) -> list[list[tuple[str, int]]]:
    """Give the flows on which faults of line A and of line B lie."""
    lines, _ = GROUPS[protocol]
    return [[(group.split(":")[0], int(group.split(":")[1]))] for group in lines]


def traffic(protocol: str) -> str:
    """Give a filter for everything that venue and handler say to each other."""
    groups = [group.split(":")[0] for groups in GROUPS[protocol] for group in groups]
    return " or ".join([*(f"dst host {group}" for group in groups), f"port {_REQUESTS}", f"port {_SNAPSHOTS}"])


def recoveries(report: Json) -> list[int]:
    """List how long each gap was open. Units: ns."""
    return sorted(
        gap["open_ns"]
        for channel in report.get("channels", ())
        for gap in channel["gap_records"]
        if gap["closed_by"] is not None
    )


def spread(values: list[int]) -> Json:
    """Give the median, the 99th percentile and the maximum of sorted values, None of none."""
    if not values:
        return {"p50": None, "p99": None, "max": None}
    last = len(values) - 1
    return {"p50": values[last // 2], "p99": values[-(-last * 99 // 100)], "max": values[-1]}


class _Play:
    """One scenario while it is played."""

    def __init__(
        self, scenario: Scenario, protocol: str, stage: Stage, folder: Path, seed: int, note: Callable[[str], None]
    ) -> None:
        self.scenario, self.protocol, self.stage, self.folder, self.seed = scenario, protocol, stage, folder, seed
        self._note = note
        self._venue: Any = None
        self._handler: Any = None
        self._ring = f"netfeed-drill-{os.getpid()}"
        self._halving = 0.0

    def run(self) -> Outcome:
        """Play it to the end."""
        scenario, outcome = self.scenario, Outcome(self.scenario.name, self.stage.where, self.protocol)
        self._start_venue()
        time.sleep(scenario.late_ms / 1e3)
        watch = self._start_handler()
        try:
            if not watch.until_live(_START_S, quiet=0):
                outcome.why.append(f"the handler did not become right: {dict(watch.states())}")
            self._act()
            self._command("rate 0")
            if not self._caught_up() or not watch.until_live(_SETTLE_S, quiet=0.1):
                outcome.why.append(f"not every book is LIVE at the end: {_counts(watch)}")
        finally:
            ended(self._handler)
            watch.close()
        ended(self._venue)
        self._judge(outcome, watch)
        return outcome

    def close(self) -> None:
        """End what still runs."""
        for process in (self._handler, self._venue):
            if process is not None:
                ended(process)

    # --- the two processes

    def _start_venue(self) -> None:
        config = self.folder / "sim.toml"
        config.write_text(self._sim_config())
        argv = ["sim", str(config), "--truth", str(self.folder / "truth.jsonl")]
        with (self.folder / "venue.log").open("wb") as log:
            self._venue = self.stage.spawn("venue", _netfeed(argv), log)
        self._until(lambda: self._control.exists(), self._venue, "venue")

    def _start_handler(self) -> Watch:
        config = self.folder / "run.toml"
        config.write_text(self._run_config())
        argv = ["run", str(config), "--ring", self._ring, "--report", str(self.folder / "report.json"), "--no-view"]
        for key, value in self.scenario.handler.items():
            argv += ["--set", f"{key}={value}"]
        with (self.folder / "handler.log").open("wb") as log:
            self._handler = self.stage.spawn("handler", _netfeed(argv), log)
        self._until(lambda: Path("/dev/shm", self._ring).exists(), self._handler, "handler")
        return Watch(self._ring)

    def _until(self, ready: Callable[[], bool], process: Any, name: str) -> None:
        end = time.monotonic() + _START_S
        while not ready():
            if process.poll() is not None or time.monotonic() > end:
                raise DrillError(f"the {name} did not come up:\n{tail(self.folder / f'{name}.log')}")
            time.sleep(0.01)

    @property
    def _control(self) -> Path:
        return self.folder / "control"

    def _sim_config(self) -> str:
        lines, copies = GROUPS[self.protocol]
        rows = [
            "schema_version = 1", f'protocol = "{self.protocol}"', f'interface = "{self.stage.interface}"',
            f"lines = {json.dumps(lines)}", f"snapshots = {json.dumps(copies)}",
            f'retransmit = ["{self.stage.address}:{_REQUESTS}"]', f'control = "{self._control}"',
            f"seed = {self.seed}", f"rate = {self.scenario.rate}", 'cycle = "500ms"', "requests_per_second = 1000",
        ]  # fmt: skip
        if self.protocol == "itch50":
            rows += [f'glimpse = "{self.stage.address}:{_SNAPSHOTS}"']
        if self.scenario.retain is not None:
            rows.append(f"retain = {self.scenario.retain}")
        return "\n".join(rows) + "\n"

    def _run_config(self) -> str:
        lines, copies = GROUPS[self.protocol]

        def table(groups: Iterable[str]) -> str:
            pairs = zip(groups, self.stage.lines, strict=False)
            return ", ".join(f'{{ group = "{group}", interface = "{interface}" }}' for group, interface in pairs)

        rows = [
            "schema_version = 1", "[endpoints]", 'listen = ""', "[[channels]]", 'name = "drill"',
            f'protocol = "{self.protocol}"', f"lines = [{table(lines)}]", f"snapshots = [{table(copies)}]",
            f'retransmit = [{{ address = "{self.stage.address}:{_REQUESTS}" }}]',
        ]  # fmt: skip
        if self.protocol == "itch50":
            rows.append(f'glimpse = {{ address = "{self.stage.address}:{_SNAPSHOTS}" }}')
        return "\n".join(rows) + "\n"

    # --- the acts

    def _act(self) -> None:
        """Do each act at its time, until the flow is over."""
        began = time.monotonic()
        for at_ms, act in sorted(self.scenario.acts, key=lambda one: one[0]):
            self._wait(began + at_ms / 1e3)
            self._note(f"{self.scenario.name}: {act}")
            self._do(act)
        self._wait(began + self.scenario.flow_ms / 1e3)

    def _wait(self, until: float) -> None:
        """Let time pass; while the handler is halved it gets every second turn only."""
        while (now := time.monotonic()) < until:
            if now >= self._halving:
                time.sleep(min(until - now, 0.1))
                continue
            self._signal(signal.SIGSTOP)
            time.sleep(_HALF_S)
            self._signal(signal.SIGCONT)
            time.sleep(_HALF_S)

    def _do(self, act: str) -> None:
        words = act.split()
        match words[0]:
            case "pause":
                self._signal(signal.SIGSTOP)
            case "resume":
                self._signal(signal.SIGCONT)
            case "halve":
                self._halving = time.monotonic() + int(words[1]) / 1e3
            case "cut" | "plug":
                self._pass_on(self.stage.cut(words[1], words[0] == "cut"))
            case "deafen" | "hear":
                self._pass_on(self.stage.deafen(words[1], words[0] == "deafen"))
            case names if set(names.split(",")) <= set(LINES):
                for line in names.split(","):
                    self._pass_on(self.stage.wire(line, _for(words[1:])))
            case _:
                self._command(act)

    def _signal(self, number: signal.Signals) -> None:
        if self._handler.poll() is None:
            self._handler.send_signal(number)

    def _pass_on(self, command: str | None) -> None:
        """Give the venue a command, where the stage has no wire that could do it."""
        if command is not None:
            self._command(command)

    def _caught_up(self) -> bool:
        """Wait until the handler has come to the end of what the venue sent; say whether it has."""
        end = time.monotonic() + _SETTLE_S
        wanted = -1
        while time.monotonic() < end:
            last, wanted = wanted, self._command("status")["next_sequence"]
            self._signal(signal.SIGUSR1)
            time.sleep(_LOOK_S)
            if last == wanted == self._heard():
                return True
        return False

    def _heard(self) -> int | None:
        """Read the next sequence of the handler's latest account."""
        for line in reversed((self.folder / "handler.log").read_text(errors="replace").splitlines()):
            if line.startswith("{"):
                with contextlib.suppress(ValueError):
                    account: Json = json.loads(line)
                    return int(account["channels"][0]["next_sequence"] or 0)
        return None

    def _command(self, text: str) -> Json:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.settimeout(_START_S)
            control.connect(str(self._control))
            control.sendall(text.encode() + b"\n")
            answer: Json = json.loads(control.makefile().readline() or "{}")
        if not answer.get("ok"):
            raise DrillError(f"the venue does not do {text!r}: {answer.get('error', 'no answer')}")
        return answer

    # --- the verdict

    def _judge(self, outcome: Outcome, watch: Watch) -> None:
        path = self.folder / "report.json"
        if not path.exists():
            outcome.why.append(f"the handler left no report:\n{tail(self.folder / 'handler.log')}")
            return
        outcome.report = json.loads(path.read_text())
        with (self.folder / "truth.jsonl").open() as file:
            records = [json.loads(line) for line in file if line.endswith("\n")]
        names, changes = watch.names(), watch.changes()
        np.save(self.folder / "changes.npy", changes)
        truth = moments(records, {name.text: name for name in names.values()})
        epochs = sorted({epoch for epoch, _ in truth})
        gaps = [gap for channel in outcome.report["channels"] for gap in channel["gap_records"]]
        lost = [(epoch, gap["first"], gap["last"]) for epoch in epochs for gap in gaps]
        known = replayed(changes, names)
        outcome.verdict = compare(truth, known, lost, epochs[-1] - len(known) + 1 if epochs else 0)
        self._compare_books(outcome, records)
        outcome.why += reasons(self.scenario, outcome, watch.lost)

    def _compare_books(self, outcome: Outcome, records: list[Json]) -> None:
        """Compare whole books at the end, level by level."""
        last = max((record["epoch"] for record in records), default=0)
        wanted = {record["instrument"]: record["digest"] for record in records if record["epoch"] == last}
        found = {book["instrument"]: book for book in outcome.report["final_books"]}
        outcome.books = len(wanted)
        outcome.books_different = [
            name for name, digest in wanted.items() if found.get(name, {}).get("digest") != digest
        ]


def reasons(scenario: Scenario, outcome: Outcome, unread: int) -> list[str]:
    """Say why a scenario is not passed; nothing when it is."""
    report, verdict, why = outcome.report, outcome.verdict, []
    if not verdict.compared or not outcome.books:
        why.append("nothing could be compared")
    if verdict.different:
        why += [f"{verdict.different} moments differ from the venue's", *verdict.examples]
    if outcome.books_different:
        why.append(f"books that differ at the end: {', '.join(outcome.books_different[:8])}")
    if verdict.disturbed:
        why.append(f"instruments that nothing was lost of missed something: {', '.join(sorted(verdict.disturbed)[:8])}")
    if unread:
        why.append(f"{unread} changes were overwritten in the ring before the drill read them")
    did = {by for by, count in report["recovered"].items() if count}
    did |= {"drops"} if report["kernel_drops"] else set()
    did |= {"alone"} if any(count for channel in report["channels"] for count in channel["only"].values()) else set()
    did |= {"reset"} if any(channel["resets"] for channel in report["channels"]) else set()
    why += [f"the drill did not bite: no {one}" for one in sorted(scenario.must - did)]
    return why


def _netfeed(argv: list[str]) -> list[str]:
    return [sys.executable, "-m", "netfeed", *argv]


def _counts(watch: Watch) -> str:
    return ", ".join(f"{count} {state.name}" for state, count in watch.states().items())


def _for(words: list[str]) -> str:
    """Write `silent 2s` in the long form, which every wire understands."""
    if len(words) == 2 and words[0] == "silent":
        return f"silent for {words[1]}"
    return " ".join(words)
